"""A document that is proved by counting is one that a look at each key would take."""

# pyright: basic

import dataclasses
import datetime as dt
import enum
import json
import uuid
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeAlias

import pytest
from hypothesis import HealthCheck, example, given, reject, settings
from hypothesis import strategies as st
from pydantic import AnyUrl, BaseModel, ConfigDict, Field, create_model
from pydantic.errors import PydanticSchemaGenerationError
from typing_extensions import TypedDict

from arbvantage_provider import optional
from arbvantage_provider.exceptions import InvalidPayloadError
from arbvantage_provider.schema.compiled_schema import CompiledSchema, compile_schema
from arbvantage_provider.schema.key_count import count_keys

Written: TypeAlias = tuple[Any, str]
"""A declaration, and the text of a document that may fit."""


class Color(enum.Enum):
    RED = "red"
    FIVE = 5


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")


class Wide(Open):
    number: int = 1


class Filled(TypedDict):
    number: Annotated[int, Field(default=1)]


class Loose(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)


LEAVES: list[tuple[Any, list[str]]] = [
    (str, ['"a"', '":"', '"\\":"', '"\\" :"', '", \\"a\\": "', '""']),
    (int, ["1", "-3", "2.0", "12345678901234567890"]),
    (float, ["1", "1.5", "1e3"]),
    (bool, ["true", "false"]),
    (dt.datetime, ['"2026-01-31T09:30:00Z"', '"2026-01-31"', "1"]),
    (dt.date, ['"2026-01-31"']),
    (dt.timedelta, ['"PT1H"', "3"]),
    (uuid.UUID, ['"6f9619ff-8b86-d011-b42d-00c04fc964ff"']),
    (bytes, ['"x"']),
    (Decimal, ["1.50", '"1.5"']),
    (AnyUrl, ['"http://a:1/"']),
    (Color, ['"red"', "5"]),
    (Literal["a", 1], ['"a"', "1"]),
    (dict, ['{"a": 1}', "{}"]),
    (list, ['[{"a": 1}]', "[]"]),
    (Any, ['{"a": {"b": [1]}}', "1.5", "null", '"a"']),
]
ODD = [
    *("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1" + "0" * 400, "null"),
    *('{"a": 1, "a": 2}', '{"a": 1}', '[{"b": 1, "b": 1}]', "[1e999]", '"\\ud800"'),
    *('{"a": NaN}', '{"": {"": 1, "": 2}}', "[[[NaN]]]", "1e400", "[]", "{}", '"x"'),
]
SPACES = st.sampled_from(["", "", "", " ", "\n", "\t", "\r\n "])
NAMES = ["a", "b", "name", "имя", "x y", ":"]
BASES: list[Any] = [None, None, BaseModel, Strict, Open, Loose]


@st.composite
def leaves(draw: st.DrawFn) -> Written:
    declared, texts = draw(st.sampled_from(LEAVES))
    is_odd = draw(st.integers(0, 9)) == 0
    return declared, draw(st.sampled_from(ODD if is_odd else texts))


@st.composite
def objects(draw: st.DrawFn, parts: st.SearchStrategy[Written]) -> Written:
    """A dict schema or a model, and a document with keys that come twice or not."""
    base = draw(st.sampled_from(BASES))
    fields: dict[str, Any] = {}
    members: list[str] = []
    for name in draw(
        st.lists(st.sampled_from(NAMES[:3] if base else NAMES), max_size=3)
    ):
        declared, text = draw(parts)
        is_optional = draw(st.booleans())
        if base is None:
            fields[name] = optional(declared) if is_optional else declared
        else:
            fields[name] = (declared, None) if is_optional else (declared, ...)
        if not (is_optional and draw(st.booleans())):
            members.append(f"{json.dumps(name)}{draw(SPACES)}:{draw(SPACES)}{text}")
    if draw(st.integers(0, 9)) == 0:
        members.append(f'"more":{draw(parts)[1]}')
    if members and draw(st.integers(0, 9)) == 0:
        members.append(draw(st.sampled_from(members)))
    made: Any = fields
    if base is not None:
        try:
            made = create_model("Made", __base__=base, **fields)
        except (
            PydanticSchemaGenerationError,
            KeyError,
            TypeError,
        ):  # a dict schema inside it
            reject()
    return made, "{" + ",".join(members) + "}"


