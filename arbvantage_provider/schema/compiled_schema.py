"""What an action declares for its payload or account, compiled once."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
)

import typing_extensions
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import CoreConfig
from typing_extensions import is_typeddict

from arbvantage_provider.exceptions import InvalidPayloadError, Violation
from arbvantage_provider.schema.classes import compile_class
from arbvantage_provider.schema.dict_schema import (
    Extra,
    SchemaPath,
    camel,
    compile_dict,
    compile_type,
    is_optional,
)
from arbvantage_provider.schema.exact import make_check
from arbvantage_provider.schema.fits import find_misfit
from arbvantage_provider.schema.key_count import Counter, count_keys, make_counter
from arbvantage_provider.schema.objects import takes_object
from arbvantage_provider.schema.problems import (
    UNBUILDABLE,
    describe_problem,
    is_misfit,
)
from arbvantage_provider.schema.scalars import STRICT
from arbvantage_provider.schema.special import find_instead
from arbvantage_provider.schema.strict_json import LONGEST, DocumentError, read_object
from arbvantage_provider.schema.violations import describe_violations

Role = Literal["payload", "account"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One field of a schema, under the name that a handler knows it by.

    Attributes:
        type: its type, as pydantic understands it.
        required: whether the JSON object must hold it.
        description: what it is for, or ``""``.
    """

    type: Any
    required: bool
    description: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class CompiledSchema:
    """A compiled schema.

    Attributes:
        action: the action's name.
        role: ``payload`` or ``account``.
        type: what a validated value is: the user's class, or a ``TypedDict``.
        fields: the fields, by the names that a handler knows.
        is_mapping: whether a validated value is a dict.
        takes_anything: whether any JSON object fits.
        fills_absent: whether an optional field that is absent is ``None`` to a
            handler that takes the whole; a ``TypedDict`` of the user says itself.
        adapter: validates and describes ``type``.
        check: validates JSON text, as ``exact.make_check`` made it.
        count_keys: how many keys a value was read from; ``None``: nobody can tell.
    """

    action: str
    role: Role
    type: Any
    fields: Mapping[str, Field]
    is_mapping: bool
    takes_anything: bool = False
    fills_absent: bool = False
    adapter: TypeAdapter[Any]
    check: Callable[[bytes], Any]
    count_keys: Counter | None

    def validate(self, raw: bytes, longest: int = LONGEST) -> Any:
        """The value that the JSON text ``raw`` holds, in ``longest`` bytes at most.

        Raises:
            InvalidPayloadError: if ``raw`` is no strict JSON object, or does not
                fit; it names the paths and never a value.
        """
        count = self.count_keys if len(raw) <= longest else None
        if count is None:
            # Not kept: what it takes is free again for what ``check`` builds.
            self._read(raw, longest)
        try:
            value = self.check(raw)
        except ValidationError as error:
            root = "" if self.role == "payload" else self.role
            violations = describe_violations(error, self._read(raw, longest), root)
            raise self._refuse(violations, error.error_count()) from None
        except BaseException as error:
            if not is_misfit(error):
                raise
            self._read(raw, longest)
            raise self._refuse([_misfit(self.role)], 1) from None
        if count is not None and count(value) != count_keys(raw):
            self._read(raw, longest)
        return value

    def _read(self, raw: bytes, longest: int) -> dict[str, Any]:
        """The object that ``raw`` holds, each key of which was looked at.

        Raises:
            InvalidPayloadError: if ``raw`` is no strict JSON object.
        """
        try:
            return read_object(raw, longest)
        except DocumentError as error:
            raise self._refuse_text(error.problem) from None

    def _refuse_text(self, problem: str) -> InvalidPayloadError:
        root = "" if self.role == "payload" else self.role
        return InvalidPayloadError(
            f"the {self.role} of {self.action!r} is no strict JSON object: {problem}",
            [Violation(path=root, type="json_invalid", message=problem)],
        )

    def _refuse(self, violations: list[Violation], count: int) -> InvalidPayloadError:
        first = violations[0]
        where = f"{first['path']}: " if first["path"] else ""
        more = f" (and {count - 1} more)" if len(violations) > 1 else ""
        return InvalidPayloadError(
            f"the {self.role} of {self.action!r} does not fit: "
            f"{where}{first['message']}{more}",
            violations,
        )


def _misfit(role: Role) -> Violation:
    """What pydantic does not count as a violation, and words with the value in it."""
    return Violation(
        path="" if role == "payload" else role,
        type="constraint",
        message="A constraint of the schema cannot be applied to what is there",
    )


def compile_schema(
    action: str, role: Role, declared: Any, *, extra: Extra = "ignore"
) -> CompiledSchema:
    """The schema that an action declares.

    Args:
        action: the action's name.
        role: whose schema it is.
        declared: a ``BaseModel`` subclass, a dataclass, a ``TypedDict`` or a
            dict of the grammar in ``docs/schemas.md``.
        extra: whether a dict's unknown keys are refused.

    Raises:
        SchemaError: if it is none of them, or a part of it has no JSON form.
    """
    path = SchemaPath(
        action=action, path=f"{role}_schema", name=f"{camel(action)}{role.title()}"
    )
    if is_optional(declared):
        raise path.refuse("the whole cannot be optional; write the dict itself")
    if problem := find_instead(declared):
        raise path.refuse(problem)
    if isinstance(declared, Mapping):
        members = cast("Mapping[object, object]", declared)
        made = compile_dict(members, replace(path, extra=extra), top=True)
        return build_schema(made, role, path, fills_absent=True)
    return build_schema(declared, role, path)


