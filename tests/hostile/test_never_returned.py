"""Handlers that never return keep their own slots, and nobody else's."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator

import pytest
from patience import wait_for
from steady import check, register

from arbvantage_provider import Provider
from arbvantage_provider.testing import LocalHub, running


@pytest.fixture
def end() -> Iterator[threading.Event]:
    """Lets all of them return."""
    end = threading.Event()
    yield end
    end.set()


def test_handlers_that_never_return_cost_the_slots_that_they_hold(
    make_provider: Callable[..., Provider], end: threading.Event
) -> None:
    provider = make_provider(max_concurrency=4)

    def wait_in_c() -> None:
        end.wait()

    def spin() -> None:
        while not end.is_set():
            pass

    async def swallow() -> None:
        while not end.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)

    hanging = (wait_in_c, spin, swallow)
    register(provider)
    for handler in hanging:
        provider.actions.register(timeout=0.1)(handler)
    with LocalHub() as hub, running(provider, hub):
        late = [hub.submit(handler.__name__).result(20) for handler in hanging]
        wait_for(lambda: provider.snapshot().slots_stuck == len(hanging))
        greetings = [hub.submit("greet", {"name": str(n)}) for n in range(10)]
        assert {handle.result(20).status for handle in greetings} == {"success"}
        assert provider.snapshot().slots_stuck == len(hanging)
        end.set()
        wait_for(lambda: provider.snapshot().slots_stuck == 0)
        check(provider, hub)

    for result, handler in zip(late, hanging, strict=True):
        problem = f"ActionTimeoutError: {handler.__name__!r} was not done within 0.1 s"
        assert (result.status, result.message) == ("error", problem)
