"""What a handler returns, and what the hub is then told."""

# Some handlers have no annotations.
# pyright: basic

import collections
import dataclasses
import datetime as dt
import enum
import json
import math
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    ValidationError,
    computed_field,
    field_serializer,
    model_serializer,
)
from typing_extensions import TypedDict

from arbvantage_provider import Provider, ProviderResponse, schemas

Run = Callable[..., dict[str, Any]]

SECRET = "a-value-that-nobody-may-see"


def test_a_response_is_written_by_position_and_by_keyword() -> None:
    by_position = ProviderResponse("warning", "careful", {"a": 1})
    by_keyword = ProviderResponse(data={"a": 1}, message="careful", status="warning")
    assert by_position == by_keyword
    assert ProviderResponse("success").message == ""
    assert ProviderResponse(status="success").data is None


def test_a_response_ignores_keywords_that_it_does_not_know() -> None:
    response = ProviderResponse("success", "m", None, code=200, account={})
    assert response.model_dump() == {"status": "success", "message": "m", "data": None}


@pytest.mark.parametrize("status", ["done", "", None, 200, "SUCCESS", ["error"]])
def test_a_response_has_one_of_four_statuses(status: Any) -> None:
    with pytest.raises(ValidationError):
        ProviderResponse(status)


def test_a_response_is_what_the_hub_is_told(run: Run) -> None:
    for status in ("success", "error", "warning", "limit"):
        returned = ProviderResponse(status, "m", {"a": 1})
        response = run(lambda r=returned: r, b"{}", payload_schema={})
        assert response == {"status": status, "message": "m", "data": {"a": 1}}


