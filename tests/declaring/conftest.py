"""How these tests register an action and look at what became of a task."""

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from arbvantage_provider import Provider, ProviderError

TOKEN = "token-of-this-provider"


@pytest.fixture
def make() -> Callable[..., Provider]:
    """Makes quiet providers whose handlers have time on a loaded machine."""

    def build(**settings: Any) -> Provider:
        given: dict[str, Any] = {
            "execution_timeout": 30,
            "log_level": "CRITICAL",
            **settings,
        }
        return Provider("declaring", auth_token=TOKEN, **given)

    return build


@pytest.fixture
def provider(make: Callable[..., Provider]) -> Provider:
    """A quiet provider without actions."""
    return make()


@pytest.fixture
def run(provider: Provider) -> Callable[..., dict[str, Any]]:
    """Registers a handler and runs one task of it."""

    def run_once(
        handler: Callable[..., Any],
        payload: Any = b"{}",
        account: Any = None,
        **to: Any,
    ) -> dict[str, Any]:
        name = f"action_{len(provider.actions)}"
        provider.actions.register(name, **to)(handler)
        return provider.process_task(name, payload, account)

    return run_once


@pytest.fixture
def receive(run: Callable[..., dict[str, Any]]) -> Callable[[Any, str], Any]:
    """What a handler for the whole payload receives for a schema and a text."""

    def receive_one(schema: Any, text: str) -> Any:
        received: list[Any] = []

        def keep(payload: Any) -> None:
            received.append(payload)

        response = run(keep, text, payload_schema=schema)
        assert response["status"] == "success", response
        return received[0]

    return receive_one


@pytest.fixture
def refuse(run: Callable[..., dict[str, Any]]) -> Callable[[Any, str], Any]:
    """The path and kind of each violation for a schema and a text."""

    def refuse_one(schema: Any, text: str) -> list[tuple[str, str]]:
        response = run(_return_nothing, text, payload_schema=schema)
        assert response["status"] == "error", response
        return [(e["path"], e["type"]) for e in response["data"]["errors"]]

    return refuse_one


@pytest.fixture
def raising() -> Callable[..., Callable[[], Any]]:
    """Makes handlers that raise this."""

    def make_handler(
        error: BaseException, *, awaited: bool = False
    ) -> Callable[[], Any]:
        def fail() -> None:
            raise error

        async def fail_async() -> None:
            raise error

        return fail_async if awaited else fail

    return make_handler


@pytest.fixture
def bind(run: Callable[..., dict[str, Any]]) -> Iterator[Callable[..., Any]]:
    """Runs a handler; what it returns, as the object that it is."""
    returned: list[Any] = []

    def bind_one(
        handler: Callable[..., Any],
        payload: Any = b"{}",
        account: Any = None,
        **to: Any,
    ) -> Any:
        response = run(_keeping(handler, returned), payload, account, **to)
        assert response["status"] == "success", response
        return returned.pop()

    yield bind_one
    assert not returned


def _return_nothing() -> None:
    """Takes any payload."""


def _keeping(handler: Callable[..., Any], returned: list[Any]) -> Callable[..., Any]:
    """The handler, with its own signature, returning nothing that must be JSON."""
    if inspect.iscoroutinefunction(handler):

        @functools.wraps(handler)
        async def keep_async(*args: Any, **kwargs: Any) -> None:
            returned.append(await handler(*args, **kwargs))

        return _promising_nothing(keep_async, handler)

    @functools.wraps(handler)
    def keep(*args: Any, **kwargs: Any) -> None:
        returned.append(handler(*args, **kwargs))

    return _promising_nothing(keep, handler)


def _promising_nothing(keep: Any, handler: Callable[..., Any]) -> Any:
    signature = inspect.signature(handler, eval_str=True)
    keep.__signature__ = signature.replace(return_annotation=inspect.Signature.empty)
    return keep


@pytest.fixture
def register(provider: Provider) -> Callable[..., None]:
    """Registers a handler under the name ``wrong``; nothing may be left of it."""

    def attempt(handler: Any, **to: Any) -> None:
        try:
            provider.actions.register("wrong", **to)(handler)
        except ProviderError:
            assert "wrong" not in provider.actions
            raise

    return attempt
