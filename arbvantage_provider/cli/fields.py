"""The fields of a schema as a person reads and types them.

They are read from the schema's JSON Schema, so they are the keys and types that
a task on the wire has, whatever the schema was declared as.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

from pydantic.errors import PydanticInvalidForJsonSchema

from arbvantage_provider.schema.compiled_schema import CompiledSchema

Node = Mapping[str, Any]
"""A JSON Schema, or one of those inside it."""

ABSENT = object()
"""The default of a field that has none."""

Names = frozenset[str]
NONE: Final[Names] = frozenset()

_KINDS: Final[Mapping[type, str]] = {
    str: "string",
    bool: "boolean",
    type(None): "null",
    list: "array",
}
_NAMES = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "null": "None",
}
_FORMATS = {
    "date-time": "datetime",
    "date": "date",
    "time": "time",
    "duration": "timedelta",
    "uuid": "UUID",
    "binary": "bytes",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class PayloadField:
    """One field, or a field of a field.

    Attributes:
        path: such as ``user.addresses[].zip``; ``*`` stands for any key.
        type: its type as Python writes it, such as ``list[str]``.
        required: whether the object around it must hold it.
        default: a JSON value, or ``ABSENT``.
        description: what it is for, or ``""``.
        kinds: the kinds of JSON value that it takes; ``None`` for any.
    """

    path: str
    type: str
    required: bool
    default: Any
    description: str
    kinds: frozenset[str] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PayloadFields:
    """What an object holds.

    Attributes:
        top: its own fields, by their keys.
        rows: its fields and, after each, the fields inside it.
        is_open: whether keys that are not among its fields mean something.
    """

    top: Mapping[str, PayloadField]
    rows: tuple[PayloadField, ...]
    is_open: bool


def describe_fields(schema: CompiledSchema) -> PayloadFields:
    """The fields of a payload or an account."""
    try:
        return read_fields(schema.adapter.json_schema())
    except PydanticInvalidForJsonSchema:
        # A type of the user's own that only Python knows: its name still helps.
        names: dict[str, Node] = {name: {} for name in schema.fields}
        return read_fields({"properties": names})


def read_fields(document: Node) -> PayloadFields:
    """The fields of the object that a JSON Schema describes."""
    reader = _Reader(document.get("$defs", {}))
    name = _name_reference(document)
    node = reader.resolve(document)
    top = {field.path: field for field in reader.read_object(node)}
    rows = tuple(reader.walk(node, "", frozenset({name} - {""})))
    extra = node.get("additionalProperties", "properties" not in node)
    if extra is False:
        return PayloadFields(top=top, rows=rows, is_open=False)
    type_ = reader.name_type(extra) if _is_node(extra) else "Any"
    return PayloadFields(top=top, rows=(*rows, _make_any_key(type_)), is_open=True)


def _make_any_key(type_: str) -> PayloadField:
    return PayloadField(
        path="*",
        type=type_,
        required=False,
        default=ABSENT,
        description="any key",
        kinds=None,
    )


class _Reader:
    """Reads one JSON Schema document.

    ``above`` holds the names of the definitions around a node, as a definition
    may hold itself.
    """

    def __init__(self, definitions: Node) -> None:
        self._definitions = definitions

    def resolve(self, node: Node) -> Node:
        """The node that ``$ref`` points to; its own words are kept."""
        while "$ref" in node:
            own = {key: value for key, value in node.items() if key != "$ref"}
            node = {**self._definitions[_name_reference(node)], **own}
        return node

    def read_object(self, node: Node, prefix: str = "") -> Iterator[PayloadField]:
        """The fields of an object, without those inside them."""
        required = node.get("required", ())
        for key, declared in node.get("properties", {}).items():
            child = self.resolve(declared)
            yield PayloadField(
                path=prefix + key,
                type=self.name_type(declared),
                required=key in required,
                default=child.get("default", ABSENT),
                description=child.get("description", ""),
                kinds=self.list_kinds(declared),
            )

    def walk(self, node: Node, prefix: str, above: Names) -> Iterator[PayloadField]:
        """Each field of an object and, after it, what is inside."""
        children = node.get("properties", {})
        fields = self.read_object(node, prefix)
        for field, child in zip(fields, children.values(), strict=True):
            yield field
            for step, inner, names in self._enter(child, "", above):
                yield from self.walk(inner, field.path + step, names)

    def _enter(
        self, node: Node, step: str, above: Names
    ) -> Iterator[tuple[str, Node, Names]]:
        """The objects in a field, with the steps that lead to their keys."""
        name = _name_reference(node)
        if name in above:
            return
        above, node = above | {name} if name else above, self.resolve(node)
        if "properties" in node:
            yield f"{step}.", node, above
        for member in _list_members(node):
            yield from self._enter(member, step, above)
        for key, mark in (("items", "[]"), ("additionalProperties", ".*")):
            if _is_node(inner := node.get(key)):
                yield from self._enter(inner, step + mark, above)

    def name_type(self, node: Node, above: Names = NONE) -> str:
        """The node's type, written as Python writes it."""
        name = _name_reference(node)
        if name in above:
            return name
        above, node = above | {name} if name else above, self.resolve(node)
        if members := _list_members(node):
            names = (self.name_type(member, above) for member in members)
            return " | ".join(dict.fromkeys(names))
        if (values := _list_values(node)) is not None:
            return " | ".join(json.dumps(value, ensure_ascii=False) for value in values)
        kind = node.get("type", "")
        if kind in {"array", "object"}:
            name_container = self._name_array if kind == "array" else self._name_object
            return name_container(node, above)
        return _FORMATS.get(node.get("format", ""), _NAMES.get(kind, "Any"))

    def _name_array(self, node: Node, above: Names) -> str:
        if "prefixItems" in node:
            names = (self.name_type(item, above) for item in node["prefixItems"])
            return f"tuple[{', '.join(names)}]"
        name = "set" if node.get("uniqueItems") else "list"
        items = node.get("items")
        return f"{name}[{self.name_type(items, above)}]" if items else name

    def _name_object(self, node: Node, above: Names) -> str:
        if "properties" in node:
            return str(node.get("title", "object"))
        values = node.get("additionalProperties")
        return (
            f"dict[str, {self.name_type(values, above)}]"
            if _is_node(values)
            else "dict"
        )

    def list_kinds(self, node: Node, above: Names = NONE) -> frozenset[str] | None:
        """The kinds of JSON value that the node takes; ``None`` for any."""
        name = _name_reference(node)
        if name in above:
            return NONE
        above, node = above | {name} if name else above, self.resolve(node)
        if members := _list_members(node):
            found = [self.list_kinds(member, above) for member in members]
            known = [kinds for kinds in found if kinds is not None]
            return NONE.union(*known) if len(known) == len(found) else None
        if (values := _list_values(node)) is not None:
            return frozenset(map(_name_kind, values))
        return frozenset({node["type"]}) if "type" in node else None


def _name_reference(node: Node) -> str:
    """The definition that a node points to, or ``""``."""
    return str(node.get("$ref", "")).rpartition("/")[2]


def _list_members(node: Node) -> list[Node]:
    """The alternatives of a union, or the one node that pydantic wraps."""
    return [*node.get("anyOf", ()), *node.get("oneOf", ()), *node.get("allOf", ())]


def _list_values(node: Node) -> list[Any] | None:
    """The values of a choice; ``None`` where the node is no choice."""
    return [node["const"]] if "const" in node else node.get("enum")


def _name_kind(value: object) -> str:
    return _KINDS.get(type(value), "number")


def _is_node(value: object) -> TypeGuard[Node]:
    return isinstance(value, Mapping)
