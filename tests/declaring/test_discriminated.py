"""A discriminated union tells its members apart by one field, wherever it stands."""

# pyright: basic

import dataclasses
import datetime as dt
import enum
from collections.abc import Callable
from typing import Annotated, Any, Literal, Optional, Union

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Discriminator, Field, Tag, create_model
from typing_extensions import TypedDict

from arbvantage_provider import Provider, SchemaError, StrictModel, optional
from arbvantage_provider.export import export_json_schema

Receive = Callable[[Any, str], Any]
Refuse = Callable[[Any, str], list[tuple[str, str]]]


class Kind(enum.StrEnum):
    CAT = "cat"
    DAY = "day"


class CatDict(TypedDict):
    kind: Literal["cat"]
    lives: int


class Other(TypedDict):
    kind: Literal["other"]


class DayDict(TypedDict):
    kind: Literal["day"]
    when: dt.date


@dataclasses.dataclass
class CatClass:
    kind: Literal["cat"]
    lives: int


@dataclasses.dataclass
class DayClass:
    kind: Literal["day"]
    when: dt.date


class CatModel(StrictModel):
    kind: Literal["cat"]
    lives: int


class DayModel(StrictModel):
    kind: Literal["day"]
    when: dt.date


class CatEnum(TypedDict):
    kind: Literal[Kind.CAT]
    lives: int


class DayEnum(TypedDict):
    kind: Literal[Kind.DAY]
    when: dt.date


class CatAlias(StrictModel):
    kind: Literal["cat"] = Field(alias="type")
    lives: int


class DayAlias(StrictModel):
    kind: Literal["day"] = Field(alias="type")
    when: dt.date


class One(TypedDict):
    number: Literal[1]
    lives: int


class Two(TypedDict):
    number: Literal[2]
    when: dt.date


def tell(value: Any) -> Any:
    return value.get("kind") if isinstance(value, dict) else value.kind


def by(discriminator: Any, *members: Any) -> Any:
    return Annotated[Union[members], Field(discriminator=discriminator)]  # noqa: UP007


TAGGED = {
    "typed dicts": by("kind", CatDict, DayDict),
    "dataclasses": by("kind", CatClass, DayClass),
    "models": by("kind", CatModel, DayModel),
    "of several kinds": by("kind", CatDict, DayClass),
    "enums": by("kind", CatEnum, DayEnum),
    "a Discriminator": Annotated[CatDict | DayDict, Discriminator("kind")],
    "a function": Annotated[
        Annotated[CatDict, Tag("cat")] | Annotated[DayClass, Tag("day")],
        Discriminator(tell),
    ],
    "nested": by("kind", by("kind", CatClass, Other), DayDict),
    "described": Annotated[
        CatDict | DayDict, Field(discriminator="kind", description="d")
    ],
}
CAT, DAY = '{"kind": "cat", "lives": 9.0}', '{"kind": "day", "when": "2026-01-31"}'
WRONG = '{"kind": "cat", "lives": "9"}'


