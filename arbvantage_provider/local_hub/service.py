"""The service of the embedded hub: what it answers to each call.

It knows the queue, the behaviour and the faults that were asked for, and nothing
of gRPC: a status is its name.
"""

import hmac
from collections import deque
from dataclasses import dataclass
from functools import partial

from arbvantage_provider.local_hub.behaviour import Behaviour
from arbvantage_provider.local_hub.queue import Delivery, PendingCall, TaskQueue
from arbvantage_provider.local_hub.results import HubResult
from arbvantage_provider.task import Pause


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A call is answered with a status other than OK.

    Attributes:
        code: the status's name, such as ``UNAVAILABLE``.
        details: the text beside it.
    """

    code: str
    details: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitFault:
    """One result is answered with a refusal.

    Attributes:
        refusal: the answer.
        recorded: whether the result is taken all the same.
        id: only a result of this task; ``None``: of any.
    """

    refusal: Refusal
    recorded: bool
    id: str | None


class HubService:
    """Answers polls and results; any number of calls at once.

    Attributes:
        token: the token to show; ``None``: any will do.
        revoked: the answer to every token; ``None``: ``token`` is valid.
    """

    def __init__(self, queue: TaskQueue, behaviour: Behaviour) -> None:
        self.token: str | None = None
        self.revoked: Refusal | None = None
        self._is_open = True
        self._queue = queue
        self._behaviour = behaviour
        self._poll_scripts: deque[Refusal | Pause] = deque()
        self._submit_faults: list[SubmitFault] = []

    def script_polls(self, answers: list[Refusal] | list[Pause]) -> None:
        """Give these answers to the next polls, and to those held now."""
        with self._queue.lock:
            self._poll_scripts.extend(answers)
            self._queue.wake_all()

    def script_results(self, faults: list[SubmitFault]) -> None:
        """Give these answers to the next results."""
        with self._queue.lock:
            self._submit_faults.extend(faults)

    def set_token(self, token: str | None, revoked: Refusal | None) -> None:
        """From now on, ``token`` is valid, or none is. Held polls are told."""
        with self._queue.lock:
            self.token, self.revoked = token, revoked
            self._queue.wake_all()

    def open(self) -> None:
        """Answer calls as they deserve."""
        self._is_open = True

    def close(self) -> None:
        """Answer every call with UNAVAILABLE, at once; held ones are told."""
        with self._queue.lock:
            self._is_open = False
            self._queue.wake_all()

    def answer_poll(
        self, token: str, call: PendingCall
    ) -> Delivery | Pause | Refusal | None:
        """The answer to GetTask; ``None`` is an empty Task.

        A delivery that could not be sent goes to ``put_back``.
        """
        with self._queue.lock:
            self._queue.polls += 1
            self._queue.announce()
        self._delay(call)
        decide = partial(self._decide, token)
        answer = self._queue.hold(call, decide, self._patience)
        if answer is None and self._behaviour.idle == "not_found":
            return Refusal(code="NOT_FOUND", details="no task")
        return answer

    def put_back(self, delivery: Delivery) -> None:
        """Keep a task for the next poll, because its call was gone."""
        self._queue.put_back(delivery)

    def answer_result(
        self, token: str, result: HubResult, call: PendingCall
    ) -> Delivery | Refusal | None:
        """The answer to SubmitTaskResult; ``None`` is an acknowledgement."""
        with self._queue.lock:
            refusal = self._refuse(token) or self._accept(result)
        self._delay(call)
        return refusal or self._reply(call)

    def _decide(self, token: str) -> Delivery | Pause | Refusal | None:
        if refusal := self._refuse(token):
            return refusal
        if self._poll_scripts:
            return self._poll_scripts.popleft()
        return self._take()

    def _patience(self) -> float:
        return self._behaviour.long_poll if self._behaviour.idle == "long_poll" else 0.0

    def _refuse(self, token: str) -> Refusal | None:
        if not self._is_open:
            return _STOPPED
        refusal = self.revoked
        if refusal is None and self.token is not None:
            same = hmac.compare_digest(token.encode(), self.token.encode())
            refusal = None if same else _WRONG_TOKEN
        if refusal is not None:
            self._queue.refused += 1
        return refusal

    def _accept(self, result: HubResult) -> Refusal | None:
        fault = self._find_fault(result.id)
        if fault is not None and not fault.recorded:
            return fault.refusal
        recorded = self._queue.record(result)
        if fault is not None:
            return fault.refusal
        return _NOT_WANTED.get(recorded)

    def _find_fault(self, task_id: str) -> SubmitFault | None:
        for fault in self._submit_faults:
            if fault.id is None or fault.id == task_id:
                self._submit_faults.remove(fault)
                return fault
        return None

    def _reply(self, call: PendingCall) -> Delivery | Refusal | None:
        with self._queue.lock:
            if not self._is_open:
                return _STOPPED
            if self._behaviour.next_on_submit and call.is_active():
                return self._take()
        return None

    def _take(self) -> Delivery | None:
        behaviour = self._behaviour
        return self._queue.take(lease=behaviour.lease, twice=behaviour.duplicates)

    def _delay(self, call: PendingCall) -> None:
        if self._behaviour.latency:
            call.add_callback(self._queue.announce)
            self._queue.wait_until(
                lambda: not (self._is_open and call.is_active()),
                self._behaviour.latency,
            )


_STOPPED = Refusal(code="UNAVAILABLE", details="the hub is stopping")
_WRONG_TOKEN = Refusal(code="UNAUTHENTICATED", details="this token is not valid")
_NOT_WANTED = {
    "unknown": Refusal(code="NOT_FOUND", details="no task has this id"),
    "again": Refusal(code="ALREADY_EXISTS", details="this task has its result"),
}
