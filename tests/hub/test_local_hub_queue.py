"""A call that ends too early takes no task with it."""

from collections.abc import Callable, Iterator
from typing import cast

import grpc
import pytest

from arbvantage_provider.clock import SystemClock
from arbvantage_provider.local_hub.behaviour import Behaviour
from arbvantage_provider.local_hub.queue import QueuedTask, TaskQueue
from arbvantage_provider.local_hub.server import Handlers
from arbvantage_provider.local_hub.service import HubService
from arbvantage_provider.protos import hub_pb2
from arbvantage_provider.task import Task


class Call:
    """A call that the test ends when it likes."""

    def __init__(self) -> None:
        self.active = True
        self.callbacks: list[Callable[[], None]] = []

    def is_active(self) -> bool:
        return self.active

    def add_callback(self, callback: Callable[[], None]) -> bool:
        self.callbacks.append(callback)
        return self.active

    def end(self) -> None:
        self.active = False
        for callback in self.callbacks:
            callback()


@pytest.fixture
def queue() -> TaskQueue:
    return TaskQueue(SystemClock())


@pytest.fixture
def switches() -> Behaviour:
    return Behaviour()


@pytest.fixture
def poll(
    queue: TaskQueue, switches: Behaviour
) -> Callable[[Call], Iterator[hub_pb2.Task]]:
    handlers = Handlers(HubService(queue, switches), switches)

    def poll(call: Call) -> Iterator[hub_pb2.Task]:
        context = cast("grpc.ServicerContext", call)
        return handlers.get_task(hub_pb2.ProviderRequest(), context)

    return poll


Poll = Callable[[Call], Iterator[hub_pb2.Task]]


@pytest.fixture
def entry(queue: TaskQueue) -> QueuedTask:
    return queue.add(Task(id="x", action="a", payload=b"{}"))


def test_a_call_that_has_ended_gets_no_task(poll: Poll, entry: QueuedTask) -> None:
    call = Call()
    call.end()
    assert next(poll(call)).id == ""
    assert entry.handed_out == 0


def test_a_task_that_did_not_leave_is_the_next_one(
    queue: TaskQueue, poll: Poll, entry: QueuedTask
) -> None:
    queue.add(Task(id="y", action="a", payload=b"{}"))
    call = Call()
    assert next(poll(call)).id == "x"
    call.end()
    assert entry.handed_out == 0
    assert next(poll(Call())).id == "x"
    assert entry.handed_out == 1


def test_a_task_that_has_left_stays_out(poll: Poll, entry: QueuedTask) -> None:
    call = Call()
    assert [task.id for task in poll(call)] == ["x"]
    call.end()
    assert next(poll(Call())).id == ""
    assert entry.handed_out == 1


def test_a_duplicate_that_did_not_leave_is_not_doubled_again(
    switches: Behaviour, poll: Poll, entry: QueuedTask
) -> None:
    switches.duplicates = True
    call = Call()
    next(poll(call))
    call.end()
    ids = [task.id for _ in range(3) for task in poll(Call())]
    assert ids == ["x", "x", ""]
    assert entry.handed_out == 2


class LateCall(Call):
    """A call that ends between the choice of its task and the answer."""

    def add_callback(self, callback: Callable[[], None]) -> bool:
        self.active = not self.callbacks
        return super().add_callback(callback)


def test_a_call_that_ends_while_it_is_answered_takes_nothing(
    poll: Poll, entry: QueuedTask
) -> None:
    assert list(poll(LateCall())) == []
    assert entry.handed_out == 0
    assert next(poll(Call())).id == "x"


def test_a_call_that_ends_while_its_answer_leaves_takes_nothing(
    poll: Poll, entry: QueuedTask
) -> None:
    call = Call()
    answers = poll(call)
    next(answers)
    call.active = False
    assert list(answers) == []
    call.end()
    assert entry.handed_out == 0


def test_a_leased_task_that_did_not_leave_comes_back_once(
    switches: Behaviour, poll: Poll, entry: QueuedTask
) -> None:
    switches.lease = 0.0
    assert [task.id for task in poll(Call())] == ["x"]
    call = Call()
    next(poll(call))
    call.end()
    switches.lease = None
    assert [next(poll(Call())).id, next(poll(Call())).id] == ["x", ""]
    assert entry.handed_out == 2