RESPONSES: dict[str, tuple[Any, dict[str, Any]]] = {
    "status alone": (
        {"status": "warning"},
        {"status": "warning", "message": "", "data": None},
    ),
    "status and message": (
        {"status": "error", "message": "x"},
        {"status": "error", "message": "x", "data": None},
    ),
    "all three": (
        {"status": "limit", "message": "x", "data": [1]},
        {"status": "limit", "message": "x", "data": [1]},
    ),
    "a message of None": (
        {"status": "success", "message": None},
        {"status": "success", "message": "", "data": None},
    ),
}
DATA: dict[str, tuple[Any, Any]] = {
    "None": (None, None),
    "a dict": ({"result": "success"}, {"result": "success"}),
    "an empty dict": ({}, {}),
    "a dict with more than a response": (
        {"status": "success", "processed": 3},
        {"status": "success", "processed": 3},
    ),
    "a dict with another status": ({"status": "active"}, {"status": "active"}),
    "a status of two slips": ({"status": "sucesss!"}, {"status": "sucesss!"}),
    "another word as status": ({"status": "warn"}, {"status": "warn"}),
    "a long status": ({"status": "success" * 9}, {"status": "success" * 9}),
    "an empty status": ({"status": ""}, {"status": ""}),
    "a slip with other keys": (
        {"status": "sucess", "count": 1},
        {"status": "sucess", "count": 1},
    ),
    "a slip under other keys": ({"state": "sucess"}, {"state": "sucess"}),
    "a slip further in": ([{"status": "sucess"}], [{"status": "sucess"}]),
    "a dict with a status of None": ({"status": None}, {"status": None}),
    "a dict with a list as status": ({"status": ["error"]}, {"status": ["error"]}),
    "a dict without status": ({"message": "x"}, {"message": "x"}),
    "data alone": ({"data": 1}, {"data": 1}),
    "a list": ([1, "a", None], [1, "a", None]),
    "a text": ("text", "text"),
    "an empty text": ("", ""),
    "zero": (0, 0),
    "False": (False, False),
    "a float": (1.5, 1.5),
    "a tuple": ((1, 2), [1, 2]),
    "a set": ({1}, [1]),
    "bytes": (b"ab", "ab"),
    "a datetime": (dt.datetime(2026, 1, 31, tzinfo=dt.UTC), "2026-01-31T00:00:00Z"),
    "a date": ({"d": dt.date(2026, 1, 31)}, {"d": "2026-01-31"}),
    "a time": (dt.time(9, 30), "09:30:00"),
    "a timedelta": (dt.timedelta(hours=1.5), "PT1H30M"),
    "a Decimal": (Decimal("0.10"), "0.10"),
    "a UUID": (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    "a large int": (2**200, 2**200),
    "a zero byte": ("\u0000", "\u0000"),
    "any Unicode": ("é😀\u2028\U0010ffff", "é😀\u2028\U0010ffff"),
    "int keys": ({1: "a"}, {"1": "a"}),
    "a deque": (collections.deque([1]), [1]),
    "an ordered dict": (collections.OrderedDict(a=1), {"a": 1}),
    "a user dict": (collections.UserDict(a=1), {"a": 1}),
}


@pytest.mark.parametrize("case", RESPONSES)
def test_a_dict_of_a_response_is_a_response(run: Run, case: str) -> None:
    returned, response = RESPONSES[case]
    assert run(lambda: returned) == response


@pytest.mark.parametrize("case", DATA)
def test_anything_else_is_the_data_of_a_success(run: Run, case: str) -> None:
    returned, data = DATA[case]
    assert run(lambda: returned) == {"status": "success", "message": "", "data": data}
    response = run(lambda: ProviderResponse("warning", "m", returned))
    assert response == {"status": "warning", "message": "m", "data": data}


class Color(enum.Enum):
    RED = "red"


class Item(BaseModel):
    name: str = Field(default="a", serialization_alias="itemName")
    when: dt.date | None = None


@dataclasses.dataclass
class Size:
    width: float = 1.5
    item: Item = dataclasses.field(default_factory=Item)


class Pair(NamedTuple):
    left: int
    right: Any


@pytest.mark.parametrize(
    ("returned", "data"),
    [
        (Item(), {"itemName": "a", "when": None}),
        (Size(), {"width": 1.5, "item": {"itemName": "a", "when": None}}),
        ([Item(), {"size": Size(width=2)}][:1], [{"itemName": "a", "when": None}]),
        (Color.RED, "red"),
        ({"c": Color.RED}, {"c": "red"}),
        (Pair(1, Item()), [1, {"itemName": "a", "when": None}]),
        (RootModel[list[int]]([1]), [1]),
    ],
)
def test_models_dataclasses_and_enums_are_data(
    run: Run, returned: Any, data: Any
) -> None:
    assert run(lambda: returned)["data"] == data


# --- what cannot be JSON -------------------------------------------------------


class Priced(BaseModel):
    name: str = SECRET
    price: float = math.nan
    note: str | None = None


class Computed(BaseModel):
    name: str = SECRET

    @computed_field
    @property
    def rate(self) -> float:
        return math.inf


class Serialised(BaseModel):
    name: str = SECRET

    @field_serializer("name")
    def write(self, name: str) -> str:
        raise ValueError(name)


class SerialisedWhole(BaseModel):
    name: str = SECRET

    @model_serializer
    def write(self) -> dict[str, Any]:
        raise RuntimeError(self.name)


class Exits(BaseModel):
    name: str = SECRET

    @field_serializer("name")
    def write(self, name: str) -> str:
        raise SystemExit(name)


class NoNumber(enum.Enum):
    NAN = math.nan


class Choice(enum.Enum):
    A = "a"
    ONE = 1


class BadKey:
    def __str__(self) -> str:
        raise ValueError(SECRET)

    __repr__ = __str__


@dataclasses.dataclass
class Holder:
    name: str
    inner: Any


def cyclic() -> dict[str, Any]:
    value: dict[str, Any] = {"name": SECRET}
    value["children"] = [value]
    return value


def nested(levels: int) -> Any:
    value: Any = SECRET
    for _ in range(levels):
        value = [value]
    return value


class Order(TypedDict):
    status: str


class Aliased(BaseModel):
    model_config = ConfigDict(extra="allow")

    a: int = Field(1, serialization_alias="b")
    b: int = 2


class AlsoComputed(BaseModel):
    a: int = Field(1, serialization_alias="c")

    @computed_field
    @property
    def c(self) -> int:
        return 3


class Mapped(BaseModel):
    keys: dict[int | str, int]


REPEATED: dict[str, tuple[Callable[[], Any], str]] = {
    "int": (lambda: {1: "a", "1": "b"}, "data.1"),
    "bool": (lambda: {"k": {True: 1, "true": 2}}, "data.k.true"),
    "float": (lambda: {1.5: 1, "1.5": 2}, "data.1.5"),
    "None": (lambda: {None: 1, "None": 2}, "data.None"),
    "an enum": (lambda: {Choice.A: 1, "a": 2}, "data.a"),
    "a UUID": (
        lambda: {uuid.UUID(int=1): 1, str(uuid.UUID(int=1)): 2},
        f"data.{uuid.UUID(int=1)}",
    ),
    "bytes": (lambda: [{b"x": 1, "x": 2}], "data[0].x"),
    "a date": (
        lambda: {dt.date(2026, 1, 31): 1, "2026-01-31": 2},
        "data.2026-01-31",
    ),
    "a Decimal": (lambda: {Decimal("1.0"): 1, "1.0": 2}, "data.1.0"),
    "a tuple": (lambda: {(1, 2): 1, "1,2": 2}, "data.1,2"),
    "an int and an enum": (lambda: {1: 1, Choice.ONE: 2}, "data.1"),
    "in a tuple": (lambda: ({"a": ({1: 1, "1": 2},)},), "data[0].a[0].1"),
    "in a response": (
        lambda: ProviderResponse("warning", "m", {1: 1, "1": 2}),
        "data.1",
    ),
    "in a dict of a response": (
        lambda: {"status": "success", "data": {1: 1, "1": 2}},
        "data.1",
    ),
    "in a dataclass": (lambda: Holder("h", {1: 1, "1": 2}), "data.inner.1"),
    "in a model": (lambda: [Mapped(keys={1: 1, "1": 2})], "data[0].keys.1"),
    "in a root model": (lambda: RootModel[Any]({1: 1, "1": 2}), "data.1"),
    "in another mapping": (lambda: collections.UserDict({1: 1, "1": 2}), "data.1"),  # type: ignore[misc]
    "in a default dict": (
        lambda: collections.defaultdict(int, {1: 1, "1": 2}),  # type: ignore[list-item]
        "data.1",
    ),
    "by an alias": (lambda: [Aliased.model_validate({})], "data[0].b"),
    "by an extra": (
        lambda: Aliased.model_validate({"a": 1, "a2": 1, "b": 3}),
        "data.b",
    ),
    "by a computed field": (lambda: {"m": AlsoComputed.model_validate({})}, "data.m.c"),
}


async def coroutine() -> str:
    return SECRET


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "NaN": (lambda: math.nan, "data is nan"),
    "Infinity in a dict": (lambda: {"a": [1, -math.inf]}, "data.a[1] is -inf"),
    "NaN in a model": (lambda: {"items": [Priced()]}, "data.items[0].price is nan"),
    "NaN in a dataclass": (lambda: Holder(SECRET, math.nan), "data.inner is nan"),
    "NaN in a named tuple": (lambda: Pair(1, math.nan), "data[1] is nan"),
    "NaN in a root model": (lambda: [RootModel[float](math.nan)], "data[0]"),
    "NaN in a computed field": (lambda: {"c": Computed()}, "data.c.rate"),
    "NaN in an enum": (lambda: {"e": NoNumber.NAN}, "data.e"),
    "NaN in a deque": (lambda: {"d": collections.deque([1, math.nan])}, "data.d"),
    "NaN in a generator": (lambda: {"g": (math.nan for _ in "a")}, "data.g"),
    "NaN in a set": (lambda: {"s": {math.nan}}, "data.s[0] is nan"),
    "an object": (lambda: {"o": [object()]}, "data.o[0] is of type 'object'"),
    "a function": (lambda: {"f": len}, "data.f is of type"),
    "bytes": (lambda: {"b": b"\xff"}, "data.b is bytes"),
    "half a surrogate pair": (lambda: {"t": ["\ud800"]}, "data.t[0] holds half"),
    "half a surrogate pair as key": (lambda: {"k": {"\udfff": 1}}, "data.k"),
    "a dict in itself": (cyclic, "data.children[0] holds itself"),
    "an object in a dataclass": (lambda: Holder(SECRET, object()), "data.inner is"),
    "an object in a model": (lambda: Item.model_construct(name=object()), "data"),
    "a failing serialiser": (lambda: {"a": [Serialised()]}, "data.a[0]"),
    "a failing model serialiser": (lambda: {"a": SerialisedWhole()}, "data.a"),
    "an exiting serialiser": (lambda: {"a": Exits()}, "data.a"),
    "a key that cannot be written": (lambda: {"k": {BadKey(): 1}}, "data"),
    "too deep": (lambda: {"d": nested(5_000)}, "data.d"),
    "a coroutine in a dict": (lambda: {"c": coroutine()}, "data.c is of type"),
}


