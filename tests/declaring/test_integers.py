"""An integer that is written as a float keeps every digit, or is refused."""

# pyright: basic

import dataclasses
import enum
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, NewType, Optional, Union

import pytest
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    Json,
    PositiveInt,
    RootModel,
    WrapValidator,
)
from pydantic.dataclasses import dataclass as pydantic_dataclass
from typing_extensions import TypeAliasType, TypedDict

from arbvantage_provider import Provider, StrictModel

Receive = Callable[[Any, str], Any]
Refuse = Callable[[Any, str], list[tuple[str, str]]]

WHOLE = {
    "1e23": 10**23,
    "9007199254740993.0": 2**53 + 1,
    "-9007199254740993.0": -(2**53) - 1,
    "1.0": 1,
    "1.50e1": 15,
    "12345678901234567890123.000": 12345678901234567890123,
    "90071992547409930e-1": 2**53 + 1,
    "1E+2": 100,
    "-0.0": 0,
    "9007199254740993": 2**53 + 1,
}
BROKEN = [
    *("9007199254740993.5", "1.00000000000000000001", "0.99999999999999999999"),
    *("1e-400", "-1e-400", "1e-99999999999999999999", "1.5"),
]
Count = NewType("Count", int)
Alias = TypeAliasType("Alias", int)
Deep = TypeAliasType("Deep", int | list["Deep"])


class Lax(BaseModel):
    count: int


class Strict(StrictModel):
    count: int


class Closed(BaseModel):
    model_config = ConfigDict(strict=True)

    count: int


@dataclasses.dataclass
class Class:
    count: int


@pydantic_dataclass
class OfPydantic:
    count: int


class Dict(TypedDict):
    count: int


class Pair(NamedTuple):
    count: int
    factor: float


class Root(RootModel[int]):
    pass


class Big(enum.IntEnum):
    ODD = 2**53 + 1
    EVEN = 2**53


class Share(enum.Enum):
    TENTH = 0.1
    ONE = 1


class Fixed(BaseModel):
    kind: Literal["fixed"]
    count: int


class Free(BaseModel):
    kind: Literal["free"]
    factor: float


@pytest.mark.parametrize("text", WHOLE)
@pytest.mark.parametrize(
    "declared",
    [
        *(int, Optional[int], Union[int, str], Union[bool, int, None], Count, Alias),  # noqa: UP007, UP045
        *(
            Annotated[int, Field(ge=-(10**30))],
            Annotated[Alias, Field(le=10**30)],
            Deep,
        ),
        Annotated[int, WrapValidator(lambda value, check: check(value))],
    ],
)
def test_a_field_keeps_all_digits(declared: Any, text: str, receive: Receive) -> None:
    received = receive({"count": declared}, f'{{"count": {text}}}')["count"]
    assert (received, type(received)) == (WHOLE[text], int)


@pytest.mark.parametrize("text", BROKEN)
@pytest.mark.parametrize("declared", [int, Optional[int], Alias, PositiveInt])  # noqa: UP045
def test_what_is_no_integer_by_its_digits_is_refused(
    declared: Any, text: str, refuse: Refuse
) -> None:
    assert refuse({"o": [declared]}, f'{{"o": [{text}]}}') == [("o[0]", "int_type")]


@pytest.mark.parametrize("text", WHOLE)
@pytest.mark.parametrize("schema", [Strict, Class, Dict])
def test_a_strict_class_keeps_all_digits(
    schema: Any, text: str, receive: Receive
) -> None:
    document = f'{{"count": {text}}}'
    received = receive(
        {"o": [schema], "p": schema}, f'{{"o": [{document}], "p": {document}}}'
    )
    for each in (*received["o"], received["p"], receive(schema, document)):
        assert (each["count"] if schema is Dict else each.count) == WHOLE[text]


@pytest.mark.parametrize("text", [*WHOLE, *BROKEN])
@pytest.mark.parametrize("schema", [Lax, OfPydantic, Closed])
def test_a_class_with_a_configuration_has_all_digits_or_refuses(
    schema: Any, text: str, run: Callable[..., dict[str, Any]]
) -> None:
    document = f'{{"count": {text}}}'
    response = run(lambda payload: payload.count, document, payload_schema=schema)
    inside = run(
        lambda payload: payload["o"][0].count,
        f'{{"o": [{document}]}}',
        payload_schema={"o": [schema]},
    )
    assert response["status"] == inside["status"]
    if response["status"] == "success":
        assert (response["data"], inside["data"]) == (WHOLE[text], WHOLE[text])
    elif schema is not Closed and text in WHOLE:  # pydantic's own bound of a float
        assert abs(WHOLE[text]) >= 2**63


