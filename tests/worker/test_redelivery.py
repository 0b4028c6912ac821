"""A task that is delivered more than once: its handler runs once."""

import datetime as dt
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from arbvantage_provider import Provider, RateLimitedError
from arbvantage_provider.clock import SystemClock
from arbvantage_provider.testing import LocalHub, running
from arbvantage_provider.worker.delivery import submitter, tracker
from arbvantage_provider.worker.delivery.tracker import IN_MEMORY

Make = Callable[..., Provider]


@pytest.fixture(params=[False, True], ids=["memory", "journal"])
def make(request: Any, make_provider: Make, tmp_path: Path) -> Make:
    """Makes a provider with a journal, and one without."""
    journal = tmp_path / "tasks.journal" if request.param else None
    return partial(make_provider, journal=journal)


def test_a_task_that_is_delivered_twice_at_once_is_run_once(
    hub: LocalHub, make: Make, runs: list[Any], eventually: Any
) -> None:
    hub.duplicates = True
    provider = make()
    handles = [hub.submit("echo", {"text": str(n)}) for n in range(50)]
    with running(provider, hub):
        hub.join(30)
        eventually(lambda: provider.snapshot().tasks_redelivered == 50)

    assert sorted(runs, key=int) == [str(n) for n in range(50)]
    for handle in handles:
        assert {result.result for result in handle.results} == {
            handle.results[0].result
        }


def test_a_second_delivery_takes_no_slot_while_the_handler_runs(
    hub: LocalHub, make: Make, gate: Any, eventually: Any
) -> None:
    provider = make(max_concurrency=2)
    with running(provider, hub):
        held = hub.submit("hold")
        gate.wait_for()
        for number in range(5):
            held.redeliver()
            eventually(lambda n=number: provider.snapshot().tasks_redelivered == n + 1)
        assert hub.submit("echo", {"text": "next"}).result().data == {"text": "next"}
        gate.end.set()
        held.result()

    assert not gate.begun.acquire(blocking=False)


def test_a_task_that_is_done_is_answered_with_the_same_result(
    hub: LocalHub, make: Make, runs: list[Any]
) -> None:
    with running(make(), hub):
        handle = hub.submit("echo", {"text": "once"})
        handle.result()
        handle.redeliver()
        hub.wait_until(lambda: len(handle.results) == 2)

    first, second = handle.results
    assert first == second
    assert runs == ["once"]


def test_other_content_under_the_same_id_is_another_task(
    hub: LocalHub, make: Make, runs: list[Any]
) -> None:
    with running(make(), hub):
        handle = hub.submit("echo", {"text": "a"}, {"key": "one"})
        handle.result()
        handle.redeliver(payload={"text": "b"})
        hub.wait_until(lambda: len(handle.results) == 2)
        handle.redeliver(account={"key": "two"})
        hub.wait_until(lambda: len(handle.results) == 3)

    assert runs == ["a", "b", "a"]


def test_a_limit_and_an_early_error_are_decided_anew(hub: LocalHub, make: Make) -> None:
    provider = make()
    ready = threading.Event()

    @provider.actions.register()
    def busy_at_first() -> bool:
        if not ready.is_set():
            raise RateLimitedError(1)
        return True

    with running(provider, hub):
        limited, unknown = hub.submit("busy_at_first"), hub.submit("later")
        assert limited.result().status == "limit"
        assert unknown.result().status == "error"
        ready.set()
        provider.actions.register("later")(busy_at_first)
        for handle in (limited, unknown):
            handle.redeliver()
            hub.wait_until(lambda h=handle: len(h.results) == 2)

    assert [limited.results[1].status, unknown.results[1].status] == ["success"] * 2


def test_a_limit_that_is_delivered_twice_at_once_is_decided_twice(
    hub: LocalHub, make: Make, eventually: Any
) -> None:
    provider = make()
    answers = iter([RateLimitedError(1), None])
    begun, end = threading.Event(), threading.Event()

    @provider.actions.register()
    def busy_at_first() -> bool:
        begun.set()
        assert end.wait(10)
        if error := next(answers):
            raise error
        return True

    with running(provider, hub):
        handle = hub.submit("busy_at_first")
        assert begun.wait(10)
        handle.redeliver()
        eventually(lambda: provider.snapshot().tasks_redelivered == 1)
        end.set()
        hub.wait_until(lambda: len(handle.results) == 2)

    assert [result.status for result in handle.results] == ["limit", "success"]


