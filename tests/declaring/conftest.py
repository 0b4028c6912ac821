"""How these tests register an action and look at what became of a task."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from arbvantage_provider import Provider

TOKEN = "token-of-this-provider"


@pytest.fixture
def make() -> Callable[..., Provider]:
    """Makes quiet providers whose handlers have time on a loaded machine."""

    def build(**settings: Any) -> Provider:
        given = {"execution_timeout": 30, "log_level": "CRITICAL", **settings}
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
        handler: Callable[..., Any], payload: Any = b"{}", account: Any = None, **to: Any
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
        response = run(
            lambda payload: received.append(payload), text, payload_schema=schema
        )
        assert response["status"] == "success", response
        return received[0]

    return receive_one


@pytest.fixture
def refuse(run: Callable[..., dict[str, Any]]) -> Callable[[Any, str], Any]:
    """The path and kind of each violation for a schema and a text."""

    def refuse_one(schema: Any, text: str) -> list[tuple[str, str]]:
        response = run(lambda payload: payload, text, payload_schema=schema)
        assert response["status"] == "error", response
        return [(e["path"], e["type"]) for e in response["data"]["errors"]]

    return refuse_one


@pytest.fixture
def bind(run: Callable[..., dict[str, Any]]) -> Iterator[Callable[..., Any]]:
    """Runs a handler; what it returns, as the object that it is."""
    returned: list[Any] = []

    def bind_one(
        handler: Callable[..., Any], payload: Any = b"{}", account: Any = None, **to: Any
    ) -> Any:
        response = run(_keeping(handler, returned), payload, account, **to)
        assert response["status"] == "success", response
        return returned.pop()

    yield bind_one
    assert not returned


def _keeping(handler: Callable[..., Any], returned: list[Any]) -> Callable[..., Any]:
    """The handler, with its own signature, returning nothing that must be JSON."""
    import functools
    import inspect

    if inspect.iscoroutinefunction(handler):

        @functools.wraps(handler)
        async def keep_async(*args: Any, **kwargs: Any) -> None:
            returned.append(await handler(*args, **kwargs))

        return keep_async

    @functools.wraps(handler)
    def keep(*args: Any, **kwargs: Any) -> None:
        returned.append(handler(*args, **kwargs))

    return keep