def test_other_types_that_hold_integers_keep_all_digits(receive: Receive) -> None:
    schema = {
        "pair": Pair,
        "root": Root,
        "list": list[int],
        "map": dict[str, int],
        "kinds": list[Annotated[Fixed | Free, Field(discriminator="kind")]],
        "plain": list[Fixed | Free],
        "several": int | Decimal,
        "enum": Big,
        "share": list[Share],
        "literal": Literal[9007199254740993],
        "twice": list[Lax],
        "again": Lax,
    }
    odd = "9007199254740993.0"
    kinds = (
        f'[{{"kind": "fixed", "count": {odd}}}, {{"kind": "free", "factor": {odd}}}]'
    )
    text = f"""{{"pair": [{odd}, {odd}], "root": {odd}, "list": [{odd}, 1.0, 1.00],
        "map": {{"a": {odd}}}, "kinds": {kinds}, "plain": {kinds}, "several": {odd},
        "enum": {odd}, "share": [0.1, 1.0], "literal": {odd},
        "twice": [{{"count": {odd}}}], "again": {{"count": {odd}}}}}"""
    received = receive(schema, text)
    assert received["pair"] == (2**53 + 1, 2.0**53)
    assert received["root"].root == 2**53 + 1
    assert received["list"] == [2**53 + 1, 1, 1]
    assert received["map"] == {"a": 2**53 + 1}
    for name in ("kinds", "plain"):
        fixed, free = received[name]
        assert (fixed.count, free.factor) == (2**53 + 1, 2.0**53)
    assert received["several"] == 2**53 + 1
    assert (received["enum"], received["share"]) == (Big.ODD, [Share.TENTH, Share.ONE])
    assert received["literal"] == 2**53 + 1
    assert (received["twice"][0].count, received["again"].count) == (2**53 + 1,) * 2


def test_one_float_that_two_integers_became_stays_apart(receive: Receive) -> None:
    schema = {"counts": [int], "o": Lax, "any": Any}
    text = """{"counts": [9007199254740993.0, 9007199254740992.0, 9007199254740993.00,
        1e23, 100000000000000000000001.0], "o": {"count": 9007199254740993.0},
        "any": [1e23, 9007199254740993.0]}"""
    received = receive(schema, text)
    assert received["counts"] == [2**53 + 1, 2**53, 2**53 + 1, 10**23, 10**23 + 1]
    assert received["o"].count == 2**53 + 1
    assert received["any"] == [1e23, 2.0**53]


def test_json_inside_a_text_keeps_all_digits(receive: Receive) -> None:
    class Texts(BaseModel):
        prices: Json[list[Decimal]]
        counts: Json[list[int]] = []

    schema = {"one": Json[Decimal], "count": Json[int], "lax": Texts}
    lax = {"prices": "[0.10, 1.50]", "counts": "[9007199254740993.0]"}
    document = {"one": "0.10", "count": "9007199254740993.0", "lax": lax}
    received = receive(schema, json.dumps(document))
    assert (str(received["one"]), received["count"]) == ("0.10", 2**53 + 1)
    assert [*map(str, received["lax"].prices)] == ["0.10", "1.50"]
    assert received["lax"].counts == [2**53 + 1]


def test_a_bound_counts_the_digits_that_were_written(refuse: Refuse) -> None:
    schema = {
        "count": Annotated[int, Field(le=2**53)],
        "o": Annotated[int, Field(multiple_of=10)],
    }
    text = '{"count": 9007199254740993.0, "o": 9007199254740993.0}'
    assert refuse(schema, text) == [
        ("count", "less_than_equal"),
        ("o", "multiple_of"),
    ]


def test_what_else_does_not_fit_is_told_as_ever(refuse: Refuse) -> None:
    schema = {"a": Lax, "b": Lax, "c": int | str, "d": Lax | None, "e": [Closed]}
    text = """{"a": {"count": "x"}, "b": {}, "c": "text", "d": {"count": true},
        "e": [{"count": 1.0}]}"""
    assert refuse(schema, text) == [
        ("a.count", "int_parsing"),
        ("b.count", "missing"),
        ("e[0].count", "int_type"),
    ]


def test_a_strict_model_takes_a_whole_float_outside_of_a_provider() -> None:
    assert Strict.model_validate_json('{"count": 1.0}').count == 1


def test_signatures_and_accounts_keep_all_digits(provider: Provider) -> None:
    @provider.actions.register(account_schema={"limit": int})
    def pay(
        count: int, account: dict[str, Any], others: list[int] | None = None
    ) -> Any:
        return [count, account["limit"], others]

    @provider.actions.register()
    async def sum_up(payload: dict[str, int]) -> int:
        return sum(payload.values())

    answer = provider.dispatch(
        "pay", b'{"count": 1e23, "others": [1e22]}', b'{"limit": 1e24}'
    )
    assert json.loads(answer)["data"] == [10**23, 10**24, [10**22]]
    answer = provider.dispatch("sum_up", b'{"a": 1e23, "b": 9007199254740993.0}')
    assert json.loads(answer)["data"] == 10**23 + 2**53 + 1
