"""The figures of one moment in a provider's life."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

State = Literal["new", "connecting", "running", "stopping", "stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitFigures:
    """How one limit stands: the provider's, or an action's.

    Attributes:
        free: how many permits are free; ``None``: the monitor does not tell, or there
            are keys.
        keys: how many keys have a monitor of their own now; ``None``: no keys.
        wait: seconds until a permit is free, as far as is known; 0: one is.
        waiting: how many tasks, and handlers, wait for a permit.
        longest_wait: seconds; the longest that one of them waited since the start.
        passed: how many have received a permit.
        refused: how many have not, so that they were answered with ``limit``.
        closed_for: seconds that it stays closed by a handler; 0: it is open.
        errors: how often the monitor raised or did not answer, or a key could not be
            read.
    """

    free: int | None = None
    keys: int | None = None
    wait: float = 0.0
    waiting: int = 0
    longest_wait: float = 0.0
    passed: int = 0
    refused: int = 0
    closed_for: float = 0.0
    errors: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """How a provider stands.

    Attributes:
        state: ``new`` until it is started, then as the words say.
        healthy: ``False`` while every slot is stuck, a handler blocks the loop, or
            the journal cannot be written.
        slots: how many tasks may be in flight.
        slots_taken: how many are, those whose results wait for the hub included.
        slots_stuck: how many of them wait for a handler that is past its deadline.
        results_waiting: how many results the hub has not taken yet.
        results_parked: how many of them are parked: they are sent again more rarely.
        tasks_taken: how many tasks came since the start.
        tasks_answered: how many of them the hub has the result of.
        tasks_refused: how many of them have a result that the hub refused for good.
        tasks_redelivered: how many deliveries were of a task in flight, or done.
        tasks_oversized: how many others were too large to take.
        tasks_by_status: how many have an answer of each status, sent or not.
        since_contact: seconds since the hub last answered, or ``None``.
        rate_limit: what the provider's monitor said last: seconds to wait.
        limits: the limits by the names of their actions; ``""``: the provider's own.
        log_lines_dropped: how many log lines could not be written, of all runs.
    """

    state: State = "new"
    healthy: bool = True
    slots: int = 0
    slots_taken: int = 0
    slots_stuck: int = 0
    results_waiting: int = 0
    results_parked: int = 0
    tasks_taken: int = 0
    tasks_answered: int = 0
    tasks_refused: int = 0
    tasks_redelivered: int = 0
    tasks_oversized: int = 0
    tasks_by_status: Mapping[str, int] = field(default_factory=dict[str, int])
    since_contact: float | None = None
    rate_limit: float = 0.0
    limits: Mapping[str, LimitFigures] = field(default_factory=dict[str, LimitFigures])
    log_lines_dropped: int = 0
