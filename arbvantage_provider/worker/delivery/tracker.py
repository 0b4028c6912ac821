"""What became of each task: which ones are in flight, and which ones are done.

A task that is delivered twice (id, action, payload and account alike) is run once.
With a journal all of it is in a file as well, and outlives the process.
"""

import datetime as dt
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from arbvantage_provider.clock import Clock
from arbvantage_provider.exceptions import JournalError
from arbvantage_provider.task import Result, Task

if TYPE_CHECKING:  # SQLite is imported where there is a journal
    from arbvantage_provider.worker.delivery.journal import JournalWriter, Row


MOST_REFUSED: Final = 1_000
MOST_RUNS: Final = 3
"""How often an idempotent handler may begin, before it counts as what kills the
process."""
LONGEST_ID: Final = 200
"""Characters of an id that is kept as it is."""
UNTOLD: Final = (
    b'{"status":"error","data":null,'
    b'"message":"the task failed, and its error cannot be told"}'
)
OpenJournal: TypeAlias = "Callable[[], JournalWriter] | None"
"""Opens the file, on the loop; ``None``: there is no journal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How much is kept of tasks that are done; the oldest go first.

    Attributes:
        tasks: how many of them.
        size: bytes of their results, in all.
        seconds: how long.
    """

    tasks: int
    size: int
    seconds: float


IN_MEMORY: Final = Retention(tasks=1_000, size=1_000_000, seconds=86_400)
IN_JOURNAL: Final = Retention(tasks=10_000, size=64_000_000, seconds=86_400)


class FinishedTask(NamedTuple):
    """One task that is done.

    Attributes:
        number: its row in the journal.
        size: bytes of its result.
        taken: when the hub took it, in seconds since 1970.
        answer: its status and its result; ``None``: they are in the journal.
        repeats: how often it was delivered since.
    """

    number: int
    size: int
    taken: float
    answer: tuple[str, bytes] | None = None
    repeats: int = 0


