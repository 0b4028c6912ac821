"""Plain types as strict JSON has them, for schemas that are not a user's model.

The rule is that a value fits exactly when the JSON Schema of the type accepts
it: ``"5"`` is no int and ``true`` is no number, but ``1.0`` is an int; a datetime
is an ISO 8601 date-time or date, and never a number in quotes.
"""

import datetime as dt
import decimal
import enum
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
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
        inner = handler(source)
        return core_schema.no_info_before_validator_function(self.prepare, inner)


@dataclass(frozen=True)
class _Text:
    """Wants a text of an ISO 8601 form before pydantic reads it, in one C call.

    In strict mode pydantic takes no date for a datetime, and in any mode it takes a
    number in quotes. What it says of a text that does not match is worded again by
    ``FORMS``.
    """

    pattern: str
    kind: str
    example: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        text = core_schema.str_schema(pattern=self.pattern, strict=True)
        return core_schema.chain_schema([text, _relax(handler(source))])

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        steps = cast("core_schema.ChainSchema", schema)["steps"]
        return handler(steps[-1])


def _relax(schema: CoreSchema) -> CoreSchema:
    """The schema, taking text; validators of the author stand around it."""
    relaxed: dict[str, Any] = dict(schema)
    if "schema" in relaxed:
        relaxed["schema"] = _relax(relaxed["schema"])
    else:
        relaxed["strict"] = False
    return cast("CoreSchema", relaxed)


_Marker = _Before | _Text


def _take_integral(value: object) -> object:
    """``1.0`` is an integer to JSON Schema."""
    if type(value) is float and value.is_integer():
        return int(value)
    return value


def _require_member(
    kind: Literal["enum", "literal_error"], members: list[Any]
) -> Callable[[Any], Any]:
    """A check that a value is one of the members, where ``true`` is not ``1``."""
    plain = [m.value if isinstance(m, enum.Enum) else m for m in members]
    expected = " or ".join(map(repr, plain))

    def check(value: object) -> object:
        for member, own in zip(members, plain, strict=True):
            if value == own and isinstance(value, bool) is isinstance(own, bool):
                return member
        raise PydanticKnownError(kind, {"expected": expected})

    return check


_DATE = "^[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = "[0-9]{2}:[0-9]{2}"
_HEX = "[0-9A-Fa-f]"
_MARKERS: Final[dict[Any, _Marker]] = {
    int: _Before(_take_integral),
    dt.datetime: _Text(
        f"{_DATE}([Tt ]{_TIME}|$)",
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
FORMS: Final[Mapping[str, tuple[str, str]]] = {
    marker.pattern: (marker.kind, f"Input should be {marker.example}")
    for marker in _MARKERS.values()
    if isinstance(marker, _Text)
}
"""The kind of error and the message for each pattern of a text."""

_ALSO_DATETIMES = (AwareDatetime, NaiveDatetime, PastDatetime, FutureDatetime)
_MARKERS.update(dict.fromkeys(_ALSO_DATETIMES, _MARKERS[dt.datetime]))
_MARKERS.update(dict.fromkeys((PastDate, FutureDate), _MARKERS[dt.date]))

PLAIN: Final[frozenset[Any]] = frozenset(
    {*_MARKERS, str, float, bool, bytes, decimal.Decimal, uuid.UUID}
    | {list, dict, tuple, set, frozenset}
)
"""Types that pydantic is known to know."""


def compile_leaf(leaf: Any, metadata: tuple[Any, ...] = ()) -> Any:
    """``leaf`` with its ``Annotated`` metadata and, last, its strict JSON check."""
    marker = _find_marker(leaf)
    parts = metadata if marker is None else (*metadata, marker)
    return Annotated[(leaf, *parts)] if parts else leaf


def _find_marker(leaf: Any) -> _Marker | None:
    if get_origin(leaf) is Literal:
        return _Before(_require_member("literal_error", list(get_args(leaf))))
    if not isinstance(leaf, type):
        return None
    if issubclass(leaf, enum.Enum) and not _finds_others(leaf):
        return _Before(_require_member("enum", list(leaf)))
    return _MARKERS.get(leaf)


def _finds_others(members: type[enum.Enum]) -> bool:
    """Whether the enum makes members of values that are not listed."""
    own = vars(enum.Enum)["_missing_"].__func__
    return getattr(members._missing_, "__func__", None) is not own
