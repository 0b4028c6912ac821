"""The pool of this package: a process for each core."""

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import sent
from patience import wait_for

from arbvantage_provider import ConfigError, HubError, ProcessPool, Provider
from arbvantage_provider.executors.pool import count_cores
from arbvantage_provider.executors.process import ProcessDiedError
from arbvantage_provider.testing import LocalHub, running

Make = Callable[..., Provider]
posix_only = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# --- in a provider -------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "tasks.journal"], ids=["memory", "journal"])
def test_a_task_that_waits_for_a_process_while_it_stops_is_run_or_kept(
    hub: LocalHub, make_provider: Make, held: Any, tmp_path: Path, name: str
) -> None:
    journal = {"journal": tmp_path / name} if name else {}
    provider = make_provider(lambda: ProcessPool(1), max_concurrency=2, **journal)
    first, second = held("first"), held("second")
    with running(provider, hub):
        handles = [hub.submit("hold", first.payload)]
        first.wait_for()
        handles.append(hub.submit("hold", second.payload))
        wait_for(lambda: provider.snapshot().slots_taken == 2)
        provider.stop()
        wait_for(lambda: provider.snapshot().state == "stopping")
        first.end()
        second.end()
    if name:
        assert [len(handle.results) for handle in handles] == [1, 0]
        with running(provider, hub):
            handles[1].result(20)

    results = [result for handle in handles for result in handle.results]
    assert [result.status for result in results] == ["success", "success"]


@pytest.mark.parametrize("name", ["", "tasks.journal"], ids=["memory", "journal"])
def test_a_task_that_waits_for_a_process_when_the_rest_is_interrupted_is_left(
    hub: LocalHub, make_provider: Make, held: Any, tmp_path: Path, name: str
) -> None:
    options: dict[str, Any] = {"max_concurrency": 2, "shutdown_timeout": 3}
    if name:
        options["journal"] = tmp_path / name
    provider = make_provider(lambda: ProcessPool(1), **options)
    first, second = held("first"), held("second")
    lost = pytest.raises(HubError, match="1 left unanswered: second")
    with nullcontext() if name else lost:  # noqa: SIM117
        with running(provider, hub):
            begun = hub.submit("hold", first.payload)
            first.wait_for()
            waiting = hub.submit("hold", second.payload, id="second")
            wait_for(lambda: provider.snapshot().slots_taken == 2)
            provider.stop()

    assert begun.result().message == "'hold' was interrupted: the provider stopped"
    assert not waiting.results


def test_handlers_get_arguments_and_give_results(
    hub: LocalHub, make_provider: Make
) -> None:
    with running(make_provider(lambda: ProcessPool(2), max_concurrency=2), hub):
        added = hub.submit("add", {"a": 1, "b": 2}).result()
        moved = hub.submit("move", {"point": {"x": 1}}, {"y": 5}).result()
        told = hub.submit("tell_rest", {"text": "x"}).result()
        responded = hub.submit("respond").result()

    assert added.data == 3
    assert moved.data == {"x": 2, "y": 5}
    names = ["now", "now_utc", "payload", "provider", "timezone"]
    assert told.data == ["x", names, "UTC"]
    assert (responded.status, responded.data) == ("warning", {"left": 1})


@pytest.mark.parametrize("action", ["add_soon", "add_inside"])
def test_what_they_return_is_awaited_there(
    hub: LocalHub, make_provider: Make, action: str
) -> None:
    with running(make_provider(lambda: ProcessPool(2), max_concurrency=2), hub):
        assert hub.submit(action, {"a": 1, "b": 2}).result().data == 3


