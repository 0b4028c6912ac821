"""What is wrong with a declaration is said where it is declared."""

# Programs write their schemas in the old forms of typing, too.
# ruff: noqa: RUF043, UP006
# pyright: basic

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, ClassVar

import pytest
from pydantic import BaseModel, Field, RootModel
from typing_extensions import TypedDict

from arbvantage_provider import (
    DuplicateActionError,
    HandlerSignatureError,
    Provider,
    ProviderError,
    RegistrationError,
    SchemaError,
    optional,
)
from arbvantage_provider.rate_limit import TimeBasedRateLimitMonitor

Register = Callable[..., Any]
List: Any = typing.List
Union: Any = typing.Union


class Foreign:
    """A class that has no JSON form."""


class Model(BaseModel):
    a: int


class Other(BaseModel):
    a: int


class Typed(TypedDict):
    a: int


class Numbers(RootModel[list[int]]):
    pass


def whole(payload):
    return payload


def itself(build: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    schema["child"] = build(schema)
    return schema


def deep(levels: int) -> dict[str, Any]:
    schema: Any = str
    for _ in range(levels):
        schema = {"a": schema}
    return dict(schema)


SCHEMAS: dict[str, tuple[Any, str, str]] = {
    "a list": ([], "payload_schema", "write a dict"),
    "a list of types": ([str, int], "payload_schema", "write a dict"),
    "a text": ("str", "payload_schema", "write a dict"),
    "a type": (int, "payload_schema", "write a dict"),
    "a number": (5, "payload_schema", "write a dict"),
    "a class without JSON form": (Foreign, "payload_schema", "write a dict"),
    "an instance": (Model(a=1), "payload_schema", "write a dict"),
    "a tuple": ((str,), "payload_schema", "write a dict"),
    "list[..]": (list[int], "payload_schema", "write a dict"),
    "an empty list inside": ({"u": {"t": []}}, "payload_schema.u.t", "[X]"),
    "two types in a list": ({"u": {"t": [str, int]}}, "payload_schema.u.t", "[X]"),
    "a text inside": ({"u": [{"t": "str"}]}, "payload_schema.u[].t", "type itself"),
    "a text in List": ({"t": List["str"]}, "payload_schema.t", "type itself"),
    "a value": ({"n": 5}, "payload_schema.n", "write a type"),
    "True": ({"n": True}, "payload_schema.n", "write a type"),
    "None": ({"n": None}, "payload_schema.n", "Optional"),
    "a tuple inside": ({"n": (str, int)}, "payload_schema.n", "write a type"),
    "a set inside": ({"n": {str}}, "payload_schema.n", "write a type"),
    "an ellipsis": ({"n": ...}, "payload_schema.n", "write a type"),
    "a function": ({"n": len}, "payload_schema.n", "write a type"),
    "a key that is no text": ({"o": {5: int}}, "payload_schema.o", "strings"),
    "a list for a key": (
        {"n": dict[tuple[int, int], str]},
        "payload_schema.n",
        "dict[str",
    ),
    "a model for a key": ({"n": [dict[Model, str]]}, "payload_schema.n[]", "dict[str"),
    "a set of lists": ({"n": set[list[int]]}, "payload_schema.n", "write a list"),
    "a set of sets": ({"n": [frozenset[set[int]]]}, "payload_schema.n[]", "frozenset"),
    "a set of models": ({"n": set[Model]}, "payload_schema.n", "write a list"),
    "a set of TypedDicts": (
        {"n": set[tuple[Typed]]},
        "payload_schema.n",
        "write a list",
    ),
    "a set of Mappings": (
        {"n": set[typing.Mapping[str, int]]},
        "payload_schema.n",
        "write a list",
    ),
    "an alias in a list": (
        {"n": [Annotated[str, Field(alias="m")]]},
        "payload_schema.n[]",
        "as the key",
    ),
    "an alias in a union": (
        {"n": Union[Annotated[str, Field(validation_alias="m")], None]},
        "payload_schema.n",
        "as the key",
    ),
    "a default in a list": (
        {"n": [Annotated[int, Field(default=1)]]},
        "payload_schema.n[]",
        "around the whole",
    ),
    "a default in an optional": (
        {"n": optional(Annotated[int, Field(default=1)])},
        "payload_schema.n",
        "around the whole",
    ),
    "a root that is a list": (Numbers, "payload_schema", "as a field"),
    "a root that is a root": (RootModel[Numbers], "payload_schema", "as a field"),
    "a root that is a choice": (
        RootModel[int | list[str]],
        "payload_schema",
        "as a field",
    ),
    "a foreign class": ({"u": {"t": Foreign}}, "payload_schema.u.t", "write a type"),
    "a foreign class in a list": (
        {"u": List[{"t": Foreign}]},
        "payload_schema.u[].t",
        "write a type",
    ),
    "a foreign instance": ({"u": Foreign()}, "payload_schema.u", "write a type"),
    "a field without type": ({"u": Field(ge=1)}, "payload_schema.u", "write a type"),
    "ClassVar": ({"u": ClassVar[int]}, "payload_schema.u", ""),
    "a broken pattern": (
        {"u": Annotated[str, Field(pattern="(")]},
        "payload_schema.u",
        "",
    ),
    "a dict in itself": (itself(lambda s: s), "payload_schema.child", "holds itself"),
    "a dict in a list in itself": (
        itself(lambda s: [s]),
        "payload_schema.child[]",
        "holds itself",
    ),
    "a dict in a List in itself": (
        itself(lambda s: {"x": List[s]}),
        "payload_schema.child.x[]",
        "holds itself",
    ),
    "a dict of 300 levels": (deep(300), "payload_schema.a.a", "deep"),
    "a dict of 5,000 levels": (deep(5000), "payload_schema.a.a", "deep"),
}


@pytest.mark.parametrize("case", SCHEMAS)
def test_a_wrong_schema_is_refused_with_its_place(
    register: Register, case: str
) -> None:
    declared, path, advice = SCHEMAS[case]
    with pytest.raises(SchemaError) as caught:
        register(whole, payload_schema=declared)
    assert caught.value.action == "wrong"
    assert caught.value.path.startswith(path)
    assert "'wrong'" in str(caught.value)
    assert path in str(caught.value)
    assert advice in str(caught.value)
    assert "arbitrary_types_allowed" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_a_wrong_account_schema_is_refused_with_its_place(register: Register) -> None:
    with pytest.raises(SchemaError, match=r"account_schema\.keys: a list names one"):
        register(whole, account_schema={"keys": []})
    with pytest.raises(SchemaError, match=r"account_schema: <class 'int'> is no"):
        register(whole, account_schema=int)


def test_a_model_that_is_not_complete_is_refused(register: Register) -> None:
    class Incomplete(BaseModel):
        child: "Nowhere"  # pyright: ignore[reportUndefinedVariable]  # noqa: F821

    with pytest.raises(SchemaError, match="Nowhere"):
        register(whole, payload_schema=Incomplete)


def test_a_dataclass_with_a_foreign_field_is_refused(register: Register) -> None:
    @dataclasses.dataclass
    class Holder:
        inner: Foreign

    with pytest.raises(SchemaError, match="Foreign"):
        register(whole, payload_schema=Holder)


def test_a_name_is_registered_once(provider: Provider) -> None:
    provider.actions.register("twice")(whole)
    with pytest.raises(DuplicateActionError, match="'twice'") as caught:
        provider.actions.register("twice")(lambda: None)
    assert caught.value.action == "twice"
    assert provider.actions["twice"].handler is whole


@pytest.mark.parametrize("name", ["", 5, b"x", ["a"]])
def test_a_name_is_a_text(provider: Provider, name: Any) -> None:
    with pytest.raises(RegistrationError, match="give the action a name"):
        provider.actions.register(name)(whole)
    assert len(provider.actions) == 0


def test_a_lambda_needs_a_name(provider: Provider) -> None:
    with pytest.raises(RegistrationError, match="name"):
        provider.actions.register()(lambda: None)
    assert len(provider.actions) == 0


@pytest.mark.parametrize(
    "handler", [whole, lambda: None, Foreign, functools.partial(whole)]
)
def test_register_is_written_with_parentheses(provider: Provider, handler: Any) -> None:
    with pytest.raises(RegistrationError, match=r"register\(\) with parentheses"):
        provider.actions.register(handler)


@pytest.mark.parametrize(
    "timeout",
    [0, -1, math.nan, math.inf, "5", True, b"1", Decimal(1), 10**400, [1]],
)
def test_a_timeout_is_seconds_that_a_clock_can_count(
    register: Register, timeout: Any
) -> None:
    with pytest.raises(RegistrationError, match="'wrong': timeout is .*; give seconds"):
        register(whole, timeout=timeout)


@pytest.mark.parametrize("monitor", [5, "x", True, TimeBasedRateLimitMonitor])
def test_a_monitor_is_an_instance_of_one(register: Register, monitor: Any) -> None:
    with pytest.raises(RegistrationError, match="'wrong': rate_limit_monitor is"):
        register(whole, rate_limit_monitor=monitor)


@pytest.mark.parametrize("description", [5, b"x", ["a"]])
def test_a_description_is_a_text(register: Register, description: Any) -> None:
    with pytest.raises(RegistrationError, match="'wrong': description"):
        register(whole, description=description)


def test_errors_of_declarations_are_in_the_tree() -> None:
    for error in (SchemaError, HandlerSignatureError, DuplicateActionError):
        assert issubclass(error, RegistrationError)
    assert issubclass(RegistrationError, ProviderError)
    assert not issubclass(RegistrationError, types.GeneratorType)
