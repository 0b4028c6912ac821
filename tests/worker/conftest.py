"""A hub for each test, and a provider with the handlers that tests ask for."""

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from arbvantage_provider import ActionError, Provider, ProviderResponse
from arbvantage_provider.testing import LocalHub

# Several tests share ``their_monitors``.
sys.path.insert(0, str(Path(__file__).parent))

TOKEN = "token-for-tests"


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    with LocalHub(token=TOKEN) as hub:
        yield hub


class Gate:
    """Lets a test see that handlers have begun, and let them end."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.end = threading.Event()

    def wait_for(self, count: int = 1) -> None:
        for _ in range(count):
            assert self.begun.acquire(timeout=10)

    def pass_through(self) -> None:
        self.begun.release()
        assert self.end.wait(20)


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.end.set()


@pytest.fixture
def runs() -> list[Any]:
    """What the handlers were called with, in order."""
    return []


@pytest.fixture
def make_provider(gate: Gate, runs: list[Any]) -> Callable[..., Provider]:
    def make(**settings: Any) -> Provider:
        settings = {"shutdown_timeout": 5, "execution_timeout": 10} | settings
        provider = Provider("tested", **settings)
        _register(provider, gate, runs)
        return provider

    return make


def _register(provider: Provider, gate: Gate, runs: list[Any]) -> None:
    register = provider.actions.register

    @register()
    async def echo(text: str = "") -> dict[str, str]:
        runs.append(text)
        return {"text": text}

    @register()
    def echo_sync(text: str = "") -> dict[str, str]:
        runs.append(text)
        return {"text": text}

    @register()
    def hold_sync() -> dict[str, bool]:
        gate.pass_through()
        return {"held": True}

    @register()
    async def hold() -> dict[str, bool]:
        gate.begun.release()
        while not gate.end.is_set():  # noqa: ASYNC110 - the test sets it on a thread
            await asyncio.sleep(0.01)
        return {"held": True}

    _register_failing(provider, gate)


def _register_failing(provider: Provider, gate: Gate) -> None:
    register = provider.actions.register

    @register(timeout=0.05)
    async def too_slow() -> None:
        await asyncio.sleep(60)

    @register(timeout=0.05)
    def too_slow_sync() -> None:
        gate.pass_through()

    @register(payload_schema={"id": int}, account_schema={"api_key": str})
    def with_account(payload: dict[str, Any], account: dict[str, Any]) -> int:
        raise RuntimeError(f"{account['api_key']} cannot be used for {payload['id']}")

    @register()
    def refuse() -> ProviderResponse:
        message = "out of stock"
        raise ActionError(message, {"sku": "tea"})
