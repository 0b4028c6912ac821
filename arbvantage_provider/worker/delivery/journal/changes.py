"""The changes of a journal: what is written of a task, as statements of SQL."""

from typing import Any, Final, TypeAlias

from arbvantage_provider.task import Task

_ARRIVED: Final = (
    "INSERT INTO task (number, digest, id, action, arrived) VALUES (?, ?, ?, ?, ?)"
)
_ARRIVED_AND_STARTED: Final = (
    "INSERT INTO task (number, digest, id, action, arrived, started, runs)"
    " VALUES (?, ?, ?, ?, ?, ?, 1)"
)
_CONTENT: Final = "INSERT INTO content VALUES (?, ?, ?)"
_STARTED: Final = "UPDATE task SET started = ?, runs = runs + 1 WHERE number = ?"
_WITHDRAWN: Final = "UPDATE task SET started = NULL, runs = runs - 1 WHERE number = ?"
_ANSWERED: Final = "UPDATE task SET status = ?, result = ? WHERE number = ?"
_TAKEN: Final = "UPDATE task SET taken = ? WHERE number = ?"
_OVERWRITTEN: Final = "DELETE FROM content WHERE number = ?"
_FORGOTTEN: Final = "DELETE FROM task WHERE number = ?"
_CORRECTED: Final = (
    "UPDATE task SET arrived = min(arrived, ?), taken = min(taken, ?)"
    " WHERE typeof(arrived) = 'real' AND arrived > ? OR taken > ?"
)

Change: TypeAlias = tuple[str, tuple[Any, ...]]
"""One of the statements above, and what it is given."""


def arrive(number: int, digest: bytes, task: Task, *, now: float) -> list[Change]:
    """A task came."""
    return [
        (_ARRIVED, (number, digest, task.id, task.action, now)),
        (_CONTENT, (number, task.payload, task.account)),
    ]


def start(number: int, *, now: float) -> list[Change]:
    """The handler of a task is about to be called."""
    return [(_STARTED, (now, number))]


def start_at_once(arrival: Change, *, now: float) -> Change:
    """The first statement of ``arrive``, where the handler is called in the same commit.

    One statement less for nearly every task.
    """
    _, values = arrival
    return (_ARRIVED_AND_STARTED, (*values, now))


def withdraw(number: int) -> list[Change]:
    """The handler was not called, after all."""
    return [(_WITHDRAWN, (number,))]


def answer(number: int, status: str, text: bytes) -> list[Change]:
    """A task has an answer."""
    return [(_ANSWERED, (status, text, number))]


def mark_delivered(number: int, *, now: float) -> list[Change]:
    """The hub took the answer, or refused it for good."""
    return [(_TAKEN, (now, number)), (_OVERWRITTEN, (number,))]


def forget(number: int) -> list[Change]:
    """Nothing is kept of a task."""
    return [(_FORGOTTEN, (number,)), (_OVERWRITTEN, (number,))]


def expire(number: int) -> list[Change]:
    """Nothing more is kept of a task that was marked as delivered."""
    return [(_FORGOTTEN, (number,))]


def correct(*, now: float) -> list[Change]:
    """Moments that are ahead are now: the clock was once wrong."""
    return [(_CORRECTED, (now,) * 4)]
