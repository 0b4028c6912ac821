"""What a start does with the journal of a process that died."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from arbvantage_provider import JournalError, Provider, TaskContext
from arbvantage_provider.hub.wire import decode_task, encode_request
from arbvantage_provider.protos import hub_pb2_grpc
from arbvantage_provider.task import Task
from arbvantage_provider.testing import LocalHub, running

TEXT = b'{"status":"success","message":"","data":{"item":"stored"}}'
NOW = time.time()
HOURS = 3600.0

Make = Callable[..., Provider]
Look = Callable[[str], list[Any]]


@pytest.fixture
def runs() -> list[Any]:
    """The items that handlers were called with, and which attempt it was."""
    return []


@pytest.fixture
def make(path: Path, runs: list[Any]) -> Make:
    def make(**settings: Any) -> Provider:
        provider = Provider("tested", journal=str(path), **settings)

        @provider.actions.register()
        def order(item: str, context: TaskContext) -> dict[str, str]:
            runs.append((item, context.attempt))
            return {"item": item}

        provider.actions.register("order_once_more", idempotent=True)(order)
        return provider

    return make


def hand_out(hub: LocalHub, action: str = "order", item: str = "tea") -> Task:
    """A task that the hub handed out to the process that died."""
    hub.submit(action, {"item": item}, {"key": "s3cret"})
    with grpc.insecure_channel(hub.url) as channel:
        stub: Any = hub_pb2_grpc.HubStub(channel)
        reply = stub.GetTask(encode_request("tested", "any"))
    task = decode_task(reply)
    assert isinstance(task, Task)
    return task


def test_a_result_that_waits_is_submitted_without_running_the_handler(
    hub: LocalHub, left: Any, make: Make, runs: list[Any]
) -> None:
    task = hand_out(hub)
    left.task(task, arrived=NOW, runs=1).answered("success", TEXT).write()

    with running(make(), hub):
        hub.join()

    assert [result.data for result in hub.submissions] == [{"item": "stored"}]
    assert hub.submissions[0].account == '{"key":"s3cret"}'
    assert runs == []


def test_a_result_that_the_hub_has_already_is_no_failure(
    hub: LocalHub, left: Any, make: Make, eventually: Any
) -> None:
    task = hand_out(hub)
    left.task(task, arrived=NOW, runs=1).answered("success", TEXT).write()
    provider = make()
    hub.fail_submits("ALREADY_EXISTS")
    with running(provider, hub):
        eventually(lambda: provider.snapshot().tasks_answered == 1)

    assert provider.snapshot().tasks_refused == 0


def test_a_result_that_waits_and_proves_too_large_becomes_an_error(
    left: Any, make: Make
) -> None:
    with LocalHub(max_message_bytes=20_000) as hub:
        left.hub = hub.url
        left.task(hand_out(hub), arrived=NOW, runs=1)
        left.answered("success", TEXT.replace(b"stored", b"x" * 30_000)).write()
        with running(make(), hub):
            hub.join()

    (result,) = hub.submissions
    assert result.status == "error"
    assert "is too large to send: 30052 bytes" in result.message


def test_a_task_that_had_started_is_answered_as_interrupted(
    hub: LocalHub, left: Any, make: Make, runs: list[Any]
) -> None:
    left.task(hand_out(hub), arrived=NOW, runs=1).write()

    with running(make(), hub):
        hub.join()

    (result,) = hub.submissions
    assert result.status == "error"
    assert result.message.startswith(
        "'order' was interrupted: the provider died while it ran"
    )
    assert runs == []


def test_a_task_that_had_started_is_run_again_where_that_is_safe(
    hub: LocalHub, left: Any, make: Make, runs: list[Any]
) -> None:
    left.task(hand_out(hub, "order_once_more"), arrived=NOW, runs=1).write()

    with running(make(), hub):
        hub.join()

    assert [result.status for result in hub.submissions] == ["success"]
    assert runs == [("tea", 2)]


def test_a_task_that_killed_the_process_again_and_again_is_not_run_once_more(
    hub: LocalHub, left: Any, make: Make, runs: list[Any]
) -> None:
    left.task(hand_out(hub, "order_once_more"), arrived=NOW, runs=3).write()

    with running(make(), hub):
        hub.join()

    assert "was interrupted" in hub.submissions[0].message
    assert "3 times" in hub.submissions[0].message
    assert runs == []


def test_a_task_that_had_not_started_is_run(
    hub: LocalHub, left: Any, make: Make, runs: list[Any]
) -> None:
    left.task(hand_out(hub), arrived=NOW).write()

    with running(make(), hub):
        hub.join()

    assert [result.data for result in hub.submissions] == [{"item": "tea"}]
    assert runs == [("tea", 1)]


@pytest.mark.parametrize(
    ("action", "runs_before"), [("order", 0), ("order_once_more", 1)]
)
def test_a_task_that_is_too_old_is_not_run(
    hub: LocalHub,
    left: Any,
    make: Make,
    runs: list[Any],
    action: str,
    runs_before: int,
) -> None:
    task = hand_out(hub, action)
    left.task(task, arrived=NOW - 2 * HOURS, runs=runs_before).write()

    with running(make(journal_max_age=HOURS), hub):
        hub.join()

    words = "was interrupted" if runs_before else "was not run: it waited"
    assert words in hub.submissions[0].message
    assert runs == []


def test_an_action_that_is_gone_answers_for_its_tasks_all_the_same(
    hub: LocalHub, left: Any, make: Make
) -> None:
    left.task(hand_out(hub, "gone"), arrived=NOW)
    left.task(hand_out(hub, "gone", "milk"), arrived=NOW, runs=1).write()

    with running(make(), hub):
        hub.join()

    messages = sorted(result.message for result in hub.submissions)
    assert messages[0].startswith("'gone' was interrupted")
    assert messages[1].startswith("ActionNotFoundError")


def test_a_task_that_is_done_is_not_run_after_a_restart(
    hub: LocalHub, left: Any, make: Make, runs: list[Any]
) -> None:
    handle = hub.submit("order", {"item": "tea"})
    task = Task(handle.id, "order", b'{"item":"tea"}')
    left.task(task, arrived=NOW, runs=1).answered("success", TEXT).taken(NOW).write()
    provider = make()

    with running(provider, hub):
        hub.join()

    assert hub.submissions[0].data == {"item": "stored"}
    assert provider.snapshot().tasks_redelivered == 1
    assert runs == []


def test_what_is_done_for_longer_than_a_day_is_forgotten(
    hub: LocalHub, left: Any, make: Make, look: Look
) -> None:
    old, new = hand_out(hub), hand_out(hub, item="milk")
    day_ago = NOW - 25 * HOURS
    left.task(old, arrived=day_ago, runs=1).answered("success", TEXT).taken(day_ago)
    left.task(new, arrived=NOW, runs=1).answered("success", TEXT).taken(NOW).write()

    with running(make(), hub):
        hub.wait_until(lambda: hub.polls >= 1)

    assert look("SELECT id FROM task") == [(new.id,)]


def test_what_is_too_old_is_forgotten_where_nothing_was_done_since(
    hub: LocalHub, left: Any, make: Make, look: Look
) -> None:
    day_ago = NOW - 25 * HOURS
    left.task(hand_out(hub), arrived=day_ago, runs=1)
    left.answered("success", TEXT).taken(day_ago).write()

    with running(make(), hub):
        hub.wait_until(lambda: hub.polls >= 1)

    assert look("SELECT id FROM task") == []


def test_a_start_says_what_it_found(
    hub: LocalHub, left: Any, make: Make, tmp_path: Path
) -> None:
    left.task(hand_out(hub), arrived=NOW).write()

    with running(make(log_file=str(tmp_path / "log")), hub):
        hub.join()

    assert '"event": "tasks found in the journal"' in (tmp_path / "log").read_text()


def test_unfinished_tasks_of_another_hub_are_not_given_to_this_one(
    hub: LocalHub, left: Any, make: Make
) -> None:
    left.task(hand_out(hub), arrived=NOW, runs=1).answered("success", TEXT).write()
    other = LocalHub()
    with other, pytest.raises(JournalError) as caught:
        make().start(hub_url=other.url, auth_token="any")

    assert caught.value.problem == (
        f"holds unfinished tasks (1) of the hub at {hub.url}; start with that hub_url, "
        f"not {other.url}, or move the file away"
    )
    assert other.submissions == ()


def test_a_hub_is_not_answered_with_what_another_one_has(
    left: Any, make: Make, runs: list[Any], look: Look
) -> None:
    task = Task("task-1", "order", b'{"item":"tea"}')
    left.task(task, arrived=NOW, runs=1).answered("success", TEXT).taken(NOW).write()

    with LocalHub() as other, running(make(), other):
        assert other.submit("order", {"item": "tea"}).result().data == {"item": "tea"}

    assert runs == [("tea", 1)]
    assert look("SELECT hub FROM owner") == [(other.url,)]


def test_what_a_hub_has_is_known_when_it_is_back_after_others(
    hub: LocalHub, left: Any, make: Make, runs: list[Any]
) -> None:
    task = Task("task-1", "order", b'{"item":"tea"}')
    left.task(task, arrived=NOW, runs=1).answered("success", TEXT).taken(NOW).write()

    for _ in range(2):
        with LocalHub() as other, running(make(), other):
            other.submit("order", {"item": "milk"}).result()
    with running(make(), hub):
        handle = hub.submit("order", {"item": "tea"}, id="task-1")
        assert handle.result().data == {"item": "stored"}

    assert runs == [("milk", 1)] * 2


def test_what_was_kept_for_another_hub_goes_when_it_is_too_old(
    left: Any, make: Make, look: Look
) -> None:
    task, then = Task("task-1", "order", b"{}"), NOW - 25 * HOURS
    left.task(task, arrived=then, runs=1).answered("success", TEXT).taken(then).write()

    with LocalHub() as other, running(make(), other):
        other.wait_until(lambda: other.polls >= 1)

    assert look("SELECT id FROM task") == []
