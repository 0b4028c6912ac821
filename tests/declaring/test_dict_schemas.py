"""The grammar of dict schemas: each row, at the top and further in."""

# Programs write their schemas in the old forms of typing, too.
# ruff: noqa: UP006, UP007, UP045
# pyright: basic

import dataclasses
import datetime as dt
import enum
import json
import pickle
import sys
import types
import typing
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, Optional, Union

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from arbvantage_provider import Provider

Receive = Callable[[Any, str], Any]
Refuse = Callable[[Any, str], list[tuple[str, str]]]

# What programs write; a type checker refuses a dict inside, so it knows nothing.
List: Any = typing.List
Dict: Any = typing.Dict
Tuple: Any = typing.Tuple
Set: Any = typing.Set


class Color(enum.Enum):
    RED = "red"


class Point(BaseModel):
    x: int


@dataclasses.dataclass
class Size:
    width: int


class Label(TypedDict):
    text: str


class Pair(NamedTuple):
    left: int
    right: str


ID = uuid.UUID("6f9619ff-8b86-d011-b42d-00cf4fc964ff")
UTC = dt.UTC

ROWS: dict[str, tuple[Any, str, Any]] = {
    "str": (str, '"a"', "a"),
    "empty str": (str, '""', ""),
    "int": (int, "5", 5),
    "large int": (int, "1" + "0" * 40, 10**40),
    "float": (float, "1.5", 1.5),
    "bool": (bool, "false", False),
    "datetime": (
        dt.datetime,
        '"2026-01-31T09:30:00Z"',
        dt.datetime(2026, 1, 31, 9, 30, tzinfo=UTC),
    ),
    "date": (dt.date, '"2026-01-31"', dt.date(2026, 1, 31)),
    "time": (dt.time, '"09:30:00"', dt.time(9, 30)),
    "timedelta": (dt.timedelta, '"PT1H30M"', dt.timedelta(hours=1.5)),
    "Decimal of text": (Decimal, '"0.10"', Decimal("0.10")),
    "Decimal of a number": (Decimal, "0.1", Decimal("0.1")),
    "UUID": (uuid.UUID, f'"{ID}"', ID),
    "bytes": (bytes, '"é"', "é".encode()),
    "Enum": (Color, '"red"', Color.RED),
    "BaseModel": (Point, '{"x": 1}', Point(x=1)),
    "dataclass": (Size, '{"width": 1}', Size(width=1)),
    "TypedDict": (Label, '{"text": "a"}', {"text": "a"}),
    "NamedTuple": (Pair, '[1, "b"]', Pair(1, "b")),
    "bare list": (list, '[1, "a", null]', [1, "a", None]),
    "bare dict": (dict, '{"a": [1]}', {"a": [1]}),
    "bare tuple": (tuple, '[1, "a"]', (1, "a")),
    "bare set": (set, "[1, 1, 2]", {1, 2}),
    "bare List": (List, '[1, "a"]', [1, "a"]),
    "bare Dict": (Dict, '{"a": [1]}', {"a": [1]}),
    "bare Tuple": (Tuple, '[1, "a"]', (1, "a")),
    "bare Set": (Set, "[1, 1, 2]", {1, 2}),
    "Any": (Any, '{"a": [1, null]}', {"a": [1, None]}),
    "Any as null": (Any, "null", None),
    "dict": ({"k": int}, '{"k": 1}', {"k": 1}),
    "empty dict": ({}, '{"k": 1}', {}),
    "List[X]": (List[int], "[1, 2]", [1, 2]),
    "list[X]": (list[int], "[1, 2]", [1, 2]),
    "[X]": ([int], "[1, 2]", [1, 2]),
    "empty list": ([int], "[]", []),
    "List[{..}]": (List[{"k": int}], '[{"k": 1}]', [{"k": 1}]),
    "[{..}]": ([{"k": int}], '[{"k": 1}, {"k": 2}]', [{"k": 1}, {"k": 2}]),
    "List[List[{..}]]": (List[List[{"k": int}]], '[[{"k": 1}], []]', [[{"k": 1}], []]),
    "[[{..}]]": ([[{"k": int}]], '[[{"k": 1}]]', [[{"k": 1}]]),
    "Dict[str, X]": (Dict[str, int], '{"a": 1, "": 2}', {"a": 1, "": 2}),
    "dict[str, X]": (dict[str, int], '{"a": 1}', {"a": 1}),
    "Dict[str, {..}]": (Dict[str, {"k": int}], '{"a": {"k": 1}}', {"a": {"k": 1}}),
    "Dict[str, Any]": (Dict[str, Any], '{"a": [1]}', {"a": [1]}),
    "List[Dict[str, str]]": (List[Dict[str, str]], '[{"a": "b"}]', [{"a": "b"}]),
    "Tuple[X, ...]": (Tuple[int, ...], "[1, 2]", (1, 2)),
    "Tuple[{..}, ...]": (Tuple[{"k": int}, ...], '[{"k": 1}]', ({"k": 1},)),
    "Tuple[X, Y]": (Tuple[int, str], '[1, "a"]', (1, "a")),
    "Set[X]": (Set[str], '["a", "a"]', {"a"}),
    "frozenset[X]": (frozenset[int], "[1, 1]", frozenset({1})),
    "Literal": (Literal["a", 1], '"a"', "a"),
    "Union": (Union[int, str], '"5"', "5"),
    "Union with a list": (Union[list[int], str], "[1]", [1]),
    "X | Y": (int | str, "5", 5),
    "Annotated": (Annotated[int, Field(ge=1, description="how many")], "1", 1),
    "Annotated list": (Annotated[list[int], Field(min_length=1)], "[1]", [1]),
    "Optional[X]": (Optional[int], "5", 5),
    "Optional[X] as null": (Optional[int], "null", None),
    "X | None": (int | None, "null", None),
    "Optional[List[X]]": (Optional[List[int]], "[1]", [1]),
    "List[Optional[X]]": (List[Optional[int]], "[1, null]", [1, None]),
}
PLACES: dict[str, tuple[Callable[[Any], Any], str, Callable[[Any], Any]]] = {
    "the top": (lambda x: {"f": x}, '{"f": %s}', lambda v: {"f": v}),
    "a dict": (
        lambda x: {"o": {"f": x}},
        '{"o": {"f": %s}}',
        lambda v: {"o": {"f": v}},
    ),
    "a list": (lambda x: {"o": [x]}, '{"o": [%s]}', lambda v: {"o": [v]}),
    "a List": (lambda x: {"o": List[x]}, '{"o": [%s]}', lambda v: {"o": [v]}),
    "a dict of a list": (
        lambda x: {"o": [{"f": x}]},
        '{"o": [{"f": %s}]}',
        lambda v: {"o": [{"f": v}]},
    ),
    "a Dict": (
        lambda x: {"o": Dict[str, x]},
        '{"o": {"k": %s}}',
        lambda v: {"o": {"k": v}},
    ),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("row", ROWS)
def test_each_row_of_the_grammar_is_taken_in_each_place(
    receive: Receive, row: str, place: str
) -> None:
    declared, text, value = ROWS[row]
    wrap, form, expect = PLACES[place]
    if place in ("a List", "a Dict") and isinstance(declared, list):
        pytest.skip("typing takes no list as a parameter")
    assert receive(wrap(declared), form % text) == expect(value)


@pytest.mark.skipif(sys.version_info < (3, 13), reason="typing hashes it before 3.13")
@pytest.mark.parametrize("text", ['{"o": {"k": 1}}', '{"o": null}', "{}"])
def test_an_optional_dict_is_taken_where_python_can_write_it(
    receive: Receive, text: str
) -> None:
    given = {"{}": None, '{"o": null}': None}.get(text, {"k": 1})
    optional: Any = Optional
    assert receive({"o": optional[{"k": int}]}, text) == {"o": given}


@pytest.mark.parametrize(
    "declared",
    [
        Optional[int],
        int | None,
        Union[int, str, None],
        Optional[list[int]],
        Annotated[int | None, Field(description="a number")],
        Annotated[int, Field(ge=0)] | None,  # pyright: ignore[reportOperatorIssue]
    ],
)
def test_an_absent_optional_field_is_none_in_the_whole(
    receive: Receive, declared: Any
) -> None:
    assert receive({"f": declared}, "{}") == {"f": None}
    assert receive({"o": {"f": declared}}, '{"o": {}}') == {"o": {"f": None}}
    assert receive({"o": [{"f": declared}]}, '{"o": [{}]}') == {"o": [{"f": None}]}


def test_a_field_with_a_default_of_its_own_has_that(receive: Receive) -> None:
    schema = {
        "f": Annotated[int, Field(default=3)],
        "o": {"g": Annotated[str, Field(default="x")]},
    }
    assert receive(schema, '{"o": {}}') == {"f": 3, "o": {"g": "x"}}


def test_a_field_that_is_not_optional_must_be_there(refuse: Refuse) -> None:
    schema = {"a": int, "o": {"b": list, "c": [{"d": Any}]}}
    assert refuse(schema, '{"o": {"c": [{}]}}') == [
        ("a", "missing"),
        ("o.b", "missing"),
        ("o.c[0].d", "missing"),
    ]


def test_unknown_keys_are_ignored_at_each_depth(receive: Receive) -> None:
    schema = {"o": {"a": int}, "l": [{"b": int}]}
    text = '{"o": {"a": 1, "x": 1}, "l": [{"b": 2, "y": 2}], "z": 3}'
    assert receive(schema, text) == {"o": {"a": 1}, "l": [{"b": 2}]}


def test_an_empty_schema_takes_any_object_and_nothing_of_it(receive: Receive) -> None:
    assert receive({}, '{"a": 1}') == {}


KEYS = [
    *("", " ", "class", "_id", "__base__", "__class__", "model_config", "model_dump"),
    *(
        "schema",
        "json",
        "copy",
        "first-name",
        "a.b",
        "a b",
        "имя",
        "名前",
        "😀",
        "\u0000",
    ),
    *("self", "data", "1", '"', "\\", "\n", "None", "__annotations__", "cls"),
    *("type", "$ref", "items", "fields", "name", "total", "__pydantic_config__"),
]


@pytest.mark.parametrize("key", KEYS)
def test_any_json_key_is_a_key(provider: Provider, key: str) -> None:
    received: list[Any] = []
    schema = {key: int, "o": {key: str}, "l": [{key: bool}]}
    register = provider.actions.register("keys", payload_schema=schema)
    register(lambda payload: received.extend([payload]))
    payload = {key: 1, "o": {key: "a"}, "l": [{key: True}]}
    assert provider.process_task("keys", payload)["status"] == "success"
    assert received == [payload]


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("name", "name"),
        ("first-name", "first-name"),
        ("", '[""]'),
        ("a.b", '["a.b"]'),
        ("a b", '["a b"]'),
        ('"', '["\\""]'),
        ("名前", "名前"),
    ],
)
def test_a_violation_names_the_key_as_it_was_declared(
    refuse: Refuse, key: str, path: str
) -> None:
    assert refuse({key: int}, "{}") == [(path, "missing")]