def register_write(provider: Provider) -> tuple[threading.Semaphore, threading.Event]:
    """A handler whose result is too large to be kept; told of by one, ended by the other."""
    begun, end = threading.Semaphore(0), threading.Event()

    @provider.actions.register()
    def write() -> str:
        begun.release()
        assert end.wait(10)
        return "x" * 2_000_000

    return begun, end


def test_a_result_of_any_size_answers_a_delivery_that_came_meanwhile(
    hub: LocalHub, make: Make, eventually: Any
) -> None:
    provider = make()
    begun, end = register_write(provider)
    with running(provider, hub):
        handle = hub.submit("write")
        assert begun.acquire(timeout=10)
        handle.redeliver()
        eventually(lambda: provider.snapshot().tasks_redelivered == 1)
        end.set()
        hub.wait_until(lambda: len(handle.results) == 2)

    assert not begun.acquire(blocking=False)


def test_a_result_of_any_size_answers_a_delivery_while_it_is_sent_once_more(
    hub: LocalHub, make: Make, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submitter, "PATIENCE", 100)
    monkeypatch.setattr(submitter, "LONGEST_WAIT", 0.1)
    monkeypatch.setattr(tracker, "IN_JOURNAL", IN_MEMORY)
    provider = make()
    begun, end = register_write(provider)
    with running(provider, hub):
        handle = hub.submit("write")
        assert begun.acquire(timeout=10)
        handle.redeliver()
        eventually(lambda: provider.snapshot().tasks_redelivered == 1)
        hub.fail_submits("ALREADY_EXISTS", recorded=True)
        hub.fail_submits("UNAVAILABLE", times=20)
        end.set()
        eventually(lambda: provider.snapshot().tasks_refused == 1)
        handle.redeliver()
        hub.wait_until(lambda: len(handle.results) == 3)

    assert not begun.acquire(blocking=False)
    assert len(set(handle.results)) == 1


def test_a_result_of_the_day_before_yesterday_answers_no_delivery(
    hub: LocalHub,
    make: Make,
    runs: list[Any],
    eventually: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = SystemClock.now

    def show_later(clock: SystemClock, timezone: dt.tzinfo) -> dt.datetime:
        return now(clock, timezone) + dt.timedelta(hours=25)

    provider = make()
    with running(provider, hub):
        handle = hub.submit("echo", {"text": "daily"})
        eventually(lambda: provider.snapshot().tasks_answered == 1)
        monkeypatch.setattr(SystemClock, "now", show_later)
        for count in (2, 3):
            handle.redeliver()
            hub.wait_until(lambda n=count: len(handle.results) == n)

    assert runs == ["daily", "daily"]


def test_without_a_journal_the_last_thousand_results_are_kept(
    hub: LocalHub, make_provider: Make, runs: list[Any]
) -> None:
    handles = [hub.submit("echo", {"text": str(n)}) for n in range(1_100)]
    with running(make_provider(max_concurrency=1), hub):
        hub.join(60)
        seen = len(hub.submissions)
        handles[0].redeliver()
        handles[-1].redeliver()
        hub.wait_until(lambda: len(hub.submissions) == seen + 2)

    assert runs.count("0") == 2
    assert runs.count("1099") == 1


def test_without_a_journal_a_megabyte_of_results_is_kept(
    hub: LocalHub, make_provider: Make, runs: list[Any]
) -> None:
    texts = [letter * 300_000 for letter in "abcd"]
    with running(make_provider(max_concurrency=1), hub):
        handles = [hub.submit("echo", {"text": text}) for text in texts]
        hub.join(30)
        for handle in (handles[0], handles[-1]):
            handle.redeliver()
            hub.wait_until(lambda h=handle: len(h.results) == 2)

    assert [runs.count(text) for text in texts] == [2, 1, 1, 1]


def test_a_result_that_was_too_large_is_the_same_once_more(make: Make) -> None:
    with LocalHub(max_message_bytes=20_000) as hub, running(make(), hub):
        handle = hub.submit("echo", {"text": "x" * 15_000})
        handle.result(20)
        handle.redeliver()
        hub.wait_until(lambda: len(handle.results) == 2)

    first, second = handle.results
    assert "too large to send" in first.message
    assert (first.status, first.result) == (second.status, second.result)
