"""The queue inside the embedded hub: tasks, who has them, what came back.

Pure book-keeping behind one lock; it knows nothing of gRPC. Every method may be
called from any thread.
"""

import heapq
import itertools
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Literal, Protocol, TypeVar

from arbvantage_provider.clock import Clock
from arbvantage_provider.local_hub.results import HubResult
from arbvantage_provider.task import Task

T = TypeVar("T")

Recorded = Literal["first", "again", "unknown"]


class PendingCall(Protocol):
    """The call that a provider waits in; gRPC's servicer context is one."""

    def is_active(self) -> bool:
        """Whether anyone is still waiting at the other end."""
        ...

    def add_callback(self, callback: Callable[[], None]) -> object:
        """Have ``callback`` called when the call ends, in whatever way."""
        ...


class QueuedTask:
    """One submitted task and its history.

    Attributes:
        task: as it was submitted.
        handed_out: how many times it went out.
        number: of its latest delivery; 0: that one came back.
        results: everything that was submitted for its id, in order.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.handed_out = 0
        self.number = 0
        self.results: list[HubResult] = []


class Reason(Enum):
    """Why a task is handed out."""

    SUBMITTED = "submitted"
    REPEATED = "repeated"
    LEASE_ENDED = "lease ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A task on its way out.

    Attributes:
        queued: the task's history.
        task: what is handed out; not always what was submitted.
        reason: why.
    """

    queued: QueuedTask
    task: Task
    reason: Reason


