"""Plain types as strict JSON has them, for schemas that are not a user's model.

The rule is that a value fits exactly when the JSON Schema of the type accepts
it: ``"5"`` is no int and ``true`` is no number, but ``1.0`` is an int; a datetime
is an ISO 8601 date-time or date, and never a number in quotes.
"""

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, LiteralString, cast

from pydantic import ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

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
}


def compile_leaf(leaf: Any, metadata: tuple[Any, ...] = ()) -> Any:
    """``leaf`` with its ``Annotated`` metadata and, last, its strict JSON check."""
    marker = _MARKERS.get(leaf) if isinstance(leaf, type) else None
    parts = metadata if marker is None else (*metadata, marker)
    return Annotated[(leaf, *parts)] if parts else leaf
