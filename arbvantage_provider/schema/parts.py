"""The parts of what pydantic builds of a type.

Source: ``pydantic_core.core_schema``
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias, cast

Node: TypeAlias = dict[str, Any]
"""A core schema, or a part of one that is none by itself, such as a field."""

_PARTS: Final = (
    *("schema", "items_schema", "keys_schema", "values_schema", "extras_schema"),
    *("arguments_schema", "var_args_schema", "var_kwargs_schema", "fields", "choices"),
    *("steps", "lax_schema", "strict_schema", "json_schema", "python_schema"),
    "definitions",
)
"""The words under which a node has others; ``serialization`` reads no JSON."""


def map_parts(node: Node, change: Callable[[Node, str], Node]) -> Node:
    """The node, with each node that stands right in it changed.

    Args:
        node: stays as it is.
        change: is given a node, and the word under which it stands.
    """
    return node | {
        word: _map(node[word], word, change) for word in _PARTS if word in node
    }


def list_choices(node: Mapping[str, Any]) -> list[Node]:
    """The members of a union, which may come with labels, or by their tags."""
    choices: Any = node["choices"]
    several: list[Any] = [*getattr(choices, "values", lambda: choices)()]
    return [each[0] if isinstance(each, tuple) else each for each in several]


def _map(part: Any, word: str, change: Callable[[Node, str], Node]) -> Any:
    """What stands under a word: a node, several, or a mapping of names to them."""
    if type(part) in {list, tuple}:
        return type(part)(_map(each, word, change) for each in part)
    if not isinstance(part, dict):
        return part
    members = cast("Node", part)
    if isinstance(members.get("type"), str):
        return change(members, word)
    if isinstance(members.get("name"), str):  # an argument
        return members | {"schema": _map(members["schema"], word, change)}
    return {name: _map(each, word, change) for name, each in members.items()}
