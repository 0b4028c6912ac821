"""Proof by counting that a document held no key twice, and nothing unseen.

Looking at a document for duplicate keys costs more than validating it. A count is
cheap: the text cannot hold more keys than it has ``":``, and the validated value
cannot have been read from fewer keys than it has fields. Where both numbers are equal,
each key stood once, none was dropped, and a validator saw each value.

Source: RFC 8259, section 4, on names that are not unique.
"""

import enum
import math
from collections.abc import Callable, Mapping
from inspect import unwrap
from operator import attrgetter
from typing import Any, Final, TypeAlias

from arbvantage_provider.schema.digits import take_integral
from arbvantage_provider.schema.parts import list_choices
from arbvantage_provider.schema.scalars import read_check

Counter: TypeAlias = Callable[[Any], int]
Count: TypeAlias = int | Counter
"""How many keys a value was read from, at least; a number where it never varies."""

_SCALARS: Final = frozenset(
    {"str", "int", "bool", "none", "date", "time", "datetime", "timedelta", "uuid"}
    | {"bytes", "url", "multi-host-url", "literal"}
)
"""Types that take no object, and no number that is not finite."""


class Unknown(Exception):  # noqa: N818 - an answer, no error
    """Nobody can tell from a value how many keys it was read from."""


def count_keys(raw: bytes) -> int:
    """How many keys a JSON text has, at most: texts may hold what looks like one."""
    return raw.translate(None, b" \n\t\r").count(b'":')


def make_counter(schema: Any) -> Counter | None:
    """What counts the keys that a validated value was read from, at least.

    Args:
        schema: a core schema of pydantic.

    Returns:
        ``None`` where that cannot be told: validators of the author, unions of
        objects, recursion.
    """
    try:
        count = _Builder().build(schema)
    except Unknown:
        return None
    return (lambda _: count) if isinstance(count, int) else count


class _Builder:
    """Builds the counter of one core schema, whose definitions it knows."""

    def __init__(self) -> None:
        self._definitions: dict[str, Any] = {}
        self._open: set[str] = set()

    def build(self, schema: Any) -> Count:
        """The count of one part.

        Raises:
            Unknown: if nobody can tell.
        """
        kind = str(schema["type"])
        if kind in _SCALARS:
            return self._build_scalar(schema)
        build = getattr(self, "_build_" + kind.replace("-", "_"), None)
        if build is None:
            raise Unknown
        count: Count = build(schema)
        return count

    def _build_scalar(self, schema: Any) -> Count:
        if schema.get("coerce_numbers_to_str"):
            raise Unknown
        return 0

    def _build_enum(self, schema: Any) -> Count:
        values = [m.value for m in schema["members"] if isinstance(m, enum.Enum)]
        if schema.get("missing") or any(map(_is_infinite, values)):
            raise Unknown
        return 0

    def _build_function_before(self, schema: Any) -> Count:
        function = unwrap(schema["function"]["function"])
        if function is not take_integral and not read_check(function):
            raise Unknown
        return self.build(schema["schema"])

    def _build_any(self, _: Any) -> Count:
        return _count_any

    def _build_float(self, schema: Any) -> Count:
        return 0 if schema.get("allow_inf_nan") is False else _count_finite

    def _build_nullable(self, schema: Any) -> Count:
        count = self.build(schema["schema"])
        if count == 0:
            return 0
        inner = _as_counter(count)
        return lambda value: 0 if value is None else inner(value)

    def _build_chain(self, schema: Any) -> Count:
        return self._build_choice(schema["steps"])

    def _build_union(self, schema: Any) -> Count:
        return self._build_choice(list_choices(schema))

    def _build_choice(self, parts: list[Any]) -> Count:
        if any(self.build(part) != 0 for part in parts):
            raise Unknown
        return 0

    def _build_list(self, schema: Any) -> Count:
        count = self.build(schema.get("items_schema", {"type": "any"}))
        if count == 0:
            return 0
        if isinstance(count, int):
            return lambda values: count * len(values)
        return lambda values: sum(map(count, values))

    def _build_set(self, schema: Any) -> Count:
        return self._build_choice([schema.get("items_schema", {"type": "any"})])

    _build_frozenset = _build_set

    def _build_tuple(self, schema: Any) -> Count:
        return self._build_choice(schema["items_schema"])

    def _build_dict(self, schema: Any) -> Count:
        if self.build(schema.get("keys_schema", {"type": "any"})) != 0:
            raise Unknown
        count = self.build(schema.get("values_schema", {"type": "any"}))
        if isinstance(count, int):
            return lambda found: len(found) * (1 + count)
        return lambda found: len(found) + sum(map(count, found.values()))

    def _build_definitions(self, schema: Any) -> Count:
        self._definitions |= {part["ref"]: part for part in schema["definitions"]}
        return self.build(schema["schema"])

    def _build_definition_ref(self, schema: Any) -> Count:
        name = schema["schema_ref"]
        if name in self._open or name not in self._definitions:
            raise Unknown
        self._open.add(name)
        try:
            return self.build(self._definitions[name])
        finally:
            self._open.discard(name)

    # --- objects -------------------------------------------------------------

    def _build_model(self, schema: Any) -> Count:
        inner = schema["schema"]
        if (
            inner["type"] != "model-fields"
            or schema.get("post_init")
            or schema.get("custom_init")
            or schema.get("root_model")
        ):
            raise Unknown
        fields = self._build_fields(inner, schema.get("config", {}))
        return fields.make_counter(_get_set, vars)

    def _build_typed_dict(self, schema: Any) -> Count:
        # A default stands in the value, and in no document.
        if any(f["schema"]["type"] == "default" for f in schema["fields"].values()):
            raise Unknown
        fields = self._build_fields(schema, schema.get("config", {}))
        return fields.make_counter(_same, _same)

    def _build_default(self, schema: Any) -> Count:
        return self.build(schema["schema"])

    def _build_fields(self, schema: Any, config: Mapping[str, Any]) -> "_Fields":
        extra = schema.get("extra_behavior") or schema.get("extras_schema")
        behavior = extra or config.get("extra_fields_behavior")
        if behavior not in {None, "ignore", "forbid"}:
            raise Unknown
        if config.get("coerce_numbers_to_str"):
            raise Unknown
        fields = _Fields()
        total = schema.get("total", True)
        for name, field in schema["fields"].items():
            # A path leads several fields to one key.
            if not isinstance(field.get("validation_alias", ""), str):
                raise Unknown
            is_needed = field.get("required", total)
            is_needed = is_needed and field["schema"]["type"] != "default"
            fields.add(name, self.build(field["schema"]), is_needed=is_needed)
        return fields