@st.composite
def groups(draw: st.DrawFn, parts: st.SearchStrategy[Written]) -> Written:
    declared, text = draw(parts)
    several = [text] * draw(st.integers(0, 3))
    if draw(st.booleans()):
        return [declared] if isinstance(declared, dict) else list[declared], (
            "[" + ",".join(several) + "]"
        )
    if isinstance(declared, dict):
        return {"k": declared}, f'{{"k":{text}}}'
    names = draw(st.lists(st.sampled_from(NAMES), max_size=3))
    held = ",".join(f"{json.dumps(name)}:{text}" for name in names)
    return dict[str, declared], f"{{{held}}}"


documents = objects(
    st.recursive(leaves(), lambda inner: objects(inner) | groups(inner), max_leaves=6)
)


def judge(schema: CompiledSchema, raw: bytes) -> str:
    try:
        return repr(schema.validate(raw))
    except InvalidPayloadError as error:
        return f"{error} {error.errors}"


@given(documents)
@settings(
    max_examples=500,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@example(({"a": Any}, '{"a": {"b": 1, "b": 2, "c": NaN}}'))
@example(({"a": int}, '{"a": 1e999}'))
@example((Wide, '{"more": NaN}'))
@example((Filled, '{"more": NaN}'))
@example(({"a": int}, '{"a": Infinity, "more": NaN}'))
@example(({"a": str}, '{"a": "\\" :", "a": ":"}'))
def test_what_counting_proves_is_what_a_look_at_each_key_takes(
    written: Written,
) -> None:
    declared, text = written
    try:
        schema = compile_schema("made", "payload", declared)
    except ValueError:
        return
    looked = dataclasses.replace(schema, count_keys=None)
    assert judge(schema, text.encode()) == judge(looked, text.encode())


class Stop(BaseModel):
    name: str
    seen: dt.datetime
    note: str | None = None


class Trip(BaseModel):
    id: int
    stops: list[Stop]
    by: Stop
    facts: dict[str, Any] = {}


TRIP = (
    b'{"id": 1, "by": {"name": "a", "seen": "2026-01-31T09:30:00Z"}, "facts":'
    b' {"a": [{"b": 1.5}]}, "stops": [{"name": "x", "seen": "2026-01-31", "note":'
    b" null}]}"
)


@pytest.mark.parametrize(
    ("declared", "raw"),
    [
        (Trip, TRIP),
        ({"trip": Trip, "color": Color, "n": [{"a": int}]}, b'{"trip": %b, "color": "red", "n": [{"a": 1}, {"a": 2}]}' % TRIP),
        ({"a": str, "b": float | None}, b'{"a": "\xc3\xa9"}'),
        ({}, b"{}"),
    ],
)  # fmt: skip
def test_common_declarations_are_proved_by_counting(declared: Any, raw: bytes) -> None:
    schema = compile_schema("trip", "payload", declared)
    assert schema.count_keys is not None
    assert schema.count_keys(schema.validate(raw)) == count_keys(raw)


@pytest.mark.parametrize(
    "raw",
    [
        TRIP.replace(b'"id": 1', b'"id": 1, "id": 1'),
        TRIP.replace(b'"id": 1', b'"id" : 1, "id"\n: 1'),
        TRIP.replace(b'"b": 1.5', b'"b": 1.5, "b": 1.5'),
        TRIP.replace(b'"b": 1.5', b'"b": 1e999'),
        TRIP.replace(b'"id": 1', b'"id": 1, "more": {"a": 1, "a": 2}'),
        TRIP.replace(b'"id": 1', b'"id": 1, "more": NaN'),
    ],
)
def test_what_counting_does_not_prove_is_looked_at(raw: bytes) -> None:
    schema = compile_schema("trip", "payload", Trip)
    with pytest.raises(InvalidPayloadError, match="is no strict JSON object"):
        schema.validate(raw)
