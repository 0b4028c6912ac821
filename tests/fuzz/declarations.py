"""Bytes as a dict schema: each byte chooses one more part of it."""

# Some of it is wrong on purpose.
# pyright: basic, reportGeneralTypeIssues=false

import dataclasses
import datetime as dt
import enum
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import (
    Annotated,
    Any,
    Final,
    ForwardRef,
    Literal,
    NamedTuple,
    NewType,
    Optional,
    TypedDict,
    TypeVar,
    Union,
)

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr

from arbvantage_provider import StrictModel, optional


class Color(enum.Enum):
    RED = "red"
    ONE = 1


class Size(BaseModel):
    """A model with an alias, which keeps its own rules."""

    model_config = ConfigDict(extra="forbid")

    width: float = Field(gt=0, alias="class")
    parts: "list[Size]" = []


class Tight(StrictModel):
    count: int
    when: dt.datetime | None = None


@dataclasses.dataclass
class Point:
    x: int
    y: "float | None" = None


class Pair(NamedTuple):
    left: int
    right: Any = None


class Part(TypedDict, total=False):
    parts: "list[Part]"


class Plain:
    """Nothing that JSON could be."""


Named = NewType("Named", int)
Items = TypeVar("Items")

LEAVES: Final[list[Any]] = [
    *(str, int, float, bool, bytes, Decimal, uuid.UUID, Any),
    *(dt.datetime, dt.date, dt.time, dt.timedelta, AwareDatetime, SecretStr),
    *(list, dict, tuple, set, frozenset, Color, Size, Tight, Point, Pair, Part),
    *(Literal["a", 1, True], Named, object, type(None), complex),
]
WRONG: Final[list[Any]] = [
    *(None, "str", "no such", ForwardRef("Size"), 5, 1.5, b"x", (), (int,), {1}),
    *(print, len, Plain, Plain(), Items, list[Items], Callable, type, Ellipsis),
    *(NotImplemented, Field, Field(gt=1), Optional, Union, Annotated, Literal),
]
METADATA: Final[list[Any]] = [
    *(Field(gt=1), Field(max_length=2), Field(pattern="^a"), Field(pattern="(")),
    *(Field(alias="other"), Field(default=None), Field(default="x"), Field()),
    *(Field(multiple_of=0), Field(strict=False), Field(discriminator="kind")),
    *(Field(default_factory=list), Field(validation_alias="a.b"), "a text", None, 7),
    *(Field(ge=1, le=0), Field(allow_inf_nan=True), Field(min_length=1)),
]
KEYS: Final = [
    *("", "a", "name", "class", "model_config", "model_fields", "schema", "json"),
    *("_id", "__class__", "first-name", "a.b", "a[0]", 'quo"te', "é", "\0", "copy"),
    *("self", "payload", "root", "\ud800", "x" * 300, "$ref", "additionalProperties"),
]
MOST: Final = 300
"""Parts of one schema; more of them show nothing new."""


class Reader:
    """Takes bytes one after the other; there are zeros behind them.

    Attributes:
        keys: each of the keys that were chosen, and a number.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self.parts = 0
        self.keys: dict[str, int] = {}

    def take(self, below: int) -> int:
        """A number, at least 0."""
        byte = self._data[self._at] if self._at < len(self._data) else 0
        self._at += 1
        return byte % below

    def choose(self, options: Sequence[Any]) -> Any:
        return options[self.take(len(options))]

    def rest(self) -> bytes:
        return self._data[self._at :]


def read_schema(reader: Reader) -> Any:
    """A dict, in most cases; any other part as well."""
    return read_part(reader) if reader.take(8) == 7 else read_dict(reader)


def read_part(reader: Reader) -> Any:
    """Any one part."""
    reader.parts += 1
    if reader.parts > MOST:
        return int
    return reader.choose(PARTS)(reader)


def read_leaf(reader: Reader) -> Any:
    return reader.choose(LEAVES)


def read_wrong(reader: Reader) -> Any:
    return reader.choose(WRONG)


def read_dict(reader: Reader) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    for _ in range(reader.take(4)):
        made[read_key(reader)] = read_part(reader)
    if reader.take(32) == 31:
        made["whole"] = [made]
    return made


def read_key(reader: Reader) -> Any:
    kind = reader.take(16)
    if kind == 15:
        return reader.choose([1, None, b"x", (1,), 1.5])
    key = reader.choose(KEYS)
    reader.keys[key.encode("utf-8", "replace").decode()] = kind
    return key


def read_list(reader: Reader) -> list[Any]:
    return [read_part(reader) for _ in range(reader.take(3))]


def read_generic(reader: Reader) -> Any:
    """``list[X]`` and the like."""
    make = reader.choose(GENERICS)
    inner = read_part(reader)
    return attempt(lambda: make(inner, reader), inner)


def read_annotated(reader: Reader) -> Any:
    inner, metadata = read_part(reader), reader.choose(METADATA)
    return attempt(lambda: Annotated[inner, metadata], inner)


def attempt(make: Callable[[], Any], otherwise: Any) -> Any:
    """What Python lets be written."""
    try:
        return make()
    except (TypeError, AttributeError, SyntaxError):
        return otherwise


GENERICS: Final[list[Callable[[Any, Reader], Any]]] = [
    lambda inner, _: list[inner],
    lambda inner, _: set[inner],
    lambda inner, _: frozenset[inner],
    lambda inner, _: tuple[inner, ...],
    lambda inner, reader: tuple[inner, read_part(reader)],
    lambda inner, _: deque[inner],
    # pydantic takes twice the time for each one within another.
    lambda _, reader: Sequence[read_leaf(reader)],
    lambda inner, _: dict[str, inner],
    lambda inner, reader: dict[inner, read_part(reader)],
    lambda inner, _: Mapping[str, inner],
    lambda inner, _: Optional[inner],  # noqa: UP045 - at run time
    lambda inner, reader: Union[inner, read_part(reader)],  # noqa: UP007 - the same
    lambda inner, _: optional(inner),
    lambda inner, _: type[inner],
]
PARTS: Final[list[Callable[[Reader], Any]]] = [
    *(read_leaf, read_leaf, read_leaf, read_dict, read_list, read_generic),
    *(read_generic, read_annotated, read_wrong),
]
