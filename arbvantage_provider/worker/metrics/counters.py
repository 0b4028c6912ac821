"""What a worker counts while it runs, and whether its hub answers."""

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, get_args

from arbvantage_provider.clock import Clock
from arbvantage_provider.observe.unawaited import describe_bare
from arbvantage_provider.responses import Status
from arbvantage_provider.task import Oversized, Task
from arbvantage_provider.worker.call import EncodedResponse
from arbvantage_provider.worker.metrics.snapshot import LimitFigures, Snapshot, State


class Counters:
    """The counters of one worker; its slots keep them, on its loop.

    Args:
        clock: tells how long ago the hub answered.
        slots: how many tasks may be in flight.
        logger: told when the hub stops answering, and when it answers again.

    Attributes:
        state: how far the worker is.
        taken: how many tasks came.
        answered: how many of them the hub has the result of.
        by_status: how many have a response of each status.
        refused: how many of them have a result that the hub refused for good.
        oversized: how many tasks were too large to take.
        stuck: how many slots wait for a handler that is past its deadline.
        submitting: how many results the hub has not taken yet.
        deferred: how many of them are deferred.
    """

    def __init__(self, *, clock: Clock, slots: int, logger: Any) -> None:
        self.state: State = "new"
        self.taken = self.answered = self.refused = 0
        self.oversized: int = 0
        self.stuck = self.submitting = self.deferred = 0
        self.by_status: Counter[str] = Counter()
        self._clock = clock
        self._slots = slots
        self._logger = logger
        self._last_contact: float | None = None
        self._failing = False

    def snapshot(
        self,
        unanswered: int,
        *,
        is_blocked: bool,
        is_failing: bool,
        redelivered: int,
        limits: Mapping[str, LimitFigures],
    ) -> Snapshot:
        """All of them at this moment.

        Args:
            unanswered: how many tasks the hub waits for.
            is_blocked: whether something blocks the event loop.
            is_failing: whether the journal cannot be written.
            redelivered: how many deliveries were of a task in flight, or done.
            limits: the counters of the limits; ``""``: the provider's own.
        """
        can_work = self.stuck < self._slots and not (is_blocked or is_failing)
        contact = self._last_contact
        return Snapshot(
            state=self.state,
            healthy=can_work,
            slots=self._slots,
            slots_taken=unanswered + self.stuck,
            slots_stuck=self.stuck,
            results_waiting=self.submitting,
            results_parked=self.deferred,
            tasks_redelivered=redelivered,
            tasks_taken=self.taken,
            tasks_answered=self.answered,
            tasks_refused=self.refused,
            tasks_oversized=self.oversized,
            tasks_by_status={s: self.by_status[s] for s in get_args(Status)},
            since_contact=None
            if contact is None
            else self._clock.monotonic() - contact,
            rate_limit=limits[""].wait if "" in limits else 0.0,
            limits=limits,
        )

    def count_response(self, _: Task, encoded: EncodedResponse) -> None:
        """A task has a response."""
        self.by_status[encoded.status] += 1

    def note_oversized(self, task: Oversized | None) -> None:
        """A task was too large to take; ``None``: there was none."""
        if task is not None:
            self.oversized += 1
            self._logger.error("a task is too large to take", reason=task.reason)

    def note_problem(self, error: BaseException, task: Task | None = None) -> None:
        """Something went wrong that should not; there may be no memory to tell it."""
        with suppress(Exception):
            self._logger.error(
                "something went wrong on the way of a task",
                id=None if task is None else task.id[:200],
                **describe_bare(error),
            )

    def note_contact(self) -> None:
        """The hub answered."""
        self._last_contact = self._clock.monotonic()
        if self._failing:
            self._failing = False
            self._logger.info("the hub answers again")

    def note_failure(self, error: Exception) -> None:
        """The hub did not answer; only the first time in a row is logged."""
        if not self._failing:
            self._failing = True
            self._logger.warning(
                "the hub does not answer; trying on", reason=str(error)
            )