class TaskQueue:
    """Tasks in order of submission, and the calls that wait for them.

    Attributes:
        lock: guards everything here; take it to read several things at once.
        tasks: every task ever submitted, by id.
        submissions: every recorded result, in order of arrival.
        answers: the first result of each task, in order of arrival.
        polls: how many times a task was asked for.
        held: how many calls wait for a task now.
        refused: how many calls showed a wrong token.
    """

    def __init__(self, clock: Clock) -> None:
        self.lock: threading.RLock = threading.RLock()
        self.tasks: dict[str, QueuedTask] = {}
        self.submissions: list[HubResult] = []
        self.answers: list[HubResult] = []
        self.polls = 0
        self.held: int = 0
        self.refused = 0
        self._clock = clock
        self._ready: deque[Delivery] = deque()
        self._leases: list[tuple[float, int, Delivery]] = []
        self._numbers = itertools.count(1)
        self._bells: dict[threading.Condition, None] = {}
        self._changed = threading.Condition(self.lock)

    def add(self, task: Task) -> QueuedTask:
        """Queue a task under an id that is not taken.

        Raises:
            ValueError: if there is a task with this id.
        """
        with self.lock:
            if task.id in self.tasks:
                problem = (
                    f"there is a task {task.id!r} already; "
                    "to hand that one out again, use its handle's redeliver()"
                )
                raise ValueError(problem)
            queued = self.tasks[task.id] = QueuedTask(task)
            self._queue(Delivery(queued=queued, task=task, reason=Reason.SUBMITTED))
            return queued

    def repeat(self, queued: QueuedTask, task: Task) -> None:
        """Queue ``queued`` once more, as ``task``, whatever became of it so far."""
        with self.lock:
            self._queue(Delivery(queued=queued, task=task, reason=Reason.REPEATED))

    def take(self, *, lease: float | None, twice: bool) -> Delivery | None:
        """Hand the next task out, or ``None`` if there is none.

        Args:
            lease: seconds until it is queued again if it has no result then.
            twice: whether a task that was never out goes out again right after.
        """
        with self.lock:
            self._end_leases()
            while self._ready:
                delivery = self._ready.popleft()
                if delivery.reason is Reason.LEASE_ENDED and delivery.queued.results:
                    continue
                if twice and delivery.reason is Reason.SUBMITTED:
                    self._ready.appendleft(_repeated(delivery, Reason.REPEATED))
                self._hand_out(delivery, lease)
                return delivery
            return None

    def put_back(self, delivery: Delivery) -> None:
        """Undo a hand-out that did not reach anyone; the task is the next one."""
        with self.lock:
            delivery.queued.handed_out -= 1
            delivery.queued.number = 0
            if delivery.reason is Reason.SUBMITTED:
                delivery = _repeated(delivery, Reason.REPEATED)
            self._ready.appendleft(delivery)
            self._pass_on()
            self.announce()

    def record(self, result: HubResult) -> Recorded:
        """Keep a result, and say which one of its task it is."""
        with self.lock:
            self.submissions.append(result)
            queued = self.tasks.get(result.id)
            if queued is not None:
                queued.results.append(result)
                if len(queued.results) == 1:
                    self.answers.append(result)
            self.announce()
            if queued is None:
                return "unknown"
            return "first" if len(queued.results) == 1 else "again"

    def unanswered(self) -> list[QueuedTask]:
        """The tasks without a result; one without an id can have none."""
        with self.lock:
            return [e for id_, e in self.tasks.items() if id_ and not e.results]

    def is_done(self) -> bool:
        """Whether every task that can have a result has one."""
        with self.lock:
            return len(self.answers) == len(self.tasks) - ("" in self.tasks)

    def hold(
        self, call: PendingCall, decide: Callable[[], T], patience: Callable[[], float]
    ) -> T | None:
        """Ask ``decide`` now, and again whenever something has changed.

        Args:
            call: when it ends, so does the wait; nothing is decided for it then.
            decide: its first answer that is not ``None`` is the answer. It is
                called with the lock held.
            patience: seconds from now until ``None`` is the answer; asked anew
                after every change.
        """
        began = self._clock.monotonic()
        bell = threading.Condition(self.lock)
        call.add_callback(partial(self._ring, bell))
        with self.lock:
            answer: T | None = None
            while call.is_active() and (answer := decide()) is None:
                left = began + patience() - self._clock.monotonic()
                if left <= 0:
                    break
                self._wait(bell, left)
            # What woke this call may concern another one.
            self._pass_on()
            return answer

    def wake_all(self) -> None:
        """Have every held call decide again."""
        with self.lock:
            while self._bells:
                self._ring_first()
            self.announce()

    def announce(self) -> None:
        """Have everyone in ``wait_until`` look again."""
        with self.lock:
            self._changed.notify_all()

    def wait_until(self, condition: Callable[[], bool], seconds: float | None) -> bool:
        """Wait for a condition, which is asked after every change.

        Args:
            condition: called with the lock held.
            seconds: how long at most; ``None``: for ever.

        Returns:
            Whether it came true.
        """
        with self.lock:
            return self._changed.wait_for(condition, _bounded(seconds))

    def _queue(self, delivery: Delivery) -> None:
        self._ready.append(delivery)
        self._pass_on()
        self.announce()

    def _hand_out(self, delivery: Delivery, lease: float | None) -> None:
        queued = delivery.queued
        queued.handed_out += 1
        queued.number = next(self._numbers)
        if lease is not None and not queued.results:
            ends = self._clock.monotonic() + lease
            heapq.heappush(self._leases, (ends, queued.number, delivery))
        self.announce()

    def _end_leases(self) -> None:
        now = self._clock.monotonic()
        while self._leases and self._leases[0][0] <= now:
            _, number, delivery = heapq.heappop(self._leases)
            if not delivery.queued.results and delivery.queued.number == number:
                self._ready.append(_repeated(delivery, Reason.LEASE_ENDED))

    def _wait(self, bell: threading.Condition, seconds: float) -> None:
        if self._leases:
            next_end = self._leases[0][0] - self._clock.monotonic()
            seconds = min(seconds, max(next_end, 0.0))
        self._bells[bell] = None
        self.held += 1
        self.announce()
        bell.wait(_bounded(seconds))
        self.held -= 1
        self.announce()
        self._bells.pop(bell, None)

    def _ring(self, bell: threading.Condition) -> None:
        with self.lock:
            bell.notify()

    def _ring_first(self) -> None:
        bell = next(iter(self._bells))
        del self._bells[bell]
        bell.notify()

    def _pass_on(self) -> None:
        if self._bells and (self._ready or self._leases):
            self._ring_first()


def _repeated(delivery: Delivery, reason: Reason) -> Delivery:
    return Delivery(queued=delivery.queued, task=delivery.task, reason=reason)


def _bounded(seconds: float | None) -> float | None:
    """A lock cannot wait for more than ``TIMEOUT_MAX`` seconds."""
    return None if seconds is None else min(seconds, threading.TIMEOUT_MAX)
