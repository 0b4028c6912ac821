"""What a handler's docstring says: a summary, and a line for each parameter.

Parameters are read from a Google-style ``Args:`` section.
"""

import functools
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from arbvantage_provider.handlers.layers import list_layers

_ARGUMENTS: Final = (
    "Args|Arguments|Parameters|Keyword Args|Keyword Arguments|Other Parameters"
)
_OTHERS: Final = (
    "Returns?|Yields?|Raises|Examples?|Notes?|Attributes|Warnings?|See Also|Todo"
)
_SECTION: Final = re.compile(rf"^(?:{_ARGUMENTS}):\s*$", re.MULTILINE)
_HEADING: Final = re.compile(
    rf"^(?:(?:{_ARGUMENTS}|{_OTHERS})(?::\s*|\s*\n-{{3,}}\s*)$"
    # Fields of Sphinx and Epydoc, and Sphinx's directives.
    r"|[:@](?:param|arg|key|kwarg|keyword|type|returns?|rtype|raises?|yields?)\b"
    r"|\.\. \w+::)",
    re.MULTILINE,
)
_ENTRY: Final = re.compile(r"\*{0,2}(\w+)\s*(?:\(.*?\))?:(?![:/])\s*(.*)")
_OF_PYTHON: Final = frozenset(
    {"abc", "builtins", "collections", "enum", "functools", "pydantic", "typing"}
)
"""What classes of these packages say of themselves is not said of a handler."""


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
    """The docstring of a function, method, partial or callable object.

    It is the first of what a call goes through, from outside. Of an object, its class
    tells what it is, and ``__call__`` comes first for the parameters.
    """
    layers = [each for each in list_layers(handler) if not _is_partial(each)]
    texts = [*map(_read_text, layers), _read_constructor(layers[0])]
    texts = [*filter(None, texts)]
    parameters: dict[str, str] = {}
    for text in texts[:1] if inspect.isroutine(layers[0]) else reversed(texts[:2]):
        parameters = dict(_read_entries(text)) or parameters
    called = [_read_text(each) for each in layers[1:2]]
    if not inspect.isroutine(layers[0]) and any(called):
        parameters = dict(_read_entries(called[0])) or parameters
    return Docstring(
        summary=_read_summary(texts[0]) if texts else "", parameters=parameters
    )


def _is_partial(layer: Any) -> bool:
    return isinstance(layer, functools.partial)


def _read_text(layer: Any) -> str:
    """What its author wrote, or the author of what it inherits from."""
    kind = cast("type", layer) if inspect.isclass(layer) else type(layer)
    others = [each for each in kind.__mro__ if _find_package(each) in _OF_PYTHON]
    said = {inspect.getdoc(each) for each in (object.__call__, *others)}
    text = inspect.getdoc(layer) or inspect.getdoc(kind) or ""
    # A dataclass without a docstring is given its signature for one.
    return "" if text in said or text.startswith(f"{kind.__name__}(") else text


def _find_package(kind: type) -> str:
    return kind.__module__.partition(".")[0]


def _read_constructor(layer: Any) -> str:
    """The docstring of a class's own ``__init__``."""
    own = vars(layer).get("__init__") if inspect.isclass(layer) else None
    return inspect.cleandoc((own and own.__doc__) or "")


def _read_summary(text: str) -> str:
    """The first paragraph, which a section ends, too."""
    paragraph = text.split("\n\n", 1)[0]
    heading = _HEADING.search(paragraph)
    return _join(paragraph[: heading.start()] if heading else paragraph)


def _read_entries(text: str) -> Iterator[tuple[str, str]]:
    """Each entry of the sections; what is indented further belongs to the last."""
    for section in _SECTION.finditer(text):
        yield from _read_section(text, section)


def _read_section(text: str, section: re.Match[str]) -> Iterator[tuple[str, str]]:
    # Of a text that begins with the section, the indentation below it is gone.
    least = 1 if text[: section.start()].strip() else 0
    name, lines, depth = "", [""], -1
    for line in text[section.end() :].splitlines():
        indent = len(line) - len(line.lstrip())
        if line.strip() and (indent < max(least, depth) or _HEADING.match(line)):
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