def test_handlers_raise_as_they_do_on_a_thread(
    hub: LocalHub, make_provider: Make, tmp_path: Path
) -> None:
    calls: list[tuple[str, Any]] = [
        *(("fail", {"text": "no such city"}), ("fail_oddly", {}), ("refuse", {})),
        *(("refuse_with_lock", {}), ("limit", {}), ("leave", {})),
    ]
    with running(make_provider(lambda: ProcessPool(2), max_concurrency=2), hub):
        results = [hub.submit(name, payload).result() for name, payload in calls]

    assert [(result.status, result.message) for result in results] == [
        ("error", "ValueError: no such city"),
        ("error", "NeedsMoreError: it went wrong (7)"),
        ("error", "sold out"),
        ("error", "sold out"),
        ("limit", "RateLimitedError: limit reached; try again in 30 s"),
        ("error", "SystemExit: 3"),
    ]
    assert results[2].data == {"left": 0}
    assert results[4].data == {"wait_time": 30.0}
    assert "raise ValueError(text)" in (tmp_path / "log").read_text()


def test_what_cannot_be_sent_back_is_an_error(
    hub: LocalHub, make_provider: Make
) -> None:
    with running(make_provider(ProcessPool, max_concurrency=1), hub):
        locked = hub.submit("return_lock").result()
        unreadable = hub.submit("return_unreadable").result()
        after = hub.submit("add", {"a": 1, "b": 2}).result()

    problem = "UnsendableError: the result of 'return_lock' cannot be sent: "
    assert locked.message.startswith(f"{problem}TypeError: cannot pickle")
    assert "the result of 'return_unreadable' cannot be sent" in unreadable.message
    assert after.data == 3


@posix_only
def test_a_process_that_dies_costs_its_own_task_one_error(
    hub: LocalHub, make_provider: Make, held: Any
) -> None:
    other = held("other")
    with running(make_provider(lambda: ProcessPool(2), max_concurrency=2), hub):
        holding = hub.submit("hold", other.payload)
        pid = other.wait_for()
        died = hub.submit("die").result()
        after = hub.submit("add", {"a": 1, "b": 2}).result()
        other.end()
        ended = holding.result()

    assert died.response == {
        "status": "error",
        "message": "the process of 'die' died (exit code -9)",
        "data": None,
    }
    assert after.data == 3
    assert ended.data == pid


def test_a_deadline_kills_the_process_of_its_task_alone(
    hub: LocalHub, make_provider: Make, held: Any, eventually: Any
) -> None:
    late, other = held("late"), held("other")
    provider = make_provider(lambda: ProcessPool(2), max_concurrency=2)
    provider.actions.register("hold_briefly", timeout=0.2)(sent.hold)
    with running(provider, hub):
        holding = hub.submit("hold", other.payload)
        other_pid = other.wait_for()
        result = hub.submit("hold_briefly", late.payload).result()
        late_pid = late.wait_for()
        eventually(lambda: not is_alive(late_pid))
        stuck = provider.snapshot().slots_stuck
        after = hub.submit("get_pid").result()
        other.end()
        ended = holding.result()

    assert result.message == (
        "ActionTimeoutError: 'hold_briefly' was not done within 0.2 s"
    )
    assert stuck == 0
    assert after.data not in {late_pid, other_pid}
    assert ended.data == other_pid


def test_the_time_that_a_task_waits_for_a_process_is_not_its_own(
    hub: LocalHub, make_provider: Make, held: Any, eventually: Any
) -> None:
    first = held("first")
    provider = make_provider(
        lambda: ProcessPool(1), max_concurrency=2, timeouts={"get_pid": 0.3}
    )
    with running(provider, hub):
        holding = hub.submit("hold", first.payload)
        first.wait_for()
        waiting = hub.submit("get_pid")
        eventually(lambda: provider.snapshot().slots_taken == 2)
        with pytest.raises(TimeoutError):
            waiting.result(0.5)
        first.end()
        assert waiting.result().data == holding.result().data


