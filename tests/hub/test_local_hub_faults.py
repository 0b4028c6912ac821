"""The embedded hub takes results, and fails on demand; seen by a raw client."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from arbvantage_provider.local_hub.local_hub import LocalHub
from arbvantage_provider.protos import hub_pb2

EMPTY = hub_pb2.Task()


def test_pacing_is_a_task_without_id(hub: LocalHub, client: Any) -> None:
    hub.submit("a")
    hub.pace(2.5)
    pause = hub_pb2.Task(action="rate_limited", payload=b'{"wait_time": 2.5}')
    assert client.get() == pause
    assert client.take().action == "a"


def test_polls_fail_on_demand(hub: LocalHub, client: Any) -> None:
    hub.submit("a")
    hub.fail_polls("UNAVAILABLE", times=2, details="down")
    assert [client.get(), client.get()] == ["UNAVAILABLE"] * 2
    assert client.take().action == "a"


def test_a_failed_submit_is_not_recorded(hub: LocalHub, client: Any) -> None:
    handle = hub.submit("a")
    hub.fail_submits("RESOURCE_EXHAUSTED")
    task = client.take()
    assert client.answer(task) == "RESOURCE_EXHAUSTED"
    assert handle.results == ()
    assert client.answer(task) == EMPTY
    assert len(handle.results) == 1


def test_a_lost_acknowledgement_is_recorded(hub: LocalHub, client: Any) -> None:
    handle = hub.submit("a")
    hub.fail_submits("UNAVAILABLE", recorded=True)
    task = client.take()
    assert client.answer(task) == "UNAVAILABLE"
    assert len(handle.results) == 1
    assert client.answer(task) == "ALREADY_EXISTS"
    assert len(handle.results) == 2


def test_the_results_of_one_task_can_be_refused(hub: LocalHub, client: Any) -> None:
    hub.submit("a", id="bad")
    hub.submit("b", id="good")
    hub.fail_submits("INTERNAL", times=2, id="bad")
    bad, good = client.take(), client.take()
    answers = [client.answer(task) for task in (bad, good, bad, bad)]
    assert answers == ["INTERNAL", EMPTY, "INTERNAL", EMPTY]


def test_a_result_for_an_unknown_id_is_not_found(hub: LocalHub, client: Any) -> None:
    assert client.answer(hub_pb2.Task(id="never")) == "NOT_FOUND"
    assert [result.id for result in hub.submissions] == ["never"]


def test_the_reply_to_a_result_may_be_the_next_task(hub: LocalHub, client: Any) -> None:
    hub.next_on_submit = True
    hub.submit("a")
    second = hub.submit("b", b"")
    reply = client.answer(client.take())
    assert reply == hub_pb2.Task(id=second.id, action="b")
    assert client.answer(hub_pb2.Task(id=second.id)) == EMPTY


def test_the_reply_to_a_result_may_be_its_id(hub: LocalHub, client: Any) -> None:
    hub.acknowledge_with_id = True
    hub.submit("a")
    assert client.answer(client.take()) == hub_pb2.Task(id="task-1")


def test_duplicates_go_out_twice_in_a_row(hub: LocalHub, client: Any) -> None:
    hub.duplicates = True
    hub.submit("a")
    hub.submit("b")
    assert [client.take().action for _ in range(4)] == ["a", "a", "b", "b"]
    assert client.get() == EMPTY


def test_redelivery_hands_an_answered_task_out_again(
    hub: LocalHub, client: Any
) -> None:
    handle = hub.submit("a", {"n": 1}, account={"key": "k"})
    first = client.take()
    client.answer(first)
    handle.redeliver()
    assert client.take() == first
    assert handle.handed_out == 2


def test_redelivery_may_change_the_task_under_its_id(
    hub: LocalHub, client: Any
) -> None:
    handle = hub.submit("a", {"n": 1})
    client.take()
    handle.redeliver(action="b", payload={"n": 2}, account="{}")
    assert client.take() == hub_pb2.Task(
        id="task-1", action="b", payload=b'{"n":2}', account=b"{}"
    )


def test_a_task_comes_back_when_its_lease_ends(hub: LocalHub, client: Any) -> None:
    hub.lease = 0.02
    handle = hub.submit("a")
    client.take()
    hub.idle = "long_poll"
    assert client.take().id == "task-1"
    assert handle.handed_out == 2


def test_a_lease_that_begins_while_a_poll_is_held_ends_for_it(
    hub: LocalHub, client: Any
) -> None:
    hub.idle, hub.lease = "long_poll", 0.02
    polls = [client.poll(), client.poll()]
    hub.wait_until(lambda: hub.held == 2)
    hub.submit("a", b"")
    task = hub_pb2.Task(id="task-1", action="a")
    assert [poll() for poll in polls] == [task, task]


def test_an_answered_task_does_not_come_back(hub: LocalHub, client: Any) -> None:
    hub.lease = 0.0
    hub.submit("a")
    client.answer(client.take())
    assert client.get() == EMPTY


def test_a_task_that_is_answered_while_it_is_queued_again_is_not_handed_out(
    hub: LocalHub, client: Any
) -> None:
    hub.lease = 0.0
    hub.submit("a")
    hub.submit("b")
    for task in (client.take(), client.take()):
        client.answer(task)
    assert client.get() == EMPTY


def test_a_hub_comes_back_on_its_port_with_its_tasks_and_results(
    hub: LocalHub, connect: Any
) -> None:
    url = hub.url
    out, waiting = hub.submit("out"), hub.submit("waiting")
    task = connect(hub).take()
    hub.stop()
    assert connect(hub).get() == "UNAVAILABLE"
    hub.start()
    client = connect(hub)
    client.answer(task)
    client.answer(client.take())
    assert (hub.url, client.get()) == (url, EMPTY)
    assert [len(handle.results) for handle in (out, waiting)] == [1, 1]


def test_a_result_beyond_the_size_limit_is_refused(connect: Any) -> None:
    with LocalHub("secret", max_message_bytes=1_000) as hub:
        handle = hub.submit("a")
        client = connect(hub)
        task = client.take()
        assert client.answer(task, "x" * 1_000) == "RESOURCE_EXHAUSTED"
        assert client.answer(task, "x") == EMPTY
        assert len(handle.results) == 1


def test_a_late_answer_comes_all_the_same(hub: LocalHub, client: Any) -> None:
    hub.latency = 0.01
    hub.submit("a")
    assert client.answer(client.take()) == EMPTY


def test_a_hub_that_never_answers_can_be_stopped(hub: LocalHub, client: Any) -> None:
    hub.submit("a", id="kept")
    hub.latency = 3_600
    poll = client.poll()
    hub.wait_until(lambda: hub.polls == 1)
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(client.answer, hub_pb2.Task(id="kept"))
        hub.wait_until(lambda: len(hub.submissions) == 1)
        hub.stop()
        assert (poll(), answer.result(10)) == ("UNAVAILABLE", "UNAVAILABLE")
