"""Docstrings of any text."""

import textwrap
from typing import Final

from arbvantage_provider.export.python.layout import WIDTH

_QUOTES: Final = '"""'


def format_docstring(text: str, indent: int = 0) -> str:
    """One paragraph as a docstring; its line breaks are the docstring's own."""
    margin = " " * indent
    body = " ".join("".join(map(_escape, text)).split()).replace(_QUOTES, r"\"\"\"")
    if body.endswith('"'):
        body = body[:-1] + r"\""
    if len(margin) + len(body) + 2 * len(_QUOTES) <= WIDTH:
        return f"{margin}{_QUOTES}{body}{_QUOTES}"
    lines = textwrap.wrap(
        _QUOTES + body,
        WIDTH - indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(f"{margin}{line}" for line in [*lines, _QUOTES])


def _escape(char: str) -> str:
    if char == "\\":
        return r"\\"
    return char if char.isspace() or char in "'\"" else repr(char)[1:-1]
