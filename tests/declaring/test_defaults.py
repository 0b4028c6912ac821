"""What a parameter's default means, and whose it is."""

# pyright: basic
# ruff: noqa: B008, UP045

import dataclasses
import functools
import threading
from array import array
from collections import ChainMap, Counter, UserDict, UserList, deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Annotated, Any, Optional

import pytest
from pydantic import BaseModel, Field, PrivateAttr

from arbvantage_provider import HandlerSignatureError, Inject, Provider, Retry
from arbvantage_provider.export import export_json_schema

Bind = Callable[..., Any]
Run = Callable[..., dict[str, Any]]


class Room(BaseModel):
    names: list[str] = []


@dataclasses.dataclass
class Floor:
    names: list[str]


def keep(handler: Callable[..., Any], default: Any) -> Callable[..., Any]:
    handler.__defaults__ = (default,)  # type: ignore[attr-defined]
    return handler


def test_field_gives_constraints_and_a_default(run: Run, provider: Provider) -> None:
    def beds(floor: int = Field(3, ge=1, description="which")) -> int:
        return floor

    assert run(beds)["data"] == 3
    assert run(beds, {"floor": 2})["data"] == 2
    assert run(beds, {"floor": 0})["status"] == "error"
    types = export_json_schema(provider.actions, name="x")["$defs"]
    floor = types["Action0Payload"]["properties"]["floor"]
    assert (floor["default"], floor["minimum"], floor["description"]) == (3, 1, "which")


def test_field_without_a_default_is_required(run: Run) -> None:
    def first(a: int = Field(), b: int = Field(...)) -> int:
        return a + b

    def second(a=Field(ge=1), *, b: int = Field(ge=1)) -> int:
        return a + b

    for handler in (first, second, functools.partial(first)):
        assert run(handler, {"a": 1, "b": 2})["data"] == 3
        assert run(handler, {"a": 1})["status"] == "error"
        assert run(handler, {"b": 1})["status"] == "error"


def test_a_default_factory_makes_one_for_each_task(
    run: Run, provider: Provider
) -> None:
    def add(names: list[str] = Field(default_factory=list)) -> list[str]:
        names.append("x")
        return names

    for schema in (None, {"other": int | None}):
        provider.actions.register("add", payload_schema=schema)(add)
        assert provider.process_task("add", {})["data"] == ["x"]
        assert provider.process_task("add", {})["data"] == ["x"]
        provider.actions._actions.clear()


def test_field_gives_an_alias(run: Run) -> None:
    def greet(name: str = Field("you", alias="first-name")) -> str:
        return name

    assert run(greet, {"first-name": "Ann"})["data"] == "Ann"
    assert run(greet, {"name": "Ann"})["data"] == "you"


def test_the_outer_of_two_defaults_counts(run: Run) -> None:
    def plain(a: Annotated[int, Field(default=2, ge=1)] = 3) -> int:
        return a

    def both(a: Annotated[int, Field(2, ge=1)] = Field(3, le=9)) -> int:
        return a

    def constrained(a: Annotated[int, Field(ge=1)] = 3) -> int:
        return a

    for handler in (plain, both, constrained):
        assert run(handler)["data"] == 3
        assert run(handler, {"a": 0})["status"] == "error"
    assert run(both, {"a": 10})["status"] == "error"


@pytest.mark.parametrize("schema", [{"a": int | None}, {"other": int | None}])
def test_beside_a_declared_schema_field_gives_the_default(
    run: Run, schema: Any
) -> None:
    def handler(a: int = Field(3)) -> int:
        return a

    assert run(handler, payload_schema=schema)["data"] == 3


def test_beside_a_declared_schema_field_says_nothing_else(
    register: Callable[..., None],
) -> None:
    def limited(a: int = Field(3, ge=1)) -> int:
        return a

    def required(b: int = Field()) -> int:
        return b

    with pytest.raises(HandlerSignatureError, match="only give a default"):
        register(limited, payload_schema={"a": int | None})
    with pytest.raises(HandlerSignatureError, match="nothing can fill"):
        register(required, payload_schema={"a": int})


def test_an_account_stays_one(run: Run) -> None:
    def handler(account: dict[str, Any] = Field(default_factory=dict)) -> Any:
        return account

    assert run(handler, {}, {"key": "k"})["data"] == {"key": "k"}
    assert run(handler, {"account": {"a": 1}})["data"] == {}


class Depends:
    """As other frameworks have it."""

    def __init__(self, function: Any) -> None:
        self.function = function


