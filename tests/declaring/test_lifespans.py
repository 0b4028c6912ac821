"""What may be a lifespan, and what it is to one task in process."""

# Some declarations are wrong on purpose.
# pyright: basic

import asyncio
import contextvars
import functools
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from arbvantage_provider import Inject, LifespanError, Provider

Make = Callable[..., Provider]


class Pool:
    """What handlers share."""

    def __init__(self, name: str = "real") -> None:
        self.name = name


class SlowPool(Pool):
    """A kind of pool."""


class Box:
    """Another thing."""


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


# --- a task in process -------------------------------------------------------


@pytest.mark.parametrize("call", ["process_task", "dispatch"])
def test_a_task_in_process_opens_what_it_needs_and_closes_it(
    provider: Provider, events: list[str], call: str
) -> None:
    @provider.lifespan
    async def unused() -> AsyncIterator[Box]:
        events.append("unused")
        yield Box()

    @provider.actions.register()
    async def fetch(pool: Inject[Pool]) -> None:
        events.append(pool.name)

    @provider.actions.register()
    def fetch_sync(pool: Inject[Pool]) -> None:
        events.append(pool.name)

    @provider.actions.register()
    def plain() -> None:
        events.append("plain")

    for action in ("fetch", "fetch_sync", "plain"):
        getattr(provider, call)(action, b"{}")
    assert events == [*["open", "real", "close"] * 2, "plain"]


@pytest.mark.parametrize("call", ["process_task", "dispatch"])
def test_a_sync_handler_runs_beside_the_loop_of_what_it_uses(
    provider: Provider, call: str
) -> None:
    @provider.lifespan
    async def loop() -> AsyncIterator[asyncio.AbstractEventLoop]:
        yield asyncio.get_running_loop()

    @provider.actions.register()
    def ask_loop(loop: Inject[asyncio.AbstractEventLoop]) -> str:
        later = asyncio.run_coroutine_threadsafe(asyncio.sleep(0, "heard"), loop)
        return later.result(10)

    assert b"heard" in str(getattr(provider, call)("ask_loop", b"{}")).encode()


def test_it_works_while_a_loop_runs(provider: Provider, events: list[str]) -> None:
    @provider.actions.register()
    async def fetch(pool: Inject[Pool]) -> str:
        return pool.name

    async def program() -> Any:
        return provider.process_task("fetch", {})["data"]

    assert asyncio.run(program()) == "real"
    assert events == ["open", "close"]


def test_what_is_refused_opens_nothing(provider: Provider, events: list[str]) -> None:
    @provider.actions.register()
    async def fetch(url: str, pool: Inject[Pool]) -> str:
        return url + pool.name

    assert provider.process_task("fetch", {})["status"] == "error"
    assert events == []


@pytest.mark.parametrize("kind", ["async", "sync"])
def test_the_deadline_begins_when_all_is_open(make: Make, kind: str) -> None:
    provider = make(execution_timeout=0.3)
    ended = threading.Event()

    @provider.lifespan
    async def pool() -> AsyncIterator[Pool]:
        await asyncio.sleep(0.4)
        yield Pool()

    async def fetch(pool: Inject[Pool], wait: int) -> str:
        await asyncio.sleep(wait)
        return pool.name

    def fetch_sync(pool: Inject[Pool], wait: int) -> str:
        ended.wait(wait)
        return pool.name

    provider.actions.register("fetch")(fetch if kind == "async" else fetch_sync)
    assert provider.process_task("fetch", {"wait": 0})["data"] == "real"
    late = provider.process_task("fetch", {"wait": 60})["message"]
    assert late == "ActionTimeoutError: 'fetch' was not done within 0.3 s"
    ended.set()


