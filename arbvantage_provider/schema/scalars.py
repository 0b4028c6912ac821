"""Plain types as strict JSON has them, for schemas that are not a user's model.

The rule is that a value fits exactly when the JSON Schema of the type accepts
it: ``"5"`` is no int and ``true`` is no number, but ``1.0`` is an int; a datetime
is an ISO 8601 date-time or date, and never a number in quotes.
"""

import datetime as dt
import decimal
import enum
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import getclosurevars, isfunction
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    TypeAlias,
    Union,
    cast,
    get_args,
    get_origin,
)

from pydantic import (
    AwareDatetime,
    ConfigDict,
    FutureDate,
    FutureDatetime,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Json,
    NaiveDatetime,
    PastDate,
    PastDatetime,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import (
    CoreSchema,
    PydanticKnownError,
    core_schema,
)

from arbvantage_provider.schema.digits import take_integral

STRICT: Final = ConfigDict(strict=True, allow_inf_nan=False, hide_input_in_errors=True)
"""How generated types validate."""


@dataclass(frozen=True)
class _Before:
    """Runs a function on the parsed JSON value before pydantic's own check.

    It stands last in an ``Annotated``, so that constraints apply inside.
    """

    prepare: Callable[[Any], Any]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return self.wrap(handler(source))

    def wrap(self, inner: CoreSchema) -> CoreSchema:
        """The schema with the function before it."""
        return core_schema.no_info_before_validator_function(self.prepare, inner)


@dataclass(frozen=True)
class _Text:
    """Wants a text of one form before pydantic reads it, in one C call.

    In strict mode pydantic takes no date for a datetime and no text for an int, and
    in any other it takes a number in quotes for a datetime, and ``"5.0"`` for an int.
    What it says of a text that does not match is worded again by ``FORMS``.
    """

    pattern: str
    kind: str
    example: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return self.wrap(handler(source))

    def wrap(self, inner: CoreSchema) -> CoreSchema:
        """The schema with the form before it."""
        text = core_schema.str_schema(pattern=self.pattern, strict=True)
        return core_schema.chain_schema([text, _relax(inner)])

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        if schema["type"] != "chain":  # it stands inside of JSON in a text
            return handler(schema)
        return handler(schema["steps"][-1])


def _relax(schema: CoreSchema) -> CoreSchema:
    """The schema, taking text; validators of the author stand around it."""
    relaxed: dict[str, Any] = dict(schema)
    if "schema" in relaxed:
        relaxed["schema"] = _relax(relaxed["schema"])
    else:
        relaxed["strict"] = False
    return cast("CoreSchema", relaxed)


Marker: TypeAlias = _Before | _Text


@dataclass(frozen=True, eq=False)
class _Choice:
    """Leaves it to the members of a union how strict they are.

    In older releases of pydantic, a strict union has each of them strict: what
    ``_relax`` made, too, and a user's model with a configuration of its own. No two
    are equal, as ``typing`` keeps one of two equal types, and that one's order.
    """

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        schema: dict[str, Any] = dict(handler(source))
        if schema["type"] == "nullable":
            schema["schema"] = {**schema["schema"], "strict": False}
        else:
            schema["strict"] = False
        return cast("CoreSchema", schema)


def make_union(members: tuple[Any, ...]) -> Any:
    """A union of types that are strict by themselves."""
    union: Any = Union[members]  # noqa: UP007 - known at run time
    choices = {*get_args(union)} if get_origin(union) is Union else set[Any]()
    several = len(choices - {type(None)}) > 1
    return Annotated[union, _Choice()] if several else union


def _require_member(
    kind: Literal["enum", "literal_error"], members: list[Any], *, as_key: bool
) -> Callable[[Any], Any]:
    """A check that a value is one of the members, where ``true`` is not ``1``."""
    plain: list[Any] = [m.value if isinstance(m, enum.Enum) else m for m in members]
    if as_key:
        plain = [write_key(value) for value in plain]
    expected = _list_choices([*map(repr, plain)])

    def check(value: object) -> object:
        whole = take_integral(value) if type(value) is float else value
        for member, own in zip(members, plain, strict=True):
            given = whole if isinstance(own, int) else value
            if given == own and isinstance(value, bool) is isinstance(own, bool):
                return member
        raise PydanticKnownError(kind, {"expected": expected})

    return check


def _add_members(flag: type[enum.Flag], *, as_key: bool) -> Callable[[Any], Any]:
    """A check that a value is a sum of a flag's members; ``true`` is no number."""
    kind: Literal["enum"] = "enum"
    expected = f"a sum of {_list_choices([repr(each.value) for each in flag])}"

    def check(value: object) -> object:
        if isinstance(value, bool):
            raise PydanticKnownError(kind, {"expected": expected})
        whole = take_integral(value)
        if as_key and isinstance(value, str) and re.fullmatch(_INTEGER, value):
            whole = int(value)
        try:
            return flag(whole) if type(whole) is int else value
        except ValueError:
            raise PydanticKnownError(kind, {"expected": expected}) from None

    return check


def read_check(function: object) -> Mapping[str, Any]:
    """The ``kind`` and ``plain`` members of a check of an enum or literal.

    Empty if the function is another one.
    """
    is_here = getattr(function, "__module__", "") == __name__
    return (
        getclosurevars(function).nonlocals if is_here and isfunction(function) else {}
    )


def write_key(value: object) -> str:
    """How a value is written as the key of a JSON object, which is always text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def _list_choices(choices: list[str]) -> str:
    """``'a', 'b' or 'c'``, as pydantic words it."""
    return " or ".join(filter(None, [", ".join(choices[:-1]), *choices[-1:]]))


_DATE = "^[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = "[0-9]{2}:[0-9]{2}"
_DATETIME = f"{_DATE}([Tt ]{_TIME}|$)"
_HEX = "[0-9A-Fa-f]"
_MARKERS: Final[dict[Any, Marker]] = {
    int: _Before(take_integral),
    dt.datetime: _Text(
        _DATETIME,
        "datetime_type",
        "an ISO 8601 date-time or date, such as 2026-01-31T09:30:00Z",
    ),
    dt.date: _Text(f"{_DATE}$", "date_type", "an ISO 8601 date, such as 2026-01-31"),
    dt.time: _Text(f"^{_TIME}", "time_type", "an ISO 8601 time, such as 09:30:00"),
    dt.timedelta: _Text(
        "^[+-]?P", "time_delta_type", "an ISO 8601 duration, such as PT1H30M"
    ),
    uuid.UUID: _Text(
        f"^{_HEX}{{8}}-({_HEX}{{4}}-){{3}}{_HEX}{{12}}$",
        "uuid_type",
        "a UUID, such as 6f9619ff-8b86-d011-b42d-00c04fc964ff",
    ),
}
_INTEGER = "-?(?:0|[1-9][0-9]*)"
_KEYS: Final[dict[Any, Marker]] = {
    int: _Text(f"^{_INTEGER}$", "int_parsing", "an integer as text, such as 5"),
    float: _Text(
        rf"^{_INTEGER}(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$",
        "float_parsing",
        "a number as text, such as 1.5",
    ),
    bool: _Text("^(?:true|false)$", "bool_parsing", "true or false as text"),
}
"""Types that are no text, as the keys of a JSON object are."""
FORMS: Final[Mapping[str, tuple[str, str]]] = {
    marker.pattern: (marker.kind, f"Input should be {marker.example}")
    for marker in (*_MARKERS.values(), *_KEYS.values())
    if isinstance(marker, _Text)
}
"""The kind of error and the message for each pattern of a text."""

FULL_FORMS: Final = {
    **{
        marker.pattern: re.compile(marker.pattern).match
        for marker in _MARKERS.values()
        if isinstance(marker, _Text)
    },
    _DATETIME: re.compile(f"{_DATE}[Tt ]").match,
}
"""The patterns again, without what pydantic itself takes for another type first: a
date is a date, and a datetime only if need be."""

TYPES: Final[Mapping[str, Any]] = {
    type_.__name__.lower(): type_ for type_ in (*_MARKERS, *_KEYS)
}
"""The types that have a check, by what pydantic calls them."""

_ALSO_DATETIMES = (AwareDatetime, NaiveDatetime, PastDatetime, FutureDatetime)
_MARKERS.update(dict.fromkeys(_ALSO_DATETIMES, _MARKERS[dt.datetime]))
_MARKERS.update(dict.fromkeys((PastDate, FutureDate), _MARKERS[dt.date]))

PLAIN: Final[frozenset[Any]] = frozenset(
    {*_MARKERS, str, float, bool, bytes, decimal.Decimal, uuid.UUID}
    | {list, dict, tuple, set, frozenset}
)
"""Types that pydantic is known to know."""


def compile_scalar(
    scalar: Any, metadata: tuple[Any, ...] = (), *, as_key: bool = False
) -> Any:
    """``scalar`` with its ``Annotated`` metadata and, last, its strict JSON check."""
    marker = find_marker(scalar, as_key=as_key)
    parts = metadata if marker is None else add_check(metadata, marker)
    return Annotated[(scalar, *parts)] if parts else scalar


def add_check(metadata: tuple[Any, ...], check: object) -> tuple[Any, ...]:
    """The metadata with a check last, but within a text that is JSON itself."""
    end = len(metadata)
    inside = next((i for i, part in enumerate(metadata) if _is_json(part)), end)
    return (*metadata[:inside], check, *metadata[inside:])


def _is_json(part: object) -> bool:
    kind: Any = Json  # which is a type of its own to type checkers
    return part is kind or isinstance(part, kind)


def find_marker(scalar: Any, *, as_key: bool = False) -> Marker | None:
    """The check of a plain type, as a value or as a key of an object."""
    if get_origin(scalar) is Literal:
        members = [*get_args(scalar)]
        return _Before(_require_member("literal_error", members, as_key=as_key))
    if not isinstance(scalar, type):
        return None
    if issubclass(scalar, enum.Flag):
        return _Before(_add_members(scalar, as_key=as_key))
    if issubclass(scalar, enum.Enum) and not _finds_others(scalar):
        return _Before(_require_member("enum", list(scalar), as_key=as_key))
    return _KEYS.get(scalar, _MARKERS.get(scalar)) if as_key else _MARKERS.get(scalar)


def _finds_others(members: type[enum.Enum]) -> bool:
    """Whether the enum makes members of values that are not listed."""
    own = vars(enum.Enum)["_missing_"].__func__
    return getattr(members._missing_, "__func__", None) is not own
