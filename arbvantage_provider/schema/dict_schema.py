"""The dict form of a schema, compiled into types that pydantic validates.

A dict becomes a ``TypedDict``: its keys may be any JSON key, and what a handler
receives is a plain dict under the original keys. The grammar is the table in
``docs/schemas.md``.
"""

import types
import typing
from collections import OrderedDict, deque
from collections.abc import (
    Collection,
    Iterable,
    Mapping,
    MutableMapping,
    MutableSequence,
    MutableSet,
    Sequence,
)
from collections.abc import (
    Set as AbstractSet,
)
from dataclasses import dataclass, replace
from typing import (
    Annotated,
    Any,
    ForwardRef,
    Literal,
    NotRequired,
    Optional,
    TypeAlias,
    Union,
    cast,
    get_args,
    get_origin,
)

from pydantic import Field, TypeAdapter
from pydantic.fields import FieldInfo
from typing_extensions import TypedDict

from arbvantage_provider.annotations import AliasError, find_alias, resolve_aliases
from arbvantage_provider.exceptions import SchemaError
from arbvantage_provider.schema.classes import (
    compile_class,
    compile_tagged,
    is_hashable,
    may_be_key,
    split_discriminator,
)
from arbvantage_provider.schema.problems import UNBUILDABLE, describe_problem
from arbvantage_provider.schema.scalars import (
    PLAIN,
    STRICT,
    compile_scalar,
    find_marker,
    make_union,
)
from arbvantage_provider.schema.special import find_instead

_UNIONS = (Union, types.UnionType)
_VALUES = (
    *(tuple, set, frozenset, int, float),
    *(types.FunctionType, types.BuiltinFunctionType, types.MethodType),
)
Extra: TypeAlias = Literal["ignore", "forbid"]
"""What is done with keys that a dict schema does not know."""

_MOST_LEVELS = 100
"""A JSON document of twice as many is refused, and pydantic takes few more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SchemaPath:
    """Where in a declaration the compiler stands.

    Attributes:
        action: the action's name, for errors.
        path: such as ``payload_schema.user.tags``, for errors.
        name: what a type generated here is called.
        above: the ids of the dicts and lists around, to find one inside itself.
        extra: whether unknown keys of dicts are refused.
        is_key: whether it is the keys of an object, which are text.
    """

    action: str
    path: str
    name: str
    above: frozenset[int] = frozenset()
    extra: Extra = "ignore"
    is_key: bool = False

    def below(self, step: str, name: str, container: object) -> "SchemaPath":
        """One step further in."""
        if id(container) in self.above:
            raise self.refuse("this holds itself; a schema must end somewhere")
        if len(self.above) >= _MOST_LEVELS:
            raise self.refuse(f"this nests deeper than {_MOST_LEVELS} levels")
        return replace(
            self,
            path=self.path + step,
            name=self.name + name,
            above=self.above | {id(container)},
        )

    def refuse(self, problem: str) -> SchemaError:
        """The error to raise for this path."""
        return SchemaError(self.action, self.path, problem)


def compile_dict(declared: Mapping[Any, Any], path: SchemaPath, *, top: bool) -> Any:
    """A ``TypedDict`` of the dict's keys.

    A field that takes ``None`` need not be there. At the top it is then absent,
    so that a handler's own default can stand in; further in it is ``None``.
    """
    fields: dict[str, Any] = {}
    for key, value in declared.items():
        if not isinstance(key, str):
            raise path.refuse(f"the key {key!r} is no string; JSON keys are strings")
        field = compile_type(value, path.below(f".{key}", camel(key), declared))
        if takes_none(field) and not _has_default(field):
            field = NotRequired[field] if top else Annotated[field, Field(default=None)]
        fields[key] = field
    return make_typed_dict(path.name, fields, path.extra)


def make_typed_dict(name: str, fields: dict[str, Any], extra: Extra = "ignore") -> Any:
    """A ``TypedDict`` that validates JSON strictly."""
    make: Any = TypedDict  # type checkers know its call with literals only
    made = make(name, fields)
    # Said of the default, older releases of pydantic would take it for NamedTuples, too.
    closed = {"extra": extra} if extra == "forbid" else {}
    made.__pydantic_config__ = {**STRICT, **closed}
    return made


@dataclass(frozen=True, slots=True)
class _OptionalType:
    """What ``optional`` returns; the compiler alone looks inside."""

    declared: Any


def optional(declared: Any) -> Any:
    """``Optional[X]`` for any ``X`` of the grammar, a dict included.

    ``Optional[{"city": str}]`` does not evaluate before Python 3.13, and type
    checkers refuse it; ``optional({"city": str})`` does everywhere.
    """
    return _OptionalType(declared)


def is_optional(declared: object) -> bool:
    """Whether ``optional`` made it."""
    return isinstance(declared, _OptionalType)


def compile_type(declared: Any, path: SchemaPath) -> Any:
    """Any row of the grammar, as a type that pydantic understands."""
    try:
        declared = resolve_aliases(declared)
    except AliasError as error:
        raise path.refuse(str(error)) from error
    if isinstance(declared, _OptionalType):
        return Optional[_compile_part(declared.declared, path)]  # noqa: UP045 - at run time
    if path.is_key and not may_be_key(declared):
        raise path.refuse(f"{declared!r} is no key; JSON has text: dict[str, …]")
    if isinstance(declared, Mapping):
        return compile_dict(cast("Mapping[object, object]", declared), path, top=False)
    if isinstance(declared, list):
        return _compile_list(cast("list[object]", declared), path)
    _refuse_values(declared, path)
    return _compile_typing(declared, path)


def _compile_typing(declared: Any, path: SchemaPath) -> Any:
    """What typing and pydantic know, with the grammar's own forms inside."""
    origin = get_origin(declared)
    if find_alias(declared):  # one that holds itself, as ``JsonValue`` does
        return _compile_scalar(declared, (), path)
    if origin is not None:
        return _compile_generic(declared, origin, path)
    if isinstance(declared, typing.NewType):
        return compile_type(declared.__supertype__, path.below("", "", declared))
    return _compile_scalar(declared, (), path)