def build_schema(
    type_: Any, role: Role, path: SchemaPath, *, fills_absent: bool = False
) -> CompiledSchema:
    """The schema of a class whose JSON form is an object."""
    read_fields = _choose_reader(type_, path)
    try:
        # What is filled in was made here, and is strict.
        strict = type_ if fills_absent else compile_class(type_)
        adapter: TypeAdapter[Any] = TypeAdapter(strict)
        adapter.rebuild(raise_errors=True)
        fields = read_fields(type_)
    except UNBUILDABLE as error:
        raise path.refuse(describe_problem(error)) from error
    _refuse_misfit(adapter, path)
    if not takes_object(adapter.core_schema):
        raise path.refuse(
            f"no JSON object fits {type_.__name__}; write a BaseModel that has it as "
            "a field"
        )
    return CompiledSchema(
        action=path.action,
        role=role,
        type=type_,
        fields=fields,
        is_mapping=is_typeddict(get_origin(type_) or type_),
        fills_absent=fills_absent,
        adapter=adapter,
        check=make_check(adapter),
        count_keys=make_counter(adapter.core_schema),
    )


def _refuse_misfit(adapter: TypeAdapter[Any], path: SchemaPath) -> None:
    misfit = find_misfit(adapter.core_schema)
    if misfit is not None:
        step, problem = misfit
        raise replace(path, path=path.path + step).refuse(problem)


def _choose_reader(
    type_: Any, path: SchemaPath
) -> Callable[[Any], Mapping[str, Field]]:
    kind: Any = get_origin(type_) or type_
    if inspect.isclass(kind) and issubclass(kind, BaseModel):
        return _read_model
    if is_typeddict(kind):
        return _read_typed_dict
    if inspect.isclass(kind) and dataclasses.is_dataclass(kind):
        return _read_dataclass
    unions = {Union, UnionType}
    if get_origin(type_) is Annotated and get_origin(get_args(type_)[0]) not in unions:
        raise path.refuse("the whole cannot be Annotated; write the type inside it")
    if get_origin(type_) in {Annotated, *unions}:
        raise path.refuse("the whole cannot be a union; write {'item': …}, as a field")
    raise path.refuse(
        f"{type_!r} is no schema; write a dict such as {{'name': str}}, a BaseModel, "
        "a dataclass or a TypedDict"
    )


def _read_model(type_: type[BaseModel]) -> Mapping[str, Field]:
    return {
        name: Field(
            type=info.annotation,
            required=info.is_required(),
            description=info.description or "",
        )
        for name, info in type_.model_fields.items()
    }


def _read_dataclass(type_: Any) -> Mapping[str, Field]:
    hints = _read_hints(type_)
    missing = dataclasses.MISSING
    return {
        f.name: Field(
            type=hints[f.name],
            required=f.default is missing and f.default_factory is missing,
            description=_describe(hints[f.name]),
        )
        for f in dataclasses.fields(get_origin(type_) or type_)
        if f.init
    }


def _read_typed_dict(type_: Any) -> Mapping[str, Field]:
    required = (get_origin(type_) or type_).__required_keys__
    return {
        name: Field(
            type=_strip_requirement(hint),
            required=name in required and not _find_default(hint),
            description=_describe(hint),
        )
        for name, hint in _read_hints(type_).items()
    }


def _read_hints(type_: Any) -> dict[str, Any]:
    """The annotations of a class; those of ``Data[int]`` have ``int`` for its ``T``."""
    kind: Any = get_origin(type_) or type_
    hints = typing_extensions.get_type_hints(kind, include_extras=True)
    meant = dict(
        zip(getattr(kind, "__parameters__", ()), get_args(type_), strict=False)
    )
    return {name: _fill_in(hint, meant) for name, hint in hints.items()}


def _fill_in(hint: Any, meant: Mapping[Any, Any]) -> Any:
    hint = _strip_requirement(hint)
    if isinstance(hint, TypeVar):
        return meant.get(hint, hint)
    variables = getattr(hint, "__parameters__", ())
    if not meant or not variables or inspect.isclass(hint):
        return hint
    return hint[tuple(meant.get(each, each) for each in variables)]


def _strip_requirement(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) in (NotRequired, Required) else hint


def _infos(hint: Any) -> list[FieldInfo]:
    hint = _strip_requirement(hint)
    metadata = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    return [part for part in metadata if isinstance(part, FieldInfo)]


def _find_default(hint: Any) -> bool:
    return any(not info.is_required() for info in _infos(hint))


def _describe(hint: Any) -> str:
    texts = [info.description for info in _infos(hint) if info.description]
    return texts[-1] if texts else ""


def any_object(action: str, role: Role, declared: Any = None) -> CompiledSchema:
    """The schema of an action that names no fields of its ``role``.

    Args:
        action: the action's name.
        role: whose schema it is.
        declared: ``dict[str, X]``; left out: any values.

    Raises:
        SchemaError: if ``X`` has no JSON form.
    """
    path = SchemaPath(action=action, path=role, name=f"{camel(action)}{role.title()}")
    type_ = dict[str, Any] if declared is None else compile_type(declared, path)
    adapter: TypeAdapter[Any] = TypeAdapter(type_, config=STRICT)
    _refuse_misfit(adapter, path)
    return CompiledSchema(
        action=action,
        role=role,
        type=type_,
        fields={},
        is_mapping=True,
        takes_anything=declared is None,
        adapter=adapter,
        check=make_check(adapter, CoreConfig(strict=True, allow_inf_nan=False)),
        count_keys=make_counter(adapter.core_schema),
    )
