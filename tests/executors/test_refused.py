"""What cannot be sent to an executor is refused, with what to write instead."""

import functools
import logging
import multiprocessing
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import pytest
import sent
from pydantic import BaseModel

from arbvantage_provider import (
    Actions,
    ConfigError,
    HandlerSignatureError,
    ProcessPool,
    Provider,
    ProviderError,
    RegistrationError,
    TaskContext,
)
from arbvantage_provider.testing import LocalHub, running

REMEDY = "write it as a function at the top of a module"


def register(handler: Callable[..., Any]) -> None:
    Actions().register("act", executor=ProcessPool)(handler)


def asks_by_name(logger: Any) -> None:
    """Ask for the logger."""


def asks_by_type(log: logging.Logger) -> None:
    """Ask for the logger."""


def asks_for_context(task: TaskContext) -> None:
    """Ask for the context."""


async def wait() -> None:
    """Run on the loop."""


@pytest.mark.parametrize(
    ("handler", "parameter"),
    [(asks_by_name, "logger"), (asks_by_type, "log"), (asks_for_context, "task")],
)
def test_what_stays_in_the_provider_cannot_be_asked_for(
    handler: Callable[..., Any], parameter: str
) -> None:
    with pytest.raises(
        HandlerSignatureError, match="leave the parameter out"
    ) as caught:
        register(handler)

    assert (caught.value.action, caught.value.parameter) == ("act", parameter)


def test_an_async_handler_runs_on_the_loop() -> None:
    with pytest.raises(RegistrationError, match="write it with def"):
        register(wait)


def test_a_handler_needs_a_name_that_leads_to_it() -> None:
    def nested() -> None:
        """Be nested."""

    bad: list[Callable[..., Any]] = [
        *(nested, lambda: None, functools.partial(nested)),
        *(sent.Adder(1, threading.Lock()).add, sent.Adder(1, threading.Lock())),
    ]
    for handler in bad:
        with pytest.raises(RegistrationError, match=REMEDY):
            register(handler)


def test_a_model_of_a_parameter_needs_one_too() -> None:
    class Local(BaseModel):
        x: int

    def take(payload: Any) -> None:
        """Take it."""

    take.__annotations__["payload"] = Local
    take.__qualname__ = "take"
    with pytest.raises(HandlerSignatureError, match="cannot find Local") as caught:
        register(take)
    assert caught.value.parameter == "payload"


def test_the_executor_of_a_provider_refuses_as_that_of_an_action_does() -> None:
    provider = Provider("tested", executor=ProcessPool)
    with pytest.raises(RegistrationError, match=REMEDY):
        provider.actions.register("act")(lambda: None)

    group = Actions()
    group.register("act")(lambda: None)
    with pytest.raises(RegistrationError, match=REMEDY):
        provider.actions.include(group)


def test_the_executor_of_a_provider_is_not_for_async_handlers(hub: LocalHub) -> None:
    provider = Provider("tested", executor=ProcessPool, max_concurrency=1)
    provider.actions.register("act")(wait)
    with running(provider, hub):
        assert hub.submit("act").result().status == "success"


def test_a_decorated_name_is_looked_up_when_the_provider_starts(hub: LocalHub) -> None:
    @functools.wraps(sent.add)
    def add(a: int, b: int) -> int:
        return sent.add(a, b)

    provider = Provider("tested")
    provider.actions.register(executor=ProcessPool)(add)
    with pytest.raises(RegistrationError, match="as its outermost decorator"):
        provider.start(hub_url=hub.url, auth_token=hub.token)


@pytest.mark.parametrize("executor", [3, "processes", [ProcessPool]])
def test_what_is_no_executor_is_refused(executor: Any) -> None:
    remedy = "give a concurrent.futures.Executor, or a function"
    with pytest.raises(ConfigError, match=remedy):
        Provider("tested", executor=executor)
    with pytest.raises(RegistrationError, match=remedy):
        Actions().register("act", executor=executor)(sent.add)


def make_nothing() -> Any:
    return None


def fail_to_make() -> Any:
    raise OSError("no such cluster")


@pytest.mark.parametrize(
    ("factory", "problem"),
    [
        (make_nothing, "returned None, which is no Executor"),
        (fail_to_make, "raised OSError: no such cluster"),
    ],
)
def test_a_factory_that_makes_none_ends_the_start(
    hub: LocalHub, factory: Any, problem: str
) -> None:
    provider = Provider("tested")
    provider.actions.register(executor=factory)(sent.add)
    with pytest.raises(ConfigError, match=problem):
        provider.start(hub_url=hub.url, auth_token=hub.token)


def test_processes_that_do_not_start_end_the_start(
    hub: LocalHub, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    provider = Provider("tested", executor=ProcessPool, max_concurrency=1)
    provider.actions.register()(sent.add)
    # A module that only this process has.
    monkeypatch.setattr(sent.add, "__module__", "conjured")
    module = ModuleType("conjured")
    monkeypatch.setitem(sys.modules, "conjured", module)
    monkeypatch.setattr(module, "add", sent.add, raising=False)
    with pytest.raises(ConfigError, match=r"died while it started.*\(exit code 1\)"):
        provider.start(hub_url=hub.url, auth_token=hub.token)

    assert "No module named 'conjured'" in capfd.readouterr().err


def test_an_executor_from_the_settings_is_no_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PROVIDER_NAME", "tested")
    with ThreadPoolExecutor(1) as threads:
        provider = Provider.from_env(executor=threads)
        provider.actions.register()(sent.add)
        assert provider.actions["add"].executor is threads


def test_a_provider_is_not_started_while_a_process_imports_the_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    process = multiprocessing.current_process()
    monkeypatch.setattr(process, "_inheriting", True, raising=False)
    with pytest.raises(ProviderError, match='if __name__ == "__main__":'):
        Provider("tested", "a-token").start()
