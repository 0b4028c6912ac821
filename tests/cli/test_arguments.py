"""``KEY=VALUE`` arguments as the JSON text of a payload."""

import datetime as dt
import json
import uuid
from typing import Any, Literal

import pytest

from arbvantage_provider.cli.arguments import read_pairs
from arbvantage_provider.cli.errors import UsageError
from arbvantage_provider.cli.fields import PayloadFields, describe_fields
from arbvantage_provider.schema.compiled_schema import any_object, compile_schema


def fields_of(**declared: Any) -> PayloadFields:
    return describe_fields(compile_schema("act", "payload", declared))


def read(*pairs: str, fields: PayloadFields) -> Any:
    return json.loads(read_pairs(pairs, fields, "act"))


@pytest.mark.parametrize(
    ("declared", "typed", "value"),
    [
        (str, "5", "5"),
        (str, "", ""),
        (str, "a=b", "a=b"),
        (str, "null", "null"),
        (str, '"quoted"', '"quoted"'),
        (dt.datetime, "2026-01-31T09:30:00Z", "2026-01-31T09:30:00Z"),
        (uuid.UUID, "true", "true"),
        (Literal["1", "2"], "1", "1"),
        (str | None, "5", "5"),
        (str | None, "null", None),
        (dt.date | None, "2026-01-31", "2026-01-31"),
        (int, "5", 5),
        (float, "1e3", 1000.0),
        (bool, "true", True),
        (int | None, "null", None),
        (list[str], '["a", "b"]', ["a", "b"]),
        (dict, '{"a": 1}', {"a": 1}),
        (str | int, "5", 5),
        (str | int, "five", "five"),
        (Any, "[1]", [1]),
        (Any, "one", "one"),
    ],
)
def test_a_value_is_text_for_a_field_of_text_and_else_json(
    declared: Any, typed: str, value: object
) -> None:
    assert read(f"key={typed}", fields=fields_of(key=declared)) == {"key": value}


def test_any_key_goes_where_any_object_does() -> None:
    fields = describe_fields(any_object("act", "payload"))
    assert read("a=1", "b.c=x", fields=fields) == {"a": 1, "b.c": "x"}


def test_a_value_stays_as_it_was_typed_for_the_action_to_judge() -> None:
    text = read_pairs(['key={"a": 1, "a": 2}'], fields_of(key=dict), "act")
    assert text == '{"key": {"a": 1, "a": 2}}'


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["nme=Ann"], "'act' has no field 'nme'; did you mean 'name'? (its fields"),
        (["xyz=1"], "'act' has no field 'xyz' (its fields: name, age, home)"),
        (["name=A", "name=B"], "'name' is given twice"),
        (["Ann"], "'Ann' is neither KEY=VALUE, nor one JSON object, nor '-'"),
        (["name"], "give the field a value: name=VALUE"),
        (["age=old"], "age=old: 'age' is of type int, so its value must be JSON"),
        (["age=NaN"], "age=NaN: 'age' is of type int, so its value must be JSON"),
        (
            ["home.zip=1"],
            "write what is inside 'home' as JSON: home='{\"zip\": \"…\"}'",
        ),
    ],
)
def test_a_slip_says_what_was_meant(pairs: list[str], message: str) -> None:
    fields = fields_of(name=str, age=int, home={"zip": str})
    with pytest.raises(UsageError) as error:
        read_pairs(pairs, fields, "act")
    assert message in error.value.message
    assert error.value.exit_code == 2


def test_an_action_without_fields_says_so() -> None:
    with pytest.raises(UsageError, match="'act' has no field 'a'; it takes none"):
        read_pairs(["a=1"], fields_of(), "act")
