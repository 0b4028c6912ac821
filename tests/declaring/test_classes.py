"""Classes without a configuration of their own are as strict as a dict schema."""

# On Python 3.11 pydantic takes only typing_extensions' TypedDict.
# ruff: noqa: UP006, UP035
# pyright: basic

import dataclasses
import datetime as dt
import enum
import typing
from collections.abc import Callable, Iterable
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import pydantic
import pytest
from pydantic import BaseModel, ConfigDict
from typing_extensions import NotRequired, TypeAliasType, TypedDict

from arbvantage_provider import Provider, StrictModel

Receive = Callable[[Any, str], Any]
Refuse = Callable[[Any, str], list[tuple[str, str]]]
T = TypeVar("T")
List: Any = typing.List  # a type checker knows no variable in it


class Level(enum.IntEnum):
    LOW = 1


@dataclasses.dataclass
class Data:
    n: int
    at: dt.date | None = None
    kind: Literal[1, "a"] = 1
    level: Level = Level.LOW
    by_number: dict[int, float] = dataclasses.field(default_factory=dict)
    more: "list[Data]" = dataclasses.field(default_factory=list)
    lazy: Iterable[int] = ()


class Typed(TypedDict):
    n: int
    at: NotRequired[dt.date]
    kind: NotRequired[Literal[1, "a"]]
    level: NotRequired[Level]
    by_number: NotRequired[dict[int, float]]
    more: NotRequired[list["Typed"]]


class Tuple(NamedTuple):
    n: int
    at: dt.date | None = None
    kind: Literal[1, "a"] = 1
    level: Level = Level.LOW
    by_number: dict[int, float] = {}  # noqa: RUF012 - a NamedTuple's are no ClassVars
    more: "list[Tuple]" = []  # noqa: RUF012 - the same


@dataclasses.dataclass
class Box(Generic[T]):
    n: T