def test_a_violation_names_the_place_in_lists_and_maps(refuse: Refuse) -> None:
    schema = {"user": {"addresses": List[{"zip": str}], "tags": Dict[str, List[int]]}}
    text = '{"user": {"addresses": [{"zip": 1}], "tags": {"a b": [1, "x"]}}}'
    assert refuse(schema, text) == [
        ("user.addresses[0].zip", "string_type"),
        ('user.tags["a b"][1]', "int_type"),
    ]


def test_generated_types_have_readable_names(provider: Provider) -> None:
    schema = {"user": {"home": {"zip": str}}, "items": [{"id": int}]}
    provider.actions.register("create_user", payload_schema=schema)(lambda: None)
    action = provider.actions["create_user"]
    definitions = action.payload.adapter.json_schema()["$defs"]
    assert action.payload.type.__name__ == "CreateUserPayload"
    assert sorted(definitions) == [
        "CreateUserPayloadItemsItem",
        "CreateUserPayloadUser",
        "CreateUserPayloadUserHome",
    ]


def test_one_dict_may_stand_in_several_places(receive: Receive) -> None:
    shared = {"k": int}
    schema = {"a": shared, "b": [shared], "c": {"d": shared}}
    text = '{"a": {"k": 1}, "b": [{"k": 2}], "c": {"d": {"k": 3}}}'
    assert receive(schema, text) == {
        "a": {"k": 1},
        "b": [{"k": 2}],
        "c": {"d": {"k": 3}},
    }