def _refuse_values(declared: Any, path: SchemaPath) -> None:
    if isinstance(declared, str | ForwardRef):
        raise path.refuse(f"{declared!r} is a name; write the type itself")
    if declared is None:
        raise path.refuse("None is no type; write Optional[X] for X or nothing")
    if isinstance(declared, _VALUES):
        raise path.refuse(f"{declared!r} is a value; write a type, such as str")


def _compile_scalar(scalar: Any, metadata: tuple[Any, ...], path: SchemaPath) -> Any:
    """A type that has no parts of this grammar; pydantic must know it."""
    if problem := find_instead(scalar):
        raise path.refuse(problem)
    scalar = _make_eager(scalar)
    is_plain = isinstance(scalar, type) and scalar in PLAIN
    try:
        if is_plain or find_marker(scalar) is not None:
            compiled = compile_scalar(scalar, metadata, as_key=path.is_key)
        else:
            part = compile_class(scalar, closed=path.extra == "forbid")
            compiled = Annotated[(part, *metadata)] if metadata else part
        if metadata or not is_plain:
            # As a field, which is the one place where some metadata has its sense.
            TypeAdapter(make_typed_dict("Checked", {"field": compiled}))
    except UNBUILDABLE as error:
        raise path.refuse(describe_problem(error)) from error
    return compiled


def _compile_list(declared: list[Any], path: SchemaPath) -> Any:
    if len(declared) != 1:
        problem = "a list names one item type: write [X], or list for any items"
        raise path.refuse(problem)
    return list[_compile_part(declared[0], path.below("[]", "Item", declared))]  # type: ignore[misc]


def _compile_generic(declared: Any, origin: Any, path: SchemaPath) -> Any:
    args = get_args(declared)
    if not hasattr(declared, "__args__"):
        return _compile_scalar(_make_eager(origin), (), path)  # List without [X]
    if origin is Annotated:
        return _compile_annotated(args[0], args[1:], path)
    if origin in _UNIONS:
        return make_union(_compile_members(args, path))
    if origin in _CONTAINERS:
        return _compile_container(declared, origin, path)
    return _compile_scalar(declared, (), path)


