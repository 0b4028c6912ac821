"""A model that is as strict as a dict schema."""

import copy
import functools
import inspect
import types
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    Union,
    get_args,
    get_origin,
)

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationInfo,
)
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema
from typing_extensions import override

from arbvantage_provider.schema.classes import (
    compile_class,
    compile_tagged,
    has_parts,
    is_lazy,
    name_tags,
    split_discriminator,
)
from arbvantage_provider.schema.problems import UNBUILDABLE
from arbvantage_provider.schema.scalars import (
    STRICT,
    add_check,
    find_marker,
    make_union,
)

_CONTAINERS = ("builtins", "collections", "collections.abc")


class StrictModel(BaseModel):
    """A ``BaseModel`` whose fields take from JSON exactly what a dict schema takes.

    ``"5"`` is no int and ``true`` is no number, but ``1.0`` is an int; a datetime
    is an ISO 8601 date-time or date. Errors hide the input. What is made in Python
    takes Python's own values, a ``datetime`` for a datetime.

    The models that a field refers to keep their own configuration.
    """

    __pydantic_fields__: ClassVar[dict[str, FieldInfo]]
    model_config: ClassVar[ConfigDict] = STRICT

    @classmethod
    @override
    def __get_pydantic_core_schema__(
        cls, source: type[BaseModel], handler: GetCoreSchemaHandler, /
    ) -> CoreSchema:
        declared = cls.__pydantic_fields__
        # The checks are no part of what others read in model_fields.
        cls.__pydantic_fields__ = {
            name: _tighten_field(field) for name, field in declared.items()
        }
        try:
            return handler(source)
        finally:
            cls.__pydantic_fields__ = declared


@dataclass(frozen=True)
class _InJSON:
    """Runs the check of a plain type on JSON input only."""

    check: Any

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        checked = self.check.__get_pydantic_core_schema__(source, handler)
        if checked["type"] != "function-before":
            return core_schema.json_or_python_schema(checked, handler(source))
        # pydantic sees through a function, so a JSON Schema keeps its form.
        prepare = checked["function"]["function"]

        @functools.wraps(prepare)
        def prepare_json(value: object, info: ValidationInfo) -> object:
            return prepare(value) if info.mode == "json" else value

        return core_schema.with_info_before_validator_function(
            prepare_json, checked["schema"]
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        plain = (
            schema["python_schema"] if schema["type"] == "json-or-python" else schema
        )
        return handler(plain)


_BUILDING: ContextVar[frozenset[int]] = ContextVar("_BUILDING", default=frozenset())
"""The ids of the classes that are made strict now."""


@dataclass(frozen=True)
class _StrictClass:
    """Makes the parts of a class strict on JSON input, when the model is built.

    Only then are all names known. What holds the very model stays as it is.

    Attributes:
        discriminator: what tells the members apart, if it is a union of classes.
    """

    discriminator: Any = None

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        tags, building = self.discriminator, _BUILDING.get()
        plain = handler(source)
        if tags is not None:
            plain = handler.generate_schema(name_tags(source, tags))
        if id(source) in building:
            return plain
        token = _BUILDING.set(building | {id(source)})
        try:
            compiled = (
                compile_class(source) if tags is None else compile_tagged(source, tags)
            )
        except UNBUILDABLE:
            return plain  # where the model is, more names may be known
        finally:
            _BUILDING.reset(token)
        strict = handler.generate_schema(compiled)
        return core_schema.json_or_python_schema(strict, plain)


def _tighten_field(field: FieldInfo) -> FieldInfo:
    stricter = copy.copy(field)
    tags = (
        ()
        if field.discriminator is None
        else (Field(discriminator=field.discriminator),)
    )
    stricter.discriminator = None
    type_, metadata = _make_strict(field.annotation, (*tags, *field.metadata))
    stricter.annotation, stricter.metadata = type_, list(metadata)
    return stricter


def _make_strict(
    type_: Any, metadata: tuple[Any, ...], *, as_key: bool = False
) -> tuple[Any, tuple[Any, ...]]:
    """A type and its metadata, with the checks of plain types wherever they stand."""
    origin, args = get_origin(type_), get_args(type_)
    if origin is Annotated:
        return _make_strict(args[0], (*args[1:], *metadata), as_key=as_key)
    if hasattr(type_, "__supertype__"):
        return _make_strict(type_.__supertype__, metadata, as_key=as_key)
    if origin in (Union, types.UnionType):
        return _tighten_union(type_, metadata, as_key=as_key)
    is_container = getattr(origin, "__module__", "") in _CONTAINERS
    if args and is_container and origin is not Callable and not is_lazy(type_):
        return origin[_tighten_items(origin, args)], metadata
    inner = () if _is_whole(type_) else (_StrictClass(),)
    parts = (*inner, *metadata)
    for check in _find_checks(type_, as_key=as_key):
        parts = add_check(parts, check)
    return type_, parts


def _tighten_union(
    type_: Any, metadata: tuple[Any, ...], *, as_key: bool
) -> tuple[Any, tuple[Any, ...]]:
    discriminator, others = split_discriminator(metadata)
    if discriminator is not None:
        return type_, (_StrictClass(discriminator), *others)
    members = tuple(_tighten_part(arg, as_key=as_key) for arg in get_args(type_))
    union = make_union(members)
    plain, *marks = get_args(union) if get_origin(union) is Annotated else (union,)
    return plain, (*marks, *metadata)


def _tighten_items(origin: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
    is_mapping = inspect.isclass(origin) and issubclass(origin, Mapping)
    first = _tighten_part(args[0], as_key=is_mapping)
    return (first, *map(_tighten_part, args[1:]))


def _tighten_part(type_: Any, *, as_key: bool = False) -> Any:
    if type_ is Ellipsis:
        return type_
    stricter, metadata = _make_strict(type_, (), as_key=as_key)
    return Annotated[(stricter, *metadata)] if metadata else stricter


def _is_whole(type_: Any) -> bool:
    """Whether a type has no parts that must be strict, too."""
    if get_origin(type_) is Literal:
        return True
    return inspect.isclass(type_) and not has_parts(type_)


def _find_checks(scalar: Any, *, as_key: bool) -> Iterator[_InJSON]:
    if get_origin(scalar) is Literal and all(
        isinstance(v, str) for v in get_args(scalar)
    ):
        return  # as pydantic checks it, it can tell a union's members
    marker = find_marker(scalar, as_key=as_key)
    if marker is not None:
        yield _InJSON(marker)
