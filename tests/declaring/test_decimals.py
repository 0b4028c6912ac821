"""A decimal keeps every digit that the JSON has, as text and as a number."""

# pyright: basic

import dataclasses
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Literal, NamedTuple, Optional, Union

import pytest
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    Json,
    RootModel,
    TypeAdapter,
    condecimal,
    create_model,
    model_validator,
)
from pydantic.dataclasses import dataclass as pydantic_dataclass
from typing_extensions import TypedDict

from arbvantage_provider import Provider, StrictModel

Receive = Callable[[Any, str], Any]
Refuse = Callable[[Any, str], list[tuple[str, str]]]

NUMBERS = [
    *("0.10", "1.0", "1.00", "19.90", "-0.0", "0.1234567890123456789012"),
    *("12345678901234567890.12", "123456789012345678901234567890", "5", "-5"),
    *("1e3", "1.50E-7", "1E+2", "2.5e300"),
]


class Lax(BaseModel):
    price: Decimal


class Strict(StrictModel):
    price: Decimal


class Closed(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    price: Decimal


@dataclasses.dataclass
class Class:
    price: Decimal


@pydantic_dataclass
class OfPydantic:
    price: Decimal


class Dict(TypedDict):
    price: Decimal


class Pair(NamedTuple):
    price: Decimal
    factor: float


class Price(RootModel[Decimal]):
    pass


class Fixed(BaseModel):
    kind: Literal["fixed"]
    price: Decimal


class Free(BaseModel):
    kind: Literal["free"]
    factor: float


def same(received: Any, text: str) -> bool:
    return received.as_tuple() == Decimal(text).as_tuple()


@pytest.mark.parametrize("text", [*NUMBERS, '"0.10"', '"1e400"', '"-0"', '"1E-400"'])
@pytest.mark.parametrize(
    "declared",
    [
        *(Decimal, Optional[Decimal], Union[Decimal, str], Union[Decimal, None, bool]),  # noqa: UP007, UP045
        *(Annotated[Decimal, Field(description="d")], Annotated[Decimal, Field(ge=-9)]),
        *(Annotated[Decimal, Field(max_digits=900)], condecimal(decimal_places=900)),
        Annotated[Decimal, AfterValidator(lambda d: d)],
    ],
)
def test_a_field_keeps_all_digits(declared: Any, text: str, receive: Receive) -> None:
    received = receive({"price": declared}, f'{{"price": {text}}}')["price"]
    assert same(received, text.strip('"'))


@pytest.mark.parametrize("text", NUMBERS)
@pytest.mark.parametrize("holder", [dict, Lax, Strict])
def test_a_text_of_json_keeps_all_digits_of_its_own(
    holder: Any, text: str, receive: Receive
) -> None:
    base = BaseModel if holder is dict else holder
    model = create_model("Held", __base__=base, held=(Json[dict[str, Decimal]], ...))
    document = f'"{{\\"price\\": {text}}}"'
    for floats in ("", ', "other": 0.1', ', "other": 0.10'):
        whole = f'{{"price": 5, "held": {document}{floats}}}'
        if holder is dict:
            received = receive({"held": Json[dict[str, Decimal]]}, whole)["held"]
        else:
            received = receive(model, whole).held
        assert same(received["price"], text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('"[0.10, 0.100]"', "decimal_number"),
        ('"[0.1.2]"', "json_invalid"),
        ('"[1e999]"', "finite_number"),
        ("[0.1]", "json_type"),
        ("0.1", "json_type"),
    ],
)
def test_a_text_of_json_that_is_not_exact_is_refused(
    text: str, kind: str, refuse: Refuse
) -> None:
    schema = {"held": Json[list[Decimal]]}
    errors = refuse(schema, f'{{"held": {text}}}')
    assert {error for _, error in errors} == {kind}


@pytest.mark.parametrize("text", NUMBERS)
@pytest.mark.parametrize("schema", [Lax, Strict, Closed, Class, OfPydantic])
def test_a_class_keeps_all_digits(schema: Any, text: str, receive: Receive) -> None:
    document = f'{{"price": {text}}}'
    inside = receive({"items": [schema]}, f'{{"items": [{document}]}}')
    assert same(receive(schema, document).price, text)
    assert same(inside["items"][0].price, text)


def test_other_types_that_hold_decimals_keep_all_digits(receive: Receive) -> None:
    schema = {
        "pair": Pair,
        "root": Price,
        "dict": Dict,
        "list": list[Decimal],
        "map": dict[str, Decimal],
        "keys": dict[Decimal, int],
        "kinds": list[Annotated[Fixed | Free, Field(discriminator="kind")]],
        "plain": list[Fixed | Free],
    }
    kinds = '[{"kind": "fixed", "price": 2.10}, {"kind": "free", "factor": 3.10}]'
    text = f"""{{"pair": [0.10, 1.10], "root": 1.20, "dict": {{"price": 1.30}},
        "list": [1.40, 1.4, 1.400], "map": {{"a": 1.50}}, "keys": {{"1.60": 1}},
        "kinds": {kinds}, "plain": {kinds}}}"""
    received = receive(schema, text)
    assert repr(received["pair"]) == "Pair(price=Decimal('0.10'), factor=1.1)"
    assert repr(received["root"].root) == "Decimal('1.20')"
    assert repr(received["dict"]) == "{'price': Decimal('1.30')}"
    assert [*map(str, received["list"])] == ["1.40", "1.4", "1.400"]
    assert repr(received["map"]) == "{'a': Decimal('1.50')}"
    assert repr(received["keys"]) == "{Decimal('1.60'): 1}"
    for name in ("kinds", "plain"):
        fixed, free = received[name]
        assert (str(fixed.price), free.factor) == ("2.10", 3.1)


