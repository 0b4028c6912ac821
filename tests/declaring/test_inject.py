"""What handlers ask for with ``Inject``, and what they get in process."""

# Some declarations are wrong on purpose.
# pyright: basic

import importlib.util
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, NewType, Protocol, TypeVar

import pytest

from arbvantage_provider import (
    Actions,
    ConfigError,
    HandlerSignatureError,
    Inject,
    Provider,
)
from arbvantage_provider.export import export_json_schema

T = TypeVar("T")
Make = Callable[..., Provider]


class Pool:
    """What handlers share."""

    def __init__(self, name: str = "real") -> None:
        self.name = name

    def __repr__(self) -> str:
        return "Pool(password='hunter2')"


class FastPool(Pool):
    """A kind of pool."""


class SlowPool(Pool):
    """Another kind of pool."""


class Named(Protocol):
    """Whatever has a name."""

    name: str


class Declared(Named):
    """Says that it is ``Named``, which cannot be checked at run time."""

    name = "declared"


class Box(Generic[T]):
    """Holds something."""


@dataclass
class Order:
    """A payload."""

    item: str


Replica = NewType("Replica", Pool)


@pytest.fixture
def events(provider: Provider) -> list[str]:
    """What the lifespan of ``Pool`` did."""
    events: list[str] = []

    @provider.lifespan
    async def pool() -> AsyncIterator[Pool]:
        events.append("open")
        yield Pool()
        events.append("close")

    return events


# --- what a parameter is -----------------------------------------------------


@pytest.mark.usefixtures("events")
def test_a_value_comes_by_its_type_whatever_the_name(bind: Callable[..., Any]) -> None:
    def handler(now: str, payload: Inject[Pool], *, account: Inject[Pool]) -> Any:
        return now, payload.name, account is payload

    assert bind(handler, payload_schema={"now": str}, payload='{"now": "x"}') == (
        "x",
        "real",
        True,
    )


def test_it_is_no_field_of_the_payload(provider: Provider) -> None:
    @provider.actions.register()
    def fetch(url: str, pool: Inject[Pool], other: Inject[Pool] | None = None) -> str:
        return f"{url}{pool}{other}"

    assert list(provider.actions["fetch"].payload.fields) == ["url"]
    schema = export_json_schema(provider.actions, name="x")["$defs"]["FetchPayload"]
    assert list(schema["properties"]) == ["url"]


def test_an_account_that_is_injected_is_no_account(provider: Provider) -> None:
    provider.provide(Pool, Pool())

    @provider.actions.register()
    def fetch(account: Inject[Pool] | None) -> str:
        return account.name if account else ""

    assert provider.actions["fetch"].account is None
    assert provider.process_task("fetch", {})["data"] == "real"


def test_it_wins_over_a_field_of_that_name(run: Callable[..., Any]) -> None:
    def fetch(pool: Inject[Pool] = Pool("default")) -> str:  # noqa: B008
        return pool.name

    assert run(fetch, {"pool": 1}, payload_schema={"pool": int})["data"] == "default"


def test_handles_takes_it_after_the_model(provider: Provider) -> None:
    provider.provide(Pool, Pool("given"))

    @provider.actions.handles(Order)
    def order(wanted: Order, pool: Inject[Pool]) -> str:
        return f"{wanted.item} from {pool.name}"

    answer = provider.process_task("order", {"item": "tea"})
    assert answer["data"] == "tea from given"


POSTPONED = """
from __future__ import annotations

from collections.abc import AsyncIterator

from arbvantage_provider import Inject, Provider

provider = Provider("postponed", execution_timeout=30, log_level="CRITICAL")


class Pool:
    name = "postponed"


@provider.lifespan
async def pool() -> AsyncIterator[Pool]:
    yield Pool()


@provider.actions.register()
async def fetch(url: str, *, pool: Inject[Pool]) -> str:
    return url + pool.name
"""


def test_postponed_annotations_work(tmp_path: Path) -> None:
    file = tmp_path / "postponed_inject.py"
    file.write_text(POSTPONED)
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    try:
        spec.loader.exec_module(module)
        answer = module.provider.process_task("fetch", {"url": "to "})
    finally:
        del sys.modules[file.stem]
    assert answer["data"] == "to postponed"


def test_a_group_knows_nothing_of_the_provider(make: Make) -> None:
    group = Actions()

    @group.register()
    async def fetch(pool: Inject[Pool]) -> str:
        return pool.name

    for name in ("one", "two"):
        provider = make()
        provider.actions.include(group, prefix="pool.")
        provider.provide(Pool, Pool(name))
        assert provider.process_task("pool.fetch", {})["data"] == name