def test_keys_that_look_alike_are_different_keys(receive: Receive) -> None:
    keys = ["a-b", "a_b", "a b", "A-b", "ab", "aB"]
    schema = {key: {"n": int} for key in keys}
    text = json.dumps({key: {"n": n} for n, key in enumerate(keys)})
    assert receive(schema, text) == json.loads(text)


def test_a_schema_may_have_thirty_levels(receive: Receive, refuse: Refuse) -> None:
    schema: Any = {"last": int}
    for _ in range(30):
        schema = {"down": [schema]}
    text = '{"down": [' * 30 + '{"last": 1}' + "]}" * 30
    assert receive(schema, text) == json.loads(text)
    place = "down[0]." * 30 + "last"
    assert refuse(schema, text.replace("1", '"x"')) == [(place, "int_type")]


def test_a_schema_may_have_two_thousand_fields(
    receive: Receive, refuse: Refuse
) -> None:
    schema = {f"key {n}": int for n in range(2_000)}
    payload = {key: n for n, key in enumerate(schema)}
    assert receive(schema, json.dumps(payload)) == payload
    assert len(refuse(schema, "{}")) == 100


def test_what_was_validated_is_plain_and_pickles(receive: Receive) -> None:
    row = {"d": {"k": int}, "l": [{"k": dt.date | None}], "m": dict[int, Color]}
    text = '{"d": {"k": 1}, "l": [{"k": "2026-01-31"}, {}], "m": {"1": "red"}}'
    received = receive(
        {**row, "s": Size, "p": Pair}, text[:-1] + ', "s": {"width": 1}, "p": [1, "b"]}'
    )
    assert pickle.loads(pickle.dumps(received)) == received  # noqa: S301 - its own
    dicts = [received, received["d"], *received["l"], received["m"]]
    assert {type(each) for each in dicts} == {dict}