@pytest.mark.parametrize(
    ("default", "mentioned"),
    [
        (PrivateAttr(3), "class"),
        (dataclasses.field(default=3), "class"),
        (Depends(len), "Inject"),
    ],
)
@pytest.mark.parametrize("options", [{}, {"payload_schema": {"a": int | None}}])
def test_what_means_nothing_here_is_refused(
    register: Callable[..., None], default: Any, mentioned: str, options: Any
) -> None:
    def handler(a: int = 0) -> int:
        return a

    with pytest.raises(HandlerSignatureError, match=mentioned):
        register(keep(handler, default), **options)

    def says(a: int) -> int:
        return a

    says.__annotations__["a"] = Annotated[int, Depends(len)]
    with pytest.raises(HandlerSignatureError, match="Inject"):
        register(says, **options)


def test_a_default_that_no_task_can_have_is_refused(
    register: Callable[..., None],
) -> None:
    def made(a: int = 1, b: int = Field(default_factory=lambda data: data["a"])) -> int:
        return b

    def given(a: int) -> int:
        return a

    with pytest.raises(HandlerSignatureError, match="takes no argument"):
        register(made)
    with pytest.raises(HandlerSignatureError, match="give it the value"):
        register(functools.partial(given, a=Field(3)))


DEFAULTS: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "a list": ([], lambda each: each.append("x")),
    "a list in a list": ([[]], lambda each: each[0].append("x")),
    "a list in a tuple": (([],), lambda each: each[0].append("x")),
    "a dict": ({}, lambda each: each.update(x=1)),
    "a set": (set(), lambda each: each.add("x")),
    "a deque": (deque(), lambda each: each.append("x")),
    "a counter": (Counter(), lambda each: each.update("x")),
    "a model": (Room(), lambda each: each.names.append("x")),
    "a UserDict": (UserDict(), lambda each: each.update(x=1)),
    "a UserList": (UserList(), lambda each: each.append("x")),
    "a ChainMap": (ChainMap(), lambda each: each.update(x=1)),
    "an array": (array("i"), lambda each: each.append(1)),
    "a namespace": (SimpleNamespace(), lambda each: each.__dict__.update(x=1)),
    "a dataclass": (Floor([]), lambda each: each.names.append("x")),
}


@pytest.mark.parametrize("case", DEFAULTS)
@pytest.mark.parametrize(
    "schema", [None, {"a": Optional[Any]}, {"b": Optional[Any]}, Room]
)
def test_each_task_has_a_default_of_its_own(run: Run, case: str, schema: Any) -> None:
    default, change = DEFAULTS[case]
    before = repr(default)
    seen: list[str] = []

    def handler(a: Any = None) -> None:
        seen.append(repr(a))
        change(a)

    options = {} if schema is None else {"payload_schema": schema}
    for _ in range(2):
        assert run(keep(handler, default), **options)["status"] == "success"
    assert seen == [before] * 2
    assert repr(default) == before


def test_a_field_of_a_model_has_one_of_its_own(run: Run) -> None:
    def handler(names: list[str] = []) -> list[str]:  # noqa: B006
        names.append("x")
        return names

    assert run(handler, payload_schema=Room)["data"] == ["x"]
    assert run(handler, payload_schema=Room)["data"] == ["x"]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_each_try_has_one_of_its_own(run: Run, kind: str) -> None:
    def handler(names: list[str] = []) -> list[str]:  # noqa: B006
        names.append("x")
        tries.append(len(names))
        if len(tries) < 3:
            raise OSError
        return names

    async def handler_async(names: list[str] = []) -> list[str]:  # noqa: B006
        return handler(names)

    tries: list[int] = []
    retry = Retry(on=OSError, tries=3, first=0.001)
    chosen = handler_async if kind == "async" else handler
    assert run(chosen, retry=retry)["data"] == ["x"]
    assert tries == [1, 1, 1]


def test_what_is_injected_by_default_is_copied_too(run: Run) -> None:
    def handler(names: Inject[list[str]] = []) -> list[str]:  # noqa: B006
        names.append("x")
        return names

    assert run(handler)["data"] == ["x"]
    assert run(handler)["data"] == ["x"]


@pytest.mark.parametrize("default", [threading.Lock(), [threading.Lock()], object()])
def test_what_cannot_be_copied_is_shared(bind: Bind, default: Any) -> None:
    def handler(b: Any = None) -> Any:
        return b

    schema = {"payload_schema": {"a": int | None}}
    assert bind(keep(handler, default), **schema) is default
