"""The behaviour of the embedded hub: which of the lawful ways it takes."""

from dataclasses import dataclass, fields
from typing import Literal, get_args

from typing_extensions import override

from arbvantage_provider.exceptions import ConfigError, nearest_name

Idle = Literal["empty", "not_found", "long_poll"]


@dataclass(kw_only=True, eq=False, repr=False)
class Behaviour:
    """How a local hub behaves. Each attribute may be set at any time.

    Attributes:
        idle: what a poll is answered with when there is no task: an ``empty``
            Task, the status ``not_found``, or nothing until a task comes
            (``long_poll``).
        long_poll: seconds that a poll is held, before an empty Task ends it.
        lease: seconds after which a task that was handed out and has no result
            is queued again; ``None``: never.
        duplicates: whether every task is handed out twice in a row.
        next_on_submit: whether the reply to a result is the next task.
        acknowledge_with_id: whether the reply to a result, when it is no task,
            holds the id just submitted; otherwise it is an empty Task.
        latency: seconds that each answer is late. A result is recorded at once,
            a task is only chosen after that time.
    """

    idle: Idle = "empty"
    long_poll: float = 10.0
    lease: float | None = None
    duplicates: bool = False
    next_on_submit: bool = False
    acknowledge_with_id: bool = False
    latency: float = 0.0

    @override
    def __setattr__(self, name: str, value: object) -> None:
        if name == "idle":
            _check_idle(value)
        elif name in {"long_poll", "lease", "latency"}:
            _check_seconds(name, value)
        super().__setattr__(name, value)
        if name in NAMES:
            self._switched()

    def _switched(self) -> None:
        """Called after a switch was set."""


NAMES = frozenset(field.name for field in fields(Behaviour))


def _check_idle(value: object) -> None:
    choices: tuple[str, ...] = get_args(Idle)
    if value not in choices:
        nearest = nearest_name(str(value), choices)
        hint = f"; did you mean {nearest!r}?" if nearest else ""
        problem = f"idle is {value!r}; give one of {', '.join(choices)}{hint}"
        raise ConfigError(problem)


def _check_seconds(name: str, value: object) -> None:
    if value is None and name == "lease":
        return
    if not isinstance(value, int | float) or not value >= 0:
        problem = f"{name} is {value!r}; give seconds, at least 0"
        raise ConfigError(problem)