@pytest.mark.parametrize("response_format", ["plain", "unified"])
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_json_is_an_error_that_names_the_place(
    make: Callable[..., Provider], case: str, response_format: str
) -> None:
    returned, place = REFUSED[case]
    provider = make(response_format=response_format)
    provider.actions.register("return")(_once(returned))
    for response in (
        json.loads(provider.dispatch("return", b"{}"), parse_constant=pytest.fail),
        provider.process_task("return", {}),
    ):
        assert response["status"] == "error"
        assert response["message"].startswith(
            f"the result of 'return' cannot be JSON: {place}"
        )
        assert SECRET not in json.dumps(response)
        assert len(response["message"]) < 2000


def _once(returned: Callable[[], Any]) -> Callable[[], Any]:
    def handler() -> Any:
        return returned()

    return handler


@pytest.mark.parametrize(
    "data", [nested(230), {"n": 10**5000}], ids=["230 levels", "5,001 digits"]
)
def test_json_that_few_can_read_is_json(run: Run, data: Any) -> None:
    response = run(lambda: data)
    assert response["status"] == "success"
    assert response["data"] == data


def test_an_excluded_field_is_not_looked_at(run: Run) -> None:
    class Hidden(BaseModel):
        shown: int | None = None
        hidden: float = Field(default=math.nan, exclude=True)

    assert run(lambda: [Hidden()])["data"] == [{"shown": None}]


