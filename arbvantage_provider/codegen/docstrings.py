"""Docstrings of any text."""

import re
import textwrap
from typing import Final

from arbvantage_provider.codegen.formatter import WIDTH

_QUOTES: Final = '"""'


def format_docstring(text: str, indent: str = "") -> str:
    """One paragraph as a docstring; its line breaks are the docstring's own."""
    body = " ".join("".join(map(_escape, text)).split())
    # No three quotes in a row, and none at the end; ruff parts one at the beginning.
    body = re.sub(r'"(?=""|$)', r"\"", body)
    body = f" {body}" if body.startswith('"') else body
    if len(indent) + len(body) + 2 * len(_QUOTES) <= WIDTH:
        return f"{indent}{_QUOTES}{body}{_QUOTES}"
    lines = textwrap.wrap(
        _QUOTES + body,
        WIDTH - len(indent),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(f"{indent}{line}" for line in [*lines, _QUOTES])


def _escape(char: str) -> str:
    if char == "\\":
        return r"\\"
    return char if char.isspace() or char in "'\"" else repr(char)[1:-1]
