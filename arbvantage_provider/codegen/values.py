"""Values as Python source: defaults, choices, constraints."""

import dataclasses
import datetime as dt
import enum
import inspect
import math
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from arbvantage_provider.codegen.imports import UnspeakableError, locate
from arbvantage_provider.codegen.names import Scope, is_name

_CONSTANTS = (str, bytes, bool, int, float, type(None))
_DISPLAYS: Mapping[type, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Values:
    """Writes values for one place.

    Attributes:
        scope: the names of the module.
        avoid: names that mean something else in this place.
    """

    scope: Scope
    avoid: Collection[str] = ()

    def spell(self, value: Any) -> str:
        """An expression that makes an equal value.

        Raises:
            UnspeakableError: if there is none.
        """
        if type(value) in _CONSTANTS:
            return self._spell_constant(value)
        if isinstance(value, enum.Enum):
            return self._spell_member(value)
        if type(value) is dict or (type(value) in _DISPLAYS and value != set()):
            return self._spell_display(value)
        if inspect.isclass(value) or inspect.isroutine(value):
            return self.refer(value)
        return self._spell_call(value)

    def refer(self, thing: Any) -> str:
        """The name by which a class or function is known here."""
        module, name = locate(thing, self.scope.module)
        top, dot, rest = name.partition(".")
        return self.scope.refer(module, top, self.avoid) + dot + rest

    def call(self, function: Any, words: Mapping[str, Any]) -> str:
        """A call with keyword arguments."""
        spelled = (f"{name}={self.spell(value)}" for name, value in words.items())
        return f"{self.refer(function)}({', '.join(spelled)})"

    def _spell_constant(self, value: Any) -> str:
        if isinstance(value, float) and not math.isfinite(value):
            return f"{self.refer(float)}({spell_constant(str(value))})"
        return spell_constant(value)

    def _spell_display(self, value: Any) -> str:
        kind = value.__class__
        if kind is dict:
            pairs = (f"{self.spell(k)}: {self.spell(v)}" for k, v in value.items())
            return "{" + ", ".join(pairs) + "}"
        opening, closing = _DISPLAYS[kind]
        items = [self.spell(item) for item in value]
        if isinstance(value, set):
            items.sort()
        comma = "," if isinstance(value, tuple) and len(items) == 1 else ""
        return f"{opening}{', '.join(items)}{comma}{closing}"

    def _spell_member(self, member: enum.Enum) -> str:
        kind, name = self.refer(type(member)), str(member.name)
        is_named = name in type(member).__members__ and is_name(name)
        return f"{kind}.{name}" if is_named else f"{kind}({self.spell(member.value)})"

    def _spell_call(self, value: Any) -> str:
        kind = value.__class__
        match value:
            case Decimal() | UUID():
                text = f"{self.refer(kind)}({spell_constant(str(value))})"
            case set() | frozenset():
                items = ", ".join(sorted(map(self.spell, cast("set[Any]", value))))
                text = f"{self.refer(kind)}({f'[{items}]' if items else ''})"
            case dt.timedelta():
                parts = ("days", "seconds", "microseconds")
                text = self.call(
                    kind, {p: n for p in parts if (n := getattr(value, p))}
                )
            case dt.date() | dt.time():
                iso = spell_constant(value.isoformat())
                text = f"{self.refer(kind)}.fromisoformat({iso})"
            case _ if dataclasses.is_dataclass(value):
                text = self._spell_dataclass(value)
            case _:
                raise UnspeakableError(f"{value!r} cannot be written as Python source")
        return text

    def _spell_dataclass(self, value: Any) -> str:
        fields = dataclasses.fields(value)
        words = {
            field.name: getattr(value, field.name)
            for field in fields
            if field.init and getattr(value, field.name) != field.default
        }
        try:
            is_made_so = type(value)(**words) == value
        except TypeError:
            is_made_so = False
        if not is_made_so:
            raise UnspeakableError(f"{value!r} cannot be written as Python source")
        if len(fields) == len(words) == 1:
            (only,) = words.values()
            return f"{self.refer(type(value))}({self.spell(only)})"
        return self.call(type(value), words)


def spell_constant(value: object) -> str:
    """A literal of text, bytes or a number, or the name of a constant."""
    if isinstance(value, str):
        return _quote(value, [repr(char)[1:-1] for char in value])
    if isinstance(value, bytes):
        text = value.decode("latin-1")
        return "b" + _quote(text, [repr(bytes([byte]))[2:-1] for byte in value])
    if isinstance(value, float):
        return repr(value).replace("e+", "e")
    return repr(value)


def _quote(text: str, escaped: Sequence[str]) -> str:
    """In double quotes, unless single ones need fewer backslashes."""
    mark = "'" if text.count('"') > text.count("'") else '"'
    body = ""
    for char, part in zip(text, escaped, strict=True):
        bare = char if char in "'\"" else part
        body += f"\\{mark}" if char == mark else bare
    return mark + body + mark
