"""One limit, and who passes it: the provider's, or an action's.

Visits to one limit form a lane, and the first of them asks the monitor, so permits go
out in the order of arrival. A monitor that reserves names a moment: the visit then
waits for it outside of the lane, while the next one asks.
"""

import asyncio
import math
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from arbvantage_provider.clock import Clock
from arbvantage_provider.exceptions import RateLimitedError
from arbvantage_provider.rate_limit import (
    PerKey,
    Reservation,
    ReservingRateLimitMonitor,
)
from arbvantage_provider.worker.call import TaskKeys
from arbvantage_provider.worker.limits.circuit_breaker import (
    GRANTED,
    LOG_INTERVAL,
    Health,
)
from arbvantage_provider.worker.limits.keys import NO_KEY, KeyReader
from arbvantage_provider.worker.limits.permit_acquirer import (
    BUSY_WAIT,
    SHORTEST_WAIT,
    Questions,
    Source,
)
from arbvantage_provider.worker.limits.wait_queue import (
    GRACE,
    UNKNOWN_WAIT,
    Lane,
    Visit,
)
from arbvantage_provider.worker.metrics.snapshot import LimitFigures
from arbvantage_provider.worker.runtime.backoff import Ending

MOST_CLOSED_KEYS: Final = 10_000
"""How many keys may be shut at once; beyond it, those that open soonest are open."""


