"""Walks over JSON Schemas that know what is a schema and what is a value.

A ``$ref`` among ``properties`` is the name of a field, and one inside ``const``,
``enum``, ``default`` or ``examples`` is data; only the others refer to a type.

Source: JSON Schema 2020-12, Core, section 10, and Validation, section 6.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias, TypeGuard

Node: TypeAlias = dict[str, Any]
"""A JSON Schema, or one of those inside it."""

DEFINITIONS: Final = "#/$defs/"
"""What a reference to a type begins with, wherever it stands."""

_ONE: Final = (
    *("items", "additionalProperties", "propertyNames", "contains", "not"),
    *("if", "then", "else", "unevaluatedItems", "unevaluatedProperties"),
    "contentSchema",
)
_LIST: Final = ("prefixItems", "anyOf", "oneOf", "allOf")
_MAP: Final = ("properties", "patternProperties", "dependentSchemas", "$defs")


def transform(node: Node, change: Callable[[Node], Node]) -> Node:
    """The same schema with ``change`` made to it and, before, to all inside it."""
    made = dict(node)
    for key in _ONE:
        if is_node(made.get(key)):
            made[key] = transform(made[key], change)
    for key in _LIST:
        if key in made:
            made[key] = [_transform_any(part, change) for part in made[key]]
    for key in _MAP:
        if key in made:
            made[key] = {
                name: _transform_any(part, change) for name, part in made[key].items()
            }
    return change(made)


def _transform_any(part: Any, change: Callable[[Node], Node]) -> Any:
    return transform(part, change) if is_node(part) else part  # true and false


def walk(node: Node) -> Iterator[Node]:
    """The schema and all inside it, each before what it holds."""
    yield node
    for part in _list_parts(node):
        if is_node(part):
            yield from walk(part)


def _list_parts(node: Node) -> Iterable[Any]:
    for key in _ONE:
        yield node.get(key)
    for key in _LIST:
        yield from node.get(key, ())
    for key in _MAP:
        yield from node.get(key, {}).values()


def find_types(node: Node) -> Iterator[str]:
    """The names of the types that a schema refers to, in order, some twice."""
    for part in walk(node):
        name = read_reference(part)
        if name:
            yield name


def read_reference(node: Node) -> str:
    """The name of the type that this very node refers to, or ``""``."""
    target = node.get("$ref", "")
    return target.removeprefix(DEFINITIONS) if target.startswith(DEFINITIONS) else ""


def reach(roots: Iterable[Node], definitions: Mapping[str, Node]) -> list[str]:
    """The names of all types that the roots need, in the order of a reader."""
    found: dict[str, None] = {}
    waiting = [name for root in roots for name in find_types(root)][::-1]
    while waiting:
        name = waiting.pop()
        if name not in found and name in definitions:
            found[name] = None
            waiting += [*find_types(definitions[name])][::-1]
    return list(found)


def point(node: Node, prefix: str) -> Node:
    """The same schema with its references going to another place.

    Args:
        node: a schema.
        prefix: what a reference begins with there, such as
            ``#/components/schemas/``.
    """

    def redirect(part: Node) -> Node:
        name = read_reference(part)
        if name:
            part["$ref"] = prefix + name
        if is_node(part.get("discriminator")):
            part["discriminator"] = _redirect_tags(part["discriminator"], prefix)
        return part

    return transform(node, redirect)


def _redirect_tags(discriminator: Node, prefix: str) -> Node:
    targets = discriminator.get("mapping", {}).items()
    mapping = {tag: prefix + read_reference({"$ref": to}) for tag, to in targets}
    return {**discriminator, "mapping": mapping}


def drop_tags(node: Node) -> Node:
    """The schema without ``discriminator``, which is a word of OpenAPI alone."""

    def change(part: Node) -> Node:
        return {key: value for key, value in part.items() if key != "discriminator"}

    return transform(node, change)


def is_node(value: object) -> TypeGuard[Node]:
    """Whether a value is a schema, and not ``true``, ``false`` or no schema."""
    return isinstance(value, dict)