def test_many_tasks_share_a_few_processes(hub: LocalHub, make_provider: Make) -> None:
    with running(make_provider(ProcessPool, max_concurrency=4), hub):
        sums = [hub.submit("add", {"a": n, "b": 1}) for n in range(200)]
        pids = [hub.submit("get_pid") for _ in range(40)]
        assert [handle.result(60).data for handle in sums] == list(range(1, 201))
        assert len({handle.result(60).data for handle in pids}) <= 4


@pytest.mark.parametrize("slots", [1, 64])
@pytest.mark.parametrize("where", ["provider", "action"])
def test_the_class_makes_a_process_for_each_core_and_says_so(
    hub: LocalHub, tmp_path: Path, where: str, slots: int
) -> None:
    file = tmp_path / "log"
    provider = Provider(
        "tested",
        executor=ProcessPool if where == "provider" else None,
        max_concurrency=slots,
        execution_timeout=30,
        log_file=str(file),
    )
    provider.actions.register(executor=ProcessPool if where == "action" else None)(
        sent.get_pid
    )
    with running(provider, hub):
        pids = [hub.submit("get_pid") for _ in range(20)]
        found = {handle.result(60).data for handle in pids}

    lines = map(json.loads, file.read_text().splitlines())
    counts = [each["processes"] for each in lines if each["event"] == "processes start"]
    assert counts == [min(slots, count_cores())]
    assert 1 <= len(found) <= counts[0]


SLOW = """
import os
try:
    os.open({first!r}, os.O_CREAT | os.O_EXCL)
except FileExistsError:
    open({never!r}).read()
"""


