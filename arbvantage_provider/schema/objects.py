"""Whether a JSON object may fit what pydantic built."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from pydantic_core import CoreSchema

_Node: TypeAlias = Mapping[str, Any]

_OTHERS: Final = frozenset(
    {"none", "bool", "int", "float", "decimal", "complex", "str", "bytes", "enum"}
    | {"date", "time", "datetime", "timedelta", "url", "multi-host-url", "uuid"}
    | {"list", "deque", "tuple", "set", "frozenset", "generator", "literal"}
)
"""Kinds that no object fits."""
_INSIDE: Final = ("schema", "json_schema", "lax_schema")
"""Where the kinds that only stand around another have it."""


def takes_object(schema: CoreSchema) -> bool:
    """Whether a JSON object may fit; true where only the user's own code knows.

    Args:
        schema: a complete one, as a ``TypeAdapter`` has it.
    """
    root: _Node = {**schema}
    definitions = {each["ref"]: each for each in root.get("definitions", ())}
    return _takes_object(root, definitions, frozenset())


def _takes_object(
    node: _Node, definitions: Mapping[str, _Node], above: frozenset[str]
) -> bool:
    kind = node["type"]
    if kind in _OTHERS:
        return False
    if kind == "definition-ref":
        reference = node["schema_ref"]
        return reference not in above and _takes_object(
            definitions[reference], definitions, above | {reference}
        )
    if kind == "model" and not node.get("root_model"):
        return True
    parts = [*_list_parts(node)]
    return not parts or any(_takes_object(p, definitions, above) for p in parts)


def _list_parts(node: _Node) -> Iterable[_Node]:
    """What a node chooses from, or stands around; nothing for what is an object."""
    kind = node["type"]
    if kind == "union":
        return [_strip_label(each) for each in node["choices"]]
    if kind == "chain":
        return [node["steps"][0]]
    if kind in {"dataclass", "tagged-union", "function-before", "function-wrap"}:
        return ()  # a tag is in an object; a function may make what it likes
    return [node[word] for word in _INSIDE if word in node]


def _strip_label(choice: _Node | tuple[_Node, str]) -> _Node:
    return choice[0] if isinstance(choice, tuple) else choice