def plain(value: Any) -> Any:
    if isinstance(value, list):
        return [plain(each) for each in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return value.model_dump() if isinstance(value, BaseModel) else value


@pytest.mark.parametrize("case", TAGGED)
def test_the_member_is_the_one_that_the_tag_names(
    case: str, receive: Receive, refuse: Refuse
) -> None:
    tagged = TAGGED[case]
    schema = {
        "one": tagged,
        "list": [tagged],
        "map": dict[str, tagged],
        "none": Optional[tagged],  # noqa: UP045
        "also": optional(tagged),
        "in": {"it": tagged},
    }
    text = f"""{{"one": {CAT}, "list": [{DAY}, {CAT}], "map": {{"k": {DAY}}},
        "in": {{"it": {CAT}}}, "also": {CAT}}}"""
    received = receive(schema, text)

    cat = {"kind": "cat", "lives": 9}
    day = {"kind": "day", "when": dt.date(2026, 1, 31)}
    assert plain(received["one"]) == cat
    assert plain(received["list"]) == [day, cat]
    assert plain(received["map"]["k"]) == day
    assert received["none"] is None
    assert plain(received["also"]) == cat
    assert plain(received["in"]["it"]) == cat
    assert refuse({"a": tagged}, f'{{"a": {WRONG}}}') == [("a.lives", "int_type")]
    assert refuse({"a": [tagged]}, '{"a": [{"kind": "dog"}]}') == [
        ("a[0]", "union_tag_invalid")
    ]


@pytest.mark.parametrize("case", TAGGED)
def test_classes_and_signatures_take_them_as_dict_schemas_do(
    case: str, provider: Provider, receive: Receive, refuse: Refuse
) -> None:
    tagged = TAGGED[case]

    several: Any = tuple[tagged, ...]
    strict: Any = create_model(
        "Strict", __base__=StrictModel, one=(tagged, ...), more=(several, ())
    )

    def handler(one: Any, more: Any = ()) -> Any:
        return [one, *more]

    handler.__annotations__ = {"one": tagged, "more": list[tagged]}
    provider.actions.register("tried")(handler)
    as_class = dataclasses.make_dataclass("AsClass", [("one", tagged)])

    text = f'{{"one": {CAT}, "more": [{DAY}]}}'
    for schema in (strict, as_class):
        assert plain(receive(schema, text).one) == {"kind": "cat", "lives": 9}
        assert refuse(schema, f'{{"one": {WRONG}}}') == [("one.lives", "int_type")]
    data = [{"kind": "cat", "lives": 9}, {"kind": "day", "when": "2026-01-31"}]
    assert provider.process_task("tried", text)["data"] == data
    assert provider.process_task("tried", f'{{"one": {WRONG}}}')["status"] == "error"


def test_a_strict_model_takes_the_discriminator_of_its_field() -> None:
    class Strict(StrictModel):
        one: CatDict | DayClass = Field(discriminator="kind")
        two: CatDict | DayClass | None = Field(None, discriminator="kind")

    made = Strict.model_validate_json(f'{{"one": {CAT}, "two": {DAY}}}')
    assert made.one == {"kind": "cat", "lives": 9}
    assert made.two == DayClass("day", dt.date(2026, 1, 31))
    assert Strict(one={"kind": "cat", "lives": 9}, two=None).two is None
    assert Strict.model_json_schema()["properties"]["one"]["discriminator"]


def test_a_tag_under_an_alias_and_one_that_is_a_number(
    receive: Receive, refuse: Refuse
) -> None:
    aliased, numbered = by("kind", CatAlias, DayAlias), by("number", One, Two)
    received = receive({"a": aliased}, '{"a": {"type": "cat", "lives": 9}}')
    assert received["a"].lives == 9
    received = receive({"n": numbered}, '{"n": {"number": 2, "when": "2026-01-31"}}')
    assert received["n"] == {"number": 2, "when": dt.date(2026, 1, 31)}
    assert refuse({"n": numbered}, '{"n": {"number": true, "lives": 1}}')


def test_unknown_keys_of_a_member_are_refused_where_the_dict_forbids_them(
    run: Callable[..., dict[str, Any]],
) -> None:
    text = '{"a": {"kind": "cat", "lives": 9, "x": 1}}'
    schema = {"a": TAGGED["typed dicts"]}
    response = run(lambda: None, text, payload_schema=schema, extra="forbid")
    assert [e["path"] for e in response["data"]["errors"]] == ["a.x"]


@pytest.mark.parametrize("case", TAGGED)
def test_an_export_takes_what_the_provider_takes(case: str, provider: Provider) -> None:
    provider.actions.register("tried", payload_schema={"a": TAGGED[case]})(lambda: None)
    exported = export_json_schema(provider.actions, name="x")
    schema = {**exported["actions"]["tried"]["payload"], "$defs": exported["$defs"]}
    check = Draft202012Validator(schema)
    right = [{"kind": "cat", "lives": 9}, {"kind": "day", "when": "2026-01-31"}]
    wrong = [{"kind": "cat", "lives": "9"}, {"kind": "dog"}, {"kind": "day"}, {}]
    assert all(check.is_valid({"a": each}) for each in right)
    assert not any(check.is_valid({"a": each}) for each in wrong)


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        (by("kind", CatDict, int), "not a valid discriminated union variant"),
        (by("other", CatDict, DayDict), "other"),
        (by("kind", CatDict, One), "kind"),
    ],
)
def test_members_that_cannot_be_told_apart_are_refused(
    register: Callable[..., None], declared: Any, problem: str
) -> None:
    with pytest.raises(SchemaError, match=problem) as caught:
        register(lambda: None, payload_schema={"o": {"a": declared}})
    assert caught.value.path == "payload_schema.o.a"


def test_the_whole_is_no_union(register: Callable[..., None]) -> None:
    with pytest.raises(SchemaError, match="as a field"):
        register(lambda: None, payload_schema=TAGGED["models"])


class Size(enum.Enum):
    BIG = "big"
    SMALL = 1


class BigDict(TypedDict):
    kind: Literal[Size.BIG]


@dataclasses.dataclass
class SmallClass:
    kind: Literal[Size.SMALL]


Sized: Any = Annotated[BigDict | SmallClass, Field(discriminator="kind")]


@pytest.mark.parametrize(
    "schema",
    [{"item": Sized}, create_model("M", __base__=StrictModel, item=(Sized, ...))],
)
def test_members_of_any_enum_tell_them_apart(schema: Any, provider: Provider) -> None:
    items: list[Any] = []
    provider.actions.register("tried", payload_schema=schema)(
        lambda payload: items.append(dict(payload)["item"])
    )
    for kind in ('"big"', "1"):
        answer = provider.process_task("tried", f'{{"item": {{"kind": {kind}}}}}')
        assert answer["status"] == "success"
    assert items == [{"kind": Size.BIG}, SmallClass(kind=Size.SMALL)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"kind": "secret"}', "Input should have 'kind' as one of 'cat', 'day'"),
        ("{}", "Input should have 'kind', which tells what it is"),
    ],
)
def test_what_tells_them_apart_is_named(
    text: str, message: str, provider: Provider
) -> None:
    declared = Annotated[CatDict | DayClass, Field(discriminator="kind")]
    provider.actions.register("tried", payload_schema={"a": declared})(lambda: None)
    answer = provider.process_task("tried", f'{{"a": {text}}}')
    assert [each["message"] for each in answer["data"]["errors"]] == [message]
