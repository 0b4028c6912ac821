"""What worker and hub share: a task, its result, and the hub's replies."""

from dataclasses import dataclass
from typing import NamedTuple

from typing_extensions import override


class Task(NamedTuple):
    """One task, as the hub handed it out."""

    id: str
    action: str
    payload: bytes
    account: bytes = b""

    @override
    def __repr__(self) -> str:
        # The account is secret, and a payload may be.
        return f"Task(id={self.id!r}, action={self.action!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """The hub asks this provider not to poll for ``seconds``."""

    seconds: float


class Result(NamedTuple):
    """The terminal result of one task.

    Attributes:
        task: the task it answers; its texts are echoed to the hub.
        status: ``success``, ``error``, ``warning`` or ``limit``.
        text: the JSON text of the response, in UTF-8.
    """

    task: Task
    status: str
    text: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Oversized:
    """The hub handed out a task that is larger than this side takes.

    It is gone, unless the hub leases: there is no id to answer it by.

    Attributes:
        reason: the status and gRPC's words, with both sizes.
    """

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The hub took a result.

    Attributes:
        next_task: the task that came with the answer, if one did.
        oversized: where that was too large to take.
    """

    next_task: Task | None = None
    oversized: Oversized | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The hub will not take a result, however often it is sent.

    Attributes:
        reason: the status and the hub's words.
        too_large: whether a smaller result may be taken.
        is_known: whether the hub says that it has the result of this task.
    """

    reason: str
    too_large: bool = False
    is_known: bool = False
