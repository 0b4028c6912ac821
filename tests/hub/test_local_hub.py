"""The embedded hub hands tasks out; seen by a client that never saw this package."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from arbvantage_provider.local_hub.behaviour import Idle
from arbvantage_provider.local_hub.local_hub import LocalHub
from arbvantage_provider.local_hub.task_handle import TaskHandle
from arbvantage_provider.protos import hub_pb2

EMPTY = hub_pb2.Task()


def test_a_task_goes_out_as_it_was_submitted(hub: LocalHub, client: Any) -> None:
    hub.submit("create", {"name": "Ada", "tags": ["é"]}, account={"key": "k"})
    assert client.take() == hub_pb2.Task(
        id="task-1",
        action="create",
        payload='{"name":"Ada","tags":["é"]}'.encode(),
        account=b'{"key":"k"}',
    )


def test_bytes_and_text_go_out_unchanged(hub: LocalHub, client: Any) -> None:
    hub.submit("a", b"\xff not json", '{"key" : 1.0}')
    task = client.take()
    assert (task.payload, task.account) == (b"\xff not json", b'{"key" : 1.0}')


def test_a_task_without_content_has_an_empty_object_and_no_account(
    hub: LocalHub, client: Any
) -> None:
    hub.submit("a")
    task = client.take()
    assert (task.payload, task.account) == (b"{}", b"")


def test_a_handle_holds_what_was_submitted(hub: LocalHub, client: Any) -> None:
    handle = hub.submit("create", {"n": 1}, account={"key": "k"})
    text = '{"status":"success","message":"made","data":{"id":7}}'
    assert client.answer(client.take(), text) == EMPTY
    result = handle.result()
    assert (result.id, result.provider, result.status) == ("task-1", "raw", "success")
    assert (result.action, result.payload) == ("create", '{"n":1}')
    assert (result.result, result.account) == (text, '{"key":"k"}')
    assert (result.message, result.data) == ("made", {"id": 7})
    assert handle.results == hub.submissions == (result,)
    assert handle.handed_out == 1


def test_a_task_may_be_submitted_before_the_start(connect: Any) -> None:
    hub = LocalHub()
    hub.submit("early")
    with hub:
        assert connect(hub).take().action == "early"


def test_an_id_may_be_chosen_and_others_are_given(hub: LocalHub, client: Any) -> None:
    for id_ in ("mine", "task-1", None):
        hub.submit("a", id=id_)
    assert [client.take().id for _ in range(3)] == ["mine", "task-1", "task-2"]


def test_any_token_will_do_where_none_is_set(connect: Any) -> None:
    with LocalHub() as hub:
        assert connect(hub, "anything").get() == EMPTY


def test_a_wrong_token_is_refused_and_takes_nothing(
    hub: LocalHub, client: Any, connect: Any
) -> None:
    handle = hub.submit("a")
    stranger = connect(hub, "wrong")
    assert stranger.get() == "UNAUTHENTICATED"
    assert stranger.answer(client.take()) == "UNAUTHENTICATED"
    assert (hub.refused, hub.polls, handle.results) == (2, 2, ())


def test_a_new_token_replaces_the_old_one(
    hub: LocalHub, client: Any, connect: Any
) -> None:
    hub.token = "new"
    assert client.get() == "UNAUTHENTICATED"
    assert connect(hub, "new").get() == EMPTY


@pytest.mark.parametrize("code", ["UNAUTHENTICATED", "PERMISSION_DENIED"])
def test_a_revoked_token_is_refused_until_it_is_set_again(
    hub: LocalHub, client: Any, code: str
) -> None:
    hub.revoke_token(code)
    assert client.get() == code
    hub.token = "secret"
    assert client.get() == EMPTY


@pytest.mark.parametrize(
    ("idle", "answer"), [("empty", EMPTY), ("not_found", "NOT_FOUND")]
)
def test_an_idle_hub_answers_at_once(
    hub: LocalHub, client: Any, idle: Idle, answer: hub_pb2.Task | str
) -> None:
    hub.idle = idle
    assert client.get() == answer


def test_a_long_poll_ends_with_an_empty_task(hub: LocalHub, client: Any) -> None:
    hub.idle, hub.long_poll = "long_poll", 0.01
    assert client.get() == EMPTY


def hold(hub: LocalHub, client: Any) -> Callable[[], hub_pb2.Task | str]:
    """Begin a poll that the hub holds far beyond the test's patience."""
    hub.idle, hub.long_poll = "long_poll", 3_600
    poll = client.poll()
    hub.wait_until(lambda: hub.held == 1)
    return poll


Change = Callable[[LocalHub], object]


CHANGES: list[tuple[Change, hub_pb2.Task | str]] = [
    (lambda hub: hub.submit("a", b""), hub_pb2.Task(id="task-1", action="a")),
    (lambda hub: hub.fail_polls("ABORTED"), "ABORTED"),
    (lambda hub: hub.revoke_token(), "UNAUTHENTICATED"),
    (lambda hub: setattr(hub, "token", "new"), "UNAUTHENTICATED"),
    (lambda hub: setattr(hub, "idle", "empty"), EMPTY),
    (lambda hub: setattr(hub, "idle", "not_found"), "NOT_FOUND"),
    (lambda hub: hub.stop(), "UNAVAILABLE"),
]


@pytest.mark.parametrize(("change", "answer"), CHANGES)
def test_a_held_poll_hears_of_a_change_at_once(
    hub: LocalHub, client: Any, change: Change, answer: hub_pb2.Task | str
) -> None:
    poll = hold(hub, client)
    change(hub)
    assert poll() == answer


def test_a_task_is_not_given_to_a_call_that_was_cancelled(
    hub: LocalHub, client: Any, connect: Any
) -> None:
    hub.idle = "long_poll"
    gone = client.stub.GetTask.future(hub_pb2.ProviderRequest(auth_token="secret"))
    hub.wait_until(lambda: hub.held == 1)
    gone.cancel()
    hub.wait_until(lambda: hub.held == 0)
    handle = hub.submit("a")
    assert connect(hub).take().id == "task-1"
    assert handle.handed_out == 1


def test_each_of_many_held_polls_gets_one_task(hub: LocalHub, client: Any) -> None:
    hub.idle = "long_poll"
    polls = [client.poll() for _ in range(200)]
    hub.wait_until(lambda: hub.held == 200)
    handles = [hub.submit("a", b"") for _ in range(200)]
    ids = {task.id for poll in polls if isinstance(task := poll(), hub_pb2.Task)}
    assert ids == {handle.id for handle in handles}


def test_many_held_polls_do_not_keep_the_hub_from_stopping(
    hub: LocalHub, client: Any
) -> None:
    hub.idle, hub.long_poll = "long_poll", 3_600
    polls = [client.poll() for _ in range(200)]
    hub.wait_until(lambda: hub.held == 200)
    hub.stop()
    assert {poll() for poll in polls} == {"UNAVAILABLE"}


def test_many_threads_and_clients_lose_and_double_nothing(
    hub: LocalHub, connect: Any
) -> None:
    def submit(_: int) -> TaskHandle:
        return hub.submit("a")

    def run(client: Any) -> int:
        count = 0
        while isinstance(task := client.get(), hub_pb2.Task) and task.id:
            client.answer(task)
            count += 1
        return count

    with ThreadPoolExecutor(8) as pool:
        handles = list(pool.map(submit, range(1_000)))
        counts = list(pool.map(run, [connect(hub) for _ in range(8)]))
    hub.join()
    assert sum(counts) == 1_000
    assert {(h.handed_out, len(h.results)) for h in handles} == {(1, 1)}
