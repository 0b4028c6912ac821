"""What may be a handler: functions of every kind, and what is wrapped around them."""

# Some handlers have no annotations.
# pyright: basic

import asyncio
import contextvars
import functools
import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from arbvantage_provider import Provider

Run = Callable[..., dict[str, Any]]

POSTPONED = """
from __future__ import annotations

import functools
from typing import Any, List, Optional

from pydantic import BaseModel

from arbvantage_provider import ProviderResponse, TaskContext


class User(BaseModel):
    name: str
    tags: Optional[List[str]] = None


def whole(payload: User) -> dict[str, Any]:
    return {"name": payload.name, "kind": type(payload).__name__}


def fields(name: str, count: int = 2, *, context: TaskContext) -> ProviderResponse:
    return ProviderResponse("success", context.action, {"name": name, "count": count})


async def awaited(payload: User) -> str:
    return payload.name


class Service:
    def method(self, payload: User) -> str:
        return payload.name

    def __call__(self, payload: User) -> str:
        return payload.name


def wrapper(function):
    @functools.wraps(function)
    def call(*args, **kwargs):
        return function(*args, **kwargs)

    return call
"""


@pytest.fixture
def postponed(tmp_path: Path) -> Iterator[ModuleType]:
    """A module whose annotations are text."""
    file = tmp_path / "postponed_annotations.py"
    file.write_text(POSTPONED)
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[file.stem]


def test_postponed_annotations_work(run: Run, postponed: ModuleType) -> None:
    text = '{"name": "Ann"}'
    whole = {"name": "Ann", "kind": "User"}
    assert run(postponed.whole, text)["data"] == whole
    assert run(postponed.whole, text, payload_schema=postponed.User)["data"] == whole
    assert run(postponed.fields, text)["data"] == {"name": "Ann", "count": 2}
    assert run(postponed.awaited, text)["data"] == "Ann"


def test_postponed_annotations_work_in_methods_partials_and_wrappers(
    run: Run, postponed: ModuleType
) -> None:
    text = '{"name": "Ann"}'
    service = postponed.Service()
    assert run(service.method, text)["data"] == "Ann"
    assert run(service, text)["data"] == "Ann"
    assert run(functools.partial(postponed.fields, count=5), text)["data"]["count"] == 5
    assert run(postponed.wrapper(postponed.whole), text)["data"]["kind"] == "User"


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that knows nothing of async functions."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return call


def timed(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that awaits."""

    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        return await function(*args, **kwargs)

    return call


def add(a: int, b: int = 2) -> int:
    return a + b


async def add_async(a: int, b: int = 2) -> int:
    await asyncio.sleep(0)
    return a + b


class Adder:
    def method(self, a: int, b: int = 2) -> int:
        return a + b

    async def method_async(self, a: int, b: int = 2) -> int:
        return a + b

    @classmethod
    def of_class(cls, a: int, b: int = 2) -> int:
        return a + b

    @staticmethod
    def static(a: int, b: int = 2) -> int:
        return a + b


class Sync:
    def __call__(self, a: int, b: int = 2) -> int:
        return a + b


class Async:
    async def __call__(self, a: int, b: int = 2) -> int:
        return a + b


HANDLERS: dict[str, Any] = {
    "function": add,
    "async function": add_async,
    "bound method": Adder().method,
    "async bound method": Adder().method_async,
    "class method": Adder.of_class,
    "static method": Adder.static,
    "callable object": Sync(),
    "async callable object": Async(),
    "wrapped": logged(add),
    "wrapped twice": logged(logged(add)),
    "async, wrapped by a sync function": logged(add_async),
    "async, wrapped by an async function": timed(add_async),
    "async method, wrapped": logged(Adder().method_async),
    "partial without arguments": functools.partial(add),
    "partial of async": functools.partial(add_async),
    "partial of partial": functools.partial(functools.partial(add)),
    "partial of callable object": functools.partial(Sync()),
    "partial of async callable object": functools.partial(Async()),
    "cached": functools.lru_cache(add),
}


@pytest.mark.parametrize("kind", HANDLERS)
def test_each_kind_of_callable_is_a_handler(run: Run, kind: str) -> None:
    assert run(HANDLERS[kind], '{"a": 1}')["data"] == 3
    assert run(HANDLERS[kind], '{"a": 1, "b": 5}')["data"] == 6
    schema = {"payload_schema": {"a": int}}
    assert run(HANDLERS[kind], '{"a": 1, "b": 5}', **schema)["data"] == 3


def test_what_a_partial_has_bound_is_no_field(run: Run, provider: Provider) -> None:
    class Client:
        rate = 3

    def convert(amount: int, client: Client, region: str) -> list[Any]:
        return [amount * client.rate, region]

    handler = functools.partial(convert, client=Client(), region="eu")
    text = '{"amount": 2, "client": 1, "region": "us"}'
    assert run(handler, text)["data"] == [6, "eu"]
    assert list(provider.actions["action_0"].payload.fields) == ["amount"]


def test_what_a_partial_has_bound_by_position_is_no_field(run: Run) -> None:
    assert run(functools.partial(add, 40), '{"b": 2}')["data"] == 42


def test_names_come_from_what_is_wrapped(provider: Provider) -> None:
    register = provider.actions.register()
    register(logged(add))
    register(functools.partial(add_async, b=1))
    register(Adder().method)
    register(Sync())
    assert list(provider.actions) == ["add", "add_async", "method", "Sync"]


def test_a_lambda_with_a_name_is_a_handler(provider: Provider) -> None:
    provider.actions.register("double")(lambda a: a * 2)
    assert provider.process_task("double", {"a": 2})["data"] == 4


def test_a_sync_handler_sees_the_callers_context(run: Run) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("the caller's")

    def handler() -> str:
        return variable.get()

    assert run(handler)["data"] == "the caller's"


def test_an_async_handler_runs_on_a_loop(run: Run) -> None:
    async def handler() -> bool:
        return asyncio.get_running_loop().is_running()

    assert run(handler)["data"] is True


def test_a_class_is_a_handler_that_makes_instances(run: Run) -> None:
    class Made(dict[str, Any]):
        def __init__(self, a: int) -> None:
            super().__init__(made=a)

    assert run(Made, '{"a": 1}')["data"] == {"made": 1}


def test_a_handler_defined_in_a_method_of_the_provider_works() -> None:
    class Mine(Provider):
        def __init__(self) -> None:
            super().__init__("mine", log_level="CRITICAL", execution_timeout=30)
            self.calls = 0

            @self.actions.register(name="count", payload_schema={"by": int})
            def count(by: int) -> int:
                self.calls += by
                return self.calls

            self.actions.register()(self.reset)

        def reset(self) -> int:
            self.calls = 0
            return self.calls

    provider = Mine()
    assert provider.process_task("count", {"by": 2})["data"] == 2
    assert provider.process_task("reset", {})["data"] == 0


def test_tasks_of_many_threads_do_not_mix(provider: Provider) -> None:
    provider.actions.register("echo")(lambda n: n)
    answers: dict[int, Any] = {}

    def ask(n: int) -> None:
        answers[n] = provider.process_task("echo", {"n": n})["data"]

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == {n: n for n in range(8)}