def test_one_number_written_in_several_ways_stays_apart(receive: Receive) -> None:
    schema = {"prices": [Decimal], "factors": [float], "any": Any, "o": Lax}
    text = """{"prices": [0.10, 0.1, 1e-1, 0.10, 0.0, -0.0, 1.0, 1, 1.00],
        "factors": [0.10, 0.1, 0.100, 1.0, 1.00, -0.0], "any": {"a.b": 0.100},
        "o": {"price": 0.1000}}"""
    received = receive(schema, text)
    prices = ["0.10", "0.1", "0.1", "0.10", "0.0", "-0.0", "1.0", "1", "1.00"]
    assert [*map(str, received["prices"])] == prices
    assert received["factors"] == [0.1, 0.1, 0.1, 1.0, 1.0, 0.0]
    assert received["any"] == {"a.b": 0.1}
    assert str(received["o"].price) == "0.1000"


def test_what_is_a_float_stays_one(receive: Receive) -> None:
    schema = {"a": Decimal | float, "b": float, "c": Any, "d": int | Decimal}
    text = '{"a": 0.10, "b": 0.12345678901234567890, "c": 1.50, "d": 1.50}'
    received = receive(schema, text)
    assert repr(received) == (
        "{'a': 0.1, 'b': 0.12345678901234568, 'c': 1.5, 'd': Decimal('1.50')}"
    )


@pytest.mark.skipif(
    TypeAdapter(Fraction).core_schema["type"] != "fraction",
    reason="an older pydantic makes it of the float itself",
)
def test_a_fraction_keeps_all_digits(receive: Receive) -> None:
    received = receive({"part": Fraction}, '{"part": 0.1234567890123456789}')
    assert received == {"part": Fraction("0.1234567890123456789")}


def test_a_bound_counts_the_digits_that_were_written(refuse: Refuse) -> None:
    schema = {
        "price": condecimal(decimal_places=2),
        "high": Annotated[Decimal, Field(le=1)],
    }
    assert refuse(schema, '{"price": 1.001, "high": 1.00000000000000000001}') == [
        ("price", "decimal_max_places"),
        ("high", "less_than_equal"),
    ]


def test_what_else_does_not_fit_is_told_as_ever(refuse: Refuse) -> None:
    schema = {"o": Lax, "count": int, "price": Decimal}
    text = '{"o": {"price": true}, "count": 1.5, "price": 1.50, "x": [1.5, 1.50]}'
    assert refuse(schema, text) == [("o.price", "decimal_type"), ("count", "int_type")]


def test_a_number_too_large_for_a_float_is_refused(refuse: Refuse) -> None:
    assert refuse({"price": Decimal}, '{"price": 1e400}') == [("", "json_invalid")]


def test_a_number_that_cannot_be_told_apart_is_refused(
    run: Callable[..., dict[str, Any]],
) -> None:
    class Moved(BaseModel):
        price: Decimal

        @model_validator(mode="before")
        @classmethod
        def move(cls, data: dict[str, Any]) -> Any:
            return {"price": data["cost"]}

    response = run(
        lambda payload: str(payload.price),
        '{"cost": 0.10, "x": 0.1}',
        payload_schema=Moved,
    )
    assert response["data"]["errors"] == [
        {
            "path": "",
            "type": "decimal_number",
            "message": "This number is written in more than one way; write it as text",
        }
    ]


def test_signatures_accounts_and_results_keep_all_digits(provider: Provider) -> None:
    @provider.actions.register(account_schema={"limit": Decimal})
    def pay(price: Decimal, account: dict[str, Any], factor: float = 1.0) -> Any:
        return {"price": price, "limit": account["limit"], "factor": factor, "n": 2**80}

    @provider.actions.register()
    async def sum_up(payload: dict[str, Decimal]) -> Lax:
        return Lax(price=sum(payload.values(), Decimal()))

    answer = provider.dispatch(
        "pay", b'{"price": 0.10, "factor": 0.1}', b'{"limit": 100.00}'
    )
    assert answer == (
        b'{"status":"success","message":"","data":{"price":"0.10","limit":"100.00",'
        b'"factor":0.1,"n":1208925819614629174706176}}'
    )
    answer = provider.dispatch("sum_up", b'{"a": 0.10, "b": 12345678901234567.1}')
    assert answer == (
        b'{"status":"success","message":"","data":{"price":"12345678901234567.20"}}'
    )
