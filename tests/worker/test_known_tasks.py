"""A hub that hands out nothing but what the provider has already."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Self

import pytest
from http_front import Front, answer_messages
from patience import wait_for

from arbvantage_provider import Provider, ProviderResponse, RateLimitedError
from arbvantage_provider.protos import hub_pb2
from arbvantage_provider.rate_limit import SlidingWindowRateLimitMonitor
from arbvantage_provider.testing import LocalHub, running

Make = Callable[..., Provider]

MOST = 60
"""Calls in the first second: one that waits for nothing makes a thousand and more."""


@pytest.fixture(params=["memory", "journal", "limit"])
def make(request: Any, make_provider: Make, tmp_path: Path) -> Make:
    """Makes a provider: alone, with a journal, or with a limit that gates its polls."""
    if request.param == "journal":
        return partial(make_provider, journal=tmp_path / "tasks.journal")
    if request.param == "limit":
        limit = SlidingWindowRateLimitMonitor(max_requests=10_000, window_size=1)
        return partial(make_provider, rate_limit_monitor=limit)
    return make_provider


@pytest.fixture
def front(hub: LocalHub) -> Iterator[Front]:
    with Front(int(hub.url.rpartition(":")[2])) as front:
        yield front


def encode(*ids: str, action: str) -> list[bytes]:
    tasks = (hub_pb2.Task(id=id_, action=action, payload=b"{}") for id_ in ids)
    return [task.SerializeToString() for task in tasks]


class Run:
    """A provider at work behind the front, on a thread."""

    def __init__(self, provider: Provider, front: Front) -> None:
        self.provider = provider
        self.front = front
        url = f"127.0.0.1:{front.port}"
        start = partial(provider.start, hub_url=url, auth_token="token-for-tests")
        self._thread = threading.Thread(target=start, daemon=True)

    def count_calls(self) -> int:
        """How many calls come in a second."""
        before = self.front.calls
        threading.Event().wait(1)
        return self.front.calls - before

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.front.answer(answer_messages(b""))  # no task comes with the last results
        self.provider.stop()
        self._thread.join(20)
        assert not self._thread.is_alive()


@pytest.mark.parametrize("ids", [("a",), ("a", "b")], ids=["one", "two"])
def test_tasks_in_flight_at_every_poll_are_asked_for_as_rarely_as_nothing(
    make: Make, front: Front, gate: Any, ids: tuple[str, ...]
) -> None:
    provider = make()
    front.answer(answer_messages(*encode(*ids, action="hold")))
    with Run(provider, front) as run:
        gate.wait_for(len(ids))
        assert run.count_calls() < MOST
        wait_for(lambda: provider.snapshot().tasks_redelivered >= 3)
        gate.end.set()
        wait_for(lambda: provider.snapshot().tasks_answered >= len(ids))
    assert not gate.begun.acquire(blocking=False)


@pytest.mark.parametrize("ids", [("a",), ("a", "b")], ids=["one", "two"])
def test_tasks_that_are_done_are_answered_ever_more_rarely(
    make: Make, front: Front, runs: list[Any], ids: tuple[str, ...]
) -> None:
    provider = make()

    @provider.actions.register()
    def note() -> None:
        runs.append(1)

    # Two tasks come in turn with the answers to each other's results, too.
    front.answer(answer_messages(*encode(*ids, action="note")))
    with Run(provider, front) as run:
        wait_for(lambda: provider.snapshot().tasks_answered >= 4)
        assert run.count_calls() < MOST
        answered = provider.snapshot().tasks_answered
        wait_for(lambda: provider.snapshot().tasks_answered > answered)
    assert len(runs) == len(ids)


def test_a_stop_misses_no_result_that_the_hub_has(
    make: Make, front: Front, runs: list[Any]
) -> None:
    provider = make()

    @provider.actions.register()
    def note() -> None:
        runs.append(1)

    front.answer(answer_messages(*encode("a", "b", action="note")))
    ended: list[BaseException | None] = []

    def run() -> None:
        try:
            provider.start(
                hub_url=f"127.0.0.1:{front.port}", auth_token="token-for-tests"
            )
        except BaseException as error:  # noqa: BLE001 - it is looked at below
            ended.append(error)
        else:
            ended.append(None)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    wait_for(lambda: provider.snapshot().tasks_answered >= 4)
    # Each result still brings a task that is done.
    provider.stop()
    thread.join(20)
    assert ended == [None]
    assert len(runs) == 2


def test_a_new_task_among_known_ones_does_not_wait_long(
    make_provider: Make, hub: LocalHub, gate: Any
) -> None:
    hub.lease = 0.001  # what is in flight comes with each poll
    with running(make_provider(poll_interval=0.05), hub):
        hub.submit("hold")
        gate.wait_for()
        for number in range(20):
            assert hub.submit("echo", {"text": str(number)}).result(20)
        gate.end.set()


def raise_limit() -> None:
    raise RateLimitedError(0.001)


def return_limit() -> ProviderResponse:
    return ProviderResponse("limit", "later", {"wait_time": 0.001})


def ask_for_more(number: int) -> int:
    return number


async def raise_limit_later() -> None:
    raise RateLimitedError(0.001)


REFUSED = [raise_limit, raise_limit_later, return_limit, ask_for_more, "unknown", ""]


@pytest.mark.parametrize("handler", REFUSED)
@pytest.mark.parametrize("ids", [("a",), ("a", "b")], ids=["one", "two"])
def test_tasks_that_are_refused_are_answered_ever_more_rarely(
    make: Make, front: Front, handler: Any, ids: tuple[str, ...]
) -> None:
    provider = make(log_level="CRITICAL")
    action = handler if isinstance(handler, str) else handler.__name__
    if not isinstance(handler, str):
        provider.actions.register()(handler)
    front.answer(answer_messages(*encode(*ids, action=action)))
    with Run(provider, front) as run:
        wait_for(lambda: provider.snapshot().tasks_answered >= 4)
        assert run.count_calls() < MOST
        answered = provider.snapshot().tasks_answered
        wait_for(lambda: provider.snapshot().tasks_answered > answered)
