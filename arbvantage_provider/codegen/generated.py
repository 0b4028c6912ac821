"""The types that were made of dict schemas, inside out."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NotRequired, Required, get_args, get_origin

import typing_extensions
from typing_extensions import is_typeddict

from arbvantage_provider.actions import Action
from arbvantage_provider.codegen.names import name_class
from arbvantage_provider.schema.compiled_schema import CompiledSchema

Role = Literal["payload", "account"]

_HOUSE = "arbvantage_provider."


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One key of a generated type.

    Attributes:
        type: its type, without ``Annotated`` around it.
        metadata: what ``Annotated`` says of it.
        may_be_absent: whether the object need not hold the key.
    """

    type: Any
    metadata: tuple[Any, ...]
    may_be_absent: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Generated:
    """One generated type, and what it is called in the code.

    Attributes:
        type: a ``TypedDict``.
        name: a name that no other has.
        members: its keys, in the order of the declaration.
        action: the action, where this is the whole of its payload or account.
        role: which of the two it is.
    """

    type: Any
    name: str
    members: Mapping[str, Member]
    action: Action | None
    role: Role


def list_schemas(action: Action) -> Iterator[tuple[Role, CompiledSchema]]:
    """The schemas of an action that were declared as dicts."""
    if isinstance(action.payload_schema, Mapping):
        yield "payload", action.payload
    if isinstance(action.account_schema, Mapping) and action.account is not None:
        yield "account", action.account


def list_generated(
    actions: Iterable[Action], taken: Iterable[str] = ()
) -> list[Generated]:
    """Every type that was made of a dict; each stands behind those that it needs.

    Args:
        actions: in order.
        taken: names that no type may have.
    """
    found: list[Generated] = []
    names: dict[int, str] = {}
    used = {*taken}
    for action in actions:
        for role, schema in list_schemas(action):
            if id(schema.type) in names:
                continue  # a group that is included twice
            for type_ in _walk(schema.type):
                names[id(type_)] = name_class(type_.__name__, used)
                used.add(names[id(type_)])
            for type_ in _walk(schema.type, inside_out=True):
                made = Generated(
                    type=type_,
                    name=names[id(type_)],
                    members=_read_members(type_),
                    action=action if type_ is schema.type else None,
                    role=role,
                )
                found.append(made)
    return found


def _walk(type_: Any, *, inside_out: bool = False) -> Iterator[Any]:
    """The generated types in a type, each before or behind those inside it."""
    is_generated = _is_generated(type_)
    if is_generated and not inside_out:
        yield type_
    members = _read_members(type_).values() if is_generated else ()
    for part in [each.type for each in members] or get_args(type_):
        yield from _walk(part, inside_out=inside_out)
    if is_generated and inside_out:
        yield type_


def _is_generated(type_: Any) -> bool:
    return is_typeddict(type_) and f"{type_.__module__}.".startswith(_HOUSE)


def _read_members(type_: Any) -> dict[str, Member]:
    hints = typing_extensions.get_type_hints(type_, include_extras=True)
    return {key: _read_member(hint) for key, hint in hints.items()}


def _read_member(hint: Any) -> Member:
    may_be_absent = get_origin(hint) is NotRequired
    if get_origin(hint) in (NotRequired, Required):
        hint = get_args(hint)[0]
    is_annotated = get_origin(hint) is Annotated
    type_, *metadata = get_args(hint) if is_annotated else (hint,)
    return Member(type=type_, metadata=tuple(metadata), may_be_absent=may_be_absent)
