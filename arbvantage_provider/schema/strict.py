"""A model that is as strict as a dict schema."""

import copy
import types
from collections.abc import Iterator
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
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationInfo,
)
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema
from typing_extensions import override

from arbvantage_provider.schema.leaves import STRICT, compile_leaf

_CONTAINERS = ("builtins", "collections", "collections.abc")


class StrictModel(BaseModel):
    """A ``BaseModel`` whose fields take from JSON exactly what a dict schema takes.

    ``"5"`` is no int and ``true`` is no number, but ``1.0`` is an int; a datetime
    is an ISO 8601 date-time or date. Errors hide the input. What is made in Python
    takes Python's own values, a ``datetime`` for a datetime.

    The models that a field refers to keep their own configuration.
    """

    __pydantic_fields__: ClassVar[dict[str, FieldInfo]]
    model_config: ClassVar[ConfigDict] = {**STRICT, "extra": "ignore"}

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


def _tighten_field(field: FieldInfo) -> FieldInfo:
    tightened = copy.copy(field)
    type_, metadata = _tighten(field.annotation, tuple(field.metadata))
    tightened.annotation, tightened.metadata = type_, list(metadata)
    return tightened


def _tighten(type_: Any, metadata: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """A type and its metadata, with the checks of plain types wherever they stand."""
    origin, args = get_origin(type_), get_args(type_)
    if origin is Annotated:
        return _tighten(args[0], (*args[1:], *metadata))
    if hasattr(type_, "__supertype__"):
        return _tighten(type_.__supertype__, metadata)
    if origin in (Union, types.UnionType):
        return Union[_tighten_all(args)], metadata  # noqa: UP007 - known at run time
    if args and getattr(origin, "__module__", "") in _CONTAINERS:
        return origin[_tighten_all(args)], metadata
    return type_, (*metadata, *_find_checks(type_))


def _find_checks(leaf: Any) -> Iterator[_InJSON]:
    if get_origin(leaf) is Literal and all(isinstance(v, str) for v in get_args(leaf)):
        return  # as pydantic checks it, it can tell a union's members
    compiled = compile_leaf(leaf)
    if get_origin(compiled) is Annotated:
        yield from map(_InJSON, get_args(compiled)[1:])


def _tighten_all(types_: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(map(_tighten_part, types_))


def _tighten_part(type_: Any) -> Any:
    if type_ is Ellipsis:
        return type_
    tightened, metadata = _tighten(type_, ())
    return Annotated[(tightened, *metadata)] if metadata else tightened
