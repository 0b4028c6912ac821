"""The handle of a task that was submitted to the embedded hub."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

from typing_extensions import override

from arbvantage_provider.local_hub.queue import QueuedTask, TaskQueue
from arbvantage_provider.local_hub.results import HubResult
from arbvantage_provider.task import Task

Content = Mapping[str, Any] | bytes | str
"""A mapping becomes JSON; bytes go out as they are, text as its UTF-8 bytes."""


class TaskHandle:
    """One task: what became of it, and what to do with it.

    Attributes:
        id: the task's id.
        action: the task's action, as submitted.
    """

    def __init__(self, queue: TaskQueue, queued: QueuedTask) -> None:
        self._queue = queue
        self._queued = queued
        self.id: str = queued.task.id
        self.action: str = queued.task.action

    @property
    def results(self) -> tuple[HubResult, ...]:
        """Every result that was recorded for the task's id, in order."""
        with self._queue.lock:
            return tuple(self._queued.results)

    @property
    def handed_out(self) -> int:
        """How many times the task was handed out."""
        return self._queued.handed_out

    def result(self, timeout: float | None = 10) -> HubResult:
        """Wait for the first result.

        Args:
            timeout: seconds to wait; ``None``: for ever.

        Raises:
            TimeoutError: if there is no result by then; the message says how
                far the task came.
        """
        results = self._queued.results
        wait(
            self._queue,
            lambda: bool(results),
            timeout,
            complaint="no result",
            tasks=[self._queued],
        )
        return results[0]

    def redeliver(
        self,
        *,
        action: str | None = None,
        payload: Content | None = None,
        account: Content | None = None,
    ) -> None:
        """Hand the task out once more, whatever became of it so far.

        Args:
            action: another action than the first time; left out: the same.
            payload: another payload; left out: the same.
            account: another account; left out: the same. A provider takes an
                id that comes with other content for another task.
        """
        first = self._queued.task
        task = Task(
            id=first.id,
            action=first.action if action is None else action,
            payload=first.payload if payload is None else encode_content(payload),
            account=first.account if account is None else encode_content(account),
        )
        self._queue.repeat(self._queued, task)

    @override
    def __repr__(self) -> str:
        return (
            f"<TaskHandle {self.id!r}: action {self.action!r}, "
            f"handed out {self.handed_out}, results {len(self.results)}>"
        )


def encode_content(content: Content) -> bytes:
    """The bytes of a payload or an account.

    Raises:
        TypeError: if it is neither mapping, bytes nor text, or holds something
            that JSON does not know.
        ValueError: if it holds NaN, an infinity, a lone surrogate or a cycle.
    """
    if isinstance(content, bytes):
        return content
    if isinstance(content, str):
        return content.encode()
    return _encode_mapping(content)


def _encode_mapping(content: object) -> bytes:
    if not isinstance(content, Mapping):
        problem = (
            f"a payload or account is a mapping, not {type(content).__name__}; "
            "to send something else on purpose, give its bytes"
        )
        raise TypeError(problem)
    members = dict(cast("Mapping[str, object]", content))
    text = json.dumps(
        members, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    )
    return text.encode()


def wait(
    queue: TaskQueue,
    condition: Callable[[], bool],
    timeout: float | None,
    *,
    complaint: str,
    tasks: Sequence[QueuedTask] = (),
) -> None:
    """Wait for a condition, at most ``timeout`` seconds.

    Raises:
        TimeoutError: if it did not come true; it begins with ``complaint`` and
            says how far ``tasks``, or all tasks without a result, came.
    """
    if not queue.wait_until(condition, timeout):
        story = "; ".join(_explain(queue, tasks or queue.unanswered()))
        problem = f"{complaint} after {timeout:g} s: {story}"
        raise TimeoutError(problem)


def _explain(queue: TaskQueue, tasks: Sequence[QueuedTask]) -> Iterator[str]:
    with queue.lock:
        yield from (_explain_one(queued) for queued in tasks[:_TOLD])
        if len(tasks) > _TOLD:
            yield f"and {len(tasks) - _TOLD} more tasks"
        yield f"the hub was polled {_times(queue.polls)}"
        if queue.refused:
            yield f"a wrong token was shown {_times(queue.refused)}"


_TOLD = 5


def _explain_one(queued: QueuedTask) -> str:
    name = f"{queued.task.id!r} ({queued.task.action})"
    if not queued.handed_out:
        return f"{name} was never handed out"
    return f"{name} was handed out {_times(queued.handed_out)}, but not answered"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