class Refusals:
    """Tasks that were answered and not done, as by a limit; they are decided anew.

    Args:
        monotonic: a clock, in seconds.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._known: OrderedDict[bytes, tuple[int, float]] = OrderedDict()

    def count(self, digest: bytes) -> tuple[int, float]:
        """How often one was refused before, and how many seconds ago the last time."""
        times, moment = self._known.get(digest, (0, 0.0))
        return times, self._monotonic() - moment

    def note(self, digest: bytes) -> None:
        """One is refused now."""
        times, _ = self._known.pop(digest, (0, 0.0))
        self._known[digest] = (times + 1, self._monotonic())
        if len(self._known) > MOST_REFUSED:
            self._known.popitem(last=False)


class DedupCache:
    """Tasks that are done, by their digests, within a retention."""

    def __init__(self, retention: Retention) -> None:
        self._retention = retention
        self._finished: OrderedDict[bytes, FinishedTask] = OrderedDict()
        self._size = 0

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._finished

    def count(self, digest: bytes) -> FinishedTask | None:
        """What is kept of a task that is delivered, and counts that; if anything."""
        finished = self._finished.get(digest)
        if finished is not None:
            finished = self._finished[digest] = finished._replace(
                repeats=finished.repeats + 1
            )
        return finished

    def keep(self, digest: bytes, finished: FinishedTask) -> list[FinishedTask]:
        """Keep one more; those that have to go for it, or itself if it is too large."""
        if finished.size > self._retention.size:
            return [finished]
        before = self._finished.pop(digest, None)
        if before is not None:
            self._size -= before.size
        self._finished[digest] = finished
        self._size += finished.size
        return self.drop_old(finished.taken)

    def drop_old(self, now: float) -> list[FinishedTask]:
        """Those that have to go by now, in seconds since 1970."""
        gone: list[FinishedTask] = []
        if self._finished and next(iter(self._finished.values())).taken > now:
            self._correct(now)
        while self._finished and self._is_over(now):
            _, old = self._finished.popitem(last=False)
            self._size -= old.size
            gone.append(old)
        return gone

    def _correct(self, now: float) -> None:
        """The clock was ahead: what is from later than now would be kept for ever."""
        for digest, finished in self._finished.items():
            if finished.taken > now:
                self._finished[digest] = finished._replace(taken=now)

    def _is_over(self, now: float) -> bool:
        most = self._retention
        oldest = next(iter(self._finished.values()))
        too_many = len(self._finished) > most.tasks or self._size > most.size
        return too_many or now - oldest.taken > most.seconds


class TrackedTask:
    """One task in flight.

    Attributes:
        task: the task; of one from the journal only its names, until it is taken.
        digest: of all that the hub sent of it; with a journal, the same in each run.
        number: its row in the journal.
        written: the change to the journal that it came with.
        arrived: seconds since 1970, of one from the journal; else ``None``.
        runs: how many times its handler was begun, before this process too.
        result: its result, once there is one.
        is_repeated: whether the hub may have the result already.
        repeats: how often it was delivered since it was done.
        again: the same task, if it was delivered once more in the meantime.
    """

    __slots__ = (
        "again",
        "arrived",
        "digest",
        "is_repeated",
        "number",
        "repeats",
        "result",
        "runs",
        "task",
        "written",
    )

    def __init__(self, task: Task, digest: bytes) -> None:
        self.task: Task = task
        self.digest: bytes = digest
        self.number: int = 0
        self.written: int = 0
        self.runs: int = 0
        self.arrived: float | None = None
        self.result: Result | None = None
        self.is_repeated: bool = False
        self.repeats: int = 0
        self.again: Task | None = None

    @property
    def is_recovered(self) -> bool:
        """Whether it is from the journal, and a process of before was given it."""
        return self.arrived is not None


class TaskTracker:
    """What became of the tasks of one provider.

    Args:
        clock: tells how old a task is.
        open_journal: opens the journal; ``None``: there is none.
        max_age: seconds after which a task from the journal is not run any more.

    Attributes:
        redelivered: how many deliveries were of a task in flight, or done.
        refusals: which tasks were answered, and will be decided anew.
    """

    def __init__(
        self, *, clock: Clock, open_journal: OpenJournal, max_age: float
    ) -> None:
        self.redelivered: int = 0
        self.refusals: Refusals = Refusals(clock.monotonic)
        self._clock = clock
        self._open_journal = open_journal
        self._digest = _digest_briefly if open_journal is None else digest_task
        self._max_age = max_age
        self._journal: JournalWriter | None = None
        self._again: dict[bytes, Result] = {}
        self._in_flight: dict[bytes, TrackedTask] = {}
        self._cache = DedupCache(IN_MEMORY if open_journal is None else IN_JOURNAL)
        self._aside: set[bytes] = set()
        self._released: set[bytes] = set()
        self._numbers = 0
        self._latest = 0.0

    def open(self) -> list[TrackedTask]:
        """Open the journal; the tasks in it that the hub waits for, oldest first.

        Raises:
            JournalError: if the file cannot be used.
        """
        if self._open_journal is None:
            return []
        journal = self._journal = self._open_journal()
        self._numbers = journal.store.find_last_number()
        now, is_ahead = self._now(), False
        found: list[TrackedTask] = []
        damaged: list[Row] = []
        for row in journal.store.list_rows():
            is_ahead = is_ahead or max(row.arrived, row.taken or 0.0) > now
            if row.problem is not None or row.digest in self._in_flight:
                damaged.append(row)  # where it is sound, two have one digest
                self._set_aside(TrackedTask(_name(row), row.digest))
            elif row.taken is None:
                found.append(self._recover(row, now))
            else:
                self._recall(row, row.taken, now)
        if is_ahead:
            journal.correct(now=now)
        if damaged:
            journal.report_damaged(damaged)
        self._expire(self._cache.drop_old(self._now()))
        return found

    def _recover(self, row: "Row", now: float) -> TrackedTask:
        """The tracked task of a row whose result the hub has not taken."""
        tracked = self._in_flight[row.digest] = TrackedTask(_name(row), row.digest)
        tracked.number, tracked.runs = row.number, row.runs
        tracked.arrived = min(row.arrived, now)
        tracked.is_repeated = row.status is not None
        return tracked

    def _recall(self, row: "Row", taken: float, now: float) -> None:
        """Keep the result of a row that is done for the rest of its time.

        The clock may have been wrong then: no row is from later than now, or from
        before one that came earlier.
        """
        self._latest = max(self._latest, min(taken, now))
        self._keep(row.digest, FinishedTask(row.number, row.size, self._latest))

    def _set_aside(self, tracked: TrackedTask) -> None:
        """Neither run nor answer a task; when it comes again, it is in flight."""
        if tracked.digest and tracked.digest not in self._in_flight:
            self._in_flight[tracked.digest] = tracked
            self._aside.add(tracked.digest)

    @property
    def is_lasting(self) -> bool:
        """Whether there is a journal, so that the next start finds what is left."""
        return self._open_journal is not None

    @property
    def failing(self) -> bool:
        """Whether the journal cannot be written; no task should be taken then."""
        return self._journal is not None and self._journal.failing

    def take(self, work: Task | TrackedTask) -> TrackedTask | None:
        """The tracked task of a task that came; ``None``: it is in flight already."""
        if isinstance(work, TrackedTask):
            return work if not work.is_recovered or self._load(work) else None
        digest = self._digest(work)
        known = self._in_flight.get(digest)
        if known is not None:
            self.redelivered += 1
            if digest in self._released:
                self._released.discard(digest)
                return self.take(known)
            known.again = work
            return None
        tracked = TrackedTask(work, digest)
        try:
            tracked.result = self._find_result(tracked)
        except JournalError as error:
            self._in_flight[digest] = tracked
            self._report_aside(tracked, error)
            return None
        self._in_flight[digest] = tracked
        if tracked.result is not None:
            tracked.is_repeated = True
        elif self._journal is not None:
            self._numbers = tracked.number = self._numbers + 1
            try:
                tracked.written = self._journal.note_arrival(
                    tracked.number, digest, work, now=self._now()
                )
            except BaseException:
                del self._in_flight[digest]
                raise
        return tracked

    def _load(self, tracked: TrackedTask) -> bool:
        """Read the rest of a task from the journal; whether it can be read."""
        if self._journal is not None:
            store = self._journal.store
            try:
                tracked.task = store.read_task(tracked.number)
                if tracked.is_repeated:
                    tracked.result = Result(
                        tracked.task, *store.read_answer(tracked.number)
                    )
            except JournalError as error:
                self._report_aside(tracked, error)
                return False
            except BaseException:
                self.release(tracked)
                raise
        return True

    def _report_aside(self, tracked: TrackedTask, error: JournalError) -> None:
        """A row that could be read at the start cannot be read any more."""
        self._aside.add(tracked.digest)
        if self._journal is not None:
            self._journal.report_aside(tracked.task.id, error)

    def _find_result(self, tracked: TrackedTask) -> Result | None:
        """The result of the same task, if it is done."""
        finished = None
        if tracked.digest in self._cache:
            self._expire(self._cache.drop_old(self._now()))
            finished = self._cache.count(tracked.digest)
        if finished is not None:
            tracked.repeats = finished.repeats
        if tracked.digest in self._again:
            return self._again.pop(tracked.digest)
        if finished is None:
            return None
        self.redelivered += 1
        tracked.number, answer = finished.number, finished.answer
        if answer is None and self._journal is not None:
            answer = self._journal.store.read_answer(finished.number)
        return None if answer is None else Result(tracked.task, *answer)

    def release(self, tracked: TrackedTask) -> None:
        """Nobody handles a task any more: its next delivery is handled.

        Its handler is not called a second time.
        """
        if tracked.runs and tracked.result is None:
            tracked.result = Result(tracked.task, "error", UNTOLD)
        self._released.add(tracked.digest)

    def is_open(self, tracked: TrackedTask) -> bool:
        """Whether the hub still waits for a task."""
        return self._in_flight.get(tracked.digest) is tracked

    def judge(self, tracked: TrackedTask, *, idempotent: bool) -> str | None:
        """Why a task from the journal is not run, in words; ``None``: it is.

        Args:
            tracked: the task.
            idempotent: whether its action says that it may be run again.
        """
        is_old = self._now() - (tracked.arrived or 0.0) > self._max_age
        if not tracked.runs:
            waited = f"it waited in the journal for more than {self._max_age:g} s"
            return f"was not run: {waited}" if is_old else None
        if idempotent and not is_old and tracked.runs < MOST_RUNS:
            return None
        times = f", {tracked.runs} times" if tracked.runs > 1 else ""
        return (
            f"was interrupted: the provider died while it ran{times}; "
            "whether it took effect is not known"
        )

    async def begin(self, tracked: TrackedTask) -> bool:
        """Note that the handler is about to be called; whether it may be.

        It may not where that cannot be written, and the provider stops.
        """
        # Before the file is waited for, which a stop may interrupt.
        tracked.runs += 1
        if self._journal is not None:
            self._journal.note_start(tracked.number, now=self._now())
            if not await self._journal.try_flush():
                self.withdraw(tracked)
                return False
        return True

    def withdraw(self, tracked: TrackedTask) -> None:
        """Note that the handler was not called, after all."""
        tracked.runs -= 1
        if self._journal is not None:
            self._journal.note_withdrawal(tracked.number)

    async def note_result(self, tracked: TrackedTask, result: Result) -> None:
        """Note a task's result, before the hub is given it."""
        if self._journal is not None:
            self._journal.note_answer(tracked.number, result)
        tracked.result = result
        if self._journal is not None:
            await self._journal.flush()

    def finish(self, tracked: TrackedTask, result: Result) -> Task | None:
        """The hub has the result, or will never take it.

        Returns:
            The same task, where it was delivered once more in the meantime.
        """
        # What was answered without a handler is decided anew when it comes again.
        is_stored = tracked.is_repeated and not tracked.is_recovered
        is_over = bool(tracked.runs) and result.status != "limit"
        if is_over:
            self._keep_result(tracked, result)
        elif self._journal is not None and tracked.digest not in self._cache:
            self._journal.forget(tracked.number)
        if tracked.again is not None and (is_over or is_stored):
            self._again[tracked.digest] = result
        # The last step: where one before it fails, the result is sent once more.
        del self._in_flight[tracked.digest]
        return tracked.again

    def _keep_result(self, tracked: TrackedTask, result: Result) -> None:
        now = self._now()
        answer = None
        if self._journal is None:
            answer = (result.status, result.text)
        else:
            self._journal.note_taken(tracked.number, now=now)
        self._keep(
            tracked.digest, FinishedTask(tracked.number, len(result.text), now, answer)
        )

    def _keep(self, digest: bytes, finished: FinishedTask) -> None:
        self._expire(self._cache.keep(digest, finished))

    def _expire(self, gone: list[FinishedTask]) -> None:
        if self._journal is not None:
            for old in gone:
                self._journal.expire(old.number)

    def list_left(self) -> list[TrackedTask]:
        """The tasks that the hub waits for, without those that were set aside.

        Of one that came again after it was done, the hub has the result.
        """
        return [
            tracked
            for tracked in self._in_flight.values()
            if tracked.digest not in self._aside
            and (tracked.is_recovered or not tracked.is_repeated)
        ]

    def keeps(self, tracked: TrackedTask) -> bool:
        """Whether a task that the hub waits for is in the file, for the next start."""
        journal = self._journal
        if journal is None or journal.is_gone:
            return False
        return journal.committed >= tracked.written

    def hurry(self) -> None:
        """The provider stops: what has not begun waits for no disk that is full."""
        if self._journal is not None:
            self._journal.hurry()

    async def flush(self) -> None:
        """Wait until all that was noted is in the journal, or cannot be written."""
        if self._journal is not None:
            await self._journal.try_flush()

    async def close(self) -> None:
        """Write what is left, and close the journal."""
        if self._journal is not None:
            await self._journal.close()

    def _now(self) -> float:
        return self._clock.now(dt.UTC).timestamp()


def _name(row: "Row") -> Task:
    """The task of a row, without its texts."""
    return Task(id=row.id, action=row.action, payload=b"")


def _digest_briefly(task: Task) -> bytes:
    """The same for one process alone, and cheaper: the id, and Python's own hash."""
    if len(task.id) > LONGEST_ID:
        return digest_task(task)
    rest = hash((task.action, task.payload, task.account))
    return b"%b %d" % (task.id.encode(), rest)


def digest_task(task: Task) -> bytes:
    """16 bytes for all that makes a task the same one."""
    id_, action = task.id.encode(), task.action.encode()
    lengths = b"%d %d %d " % (len(id_), len(action), len(task.payload))
    digest = blake2b(lengths + id_ + action, digest_size=16)
    digest.update(task.payload)
    digest.update(task.account)
    return digest.digest()