@posix_only
def test_a_start_waits_for_one_process_and_not_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "never")
    text = SLOW.format(first=str(tmp_path / "first"), never=str(tmp_path / "never"))
    (tmp_path / "slow_to_import.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))  # pyright: ignore[reportUnknownMemberType]
    pool = ProcessPool(2)
    pool.start({"slow_to_import"})
    try:
        assert pool.submit(sent.add, 1, 2).result(60) == 3
    finally:
        pool.shutdown(kill_workers=True)


def test_the_processes_end_with_the_run(
    hub: LocalHub, make_provider: Make, eventually: Any
) -> None:
    provider = make_provider(ProcessPool, max_concurrency=1)
    pids: list[int] = []
    for _ in range(2):
        with running(provider, hub):
            pids.append(hub.submit("get_pid").result().data)

    assert len(set(pids)) == 2
    eventually(lambda: not any(is_alive(pid) for pid in pids))


def test_a_running_handler_has_the_grace_of_a_stop(
    hub: LocalHub, make_provider: Make, held: Any, eventually: Any
) -> None:
    task = held("task")
    provider = make_provider(ProcessPool, max_concurrency=1)
    with running(provider, hub):
        handle = hub.submit("hold", task.payload)
        pid = task.wait_for()
        provider.stop()
        eventually(lambda: provider.snapshot().state == "stopping")
        task.end()
        assert handle.result().data == pid


def test_a_handler_that_outlives_the_grace_is_killed(
    hub: LocalHub, make_provider: Make, held: Any, eventually: Any
) -> None:
    task = held("task")
    provider = make_provider(ProcessPool, max_concurrency=1, shutdown_timeout=0.5)
    with running(provider, hub):
        handle = hub.submit("hold", task.payload)
        pid = task.wait_for()
        provider.stop()
        message = handle.result().message

    assert message == "'hold' was interrupted: the provider stopped"
    eventually(lambda: not is_alive(pid))


def test_an_action_may_have_a_pool_of_its_own(hub: LocalHub) -> None:
    provider = Provider("tested")
    provider.actions.register(executor=lambda: ProcessPool(1), timeout=30)(sent.get_pid)
    provider.actions.register("here")(sent.get_pid)
    with running(provider, hub):
        there, here = (hub.submit(name).result().data for name in ("get_pid", "here"))

    assert here == os.getpid() != there


def test_an_action_that_comes_while_the_provider_runs_has_its_pool_made(
    hub: LocalHub,
) -> None:
    provider = Provider("tested", execution_timeout=30)
    with running(provider, hub):
        provider.actions.register(executor=lambda: ProcessPool(1))(sent.add)
        assert hub.submit("add", {"a": 1, "b": 2}).result().data == 3


def test_in_process_a_handler_runs_here(make_provider: Make) -> None:
    provider = make_provider(ProcessPool)
    assert provider.process_task("get_pid", {})["data"] == os.getpid()


def test_methods_and_callable_objects_can_be_sent(hub: LocalHub) -> None:
    provider = Provider("tested", executor=ProcessPool, max_concurrency=1)
    provider.actions.register("method")(sent.Adder(1).add)
    provider.actions.register("object")(sent.Adder(2))
    with running(provider, hub):
        names = ("method", "object")
        results = [hub.submit(name, {"number": 1}).result().data for name in names]

    assert results == [2, 3]


# --- by itself -----------------------------------------------------------------


@pytest.fixture
def pool() -> Iterator[ProcessPool]:
    pool = ProcessPool(2)
    yield pool
    pool.shutdown(kill_workers=True)


def test_a_pool_is_an_executor(pool: ProcessPool) -> None:
    with pool:
        assert list(pool.map(sent.add, range(5), range(5))) == [0, 2, 4, 6, 8]
    with pytest.raises(RuntimeError, match="shut down"):
        pool.submit(sent.get_pid)


def test_a_pool_given_to_a_provider_stays_its_owners(
    hub: LocalHub, make_provider: Make, pool: ProcessPool
) -> None:
    with running(make_provider(pool), hub):
        assert hub.submit("add", {"a": 1, "b": 2}).result().data == 3

    assert pool.submit(sent.add, 1, 1).result() == 2


@posix_only
def test_a_process_that_died_while_idle_costs_nothing(
    pool: ProcessPool, eventually: Any
) -> None:
    pids = {pool.submit(sent.get_pid).result() for _ in range(20)}
    for pid in pids:
        os.kill(pid, 9)
    # One that is not noticed to be dead yet may be given a call.
    jobs = [pool.submit(sent.get_pid) for _ in range(4)]
    eventually(lambda: all(job.done() for job in jobs))
    after = {job.result() for job in jobs if job.exception() is None}

    assert after.isdisjoint(pids)
    assert pool.submit(sent.add, 1, 1).result() == 2


def test_what_waits_may_be_cancelled_and_what_runs_killed(held: Any) -> None:
    pool, task = ProcessPool(1), held("task")
    running_one = pool.submit(sent.hold, **task.payload)
    waiting = pool.submit(sent.get_pid)
    task.wait_for()

    assert waiting.cancel()
    assert not running_one.cancel()
    assert pool.kill(running_one)
    assert isinstance(running_one.exception(), ProcessDiedError)
    assert not pool.kill(running_one)
    assert pool.submit(sent.add, 1, 1).result() == 2
    pool.shutdown()


def test_a_pool_that_is_shut_down_runs_what_it_took(held: Any) -> None:
    pool, task = ProcessPool(1), held("task")
    first, second = pool.submit(sent.hold, **task.payload), pool.submit(sent.get_pid)
    task.wait_for()
    pool.shutdown(wait=False)
    task.end()

    assert first.result() == second.result()


def test_a_pool_that_is_killed_leaves_no_future_open(held: Any) -> None:
    pool, task = ProcessPool(1), held("task")
    jobs = [pool.submit(sent.hold, **task.payload), pool.submit(sent.get_pid)]
    task.wait_for()
    pool.shutdown(kill_workers=True)

    assert wait(jobs, timeout=10).not_done == set()
    assert jobs[1].cancelled()


@pytest.mark.parametrize("size", [0, -1, 1.5, True, "2"])
def test_a_pool_needs_a_process(size: Any) -> None:
    with pytest.raises(ConfigError, match=r"max_workers is .*; give a number above 0"):
        ProcessPool(size)