def test_a_lifespan_that_fails_makes_an_error(
    make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    provider = make(log_level="ERROR")

    @provider.lifespan
    async def pool() -> AsyncIterator[Pool]:
        raise OSError("no route to the database")
        yield

    @provider.actions.register()
    async def fetch(pool: Inject[Pool]) -> str:
        return pool.name

    assert provider.process_task("fetch", {}) == {
        "status": "error",
        "message": "LifespanError: lifespan 'pool': failed to open: "
        "OSError: no route to the database",
        "data": None,
    }
    logged = capsys.readouterr().err
    assert "Traceback" in logged
    assert "lifespan=pool" in logged


def test_a_lifespan_that_fails_to_close_makes_an_error(provider: Provider) -> None:
    @provider.lifespan
    async def pool() -> AsyncIterator[Pool]:
        yield Pool()
        raise OSError("lost")

    provider.actions.register("fetch")(_name_of)
    assert provider.process_task("fetch", {})["message"] == (
        "LifespanError: lifespan 'pool': failed to close: OSError: lost"
    )


def _name_of(pool: Inject[Pool]) -> str:
    return pool.name


# --- fakes -------------------------------------------------------------------


def test_a_fake_stands_in_for_what_a_lifespan_makes(
    provider: Provider, events: list[str]
) -> None:
    provider.actions.register("fetch")(_name_of)
    provider.provide(Pool, Pool("fake"))
    assert provider.process_task("fetch", {})["data"] == "fake"
    assert events == []


def test_a_fake_for_the_base_comes_before_what_a_lifespan_makes(
    provider: Provider,
) -> None:
    @provider.lifespan
    async def slow() -> AsyncIterator[SlowPool]:
        raise AssertionError
        yield

    class FakePool(Pool):
        pass

    provider.actions.register("fetch")(_name_of)
    provider.provide(FakePool, FakePool("fake"))
    assert provider.process_task("fetch", {})["data"] == "fake"


# --- what a lifespan may be --------------------------------------------------


async def yields_async() -> AsyncIterator[Pool]:
    yield Pool()


def yields_sync() -> Iterator[Pool]:
    yield Pool()


def keyed(name: str) -> Iterator[Pool]:
    yield Pool(name)


class Service:
    async def method(self) -> AsyncIterator[Pool]:
        yield Pool()


def logged(function: Any) -> Any:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return call


LIFESPANS: dict[str, Any] = {
    "async generator": yields_async,
    "generator": yields_sync,
    "asynccontextmanager": asynccontextmanager(yields_async),
    "contextmanager": contextmanager(yields_sync),
    "bound method": Service().method,
    "partial": functools.partial(keyed, "real"),
    "partial by name": functools.partial(keyed, name="real"),
    "partial of a contextmanager": functools.partial(contextmanager(keyed), "real"),
    "wrapped": logged(yields_async),
    "wrapped, sync": logged(yields_sync),
}


@pytest.mark.parametrize("kind", LIFESPANS)
def test_each_kind_of_generator_is_a_lifespan(provider: Provider, kind: str) -> None:
    assert provider.lifespan(LIFESPANS[kind]) is LIFESPANS[kind]
    provider.actions.register("fetch")(_name_of)
    assert provider.process_task("fetch", {})["data"] == "real"


def returns() -> Pool:
    return Pool()


async def wants_a_name(name: str) -> AsyncIterator[Pool]:
    yield Pool(name)


async def wants_a_bare_inject(pool: Inject) -> AsyncIterator[Pool]:  # type: ignore[type-arg]
    yield pool


async def is_unresolved() -> Any:
    yield


is_unresolved.__annotations__["return"] = "AsyncIterator[Nowhere]"


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (returns, "lifespan 'returns': it does not yield; write a function"),
        (Pool, "lifespan 'Pool': it does not yield"),
        (5, "lifespan 'int': it does not yield"),
        (wants_a_name, "parameter 'name': nothing can fill it; annotate it with Inj"),
        (wants_a_bare_inject, "parameter 'pool': it does not say which type"),
        (is_unresolved, "its annotations cannot be resolved .*'Nowhere'.*import"),
    ],
)
def test_what_cannot_be_a_lifespan_is_refused(
    provider: Provider, function: Any, problem: str
) -> None:
    with pytest.raises(LifespanError, match=problem):
        provider.lifespan(function)


@pytest.mark.parametrize("times", [0, 2])
def test_a_lifespan_yields_once(provider: Provider, times: int) -> None:
    @provider.lifespan
    async def pool() -> AsyncIterator[Pool]:
        for _ in range(times):
            yield Pool()

    provider.actions.register("fetch")(_name_of)
    message = provider.process_task("fetch", {})["message"]
    assert message.startswith("LifespanError: lifespan 'pool': failed to ")
    assert ("generator didn't stop" if times else "generator didn't yield") in message


def test_what_a_decorator_makes_of_it_must_be_a_context_manager(
    provider: Provider,
) -> None:
    @functools.wraps(yields_async)
    def broken() -> Any:
        return 5

    provider.lifespan(broken)
    provider.actions.register("fetch")(_name_of)
    assert provider.process_task("fetch", {})["message"] == (
        "LifespanError: lifespan 'yields_async': "
        "it returns a int, which is no context manager"
    )


def test_the_steps_of_a_sync_lifespan_share_a_thread_and_a_context(
    provider: Provider,
) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    threads: list[threading.Thread] = []

    @provider.lifespan
    def pool() -> Iterator[Pool]:
        threads.append(threading.current_thread())
        token = variable.set("set")
        yield Pool()
        variable.reset(token)
        threads.append(threading.current_thread())

    provider.actions.register("fetch")(_name_of)
    assert provider.process_task("fetch", {})["status"] == "success"
    assert threads[0] is threads[1]
    assert threads[0] is not threading.current_thread()


def test_a_lifespan_takes_what_those_before_it_made(
    provider: Provider, events: list[str]
) -> None:
    @provider.lifespan
    async def box(pool: Inject[Pool], size: int = 3) -> AsyncIterator[Box]:
        events.append(f"box in {pool.name} of {size}")
        yield Box()
        events.append("box closed")

    @provider.actions.register()
    async def fetch(box: Inject[Box]) -> str:
        return type(box).__name__

    assert provider.process_task("fetch", {})["data"] == "Box"
    assert events == ["open", "box in real of 3", "box closed", "close"]


def test_a_lifespan_does_not_take_what_comes_later(provider: Provider) -> None:
    @provider.lifespan
    async def box(pool: Inject[Pool]) -> AsyncIterator[Box]:
        del pool
        yield Box()

    provider.lifespan(yields_async)

    @provider.actions.register()
    def fetch(box: Inject[Box]) -> None:
        del box

    assert provider.process_task("fetch", {})["message"].startswith(
        "LifespanError: lifespan 'box': parameter 'pool': "
        f"nothing provides {__name__}.Pool; there is nothing to inject; "
    )
