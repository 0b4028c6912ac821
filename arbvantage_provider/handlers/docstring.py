"""What a handler's docstring says: a summary, and a line for each parameter.

Parameters are read from a Google-style ``Args:`` section.
"""

import functools
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

_SECTION: Final = re.compile(r"^(Args|Arguments|Parameters):\s*$", re.MULTILINE)
_ENTRY: Final = re.compile(r"\*{0,2}(\w+)\s*(?:\([^)]*\))?:\s*(.*)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Docstring:
    """A docstring, in parts.

    Attributes:
        summary: the first paragraph, in one line.
        parameters: what it says of each parameter, in one line each.
    """

    summary: str
    parameters: Mapping[str, str]


def read_docstring(handler: Any) -> Docstring:
    """The docstring of a function, method, partial or callable object."""
    while isinstance(handler, functools.partial):
        handler = handler.func
    text = inspect.getdoc(handler) or ""
    return Docstring(
        summary=_join(text.split("\n\n", 1)[0]), parameters=dict(_read_entries(text))
    )


def _read_entries(text: str) -> Iterator[tuple[str, str]]:
    """Each entry of the section; what is indented further belongs to the last."""
    section = _SECTION.search(text)
    if section is None:
        return
    name, lines, depth = "", [""], 0
    for line in text[section.end() :].splitlines():
        indent = len(line) - len(line.lstrip())
        if line.strip() and not indent:
            break
        entry = _ENTRY.match(line.lstrip())
        if entry and (not name or indent <= depth):
            if name:
                yield name, _join("\n".join(lines))
            name, lines, depth = entry[1], [entry[2]], indent
        else:
            lines.append(line)
    if name:
        yield name, _join("\n".join(lines))


def _join(text: str) -> str:
    return " ".join(text.split())
