"""Names that the formats allow, the same in every run."""

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Final

_TOOL: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_LONGEST: Final = 64
_MARK: Final = 8
"""Hexadecimal digits: among a million names, two are alike once in 8,000 times."""


def name_tools(actions: Iterable[str]) -> dict[str, str]:
    """Which action each tool calls: the tools' names to the actions' names.

    A tool's name is one to 64 ASCII letters, digits, ``_`` and ``-``: what model
    APIs take, and less than MCP allows. An action whose name is that keeps it.
    Otherwise each run of other characters becomes ``_``, and where the result is
    too long, empty, or another tool's name, it ends with a hash of the action's
    name. So the name of a tool does not depend on the order of the actions, and
    changes at most when an action of nearly the same name comes or goes.

    Args:
        actions: the names of the actions, each once.
    """
    names = sorted(actions)
    fitting = {name for name in names if _TOOL.fullmatch(name)}
    cleaned = {name: _clean(name) for name in names if name not in fitting}
    counts = Counter(cleaned.values())
    tools = {name: name for name in fitting}
    for name, clean in cleaned.items():
        taken = clean in fitting or counts[clean] > 1
        short = 0 < len(clean) <= _LONGEST
        tools[clean if short and not taken else _mark(clean, name)] = name
    return {tool: tools[tool] for tool in sorted(tools)}


def _clean(name: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_-]+", "_", name).strip("_")


def _mark(clean: str, name: str) -> str:
    encoded = name.encode("utf-8", "surrogatepass")
    mark = hashlib.sha256(encoded).hexdigest()[:_MARK]
    return f"{clean[: _LONGEST - _MARK - 1] or 'action'}_{mark}"


def name_type(class_name: str, taken: Collection[str]) -> str:
    """A type's name: ``Page[Item]`` is ``PageItem``, and a second one ``PageItem2``.

    Args:
        class_name: the name in Python; with arguments, for a generic class.
        taken: names that other types have.
    """
    words = re.findall(r"[a-zA-Z0-9_]+", class_name)
    base = "".join(word[:1].upper() + word[1:] for word in words).strip("_") or "Type"
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base}{number}"
    return name
