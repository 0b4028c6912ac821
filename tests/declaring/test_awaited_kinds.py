"""Which handlers run on the loop: what runs first decides, and not what it wraps."""

# Some handlers have no annotations, and some are wrong on purpose.
# pyright: basic
# ruff: noqa: PLW0108

import asyncio
import contextlib
import functools
import inspect
import sys
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any

import pytest

from arbvantage_provider import HandlerSignatureError, Provider

Run = Callable[..., dict[str, Any]]


async def double(a: int) -> int:
    await asyncio.sleep(0)
    return a * 2


def run_inside(function: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a sync function of an async one."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return asyncio.run(function(*args, **kwargs))

    return call


def pass_on(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that knows nothing of async functions."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return call


def run_later(function: Callable[..., Any]) -> Callable[..., Any]:
    """Makes an async function of a sync one."""

    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        return await asyncio.to_thread(function, *args, **kwargs)

    return call


class Decorated:
    """A decorator that is a class."""

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self.function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)


class Binding(Decorated):
    """One that may decorate methods, too."""

    def __get__(self, instance: Any, owner: Any) -> Any:
        return functools.partial(self, instance)


class Plain:
    def __call__(self, a: int) -> Any:
        return double(a)


class Later:
    def __init__(self, value: int) -> None:
        self.value = value

    def __await__(self) -> Generator[Any, None, int]:
        yield from asyncio.sleep(0).__await__()
        return self.value


class Service:
    async def add(self, b: int, a: int) -> int:
        return a + b

    double = functools.partialmethod(add, 3)

    @staticmethod
    @run_inside
    async def static(a: int) -> int:
        return a * 2


@functools.singledispatch
async def dispatched(a: int) -> int:
    return a * 2


ON_A_THREAD: dict[str, Any] = {
    "a wrapper that runs the loop itself": run_inside(double),
    "a wrapper that passes on": pass_on(double),
    "a decorator class": Decorated(double),
    "a decorator class for methods": Binding(double),
    "a partial of a decorator class": functools.partial(Decorated(double)),
    "a decorator class around a sync wrapper": Decorated(run_inside(double)),
    "an object that knows the function": Plain(),
    "a lambda": lambda a: double(a),
    "what can be awaited and is no coroutine": lambda a: Later(a * 2),
    "a single dispatch": dispatched,
    "a static method": Service.static,
    "a static method that is not bound yet": staticmethod(run_inside(double)),
}
ON_THE_LOOP: dict[str, Any] = {
    "a partial method": Service().double,
    "a static method that is not bound yet": staticmethod(double),
    "an async wrapper around a sync one": run_later(run_inside(double)),
}


@pytest.mark.parametrize("kind", ON_A_THREAD)
def test_a_sync_one_runs_on_a_thread_and_is_awaited(
    run: Run, provider: Provider, kind: str
) -> None:
    assert run(ON_A_THREAD[kind], {"a": 3})["data"] == 6
    assert not provider.actions["action_0"].is_async


@pytest.mark.parametrize("kind", ON_THE_LOOP)
def test_an_async_one_runs_on_the_loop(run: Run, provider: Provider, kind: str) -> None:
    assert run(ON_THE_LOOP[kind], {"a": 3})["data"] == 6
    assert provider.actions["action_0"].is_async


@pytest.mark.skipif(sys.version_info < (3, 12), reason="it came with Python 3.12")
def test_what_is_marked_as_a_coroutine_function_runs_on_the_loop(
    run: Run, provider: Provider
) -> None:
    mark: Any = getattr(inspect, "markcoroutinefunction")  # noqa: B009 - of 3.12
    for index, handler in enumerate((mark(lambda a: double(a)), mark(Plain()))):
        assert run(handler, {"a": 3})["data"] == 6
        assert provider.actions[f"action_{index}"].is_async


def test_it_is_awaited_inside_a_running_loop_and_by_dispatch(
    provider: Provider,
) -> None:
    provider.actions.register("double")(pass_on(double))

    async def ask() -> tuple[Any, Any]:
        return provider.process_task("double", {"a": 3}), provider.dispatch(
            "double", b'{"a": 3}'
        )

    processed, dispatched = asyncio.run(ask())
    assert processed["data"] == 6
    assert b'"data":6' in dispatched


def test_its_deadline_cancels_what_is_awaited(provider: Provider) -> None:
    cancelled = threading.Event()

    async def wait(a: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    provider.actions.register("wait", timeout=0.2)(pass_on(wait))
    answer = provider.process_task("wait", {"a": 1})
    assert answer["message"] == "ActionTimeoutError: 'wait' was not done within 0.2 s"
    assert cancelled.wait(20)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), OSError("no")])
def test_what_is_awaited_may_raise_anything(run: Run, error: BaseException) -> None:
    async def fail(a: int) -> None:
        raise error

    assert run(pass_on(fail), {"a": 1})["message"].startswith(type(error).__name__)


def test_what_cancels_itself_is_an_error(run: Run) -> None:
    async def cancel(a: int) -> None:
        task = asyncio.current_task()
        assert task
        task.cancel()
        await asyncio.sleep(0)

    assert run(pass_on(cancel), {"a": 1})["message"] == "CancelledError"


def count(a: int) -> Iterator[int]:
    yield from range(a)


async def count_async(a: int) -> AsyncIterator[int]:
    for each in range(a):
        yield each


def collect(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> list[Any]:
        return list(function(*args, **kwargs))

    return call


def collect_async(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> list[Any]:
        return [each async for each in function(*args, **kwargs)]

    return call


@pytest.mark.parametrize(
    "handler",
    [
        collect(count),
        collect_async(count_async),
        run_inside(collect_async(count_async)),
        functools.cache(collect(count)),
        functools.partial(collect(count)),
    ],
)
def test_a_wrapper_around_a_generator_may_return_a_list(run: Run, handler: Any) -> None:
    assert run(handler, {"a": 2})["data"] == [0, 1]


@pytest.mark.parametrize(
    ("handler", "mentioned"),
    [
        (staticmethod(count), "generator"),
        (contextlib.contextmanager(count), "lifespan"),
        (contextlib.asynccontextmanager(count_async), "lifespan"),
        (functools.cache(double), "awaited only once"),
        (functools.lru_cache(maxsize=1)(double), "awaited only once"),
        (classmethod(Service.static), "after the class"),
        (functools.partialmethod(double), "after the class"),
    ],
)
def test_what_can_never_work_is_refused(
    register: Callable[..., None], handler: Any, mentioned: str
) -> None:
    with pytest.raises(HandlerSignatureError, match=mentioned):
        register(handler)