def _compile_container(declared: Any, origin: Any, path: SchemaPath) -> Any:
    args = get_args(declared)
    step, suffix = _CONTAINERS[origin]
    inner = path.below(step, suffix, declared) if _holds_dict(args) else path
    if step == ".*" and len(args) == len(("key", "value")):
        keys = _compile_part(args[0], replace(path, is_key=True))
        return origin[keys, *_compile_members(args[1:], inner)]
    members = _compile_members(args, inner)
    if origin in _SETS and not all(map(is_hashable, members)):
        raise path.refuse(
            "what can change is in no set; write a list, or tuple, frozenset or a "
            "frozen class inside"
        )
    return _make_eager(origin)[members]


def _compile_annotated(inner: Any, metadata: tuple[Any, ...], path: SchemaPath) -> Any:
    if isinstance(inner, typing.NewType):
        return compile_type(Annotated[(inner.__supertype__, *metadata)], path)
    if isinstance(inner, type):
        return _compile_scalar(inner, metadata, path)
    discriminator, others = split_discriminator(metadata)
    if discriminator is None:
        return Annotated[(compile_type(inner, path), *metadata)]
    try:
        tagged = compile_tagged(inner, discriminator, closed=path.extra == "forbid")
    except UNBUILDABLE as error:
        raise path.refuse(describe_problem(error)) from error
    return Annotated[(tagged, *others)] if others else tagged


def _compile_members(args: tuple[Any, ...], path: SchemaPath) -> tuple[Any, ...]:
    """Each of the types; two dicts in one place get two names."""
    made: list[Any] = []
    for arg in args:
        dicts = sum(isinstance(other, dict) for other in args[: len(made)])
        inner = replace(path, name=f"{path.name}{dicts + 1}") if dicts else path
        keep = arg is Ellipsis or arg is type(None)
        made.append(arg if keep else _compile_part(arg, inner))
    return tuple(made)


def _compile_part(declared: Any, path: SchemaPath) -> Any:
    """A type inside another, where it is no field and so has no name."""
    compiled = compile_type(declared, path)
    if any(info.alias or info.validation_alias for info in _list_infos(compiled)):
        problem = "an alias is for a field; write it as the key, or around the whole"
        raise path.refuse(problem)
    if _has_default(compiled):
        problem = "a default is for a field; write it around the whole"
        raise path.refuse(problem)
    return compiled


_CONTAINERS: dict[Any, tuple[str, str]] = {
    list: ("[]", "Item"),
    set: ("[]", "Item"),
    frozenset: ("[]", "Item"),
    tuple: ("[]", "Item"),
    deque: ("[]", "Item"),
    AbstractSet: ("[]", "Item"),
    MutableSet: ("[]", "Item"),
    Sequence: ("[]", "Item"),
    MutableSequence: ("[]", "Item"),
    Collection: ("[]", "Item"),
    Iterable: ("[]", "Item"),
    dict: (".*", "Value"),
    OrderedDict: (".*", "Value"),
    Mapping: (".*", "Value"),
    MutableMapping: (".*", "Value"),
}


_SETS = (set, frozenset, AbstractSet, MutableSet)


def _make_eager(kind: Any) -> Any:
    """``Iterable`` is validated when the handler looks at it, and that is too late."""
    return list if kind in (Iterable, Collection) else kind


def _holds_dict(args: tuple[Any, ...]) -> bool:
    return any(isinstance(arg, dict | list) for arg in args)


def takes_none(compiled: Any) -> bool:
    """Whether a field of this type may be ``None``: ``Optional[X]``."""
    origin = get_origin(compiled)
    if origin is Annotated:
        return takes_none(get_args(compiled)[0])
    return origin in _UNIONS and type(None) in get_args(compiled)


def has_description(compiled: Any) -> bool:
    """Whether a ``Field(description=…)`` stands on the type."""
    return any(info.description for info in _list_infos(compiled))


def _has_default(compiled: Any) -> bool:
    return any(not info.is_required() for info in _list_infos(compiled))


def _list_infos(compiled: Any) -> list[FieldInfo]:
    metadata = get_args(compiled)[1:] if get_origin(compiled) is Annotated else ()
    return [part for part in metadata if isinstance(part, FieldInfo)]


def camel(key: str) -> str:
    """``first-name`` as a part of a type's name: ``FirstName``."""
    words = "".join(c if c.isalnum() else " " for c in key).split()
    return "".join(word[:1].upper() + word[1:] for word in words)
