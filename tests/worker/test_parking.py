"""Results that the hub does not take: those of all tasks, and those of one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arbvantage_provider import HubError, Provider
from arbvantage_provider.testing import LocalHub, running
from arbvantage_provider.worker.delivery import submitter
from arbvantage_provider.worker.delivery.tracker import TaskTracker

Make = Callable[..., Provider]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The waits are a hundredth of what they are."""
    for name in ("FIRST_WAIT", "LONGEST_WAIT", "FIRST_DEFERRED_WAIT"):
        monkeypatch.setattr(submitter, name, getattr(submitter, name) / 100)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is parked is tried once more when the provider stops, and not before."""
    for name in ("FIRST_DEFERRED_WAIT", "LONGEST_DEFERRED_WAIT"):
        monkeypatch.setattr(submitter, name, 10**6)


@pytest.mark.parametrize("slots", [1, 2])
def test_a_result_that_is_never_taken_does_not_stop_the_others(
    hub: LocalHub, make_provider: Make, eventually: Any, slots: int
) -> None:
    hub.fail_submits("INTERNAL", times=10_000, id="poisonous")
    provider = make_provider(max_concurrency=slots)
    with pytest.raises(HubError, match="1 left unanswered: poisonous"):  # noqa: SIM117
        with running(provider, hub):
            hub.submit("echo", id="poisonous")
            others = [hub.submit("echo", {"text": str(n)}) for n in range(50)]
            for handle in others:
                handle.result(30)
            eventually(lambda: provider.snapshot().slots_taken == 0)
            assert provider.snapshot().results_parked == 1


def test_a_parked_result_is_sent_until_it_is_taken(
    hub: LocalHub, make_provider: Make, runs: list[Any]
) -> None:
    hub.fail_submits("INTERNAL", times=8, id="slow")
    provider = make_provider(max_concurrency=1)
    with running(provider, hub):
        handle = hub.submit("echo", {"text": "once"}, id="slow")
        assert handle.result(30).data == {"text": "once"}

    assert runs == ["once"]
    assert provider.snapshot().results_parked == 0
    assert provider.snapshot().tasks_answered == 1


@pytest.mark.usefixtures("patient")
def test_a_parked_result_has_a_last_try_when_the_provider_stops(
    hub: LocalHub, make_provider: Make
) -> None:
    hub.fail_submits("INTERNAL", times=submitter.PATIENCE, id="slow")
    provider = make_provider(max_concurrency=1)
    with running(provider, hub):
        handle = hub.submit("echo", id="slow")
        hub.submit("echo").result(30)

    assert len(handle.results) == 1


@pytest.mark.usefixtures("patient")
def test_a_parked_result_stays_in_the_journal(
    hub: LocalHub, make_provider: Make, runs: list[Any], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    provider = make_provider(
        max_concurrency=1, journal=tmp_path / "tasks.journal", log_file=str(log)
    )
    hub.fail_submits("INTERNAL", times=submitter.PATIENCE + 1, id="poisonous")
    with running(provider, hub):
        handle = hub.submit("echo", {"text": "once"}, id="poisonous")
        hub.submit("echo", {"text": "other"}).result(30)
    assert '"event": "tasks kept in the journal"' in log.read_text()

    with running(provider, hub):
        assert handle.result(30).data == {"text": "once"}

    assert runs == ["once", "other"]


@pytest.fixture(params=[False, True], ids=["memory", "journal"])
def settings(request: Any, tmp_path: Path) -> dict[str, Any]:
    """Of a provider without a journal, and of one with it."""
    return {"journal": tmp_path / "tasks.journal"} if request.param else {}


@pytest.mark.usefixtures("patient")
def test_a_task_that_comes_with_the_last_try_is_run_once(
    hub: LocalHub, make_provider: Make, runs: list[Any], settings: dict[str, Any]
) -> None:
    hub.fail_submits("INTERNAL", times=submitter.PATIENCE, id="slow")
    provider = make_provider(max_concurrency=1, **settings)
    with running(provider, hub):
        hub.submit("echo", {"text": "slow"}, id="slow")
        hub.submit("echo", {"text": "other"}).result(30)
        hub.fail_polls("UNAVAILABLE", times=100)
        hub.next_on_submit = True
        handle = hub.submit("echo", {"text": "next"})

    if settings:  # with a journal it waits for the next start
        assert (handle.results, runs) == ((), ["slow", "other"])
        with running(provider, hub):
            handle.result(30)

    assert handle.handed_out == len(handle.results) == 1
    assert runs == ["slow", "other", "next"]


@pytest.mark.usefixtures("patient")
def test_a_delivery_of_what_is_parked_is_answered_after_the_last_try(
    hub: LocalHub,
    make_provider: Make,
    eventually: Any,
    runs: list[Any],
    settings: dict[str, Any],
) -> None:
    hub.fail_submits("INTERNAL", times=submitter.PATIENCE, id="slow")
    provider = make_provider(max_concurrency=1, **settings)
    with running(provider, hub):
        handle = hub.submit("echo", {"text": "slow"}, id="slow")
        hub.submit("echo", {"text": "other"}).result(30)
        handle.redeliver()
        eventually(lambda: provider.snapshot().tasks_redelivered == 1)

    assert len(handle.results) == 2
    assert runs == ["slow", "other"]


def test_a_parked_result_that_proves_too_large_leaves_its_room_to_others(
    hub: LocalHub, make_provider: Make, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submitter, "MOST_DEFERRED_BYTES", 40_000)
    provider = make_provider(max_concurrency=1, shutdown_timeout=0.2)
    provider.actions.register("write")(lambda: "x" * 30_000)
    hub.fail_submits("INTERNAL", times=submitter.PATIENCE, id="large")
    words = "Received message larger than max"
    hub.fail_submits("RESOURCE_EXHAUSTED", details=words, id="large")
    hub.fail_submits("INTERNAL", times=10_000, id="poisonous")
    with pytest.raises(HubError, match="left unanswered: poisonous"):  # noqa: SIM117
        with running(provider, hub):
            assert "too large" in hub.submit("write", id="large").result(30).message
            eventually(lambda: provider.snapshot().results_parked == 0)
            hub.submit("write", id="poisonous")
            eventually(lambda: provider.snapshot().results_parked == 1)


def test_while_no_result_is_taken_polling_slows_and_stops(
    hub: LocalHub, make_provider: Make, eventually: Any
) -> None:
    hub.fail_submits("UNAVAILABLE", times=5_000)
    handles = [hub.submit("echo", {"text": str(n)}) for n in range(10)]
    provider = make_provider(max_concurrency=4, shutdown_timeout=0.2)
    with pytest.raises(HubError, match="left unanswered"), running(provider, hub):
        # One is parked to find out whether the hub would take others.
        eventually(lambda: sum(h.handed_out for h in handles) == 5)
        with pytest.raises(TimeoutError):
            hub.wait_until(lambda: sum(h.handed_out for h in handles) > 5, timeout=0.5)

    assert provider.snapshot().tasks_taken == 5


def test_parked_results_are_bounded(
    hub: LocalHub, make_provider: Make, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submitter, "MOST_DEFERRED", 3)
    for number in range(10):
        hub.fail_submits("INTERNAL", times=10_000, id=f"poisonous-{number}")
    provider = make_provider(max_concurrency=2, shutdown_timeout=0.2)
    with pytest.raises(HubError, match="left unanswered"), running(provider, hub):
        for number in range(10):
            hub.submit("echo", id=f"good-{number}")
            hub.submit("echo", id=f"poisonous-{number}")
        # Three are parked, two keep their slots: nothing more is pulled.
        eventually(lambda: provider.snapshot().results_waiting == 5)
        assert provider.snapshot().results_parked == 3


def test_the_log_says_what_is_parked(
    hub: LocalHub, make_provider: Make, tmp_path: Path
) -> None:
    hub.fail_submits("INTERNAL", times=6, id="slow")
    log = tmp_path / "log"
    with running(make_provider(max_concurrency=1, log_file=str(log)), hub):
        hub.submit("echo", id="slow").result(30)

    lines = [json.loads(line) for line in log.read_text().splitlines()]
    (deferred,) = [line for line in lines if line["event"] == "result parked"]
    assert (deferred["task"], deferred["tries"]) == ("slow", 5)


@pytest.fixture(params=[ValueError, SystemExit, RecursionError])
def failing(monkeypatch: pytest.MonkeyPatch, request: Any) -> Callable[[str], None]:
    """Lets one call of a part fail, when a result is parked."""

    def fail_at(place: str) -> None:
        owner, _, name = place.partition(".")
        part: Any = {"tracker": TaskTracker, "submitter": submitter.Submitter}[owner]
        method, calls = getattr(part, name), iter([True])

        def fail(self: Any, *args: Any) -> Any:
            if next(calls, False):
                raise request.param("secret-of-the-task")
            return method(self, *args)

        monkeypatch.setattr(part, name, fail)

    return fail_at


@pytest.mark.parametrize("place", ["submitter._send_once", "tracker.finish"])
def test_whatever_goes_wrong_with_a_parked_result_it_is_sent_again(  # noqa: PLR0913
    hub: LocalHub,
    make_provider: Make,
    runs: list[Any],
    settings: dict[str, Any],
    failing: Callable[[str], None],
    tmp_path: Path,
    eventually: Any,
    place: str,
) -> None:
    hub.fail_submits("INTERNAL", times=submitter.PATIENCE + 3, id="slow")
    log = tmp_path / "log"
    provider = make_provider(max_concurrency=1, log_file=str(log), **settings)
    with running(provider, hub):
        handle = hub.submit("echo", {"text": "once"}, id="slow")
        eventually(lambda: provider.snapshot().results_parked == 1)
        failing(place)
        assert handle.result(30).data == {"text": "once"}
        eventually(lambda: provider.snapshot().results_parked == 0)

    assert runs == ["once"]
    assert len({result.result for result in handle.results}) == 1
    assert '"event": "something went wrong on the way of a task"' in log.read_text()
    assert "secret-of-the-task" not in log.read_text()