class Closures:
    """Which keys of a limit are shut, and until when.

    Args:
        clock: tells when that is over.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[str | None, float] = {}

    @property
    def longest(self) -> float:
        """Seconds until all of it is open again."""
        until = max(tuple(self._until.values()), default=0.0)
        return max(until - self._clock.monotonic(), 0.0)

    def find_wait(self, key: str | None) -> float:
        """Seconds that a key is still shut; 0: it is open."""
        if not self._until or key not in self._until:
            return 0.0
        left = self._until[key] - self._clock.monotonic()
        if left <= 0:
            del self._until[key]
        return max(left, 0.0)

    def close(self, key: str | None, seconds: float) -> None:
        """Shut a key for so long, or for as long as it is shut anyway."""
        if len(self._until) >= MOST_CLOSED_KEYS:
            latest = sorted(self._until.items(), key=_read_until)[
                MOST_CLOSED_KEYS // 2 :
            ]
            self._until = dict(latest)
        moment = self._clock.monotonic() + seconds
        self._until[key] = max(self._until.get(key, 0.0), moment)

    def clear(self) -> None:
        """Open all of it."""
        self._until.clear()


def _read_until(item: tuple[object, float]) -> float:
    return item[1]


@dataclass(slots=True)
class _Counts:
    passed: int = 0
    refused: int = 0
    longest_wait: float = 0.0


class Gate:
    """Where tasks pass one limit.

    Args:
        source: the monitor, or what has one for each key; ``None``: no limit.
        name: what the limit is called in the log.
        opens: whether tasks pass while the monitor fails.
        slots: how many tasks may be in flight.
        clock: tells when a wait is over.
        ending: set when waiting is no longer worth it.
        logger: the provider's.
    """

    def __init__(  # noqa: PLR0913 - each is a part, or a setting, of its own
        self,
        source: Source,
        *,
        name: str,
        opens: bool,
        slots: int,
        clock: Clock,
        ending: Ending,
        logger: Any,
    ) -> None:
        self._name = name
        self._slots = slots
        self._clock = clock
        self._ending = ending
        self._logger = logger
        self._health = Health(name=name, opens=opens, clock=clock, logger=logger)
        self._keys = KeyReader(name=name, opens=opens, logger=logger)
        self._closures = Closures(clock)
        self._questions = self._make_questions(source)
        self._lanes: dict[str | None, Lane] = {}
        self._visits: dict[Visit, None] = {}
        self._returning: set[Visit] = set()
        self._leaving: set[asyncio.Future[None]] = set()
        self._counts = _Counts()
        self._due = self._logged = -math.inf

    def _make_questions(self, source: Source) -> Questions:
        return Questions(
            source,
            health=self._health,
            slots=self._slots,
            ending=self._ending,
            on_answer=self._pass_on,
        )

    @property
    def source(self) -> Source:
        """The monitor, or what has one for each key."""
        return self._questions.source

    @property
    def holds(self) -> bool:
        """Whether there is a limit, or it is shut."""
        return self._questions.source is not None or self._closures.longest > 0

    @property
    def tells(self) -> bool:
        """Whether it is, or was, more than an open gate."""
        return self.holds or self._counts.longest_wait > 0

    def replace(self, source: Source) -> None:
        """Keep to another limit; who waits looks again, in the same order."""
        self._leave_questions()
        self._health.reset()
        self._keys.reset()
        self._closures.clear()
        self._questions = self._make_questions(source)
        self._due = -math.inf
        for lane in self._lanes.values():
            lane.due = -math.inf
        # Some of them are on the way already, and those come back first.
        self._returning = set(self._visits)
        self.nudge()

    def _leave_questions(self) -> None:
        leaving = self._questions.leave()
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)

    def shut(self, seconds: float, keys: TaskKeys) -> None:
        """Let nothing pass for so long; of this task's key, where there are keys."""
        try:
            key = self._keys.read(self._questions.source, keys)
        except RateLimitedError:
            return
        if key == NO_KEY:
            return
        self._closures.close(key, seconds)
        self._logger.warning("limit closed", limit=self._name, wait=round(seconds, 3))
        self.nudge()

    async def close(self) -> None:
        """Give back what was reserved, and end whatever is asked."""
        self._leave_questions()
        await asyncio.wait(self._leaving)

    def nudge(self) -> None:
        """Something changed: all that wait look again."""
        for visit in tuple(self._visits):
            visit.nudge()

    # --- before a poll -------------------------------------------------------

    @property
    def counts(self) -> bool:
        """Whether the monitor may tell how many permits are free."""
        source = self._questions.source
        may_learn = isinstance(source, ReservingRateLimitMonitor)
        return may_learn or self._questions.free is not None

    async def look(self, polls: int) -> float:
        """Seconds until so many polls may be out at once; 0: they may now."""
        wait = await self._look()
        self._due = self._clock.monotonic() + wait
        if wait > 0:
            self._log_reached(wait)
        elif polls > 1 and self._questions.source is not None:
            free = self._questions.free
            return 0.0 if free is not None and free >= polls else SHORTEST_WAIT
        return wait

    async def _look(self) -> float:
        shut = self._closures.find_wait(None)
        if shut > 0:
            return shut
        if lane := self._lanes.get(None):
            # Tasks that are here already wait: one more would wait behind them.
            return max(lane.due - self._clock.monotonic(), BUSY_WAIT)
        if self._questions.is_stuck:
            return BUSY_WAIT
        found = await self._questions.look()
        return 0.0 if found.granted else found.wait

    # --- before a handler runs -----------------------------------------------

    def try_pass(self, keys: TaskKeys) -> bool:
        """Pass if that takes no waiting, as it does for most.

        Raises:
            RateLimitedError: if the task's key cannot be read, and so it may not pass.
        """
        try:
            key = self._keys.read(self._questions.source, keys)
        except RateLimitedError as error:
            self._note_refusal(error.wait_time)
            raise
        if key == NO_KEY:
            return True
        if key in self._lanes or self._returning or self._health.failing:
            return False
        if self._closures.find_wait(key):
            return False
        found = self._questions.ask_now(key, 0.0)
        if found is None or not found.granted:
            return False
        self._counts.passed += 1
        return True

    @property
    def is_shut(self) -> bool:
        """Whether a handler closed it, without a key, and that is not over yet."""
        return self._closures.find_wait(None) > 0

    async def wait_until_open(self, visit: Visit) -> None:
        """Wait while all of it is shut.

        Raises:
            RateLimitedError: if the provider stops.
        """
        with self._entered(visit):
            while (shut := self._closures.find_wait(None)) > 0:
                await visit.wait(shut)

    async def enter(self, visit: Visit, keys: TaskKeys) -> None:
        """Wait for a permit, in the order of arrival.

        Raises:
            RateLimitedError: if none is free in time, no more may wait, or the
                provider stops.
        """
        with self._entered(visit):
            while not await self._try_enter(visit, keys):
                pass
        self._counts.passed += 1

    async def _try_enter(self, visit: Visit, keys: TaskKeys) -> bool:
        """``False``: there is another limit now, or it was shut meanwhile."""
        self._note_return(visit)
        questions = self._questions
        visit.key = self._keys.read(questions.source, keys)
        if visit.key == NO_KEY:
            return True
        found = await self._queue(visit, questions)
        if found is None or found.wait <= 0:
            return found is not None
        return await self._wait_for(found, visit, questions)

    @contextmanager
    def _entered(self, visit: Visit) -> Generator[None]:
        self._visits[visit] = None
        try:
            yield
        except RateLimitedError as error:
            if not self._ending.is_set():
                self._note_refusal(error.wait_time)
            raise
        finally:
            visit.leave()
            del self._visits[visit]
            self._note_return(visit)
            waited = self._clock.monotonic() - visit.began
            self._counts.longest_wait = max(self._counts.longest_wait, waited)

    def _note_return(self, visit: Visit) -> None:
        """One more looks at the limit that there is now; the last one lets all begin."""
        if visit in self._returning:
            self._returning.discard(visit)
            if not self._returning:
                self.nudge()

    async def _queue(self, visit: Visit, questions: Questions) -> Reservation | None:
        """A permit, in the order of the lane; ``None``: there is another limit now."""
        lane = self._lanes.setdefault(visit.key, Lane())
        lane.join(visit)
        try:
            while questions is self._questions:
                if lane.visits[0] is not visit or self._returning:
                    await visit.wait(max(lane.due - self._clock.monotonic(), 0.0))
                    continue
                found = self._ask(visit, questions)
                if found is None:
                    found = await self._wait_for_answer(lane, visit, questions)
                if found is None:
                    continue
                if found.granted:
                    return found
                self._note_wait(lane, found.wait)
                await visit.wait(found.wait)
            return None
        finally:
            self._leave(lane, visit, questions)

    def _ask(self, visit: Visit, questions: Questions) -> Reservation | None:
        shut = self._closures.find_wait(visit.key)
        if shut > 0:
            return Reservation(granted=False, wait=shut)
        return questions.ask(visit.key, visit.left if visit.may_wait else 0.0)

    def _note_wait(self, lane: Lane, wait: float) -> None:
        """Those behind may see now that they wait in vain."""
        now = self._clock.monotonic()
        is_news = now + wait > lane.due + SHORTEST_WAIT
        lane.due, lane.heard = now + wait, now
        self._log_reached(wait)
        if is_news:
            lane.nudge()

    def _leave(self, lane: Lane, visit: Visit, questions: Questions) -> None:
        lane.visits.remove(visit)
        if lane.visits:
            lane.visits[0].nudge()
        else:
            del self._lanes[visit.key]
            questions.forget(visit.key)

    def _pass_on(self, key: str | None) -> bool:
        """Tell the first of a lane that there is an answer; whether there is one."""
        lane = self._lanes.get(key)
        if lane is not None:
            lane.visits[0].nudge()
        return lane is not None

    # --- waiting -------------------------------------------------------------

    async def _wait_for_answer(
        self, lane: Lane, visit: Visit, questions: Questions
    ) -> Reservation | None:
        """Wait for the monitor, which was asked; what holds if it says nothing.

        Raises:
            RateLimitedError: if nothing holds.
        """
        silent = self._clock.monotonic() - max(visit.began, lane.heard)
        if silent < visit.silence:
            await visit.wait(at_most=visit.silence - silent)
        elif visit.left == math.inf and await questions.waits_rightly(visit.key):
            lane.heard = self._clock.monotonic()
        elif questions.give_up(visit.key).granted:
            return GRANTED
        else:
            raise RateLimitedError(UNKNOWN_WAIT)
        return None

    async def _wait_for(
        self, found: Reservation, visit: Visit, questions: Questions
    ) -> bool:
        """Wait for the moment of a permit; ``False``: it does not count any more."""
        moment = self._clock.monotonic() + found.wait
        came, held = False, questions.hold()
        try:
            while not came:
                wait = moment - self._clock.monotonic()
                if wait > visit.left + GRACE:
                    # It was asked for by one before, who had more time; or the
                    # provider stops.
                    raise RateLimitedError(wait)
                self._due = max(self._due, moment)
                self._log_reached(wait)
                came = await visit.sleep(wait)
                if (
                    questions is not self._questions
                    or self._closures.find_wait(visit.key) > 0
                ):
                    came = False
                    break
        finally:
            if not came:
                questions.give_back(visit.key, found)
            held.cancel()
        return came

    # --- figures -------------------------------------------------------------

    def _note_refusal(self, wait: float) -> None:
        self._counts.refused += 1
        self._log_reached(wait)

    def _log_reached(self, wait: float) -> None:
        now = self._clock.monotonic()
        if now < self._logged + LOG_INTERVAL:
            return
        self._logged = now
        figures = self.describe()
        self._logger.info(
            "limit reached",
            limit=self._name,
            wait=round(wait, 3),
            free=figures.free,
            waiting=figures.waiting,
            refused=figures.refused,
        )

    def describe(self) -> LimitFigures:
        """The figures of this moment; from any thread."""
        source = self._questions.source
        lanes = tuple(self._lanes.values())
        due = max([self._due, *(lane.due for lane in lanes)])
        return LimitFigures(
            free=self._questions.free,
            keys=source.keys if isinstance(source, PerKey) else None,
            wait=max(due - self._clock.monotonic(), 0.0),
            waiting=len(self._visits),
            longest_wait=self._counts.longest_wait,
            passed=self._counts.passed,
            refused=self._counts.refused,
            closed_for=self._closures.longest,
            errors=self._health.errors + self._keys.errors,
        )
