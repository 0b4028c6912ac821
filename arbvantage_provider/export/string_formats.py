"""Text that stands for another value, as JSON Schemas.

A format such as ``date-time`` is what programs should write; the type beside it,
such as ``DateTimeText``, is all that is read. The patterns hold nothing that the
regular expressions of ECMA-262, Python, Go and Rust do not share.

Sources: RFC 3339, section 5.6 and appendix A; JSON Schema 2020-12, Validation,
section 7.3; what pydantic reads, which ``tests/export/`` compares.
"""

from collections.abc import Callable
from typing import Final, Literal

from arbvantage_provider.export.schema_walk import DEFINITIONS, Node, read_reference
from arbvantage_provider.schema.scalars import write_key

_YEAR = "(?:000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})"
_LEAP_YEAR = (
    "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
)
_LONG_MONTH = "(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
_SHORT_MONTH = "(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
_FEBRUARY = "02-(?:0[1-9]|1[0-9]|2[0-8])"
_DATE = f"(?:{_YEAR}-(?:{_LONG_MONTH}|{_SHORT_MONTH}|{_FEBRUARY})|{_LEAP_YEAR}-02-29)"
_HOUR_MINUTE = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_TIME = f"{_HOUR_MINUTE}(?::[0-5][0-9](?:[.,][0-9]+)?)?"
_OFFSET = "(?:[Zz]|[+\N{MINUS SIGN}-](?:[01][0-9]|2[0-3]):?[0-5][0-9])"

_PART = "[0-9]+(?:[.,][0-9]*)?"
_DAYS = f"(?:{_PART}[YMWD])+"
_DURATION = f"[+-]?P(?:{_DAYS}(?:T(?:{_PART}[HMS])*)?|T(?:{_PART}[HMS])+)"

_DECIMAL = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,17})?"
_INTEGER = "-?(?:0|[1-9][0-9]*)"
_NUMBER = rf"{_INTEGER}(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"

Zone = Literal["any", "aware", "naive"]
"""Whether an offset from UTC may, must, or must not be there."""

_DATETIMES: Final[dict[Zone, str]] = {
    "any": "~DateTimeText",
    "aware": "~ZonedDateTimeText",
    "naive": "~LocalDateTimeText",
}


def _define(pattern: str, description: str) -> Node:
    return {"type": "string", "pattern": f"^{pattern}$", "description": description}


TEXTS: Final[dict[str, Node]] = {
    "~DateTimeText": _define(
        f"{_DATE}[Tt ]{_TIME}{_OFFSET}?",
        "A date and a time, such as 2026-01-31T09:30 or 2026-01-31 09:30:00Z",
    ),
    "~ZonedDateTimeText": _define(
        f"{_DATE}[Tt ]{_TIME}{_OFFSET}",
        "A date and a time with an offset from UTC, such as 2026-01-31T09:30+02:00",
    ),
    "~LocalDateTimeText": _define(
        f"{_DATE}[Tt ]{_TIME}",
        "A date and a time without an offset from UTC, such as 2026-01-31T09:30",
    ),
    "~TimeText": _define(f"{_TIME}{_OFFSET}?", "A time of day, such as 09:30"),
    "~DurationText": _define(_DURATION, "A duration, such as PT1H30M, P2D or -PT0.5S"),
    "~DecimalText": _define(_DECIMAL, "A decimal number, such as 12.50"),
}
"""Types of their own, as their patterns are long; a schema refers to them.

They are called so until all types are named: no class's name begins with ``~``.
"""

_NONE: Final[Node] = {"not": {}}
_KEYS: Final[dict[str, Node]] = {
    "integer": {"pattern": f"^{_INTEGER}$"},
    "number": {"pattern": f"^{_NUMBER}$"},
    "boolean": {"enum": ["true", "false"]},
    **dict.fromkeys(("array", "object", "null"), _NONE),
}
"""How keys are written that stand for other values; some cannot be."""


def describe_datetime(zone: Zone, *, date_too: bool) -> Node:
    """Date-times: those of RFC 3339, and those without seconds or an offset.

    Args:
        zone: whether an offset may be there.
        date_too: whether a date alone is one, as at midnight.
    """
    return _choose(
        {"format": "date-time"} if zone != "naive" else None,
        {"format": "date"} if date_too and zone != "aware" else None,
        _DATETIMES[zone],
    )


def describe_time() -> Node:
    """Times of day, with or without seconds and an offset."""
    return _choose({"format": "time"}, None, "~TimeText")


def describe_duration() -> Node:
    """Durations, with a sign and fractions, too."""
    return _choose({"format": "duration"}, None, "~DurationText")


def describe_decimal_text() -> Node:
    """The text of a decimal number."""
    return {"$ref": DEFINITIONS + "~DecimalText"}


def describe_uuid(version: int | None) -> Node:
    """A UUID in its usual spelling, of one version if that is asked for."""
    if version is None:
        return {"type": "string", "format": "uuid"}
    hexes = [f"[0-9a-fA-F]{{{count}}}" for count in (8, 4, 3, 3, 12)]
    first, second, third, fourth, last = hexes
    variant = "[89abAB]"
    pattern = f"^{first}-{second}-{version}{third}-{variant}{fourth}-{last}$"
    return {"type": "string", "format": "uuid", "pattern": pattern}


def describe_key(node: Node, resolve: Callable[[Node], Node]) -> Node | None:
    """The keys that stand for values of ``node``; ``None`` where any key does.

    JSON has no other keys than text, so a number is written as one.

    Args:
        node: what the keys are, as values.
        resolve: follows a reference to a definition.
    """
    if read_reference(node) in TEXTS:
        return node
    node = resolve(node)
    members = node.get("anyOf", node.get("oneOf"))
    if members is not None:
        keys = [describe_key(member, resolve) for member in members]
        known = [key for key in keys if key is not None]
        return {"anyOf": known} if len(known) == len(keys) else None
    values = [node["const"]] if "const" in node else node.get("enum")
    if values is not None:
        return {"enum": [write_key(value) for value in values]}
    return _describe_key_of_type(node)


def _describe_key_of_type(node: Node) -> Node | None:
    kind = node.get("type", "")
    if kind != "string":
        return _KEYS.get(kind)
    rules = {word: rule for word, rule in node.items() if word not in {"type", "title"}}
    return rules or None


def _choose(first: Node | None, second: Node | None, text: str) -> Node:
    formats = [{"type": "string", **part} for part in (first, second) if part]
    return {"anyOf": [*formats, {"$ref": DEFINITIONS + text}]}