def test_a_model_in_a_response_is_checked_too(run: Run) -> None:
    response = run(lambda: ProviderResponse("success", "", {"items": [Priced()]}))
    assert response["status"] == "error"
    assert "data.items[0].price is nan" in response["message"]


def test_a_text_that_says_nan_or_null_is_fine(run: Run) -> None:
    data = {"NaN": "NaN", "Infinity": ["null", None, "-Infinity"]}
    assert run(lambda: data)["data"] == data


def test_a_generator_in_the_data_is_written_as_a_list(run: Run) -> None:
    assert run(lambda: {"g": (n for n in range(3))})["data"] == {"g": [0, 1, 2]}


def test_a_message_with_half_a_surrogate_pair_is_answered(run: Run) -> None:
    response = run(lambda: ProviderResponse("success", "a\ud800b", None))
    assert response["status"] == "success"
    assert response["message"].encode()


@pytest.mark.parametrize(
    ("status", "meant"),
    [
        *(("sucess", "success"), ("succes", "success"), ("successs", "success")),
        *(("sucecss", "success"), ("succass", "success"), ("uccess", "success")),
        *(("Success", "success"), ("SUCCESS", "success"), ("success ", "success")),
        *(("Error", "error"), ("errors", "error"), ("eror", "error")),
        *(("warnings", "warning"), ("Waring", "warning"), ("limits", "limit")),
    ],
)
@pytest.mark.parametrize(
    "rest", [{}, {"message": "m"}, {"data": None}, {"message": "m", "data": [1]}]
)
def test_a_response_with_a_slip_in_its_status_is_an_error(
    run: Run, status: str, meant: str, rest: dict[str, Any]
) -> None:
    async def answer() -> Any:
        return {"status": status, **rest}

    refused = {
        "status": "error",
        "message": f"is not clear: its status is nearly {meant!r}; write {meant!r}, or "
        "ProviderResponse('success', data=…) if the dict is data",
        "data": None,
    }
    for handler in (answer, lambda: {"status": status, **rest}):
        response = run(handler)
        response["message"] = response["message"].partition("' ")[2]
        assert response == refused


