"""Payloads and accounts that are a user's own classes."""

# On Python 3.11 pydantic takes only typing_extensions' TypedDict.
# ruff: noqa: A002, UP035
# pyright: basic

import dataclasses
import datetime as dt
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import pytest
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    computed_field,
    field_validator,
)
from typing_extensions import NotRequired, TypedDict

from arbvantage_provider import Provider

Run = Callable[..., dict[str, Any]]
Bind = Callable[..., Any]
T = TypeVar("T")


class Address(BaseModel):
    zip: str


class User(BaseModel):
    name: str = Field(alias="userName")
    born: dt.date | None = None
    home: Address
    others: list[Address] = []


class Keys(BaseModel):
    api_key: str


@dataclasses.dataclass
class Order:
    sku: str
    count: int = 1


class Line(TypedDict):
    sku: str
    count: NotRequired[int]


USER = '{"userName": "Ann", "born": "1990-05-17", "home": {"zip": "1"}, "x": 1}'
ANN = User(userName="Ann", born=dt.date(1990, 5, 17), home=Address(zip="1"))


def test_the_whole_is_the_model_where_it_is_so_annotated(bind: Bind) -> None:
    def handler(payload: User) -> User:
        return payload

    assert bind(handler, USER) == ANN
    assert bind(handler, USER, payload_schema=User) == ANN


def test_the_whole_is_the_model_whatever_the_parameter_is_called(bind: Bind) -> None:
    def handler(anything: User) -> User:
        return anything

    assert bind(handler, USER, payload_schema=User) == ANN


def test_an_unannotated_whole_is_the_model(bind: Bind) -> None:
    assert bind(lambda payload: payload, USER, payload_schema=User) == ANN


@pytest.mark.parametrize("annotation", [dict, dict[str, Any], "Mapping[str, Any]"])
def test_a_dict_of_a_model_has_the_keys_of_the_wire(
    bind: Bind, annotation: Any
) -> None:
    def handler(payload: Any) -> Any:
        return payload

    handler.__annotations__["payload"] = annotation
    handler.__globals__["Mapping"] = __import__("typing").Mapping
    assert bind(handler, USER, payload_schema=User) == {
        "userName": "Ann",
        "born": dt.date(1990, 5, 17),
        "home": {"zip": "1"},
        "others": [],
    }


class Renamed(BaseModel):
    first: str = Field(validation_alias="first-name")
    last: str = Field(validation_alias=AliasChoices("last-name", "surname"))
    shown: str = Field(default="x", serialization_alias="somewhere-else")


def test_a_dict_of_a_model_has_the_keys_that_were_validated(bind: Bind) -> None:
    def handler(payload: dict[str, Any]) -> dict[str, Any]:
        return payload

    text = '{"first-name": "Ann", "last-name": "Lee", "shown": "y"}'
    whole = bind(handler, text, payload_schema=Renamed)
    assert whole["first-name"] == "Ann"
    assert whole["shown"] == "y"


def test_fields_bind_by_name_and_not_by_alias(bind: Bind) -> None:
    def handler(name: str, born: dt.date, home: Address) -> tuple[Any, ...]:
        return name, born, home

    expected = ("Ann", dt.date(1990, 5, 17), Address(zip="1"))
    assert bind(handler, USER, payload_schema=User) == expected


def test_a_nested_model_is_a_dict_unless_it_is_annotated(bind: Bind) -> None:
    def plain(home, others):
        return home, others

    def as_dict(home: dict[str, Any], others: list[Any]) -> tuple[Any, ...]:
        return home, others

    def as_model(home: Address, others: list[Address]) -> tuple[Any, ...]:
        return home, others

    text = '{"userName": "Ann", "home": {"zip": "1"}, "others": [{"zip": "2"}]}'
    dicts = ({"zip": "1"}, [{"zip": "2"}])
    assert bind(plain, text, payload_schema=User) == dicts
    assert bind(as_dict, text, payload_schema=User) == dicts
    models = (Address(zip="1"), [Address(zip="2")])
    assert bind(as_model, text, payload_schema=User) == models


def test_a_users_model_stays_a_model_inside_a_dict(bind: Bind) -> None:
    schema = {"home": Address, "more": [Address]}
    text = '{"home": {"zip": "1"}, "more": [{"zip": "2"}]}'
    models = {"home": Address(zip="1"), "more": [Address(zip="2")]}
    assert bind(lambda payload: payload, text, payload_schema=schema) == models
    assert bind(lambda home: home, text, payload_schema=schema) == models["home"]


def test_payload_and_account_may_be_models(bind: Bind) -> None:
    def handler(payload: Address, account: Keys) -> tuple[Any, ...]:
        return payload, account

    expected = (Address(zip="1"), Keys(api_key="k"))
    declared = {"payload_schema": Address, "account_schema": Keys}
    assert bind(handler, '{"zip": "1"}', {"api_key": "k"}, **declared) == expected
    assert bind(handler, '{"zip": "1"}', {"api_key": "k"}) == expected


def test_payload_and_account_of_one_model_are_told_apart_by_name(bind: Bind) -> None:
    def handler(account: Keys, payload: Keys) -> tuple[str, str]:
        return payload.api_key, account.api_key

    declared = {"payload_schema": Keys, "account_schema": Keys}
    mine, secret = {"api_key": "of the payload"}, {"api_key": "of the account"}
    expected = ("of the payload", "of the account")
    assert bind(handler, mine, secret, **declared) == expected
    assert bind(handler, mine, secret) == expected


