"""The types of all actions, described once for every format."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode
from pydantic_core import CoreSchema, from_json, to_json

from arbvantage_provider.actions import Action, Actions
from arbvantage_provider.export.generator import CLASS, Generator
from arbvantage_provider.export.names import name_type
from arbvantage_provider.export.schema_walk import (
    DEFINITIONS,
    Node,
    drop_tags,
    is_node,
    reach,
    read_reference,
    transform,
)
from arbvantage_provider.export.string_formats import TEXTS

Part: TypeAlias = Literal["payload", "account", "result"]
_Key: TypeAlias = tuple[str, Part]
_HEAD: Final = ("$ref", "title", "description", "type")
_GENERIC: Final = re.compile(r"\w+\[.+\]")
_PARTS: Final[tuple[Part, ...]] = ("payload", "account", "result")


@dataclass(frozen=True, kw_only=True, slots=True)
class Described:
    """One action's types.

    Attributes:
        name: what tasks call the action.
        description: one sentence for people, or ``""``.
        payload: the JSON Schema of the payload.
        account: the JSON Schema of the account; ``None`` where none is read.
        account_required: whether a task without account is refused.
        result: the JSON Schema of a success's ``data``; ``None`` where the action
            does not say.
    """

    name: str
    description: str
    payload: Node
    account: Node | None
    account_required: bool
    result: Node | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Catalogue:
    """The actions and the types that their schemas refer to.

    Attributes:
        actions: in the order of their names.
        types: JSON Schemas by name; a reference to one is ``#/$defs/`` and it.
    """

    actions: tuple[Described, ...]
    types: Mapping[str, Node]

    def take_out(self, node: Node) -> Node:
        """A schema of one of the actions, alone: with the types that it needs."""
        name = read_reference(node)
        alone = dict(self.types[name] if name else node)
        needed = reach([alone], self.types)
        if needed:
            alone["$defs"] = {name: self.types[name] for name in sorted(needed)}
        return drop_tags(alone)

    def describe_arguments(self, action: Described) -> Node:
        """The payload as what a tool is called with, which is always an object."""
        return {"type": "object", **self.take_out(action.payload)}


def describe(actions: Actions, reserved: Iterable[str] = ()) -> Catalogue:
    """The types of all actions.

    Types are described as the validators of the actions take them, and under the
    keys that JSON has.

    Args:
        actions: a provider's actions.
        reserved: names that no type may have, as the format needs them.
    """
    chosen = [actions[name] for name in sorted(actions)]
    nodes, definitions = _generate(chosen)
    names = _name_types(nodes, definitions, reserved)
    types = {
        names[old]: _finish(definitions[old], names)
        for old in definitions
        if old in names
    }
    parts = {key: _finish(node, names) for key, node in nodes.items()}
    accounts = {key: node for key, node in parts.items() if key[1] == "account"}
    parts |= {key: transform(node, _drop_values) for key, node in accounts.items()}
    for name in reach(accounts.values(), types):
        types[name] = transform(types[name], _drop_values)
    described = (
        Described(
            name=action.name,
            description=action.description,
            payload=parts[action.name, "payload"],
            account=parts.get((action.name, "account")),
            account_required=action.account_required,
            result=parts.get((action.name, "result")),
        )
        for action in chosen
    )
    return Catalogue(
        actions=tuple(described), types={name: types[name] for name in sorted(types)}
    )


def _generate(actions: Iterable[Action]) -> tuple[dict[_Key, Node], dict[str, Node]]:
    """The schemas and the definitions, under the names that pydantic gives them."""
    inputs: list[tuple[_Key, JsonSchemaMode, CoreSchema]] = [
        ((action.name, part), mode, adapter.core_schema)
        for action in actions
        for part, mode, adapter in _list_parts(action)
    ]
    made, definitions = Generator().generate_definitions(inputs)
    plain: Any = from_json(
        to_json(
            [[key, node] for (key, _), node in made.items()], inf_nan_mode="strings"
        )
    )
    nodes: dict[_Key, Node] = {(name, part): node for (name, part), node in plain}
    described = from_json(to_json(definitions, inf_nan_mode="strings"))
    return nodes, {**TEXTS, **described}


def _list_parts(
    action: Action,
) -> Iterator[tuple[Part, JsonSchemaMode, TypeAdapter[Any]]]:
    yield "payload", "validation", action.payload.adapter
    if action.account is not None:
        yield "account", "validation", action.account.adapter
    if action.result is not None:
        yield "result", "serialization", action.result


def _name_types(
    nodes: Mapping[_Key, Node], definitions: Mapping[str, Node], reserved: Iterable[str]
) -> dict[str, str]:
    """The names that pydantic gave, and those that the document has.

    pydantic's names change with the module that a class is in, and that of a file
    with the way it is started.
    """
    names: dict[str, str] = {}
    taken = set(reserved)
    for part in _PARTS:
        roots = [node for key, node in nodes.items() if key[1] == part]
        for old in reach(roots, definitions):
            if old not in names:
                names[old] = _name_type(definitions[old].get(CLASS, old), part, taken)
                taken.add(names[old])
    return names


def _name_type(class_name: str, part: Part, taken: Collection[str]) -> str:
    """A class that comes in and goes out in two forms has two names."""
    name = name_type(class_name, taken)
    if part == "result" and name != name_type(class_name, ()):
        return name_type(f"{class_name}[Result]", taken)
    return name


def _finish(node: Node, names: Mapping[str, str]) -> Node:
    def change(part: Node) -> Node:
        name = names.get(read_reference(part))
        if name is not None:
            part = {**part, "$ref": DEFINITIONS + name}
        part.pop(CLASS, None)
        title = part.pop("title", "")
        if title:
            generic = isinstance(title, str) and _GENERIC.fullmatch(title)
            part["title"] = name_type(title, ()) if generic else title
        if is_node(part.get("discriminator")):
            part["discriminator"] = _rename_tags(part["discriminator"], names)
        head = {key: part.pop(key) for key in _HEAD if key in part}
        return head | part

    return transform(node, change)


def _rename_tags(discriminator: Node, names: Mapping[str, str]) -> Node:
    mapping = {
        tag: DEFINITIONS + names[read_reference({"$ref": target})]
        for tag, target in discriminator.get("mapping", {}).items()
        if read_reference({"$ref": target}) in names
    }
    return {"propertyName": discriminator["propertyName"], "mapping": mapping}


def _drop_values(node: Node) -> Node:
    """An account's defaults and examples may be credentials."""
    hidden = ("default", "example", "examples")
    return {key: value for key, value in node.items() if key not in hidden}