@pytest.mark.parametrize(
    ("annotation", "problem"),
    [
        (Inject, "it does not say which type; write Inject[…] with the type"),
        (Inject["Pool"], ""),
        (Inject[Annotated[Pool, "meta"]], ""),
    ],
)
def test_what_does_not_name_a_type_is_refused(
    register: Callable[..., None], annotation: Any, problem: str
) -> None:
    def handler(pool: Any) -> None:
        del pool

    handler.__annotations__["pool"] = annotation
    if not problem:
        register(handler)
        return
    with pytest.raises(HandlerSignatureError) as caught:
        register(handler)
    assert str(caught.value) == f"action 'wrong': parameter 'pool': {problem}"


# --- which value it gets -----------------------------------------------------


def ask(provider: Provider, kind: Any, **default: Any) -> Any:
    """What a handler gets that asks for this type."""
    got: list[Any] = []

    def take(value: Any) -> None:
        got.append(value)

    take.__annotations__["value"] = Inject[kind]
    if default:
        take.__defaults__ = (default["default"],)
    name = f"take_{len(provider.actions)}"
    provider.actions.register(name)(take)
    response = provider.process_task(name, {})
    return got[0] if got else response["message"]


def test_the_type_itself_comes_before_its_subclasses(provider: Provider) -> None:
    fast, pool = FastPool(), Pool()
    provider.provide(FastPool, fast)
    assert ask(provider, Pool) is fast
    provider.provide(Pool, pool)
    assert ask(provider, Pool) is pool
    assert ask(provider, FastPool) is fast


def test_a_protocol_is_met_by_what_says_so(provider: Provider) -> None:
    declared = Declared()
    provider.provide(Pool, Pool())
    provider.provide(Declared, declared)
    assert ask(provider, Named) is declared


def test_generics_and_new_types_are_told_apart(provider: Provider) -> None:
    texts, numbers, replica = Box[str](), Box[int](), Pool()
    provider.provide(Box[str], texts)
    provider.provide(Box[int], numbers)
    provider.provide(Replica, replica)
    provider.provide(Pool, Pool())
    assert ask(provider, Box[int]) is numbers
    assert ask(provider, Box[str]) is texts
    assert ask(provider, Replica) is replica


def test_a_default_stands_in_where_nothing_provides_it(provider: Provider) -> None:
    assert ask(provider, Pool, default="the default") == "the default"
    assert ask(provider, Pool | None) is None
    provider.provide(Pool, "fake")
    assert ask(provider, Pool, default="the default") == "fake"
    assert ask(provider, Pool | None) == "fake"


def test_a_value_without_annotation_goes_by_its_class(provider: Provider) -> None:
    @provider.lifespan
    async def pool():
        yield FastPool()

    assert type(ask(provider, Pool)) is FastPool


def test_what_is_missing_is_said_in_the_response(provider: Provider) -> None:
    assert ask(provider, Pool) == (
        "HandlerSignatureError: action 'take_0': parameter 'value': "
        f"nothing provides {__name__}.Pool; there is nothing to inject; "
        "write a @provider.lifespan that is annotated to yield it, or call "
        f"provider.provide({__name__}.Pool, value)"
    )


@pytest.mark.usefixtures("events")
def test_what_is_there_is_said_too_and_no_value(provider: Provider) -> None:
    provider.provide(Box[int], Box[int]())
    message = ask(provider, FastPool)
    assert (
        f"nothing provides {__name__}.FastPool; there is {__name__}.Box[int] "
        f"(provide()), {__name__}.Pool (lifespan 'pool'); write"
    ) in message
    assert "hunter2" not in message


def test_two_of_a_type_are_refused(provider: Provider) -> None:
    provider.provide(FastPool, FastPool())
    provider.provide(SlowPool, SlowPool())
    assert ask(provider, Pool) == (
        "HandlerSignatureError: action 'take_0': parameter 'value': "
        f"2 provide {__name__}.Pool: {__name__}.FastPool (provide()), "
        f"{__name__}.SlowPool (provide()); "
        "ask for one of them by its own type, or give each a NewType"
    )


@pytest.mark.parametrize(
    "kind", ["Pool", None, type(None), 5, Inject[Pool], T, {}, Pool()]
)
def test_only_a_type_is_provided(provider: Provider, kind: Any) -> None:
    with pytest.raises(ConfigError, match=r"provide\(type, value\): ") as caught:
        provider.provide(kind, Pool())
    assert "hunter2" not in str(caught.value)