def test_the_account_model_is_the_whole_whatever_the_parameter_is_called(
    bind: Bind,
) -> None:
    def handler(keys: Keys, zip: str) -> tuple[Any, ...]:
        return keys, zip

    declared = {"payload_schema": Address, "account_schema": Keys}
    expected = (Keys(api_key="k"), "1")
    assert bind(handler, '{"zip": "1"}', {"api_key": "k"}, **declared) == expected


def test_an_account_model_as_a_dict_has_the_keys_of_the_wire(bind: Bind) -> None:
    class Aliased(BaseModel):
        key: str = Field(alias="apiKey")

    def handler(account: dict[str, Any]) -> dict[str, Any]:
        return account

    received = bind(handler, {}, {"apiKey": "k"}, account_schema=Aliased)
    assert received == {"apiKey": "k"}


def test_an_account_that_is_not_declared_is_any_object(bind: Bind) -> None:
    def handler(account: dict[str, Any]) -> dict[str, Any]:
        return account

    assert bind(handler, {}, {"a": [1]}) == {"a": [1]}
    assert bind(handler, {}) == {}


def test_a_dataclass_is_a_payload(bind: Bind) -> None:
    def whole(payload: Order) -> Order:
        return payload

    assert bind(whole, '{"sku": "a"}') == Order(sku="a", count=1)
    assert bind(whole, '{"sku": "a", "count": 2}', payload_schema=Order) == Order(
        sku="a", count=2
    )
    assert bind(
        lambda sku, count: (sku, count), '{"sku": "a"}', payload_schema=Order
    ) == (
        "a",
        1,
    )


def test_a_dict_of_a_dataclass_is_a_dict(bind: Bind) -> None:
    def handler(payload: dict[str, Any]) -> dict[str, Any]:
        return payload

    expected = {"sku": "a", "count": 1}
    assert bind(handler, '{"sku": "a"}', payload_schema=Order) == expected


def test_a_typed_dict_is_a_payload(bind: Bind) -> None:
    def whole(payload: Line) -> Line:
        return payload

    assert bind(whole, '{"sku": "a", "count": 2}') == {"sku": "a", "count": 2}
    assert bind(lambda sku: sku, '{"sku": "a"}', payload_schema=Line) == "a"


class Shared(BaseModel, Generic[T]):
    item: T


class Tree(BaseModel):
    name: str
    children: list["Tree"] = []


class Numbers(RootModel[dict[str, int]]):
    pass


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (Shared[int], '{"item": 1}'),
        (Tree, '{"name": "a", "children": [{"name": "b"}]}'),
        (Numbers, '{"a": 1}'),
    ],
)
def test_generic_recursive_and_root_models_are_payloads(
    bind: Bind, model: Any, text: str
) -> None:
    received = bind(lambda payload: payload, text, payload_schema=model)
    assert received == model.model_validate_json(text)


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")

    a: int


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")

    a: int


def test_a_model_says_what_becomes_of_unknown_keys(run: Run, bind: Bind) -> None:
    text = '{"a": 1, "b": 2}'
    refused = run(lambda payload: payload, text, payload_schema=Closed)
    assert refused["data"]["errors"] == [
        {
            "path": "b",
            "type": "extra_forbidden",
            "message": "Extra inputs are not permitted",
        }
    ]

    def handler(payload: dict[str, Any]) -> dict[str, Any]:
        return payload

    assert bind(handler, text, payload_schema=Open) == {"a": 1, "b": 2}


class Defaults(BaseModel):
    limit: int = 10
    tags: list[str] = Field(default_factory=lambda: ["a"])


def test_a_models_default_stands_unless_the_parameter_has_one(bind: Bind) -> None:
    def without(limit: int, tags: list[str]) -> tuple[Any, ...]:
        return limit, tags

    def with_its_own(limit: int = 5) -> int:
        return limit

    assert bind(without, payload_schema=Defaults) == (10, ["a"])
    assert bind(with_its_own, payload_schema=Defaults) == 5
    assert bind(with_its_own, '{"limit": 7}', payload_schema=Defaults) == 7


class Doubled(BaseModel):
    a: int

    @computed_field
    @property
    def double(self) -> int:
        return self.a * 2


def test_a_dict_of_a_model_holds_what_was_validated_and_nothing_else(
    bind: Bind,
) -> None:
    def handler(payload: dict[str, Any]) -> dict[str, Any]:
        return payload

    assert bind(handler, '{"a": 1}', payload_schema=Doubled) == {"a": 1}


def test_validators_change_what_the_handler_receives(bind: Bind) -> None:
    class Upper(BaseModel):
        name: str

        @field_validator("name")
        @classmethod
        def upper(cls, name: str) -> str:
            return name.upper()

    assert bind(lambda name: name, '{"name": "a"}', payload_schema=Upper) == "A"


def test_fields_of_a_model_are_known_before_a_task_comes(provider: Provider) -> None:
    provider.actions.register("user", payload_schema=User)(lambda payload: payload)
    fields = provider.actions["user"].payload.fields
    required = {name: field.required for name, field in fields.items()}
    assert required == {"name": True, "born": False, "home": True, "others": False}