class _Fields:
    """The counts of an object's fields.

    Attributes:
        needed: how many fields there are in any case.
        fixed: how many keys those are, with what they hold in any case.
        has_optional: whether there are others.
        varying: the fields whose values hold now more keys, now fewer.
    """

    def __init__(self) -> None:
        self.needed: int = 0
        self.fixed: int = 0
        self.has_optional: bool = False
        self.varying: list[tuple[str, Counter]] = []

    def add(self, name: str, count: Count, *, is_needed: bool) -> None:
        """Add one."""
        if is_needed:
            self.needed += 1
            self.fixed += 1
        else:
            self.has_optional = True
        if isinstance(count, int) and is_needed:
            self.fixed += count
        elif count != 0:
            self.varying.append((name, _as_counter(count)))

    def make_counter(self, get_set: Any, get_values: Any) -> Count:
        """The count of the object.

        Args:
            get_set: gives the names of the fields that were set.
            get_values: gives the values by their names.
        """
        if not self.has_optional and not self.varying:
            return self.fixed
        offset = self.fixed - self.needed
        if not self.varying:
            return lambda value: offset + len(get_set(value))
        varying = tuple(self.varying)

        def count(value: Any) -> int:
            found, values = get_set(value), get_values(value)
            total = offset + len(found)
            for name, part in varying:
                if name in found:
                    total += part(values[name])
            return total

        return count


_get_set: Final = attrgetter("__pydantic_fields_set__")


def _same(value: Any) -> Any:
    return value


def _as_counter(count: Count) -> Counter:
    return (lambda _: count) if isinstance(count, int) else count


def _count_finite(number: float) -> int:
    # One that is not makes the count too small, and so no proof.
    return 0 if math.isfinite(number) else -1


def _is_infinite(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _count_any(value: Any) -> int:
    """The same of a value that nobody declared, as the parser made it."""
    kind = value.__class__
    if kind is str:
        return 0
    if kind is dict:
        return len(value) + sum(map(_count_any, value.values()))
    if kind is list:
        return sum(map(_count_any, value))
    return 0 if kind is not float else _count_finite(value)
