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
from collections.abc import Callable
from dataclasses import dataclass
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    LiteralString,
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
    NaiveDatetime,
    PastDate,
    PastDatetime,
)
from pydantic_core import (
    CoreSchema,
    PydanticCustomError,
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
    strict: bool

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        inner = handler(source)
        if not self.strict and "type" in inner:
            inner = cast("CoreSchema", {**inner, "strict": False})
        return core_schema.no_info_before_validator_function(self.prepare, inner)


def _take_integral(value: object) -> object:
    """``1.0`` is an integer to JSON Schema."""
    if type(value) is float and value.is_integer():
        return int(value)
    return value


def _require(
    pattern: str, name: LiteralString, example: LiteralString
) -> Callable[[Any], Any]:
    """A check that a value is text of an ISO 8601 form."""
    match = re.compile(pattern, re.ASCII).match

    def check(value: object) -> object:
        if not isinstance(value, str) or not match(value):
            raise PydanticCustomError(f"{name}_type", f"Input should be {example}")
        return value

    return check


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


_DATE = r"\d{4}-\d{2}-\d{2}"
_TIME = r"\d{2}:\d{2}"
_MARKERS: Final[dict[Any, _Before]] = {
    int: _Before(_take_integral, strict=True),
    dt.datetime: _Before(
        _require(
            rf"{_DATE}([Tt ]{_TIME}|\Z)",
            "datetime",
            "an ISO 8601 date-time or date, such as 2026-01-31T09:30:00Z",
        ),
        strict=False,
    ),
    dt.date: _Before(
        _require(rf"{_DATE}\Z", "date", "an ISO 8601 date, such as 2026-01-31"),
        strict=False,
    ),
    dt.time: _Before(
        _require(_TIME, "time", "an ISO 8601 time, such as 09:30:00"), strict=False
    ),
    dt.timedelta: _Before(
        _require(r"[+-]?P", "time_delta", "an ISO 8601 duration, such as PT1H30M"),
        strict=False,
    ),
    uuid.UUID: _Before(
        _require(
            r"[\dA-Fa-f]{8}-([\dA-Fa-f]{4}-){3}[\dA-Fa-f]{12}\Z",
            "uuid",
            "a UUID, such as 6f9619ff-8b86-d011-b42d-00c04fc964ff",
        ),
        strict=False,
    ),
}
_ALSO_DATETIMES = (AwareDatetime, NaiveDatetime, PastDatetime, FutureDatetime)
_MARKERS.update(dict.fromkeys(_ALSO_DATETIMES, _MARKERS[dt.datetime]))
_MARKERS.update(dict.fromkeys((PastDate, FutureDate), _MARKERS[dt.date]))

PLAIN: Final = frozenset(
    {*_MARKERS, str, float, bool, bytes, decimal.Decimal, uuid.UUID}
    | {list, dict, tuple, set, frozenset}
)
"""Types that pydantic is known to know."""


def compile_leaf(leaf: Any, metadata: tuple[Any, ...] = ()) -> Any:
    """``leaf`` with its ``Annotated`` metadata and, last, its strict JSON check."""
    marker = _find_marker(leaf)
    parts = metadata if marker is None else (*metadata, marker)
    return Annotated[(leaf, *parts)] if parts else leaf


def _find_marker(leaf: Any) -> _Before | None:
    if get_origin(leaf) is Literal:
        return _Before(
            _require_member("literal_error", list(get_args(leaf))), strict=True
        )
    if not isinstance(leaf, type):
        return None
    if issubclass(leaf, enum.Enum) and not _finds_others(leaf):
        return _Before(_require_member("enum", list(leaf)), strict=True)
    return _MARKERS.get(leaf)


def _finds_others(members: type[enum.Enum]) -> bool:
    """Whether the enum makes members of values that are not listed."""
    own = vars(enum.Enum)["_missing_"].__func__
    return getattr(members._missing_, "__func__", None) is not own