def test_generated_types_have_the_same_names_each_time(
    make: Callable[..., Provider],
) -> None:
    def name() -> list[str]:
        provider = make()
        schema = {"a-b": {"k": int}, "a_b": [{"k": Size}], "c": {"d": [[{"e": str}]]}}
        provider.actions.register("named", payload_schema=schema)(lambda: None)
        return [*provider.actions["named"].payload.adapter.json_schema()["$defs"]]

    assert name() == name()


def test_the_fields_say_what_is_required_and_what_they_are_for(
    provider: Provider,
) -> None:
    schema = {
        "a": Annotated[int, Field(description="how many")],
        "b": Optional[str],
        "c": Annotated[int, Field(default=1)],
    }
    provider.actions.register("fields", payload_schema=schema)(lambda: None)
    fields = provider.actions["fields"].payload.fields
    assert {name: f.required for name, f in fields.items()} == {
        "a": True,
        "b": False,
        "c": False,
    }
    assert fields["a"].description == "how many"


def test_a_schema_may_be_any_mapping(receive: Receive) -> None:
    inner = types.MappingProxyType({"k": int})
    assert receive(types.MappingProxyType({"o": inner}), '{"o": {"k": 1}}') == {
        "o": {"k": 1}
    }


def test_an_alias_is_the_key_in_json(receive: Receive, refuse: Refuse) -> None:
    aliased = Annotated[str, Field(alias="g")]
    schema = {"f": aliased, "o": {"f": Annotated[str | None, Field(alias="g")]}}
    text = '{"g": "a", "o": {"g": "b"}}'
    assert receive(schema, text) == {"f": "a", "o": {"f": "b"}}
    assert refuse(schema, '{"f": "a", "o": {}}') == [("g", "missing")]