CLASSES: dict[str, Any] = {
    "dataclass": Data,
    "TypedDict": Typed,
    "NamedTuple": Tuple,
    "generic dataclass": Box[int],
}
PLACES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "once": (lambda c: {"o": c}, '{"o": %s}'),
    "twice": (lambda c: {"o": c, "p": c | None}, '{"p": {"n": 1}, "o": %s}'),
    "in a list": (lambda c: {"o": [c]}, '{"o": [{"n": 1}, %s]}'),
    "in a dict in a list": (lambda c: {"o": [{"k": c}]}, '{"o": [{"k": %s}]}'),
    "beside a lax model": (
        lambda c: {"o": c, "m": pydantic.create_model("Lax", c=(c, ...))},
        '{"m": {"c": {"n": 1}}, "o": %s}',
    ),
    "in a strict model": (
        lambda c: pydantic.create_model("Made", __base__=StrictModel, o=(c, ...)),
        '{"o": %s}',
    ),
    "twice in a strict model": (
        lambda c: pydantic.create_model(
            "Made", __base__=StrictModel, o=(c, ...), p=(List[c], [])
        ),
        '{"p": [{"n": 1}], "o": %s}',
    ),
}
TAKEN = ['{"n": 1}', '{"n": 1.0}']
REFUSED = ['{"n": "5"}', '{"n": true}', '{"n": 1.5}', '{"n": null}', "{}", "5"]
DEEP_TAKEN = [
    '{"n": 1, "at": "2026-01-31", "kind": 1.0, "level": 1.0}',
    '{"n": 1, "by_number": {"5": 1}, "more": [{"n": 2.0, "kind": "a", "more": []}]}',
]
DEEP_REFUSED = [
    '{"n": 1, "at": "1769850000"}',
    '{"n": 1, "kind": true}',
    '{"n": 1, "level": "1"}',
    '{"n": 1, "by_number": {"5.0": 1}}',
    '{"n": 1, "by_number": {"5": "1"}}',
    '{"n": 1, "more": [{"n": "5"}]}',
    '{"n": 1, "more": [{"n": 1, "more": [{"n": true}]}]}',
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", CLASSES)
def test_a_class_is_as_strict_as_a_dict_wherever_it_stands(
    provider: Provider, name: str, place: str
) -> None:
    class_ = CLASSES[name]
    wrap, form = PLACES[place]
    provider.actions.register("asked", payload_schema=wrap(class_))(lambda: None)

    def answer(text: str) -> Any:
        return provider.process_task("asked", form % text)["status"]

    deep = name != "generic dataclass"
    taken = [*TAKEN, *(DEEP_TAKEN if deep else ())]
    refused = [*REFUSED, *(DEEP_REFUSED if deep else ())]
    assert {text: answer(text) for text in taken} == dict.fromkeys(taken, "success")
    assert {text: answer(text) for text in refused} == dict.fromkeys(refused, "error")


@pytest.mark.parametrize("class_", [Data, Typed])
def test_a_class_is_as_strict_as_the_whole(receive: Receive, class_: Any) -> None:
    whole = receive(class_, '{"n": 1.0}')
    assert whole == (Data(1) if class_ is Data else {"n": 1})


@pytest.mark.parametrize("class_", [Data, Typed])
@pytest.mark.parametrize("text", [*REFUSED[:-1], *DEEP_REFUSED])
def test_the_whole_refuses_what_a_dict_refuses(
    refuse: Refuse, class_: Any, text: str
) -> None:
    assert refuse(class_, text)


def test_a_parts_value_is_of_the_users_class(receive: Receive) -> None:
    text = '{"d": {"n": 1, "lazy": [1.0]}, "t": [1, null]}'
    received = receive({"d": Data, "t": Tuple}, text)
    assert received == {"d": Data(1, lazy=[1]), "t": Tuple(1)}
    assert type(received["t"]) is Tuple


def test_a_violation_in_a_class_has_its_path(refuse: Refuse) -> None:
    text = '{"d": {"n": 1, "more": [{"n": "5"}]}, "t": ["5"]}'
    assert refuse({"d": Data, "t": Tuple}, text) == [
        ("d.more[0].n", "int_type"),
        ("t[0]", "int_type"),
    ]


@pytest.mark.parametrize("class_", [Data, Typed, Tuple])
def test_no_other_key_is_taken_where_the_action_says_so(
    run: Callable[..., Any], class_: Any
) -> None:
    for text in (
        '{"o": {"n": 1, "x": 1}}',
        '{"o": {"n": 1, "more": [{"n": 1, "x": 1}]}}',
    ):
        answer = run(lambda: None, text, payload_schema={"o": class_}, extra="forbid")
        assert answer["status"] == "error", text


class Lax(BaseModel):
    inner: Data
    n: int


@pydantic.dataclasses.dataclass
class LaxData:
    n: int


class LaxTyped(TypedDict):
    n: int


setattr(LaxTyped, "__pydantic_config__", ConfigDict(strict=False))  # noqa: B010 - a checker knows no such name


@pytest.mark.parametrize("class_", [LaxData, LaxTyped])
def test_a_configuration_of_its_own_is_kept(receive: Receive, class_: Any) -> None:
    received = receive({"o": class_, "p": [class_]}, '{"o": {"n": "5"}, "p": []}')
    assert received["o"] == ({"n": 5} if class_ is LaxTyped else LaxData(5))


def test_a_models_configuration_is_kept_beside_a_strict_use_of_its_parts(
    provider: Provider,
) -> None:
    schema = {"m": Lax, "n": [Lax], "d": Data, "e": [Data]}
    provider.actions.register("asked", payload_schema=schema)(lambda payload: payload)
    lax = {"inner": {"n": "5"}, "n": "6"}
    answer = provider.process_task(
        "asked", {"m": lax, "n": [lax], "d": {"n": 1}, "e": []}
    )
    assert answer["status"] == "success", answer
    assert answer["data"]["m"]["inner"]["n"] == 5
    for wrong in ({"d": {"n": "5"}, "e": []}, {"d": {"n": 1}, "e": [{"n": "5"}]}):
        answer = provider.process_task("asked", {"m": lax, "n": [], **wrong})
        assert answer["status"] == "error"


Nested = TypeAliasType("Nested", int | list["Nested"])
Tree = TypeAliasType("Tree", dict[str, "Tree | Data"])


@pytest.mark.parametrize("text", ['"5"', "[true]", '["5"]', "[[1, [null]]]", "1.5"])
@pytest.mark.parametrize("schema", [{"f": Nested}, {"f": Nested, "g": Nested | None}])
def test_a_recursive_type_is_strict_at_each_depth(
    refuse: Refuse, schema: Any, text: str
) -> None:
    assert refuse(schema, f'{{"f": {text}}}')


def test_a_recursive_type_takes_what_json_schema_would(receive: Receive) -> None:
    assert receive({"f": Nested}, '{"f": [1.0, [2]]}') == {"f": [1, [2]]}
    text = '{"f": {"a": {"b": {"n": 1.0}}}}'
    assert receive({"f": Tree}, text) == {"f": {"a": {"b": Data(1)}}}


def test_a_strict_model_and_a_class_may_hold_each_other(receive: Receive) -> None:
    received = receive(Holder, '{"held": {"n": 1, "holder": {"held": null}}}')
    assert received == Holder(held=Held(1, Holder(held=None)))


@dataclasses.dataclass
class Held:
    n: int
    holder: "Holder | None" = None


class Holder(StrictModel):
    held: Held | None


Holder.model_rebuild()


def test_in_python_a_strict_model_takes_pythons_values() -> None:
    class Made(StrictModel):
        typed: Typed
        data: Data

    at = dt.date(2026, 1, 31)
    made = Made(typed={"n": 1, "at": at}, data=Data(1, at=at))
    assert made.typed == {"n": 1, "at": at}
    assert made.data.at == at