def test_a_status_that_is_a_member_of_an_enum_counts_as_its_value(run: Run) -> None:
    class Ended(enum.Enum):
        WELL = "success"
        BADLY = "error"
        UNSURE = "sucess"
        OTHERWISE = 5

    def answer(name: str) -> Any:
        return {"status": Ended[name], "message": "m"}

    answers = [run(answer, {"name": name}) for name in Ended.__members__]
    assert [each["status"] for each in answers] == [
        *("success", "error", "error", "success")
    ]
    assert [each["message"] for each in answers[:2]] == ["m", "m"]
    assert "nearly 'success'" in answers[2]["message"]
    assert answers[3]["data"] == {"status": 5, "message": "m"}


def test_a_slip_in_the_status_is_an_error_where_the_data_is_promised(run: Run) -> None:
    def answer() -> Order:
        return {"status": "Error"}

    assert run(answer)["status"] == "error"
    assert "nearly 'error'" in run(answer)["message"]


@pytest.mark.parametrize("case", REPEATED)
@pytest.mark.parametrize("response_format", ["plain", "unified"])
def test_a_key_that_would_be_written_twice_is_an_error_that_names_the_place(
    make: Callable[..., Provider], case: str, response_format: str
) -> None:
    returned, place = REPEATED[case]
    provider = make(response_format=response_format)
    provider.actions.register("return")(returned)
    for response in (
        json.loads(provider.dispatch("return", b"{}")),
        provider.process_task("return", {}),
    ):
        assert response["status"] == "error"
        assert response["message"].startswith(
            f"the result of 'return' cannot be JSON: {place} is written twice"
        )


def test_keys_of_other_types_are_fine_where_their_texts_differ(run: Run) -> None:
    keys = {1: 1, "b": 2, 1.5: 3, None: 4, Choice.A: 5, (1, 2): 6, False: 7, "1.0": 8}
    assert run(lambda: {"k": keys})["status"] == "success"
    deep: Any = {1: 1}
    for _ in range(220):
        deep = [deep]
    assert run(lambda: deep)["status"] == "success"


def test_a_key_is_found_twice_in_a_large_result(run: Run) -> None:
    rows: list[Any] = [{"id": number, "tags": ["a"]} for number in range(2000)]
    rows[1999]["tags"] = {5: 1, "5": 2}
    assert "data[1999].tags.5 is written" in run(lambda: rows)["message"]


def test_a_payload_with_a_key_twice_is_refused_in_process(run: Run) -> None:
    response = run(lambda: None, {"k": {1: 1, "1": 2}})
    assert response["data"]["errors"][0]["path"] == "k.1"


def test_a_status_that_was_smuggled_in_is_an_error(run: Run) -> None:
    smuggled = ProviderResponse.model_construct(status="bogus", message="", data=None)
    response = run(lambda: smuggled)
    assert response["status"] == "error"
    assert "status" in response["message"]


def test_the_earlier_sdks_names_are_there() -> None:
    assert schemas.ProviderResponse is ProviderResponse
    assert issubclass(schemas.BasePayload, BaseModel)
    assert issubclass(schemas.BaseAccount, BaseModel)
