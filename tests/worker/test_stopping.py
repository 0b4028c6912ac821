"""A stop while the hub answers each result with the next task, or tasks wait."""

import asyncio
import re
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from arbvantage_provider import HubError, Provider
from arbvantage_provider.rate_limit import SlidingWindowRateLimitMonitor
from arbvantage_provider.testing import LocalHub, TaskHandle, running
from arbvantage_provider.worker import worker
from arbvantage_provider.worker.metrics.snapshot import Snapshot

Make = Callable[..., Provider]
HOLDS = ["hold", "hold_sync"]


@pytest.fixture(autouse=True)
def generous(hub: LocalHub) -> None:
    hub.next_on_submit = True


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each slot runs one more task at most, instead of those of half a second."""
    monkeypatch.setattr(worker, "RUN_ON", 0)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "tasks.journal"


@pytest.fixture(params=[False, True], ids=["memory", "journal"])
def settings(request: Any, journal: Path) -> dict[str, Any]:
    """Of a provider without a journal, and of one with it."""
    return {"journal": journal} if request.param else {}


@contextmanager
def stopping(
    provider: Provider, hub: LocalHub, gate: Any, begun: int, done: int = 0
) -> Generator[None]:
    """So many handlers have begun, and so many tasks are done; in the block it stops."""
    with running(provider, hub):
        gate.wait_for(begun)
        hub.wait_until(lambda: len(hub.submissions) >= done, timeout=20)
        provider.stop()
        while provider.snapshot().state != "stopping":
            threading.Event().wait(0.005)
        yield


def count(handles: list[TaskHandle]) -> Counter[str]:
    """How the tasks ended; ``left``: handed out and not answered."""
    return Counter(
        handle.results[0].status
        if handle.results
        else ("left" if handle.handed_out else "queued")
        for handle in handles
    )


def are_held_back(provider: Provider) -> bool:
    """Whether one handler runs, and the results of all others wait for it."""
    snapshot = provider.snapshot()
    return snapshot.results_waiting == snapshot.slots_taken - 1 > 0


def is_left_alone(snapshot: Snapshot) -> bool:
    """Whether one handler runs while it stops, and nothing else is under way."""
    return snapshot.state == "stopping" and snapshot.slots_taken == 1


def submit(hub: LocalHub, name: str, number: int) -> list[TaskHandle]:
    return [hub.submit(name, {"text": str(n)}, id=f"{name} {n}") for n in range(number)]


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("echo", ["echo", "echo_sync"])
@pytest.mark.parametrize("hold", HOLDS)
def test_without_a_journal_what_comes_while_it_stops_is_run_and_there_is_an_end_to_it(
    hub: LocalHub, make_provider: Make, gate: Any, runs: list[Any], hold: str, echo: str
) -> None:
    held, queued = [hub.submit(hold) for _ in range(3)], submit(hub, echo, 5_000)
    provider = make_provider(max_concurrency=3)
    with pytest.raises(HubError) as caught:  # noqa: SIM117
        with stopping(provider, hub, gate, 3):
            gate.end.set()

    ended = count(queued)
    assert count(held) == {"success": 3}
    assert ended["left"] == 3
    assert 1 <= ended["success"] == len(runs) <= 3
    left = [handle for handle in queued if handle.handed_out and not handle.results]
    assert all(re.search(rf"{handle.id}\b", str(caught.value)) for handle in left)
    assert set(ended) == {"success", "left", "queued"}


def test_without_a_journal_all_that_comes_is_run_where_that_is_soon_done(
    hub: LocalHub, make_provider: Make, gate: Any
) -> None:
    handles = [hub.submit("hold"), hub.submit("hold"), *submit(hub, "echo", 20)]
    with stopping(make_provider(max_concurrency=2), hub, gate, 2):
        gate.end.set()

    assert count(handles) == {"success": 22}


@pytest.mark.parametrize("hold", HOLDS)
def test_with_a_journal_what_comes_while_it_stops_is_run_after_the_next_start(
    hub: LocalHub,
    make_provider: Make,
    gate: Any,
    runs: list[Any],
    journal: Path,
    hold: str,
) -> None:
    held, queued = [hub.submit(hold) for _ in range(3)], submit(hub, "echo", 200)
    provider = make_provider(max_concurrency=3, journal=journal)
    with stopping(provider, hub, gate, 3):
        gate.end.set()

    assert count(held) == {"success": 3}
    assert count(queued) == {"left": 3, "queued": 197}
    assert not runs

    with running(provider, hub):
        hub.join(30)
    assert {(len(h.results), h.result().status) for h in queued} == {(1, "success")}
    assert sorted(runs, key=int) == [str(n) for n in range(200)]


def test_results_are_held_back_while_handlers_run(
    hub: LocalHub, make_provider: Make, gate: Any, eventually: Any
) -> None:
    held, queued = hub.submit("hold"), submit(hub, "echo", 20_000)
    provider = make_provider(max_concurrency=3, log_level="CRITICAL")
    with pytest.raises(HubError):  # noqa: SIM117
        with stopping(provider, hub, gate, 1, done=100):
            eventually(lambda: are_held_back(provider))
            most = len(hub.submissions) + 3
            with pytest.raises(TimeoutError):
                hub.wait_until(lambda: len(hub.submissions) > most, timeout=0.3)
            assert are_held_back(provider)
            gate.end.set()

    assert held.result().data == {"held": True}
    assert set(count(queued)) == {"success", "left", "queued"}


def test_a_hub_that_gives_no_task_for_a_result_has_each_at_once(
    hub: LocalHub, make_provider: Make, gate: Any
) -> None:
    hub.next_on_submit = False
    handles = [hub.submit("hold"), hub.submit("hold_sync")]
    late = threading.Event()
    provider = make_provider(max_concurrency=3)
    provider.actions.register("late")(lambda: gate.begun.release() or late.wait(20))
    waiting = hub.submit("late")
    with stopping(provider, hub, gate, 3):
        late.set()
        assert waiting.result().status == "success"
        assert count(handles) == {"left": 2}
        gate.end.set()

    assert count(handles) == {"success": 2}


@pytest.mark.parametrize("hold", HOLDS)
def test_what_comes_when_the_grace_is_over_is_not_answered(
    hub: LocalHub,
    make_provider: Make,
    gate: Any,
    runs: list[Any],
    settings: dict[str, Any],
    hold: str,
) -> None:
    held, queued = [hub.submit(hold) for _ in range(2)], submit(hub, "echo", 100)
    provider = make_provider(max_concurrency=2, shutdown_timeout=3, **settings)
    lost = pytest.raises(HubError, match="2 left unanswered: echo")
    with nullcontext() if settings else lost:  # noqa: SIM117
        with stopping(provider, hub, gate, 2):
            pass

    assert count(held) == {"error": 2}
    assert count(queued) == {"left": 2, "queued": 98}
    if settings:
        with running(provider, hub):
            hub.join(30)
        assert count(queued) == {"success": 100}
        assert len(runs) == 100


@pytest.mark.parametrize("gates", ["provider", "action"])
def test_a_task_that_waits_for_a_limit_is_run_within_the_grace_or_kept(
    hub: LocalHub, settings: dict[str, Any], eventually: Any, gates: str
) -> None:
    limit = SlidingWindowRateLimitMonitor(max_requests=1, window_size=1)
    provider = Provider("tested", rate_limit_monitor=limit, **settings)
    if gates == "action":
        provider = Provider("tested", **settings)
    own = limit if gates == "action" else None
    provider.actions.register("limited", rate_limit_monitor=own)(lambda: None)
    with running(provider, hub):
        first, second = hub.submit("limited"), hub.submit("limited")
        first.result()
        eventually(lambda: bool(second.handed_out))

    if settings:
        assert not second.results
        with running(provider, hub):
            second.result(20)
    assert [result.status for result in second.results] == ["success"]


def test_a_task_that_waits_for_a_place_is_run_within_the_grace_or_kept(
    hub: LocalHub, make_provider: Make, gate: Any, settings: dict[str, Any]
) -> None:
    provider = make_provider(max_concurrency=4, **settings)
    provider.actions.register("alone", max_concurrency=1)(gate.pass_through)
    first, second = hub.submit("alone"), hub.submit("alone")
    hub.next_on_submit = False
    with running(provider, hub):
        hub.wait_until(lambda: bool(second.handed_out))
        gate.wait_for()
        provider.stop()
        while provider.snapshot().state != "stopping":
            threading.Event().wait(0.005)
        gate.end.set()

    if settings:
        assert not second.results
        with running(provider, hub):
            second.result(20)
    assert [count([first]), count([second])] == [{"success": 1}, {"success": 1}]
    assert len(second.results) == 1


@pytest.mark.parametrize("hold", HOLDS)
def test_a_task_that_still_waits_for_a_place_when_the_rest_is_interrupted_is_left(
    hub: LocalHub, make_provider: Make, gate: Any, settings: dict[str, Any], hold: str
) -> None:
    provider = make_provider(max_concurrency=4, shutdown_timeout=3, **settings)

    async def wait() -> None:
        gate.begun.release()
        await asyncio.Event().wait()

    provider.actions.register("alone", max_concurrency=1)(
        wait if hold == "hold" else gate.pass_through
    )
    first, second = hub.submit("alone"), hub.submit("alone", id="second")
    hub.next_on_submit = False
    lost = pytest.raises(HubError, match="1 left unanswered: second")
    with nullcontext() if settings else lost:  # noqa: SIM117
        with running(provider, hub):
            hub.wait_until(lambda: bool(second.handed_out))
            gate.wait_for()
            provider.stop()

    assert first.result().message == "'alone' was interrupted: the provider stopped"
    assert not second.results


def test_a_task_that_a_poll_brings_while_it_stops_is_run_after_the_next_start(
    hub: LocalHub, make_provider: Make, runs: list[Any], journal: Path
) -> None:
    provider = make_provider(max_concurrency=1, journal=journal)
    with running(provider, hub):
        hub.submit("echo").result()
        hub.latency = 0.2
        polls = hub.polls
        hub.wait_until(lambda: hub.polls > polls)
        handle = hub.submit("echo", {"text": "late"})
        provider.stop()
    assert (handle.results, handle.handed_out, runs) == ((), 1, [""])

    hub.latency = 0
    with running(provider, hub):
        assert handle.result().data == {"text": "late"}
    assert runs == ["", "late"]


def test_a_task_that_a_middleware_holds_up_is_kept(
    hub: LocalHub, make_provider: Make, gate: Any, runs: list[Any], journal: Path
) -> None:
    provider = make_provider(journal=journal)
    closed: list[str] = []

    @provider.middleware
    async def wait(task: Any) -> AsyncGenerator[None, Any]:
        gate.begun.release()
        while not gate.end.is_set():  # noqa: ASYNC110 - the test sets it on a thread
            await asyncio.sleep(0.01)
        try:
            yield
        except GeneratorExit:
            closed.append(task.id)
            raise

    handle = hub.submit("echo", {"text": "once"})
    with stopping(provider, hub, gate, 1):
        gate.end.set()
    assert (handle.results, runs, closed) == ((), [], [handle.id])

    with running(provider, hub):
        assert handle.result().data == {"text": "once"}
    assert runs == ["once"]


def test_a_task_that_is_delivered_again_while_it_stops_has_one_run(
    hub: LocalHub, make_provider: Make, gate: Any, settings: dict[str, Any]
) -> None:
    provider = make_provider(max_concurrency=2, **settings)
    first, second = hub.submit("hold"), hub.submit("hold_sync")
    with stopping(provider, hub, gate, 2):
        first.redeliver()
        second.redeliver()
        gate.end.set()

    assert not gate.begun.acquire(timeout=0)
    for handle in (first, second):
        assert len(set(handle.results)) == 1


def test_results_that_are_held_back_outlive_a_hub_that_restarts(
    hub: LocalHub, make_provider: Make, gate: Any, eventually: Any
) -> None:
    provider = make_provider(max_concurrency=3, shutdown_timeout=30)
    handles = [hub.submit("hold"), *submit(hub, "echo", 20_000)]
    with stopping(provider, hub, gate, 1, done=100):
        eventually(lambda: are_held_back(provider))
        hub.next_on_submit = False
        hub.stop()
        gate.end.set()
        hub.start()

    ended = count(handles)
    assert set(ended) <= {"success", "queued"}
    assert all(len(handle.results) == handle.handed_out for handle in handles)


def test_a_program_that_cancels_it_while_it_stops_finds_each_task_after_the_next_start(
    hub: LocalHub, make_provider: Make, gate: Any, runs: list[Any], journal: Path
) -> None:
    provider = make_provider(max_concurrency=2, journal=journal)
    held, queued = hub.submit("hold"), submit(hub, "echo", 50)

    async def cancel() -> None:
        serving = asyncio.create_task(provider.serve(hub_url=hub.url, auth_token="any"))
        await asyncio.to_thread(gate.wait_for)
        provider.stop()
        while not is_left_alone(provider.snapshot()):  # noqa: ASYNC110 - of another thread
            await asyncio.sleep(0.01)
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving

    # What is on its way when it is cancelled never arrives.
    hub.token, hub.lease = None, 2
    asyncio.run(cancel())
    assert set(count(queued)) <= {"success", "left", "queued"}

    with running(provider, hub):
        hub.join(30)
    assert held.result().message.startswith("'hold' was interrupted: the provider died")
    assert {(len(set(h.results)), h.result().status) for h in queued} == {
        (1, "success")
    }
    assert sorted(runs, key=int) == [str(n) for n in range(50)]
