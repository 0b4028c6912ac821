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
    from arbvantage_provider.worker.delivery.journal import Journal, Row


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
OpenJournal: TypeAlias = "Callable[[], Journal] | None"
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


class Kept(NamedTuple):
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


class Done:
    """Tasks that are done, by their digests, within a retention."""

    def __init__(self, retention: Retention) -> None:
        self._retention = retention
        self._kept: OrderedDict[bytes, Kept] = OrderedDict()
        self._size = 0

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._kept

    def count(self, digest: bytes) -> Kept | None:
        """What is kept of a task that is delivered, and counts that; if anything."""
        kept = self._kept.get(digest)
        if kept is not None:
            kept = self._kept[digest] = kept._replace(repeats=kept.repeats + 1)
        return kept

    def keep(self, digest: bytes, kept: Kept) -> list[Kept]:
        """Keep one more; those that have to go for it, or itself if it is too large."""
        if kept.size > self._retention.size:
            return [kept]
        before = self._kept.pop(digest, None)
        if before is not None:
            self._size -= before.size
        self._kept[digest] = kept
        self._size += kept.size
        return self.drop_old(kept.taken)

    def drop_old(self, now: float) -> list[Kept]:
        """Those that have to go by now, in seconds since 1970."""
        gone: list[Kept] = []
        if self._kept and next(iter(self._kept.values())).taken > now:
            self._correct(now)
        while self._kept and self._is_over(now):
            _, old = self._kept.popitem(last=False)
            self._size -= old.size
            gone.append(old)
        return gone

    def _correct(self, now: float) -> None:
        """The clock was ahead: what is from later than now would be kept for ever."""
        for digest, kept in self._kept.items():
            if kept.taken > now:
                self._kept[digest] = kept._replace(taken=now)

    def _is_over(self, now: float) -> bool:
        most = self._retention
        oldest = next(iter(self._kept.values()))
        too_many = len(self._kept) > most.tasks or self._size > most.size
        return too_many or now - oldest.taken > most.seconds


class Entry:
    """One task in flight.

    Attributes:
        task: the task; of one from the journal only its names, until it is taken.
        digest: of all that the hub sent of it; with a journal, the same in each run.
        number: its row in the journal.
        written: the change to the journal that it came with.
        arrived: seconds since 1970, of one from the journal; else ``None``.
        runs: how many times its handler was begun, before this process too.
        result: its answer, once there is one.
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


class Ledger:
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
        self._journal: Journal | None = None
        self._again: dict[bytes, Result] = {}
        self._flying: dict[bytes, Entry] = {}
        self._done = Done(IN_MEMORY if open_journal is None else IN_JOURNAL)
        self._aside: set[bytes] = set()
        self._released: set[bytes] = set()
        self._numbers = 0
        self._latest = 0.0

    def open(self) -> list[Entry]:
        """Open the journal; the tasks in it that the hub waits for, oldest first.

        Raises:
            JournalError: if the file cannot be used.
        """
        if self._open_journal is None:
            return []
        journal = self._journal = self._open_journal()
        self._numbers = journal.store.find_last_number()
        now, is_ahead = self._now(), False
        entries: list[Entry] = []
        damaged: list[Row] = []
        for row in journal.store.list_rows():
            is_ahead = is_ahead or max(row.arrived, row.taken or 0.0) > now
            if row.problem is not None or row.digest in self._flying:
                damaged.append(row)  # where it is sound, two have one digest
                self._set_aside(Entry(_name(row), row.digest))
            elif row.taken is None:
                entries.append(self._recover(row, now))
            else:
                self._recall(row, row.taken, now)
        if is_ahead:
            journal.correct(now=now)
        if damaged:
            journal.report_damaged(damaged)
        self._expire(self._done.drop_old(self._now()))
        return entries

    def _recover(self, row: "Row", now: float) -> Entry:
        """The entry of a row whose result the hub has not taken."""
        entry = self._flying[row.digest] = Entry(_name(row), row.digest)
        entry.number, entry.runs = row.number, row.runs
        entry.arrived = min(row.arrived, now)
        entry.is_repeated = row.status is not None
        return entry

    def _recall(self, row: "Row", taken: float, now: float) -> None:
        """Keep the result of a row that is done for the rest of its time.

        The clock may have been wrong then: no row is from later than now, or from
        before one that came earlier.
        """
        self._latest = max(self._latest, min(taken, now))
        self._keep(row.digest, Kept(row.number, row.size, self._latest))

    def _set_aside(self, entry: Entry) -> None:
        """Neither run nor answer a task; when it comes again, it is in flight."""
        if entry.digest and entry.digest not in self._flying:
            self._flying[entry.digest] = entry
            self._aside.add(entry.digest)

    @property
    def is_lasting(self) -> bool:
        """Whether there is a journal, so that the next start finds what is left."""
        return self._open_journal is not None

    @property
    def failing(self) -> bool:
        """Whether the journal cannot be written; no task should be taken then."""
        return self._journal is not None and self._journal.failing

    def take(self, work: Task | Entry) -> Entry | None:
        """The entry of a task that came; ``None``: it is in flight already."""
        if isinstance(work, Entry):
            return work if not work.is_recovered or self._load(work) else None
        digest = self._digest(work)
        flying = self._flying.get(digest)
        if flying is not None:
            self.redelivered += 1
            if digest in self._released:
                self._released.discard(digest)
                return self.take(flying)
            flying.again = work
            return None
        entry = Entry(work, digest)
        try:
            entry.result = self._find_result(entry)
        except JournalError as error:
            self._flying[digest] = entry
            self._report_aside(entry, error)
            return None
        self._flying[digest] = entry
        if entry.result is not None:
            entry.is_repeated = True
        elif self._journal is not None:
            self._numbers = entry.number = self._numbers + 1
            try:
                entry.written = self._journal.note_arrival(
                    entry.number, digest, work, now=self._now()
                )
            except BaseException:
                del self._flying[digest]
                raise
        return entry

    def _load(self, entry: Entry) -> bool:
        """Read the rest of a task from the journal; whether it can be read."""
        if self._journal is not None:
            store = self._journal.store
            try:
                entry.task = store.read_task(entry.number)
                if entry.is_repeated:
                    entry.result = Result(entry.task, *store.read_answer(entry.number))
            except JournalError as error:
                self._report_aside(entry, error)
                return False
            except BaseException:
                self.release(entry)
                raise
        return True

    def _report_aside(self, entry: Entry, error: JournalError) -> None:
        """A row that could be read at the start cannot be read any more."""
        self._aside.add(entry.digest)
        if self._journal is not None:
            self._journal.report_aside(entry.task.id, error)

    def _find_result(self, entry: Entry) -> Result | None:
        """The result of the same task, if it is done."""
        if entry.digest in self._done:
            self._expire(self._done.drop_old(self._now()))
        kept = self._done.count(entry.digest)
        if kept is not None:
            entry.repeats = kept.repeats
        if entry.digest in self._again:
            return self._again.pop(entry.digest)
        if kept is None:
            return None
        self.redelivered += 1
        entry.number, answer = kept.number, kept.answer
        if answer is None and self._journal is not None:
            answer = self._journal.store.read_answer(kept.number)
        return None if answer is None else Result(entry.task, *answer)

    def release(self, entry: Entry) -> None:
        """Nobody handles a task any more: its next delivery is handled.

        Its handler is not called a second time.
        """
        if entry.runs and entry.result is None:
            entry.result = Result(entry.task, "error", UNTOLD)
        self._released.add(entry.digest)

    def is_open(self, entry: Entry) -> bool:
        """Whether the hub still waits for a task."""
        return self._flying.get(entry.digest) is entry

    def judge(self, entry: Entry, *, idempotent: bool) -> str | None:
        """Why a task from the journal is not run, in words; ``None``: it is.

        Args:
            entry: the task.
            idempotent: whether its action says that it may be run again.
        """
        is_old = self._now() - (entry.arrived or 0.0) > self._max_age
        if not entry.runs:
            waited = f"it waited in the journal for more than {self._max_age:g} s"
            return f"was not run: {waited}" if is_old else None
        if idempotent and not is_old and entry.runs < MOST_RUNS:
            return None
        times = f", {entry.runs} times" if entry.runs > 1 else ""
        return (
            f"was interrupted: the provider died while it ran{times}; "
            "whether it took effect is not known"
        )

    async def begin(self, entry: Entry) -> bool:
        """Note that the handler is about to be called; whether it may be.

        It may not where that cannot be written, and the provider stops.
        """
        # Before the file is waited for, which a stop may interrupt.
        entry.runs += 1
        if self._journal is not None:
            self._journal.note_start(entry.number, now=self._now())
            if not await self._journal.try_flush():
                self.withdraw(entry)
                return False
        return True

    def withdraw(self, entry: Entry) -> None:
        """Note that the handler was not called, after all."""
        entry.runs -= 1
        if self._journal is not None:
            self._journal.note_withdrawal(entry.number)

    async def answer(self, entry: Entry, result: Result) -> None:
        """Note a task's answer, before the hub is given it."""
        if self._journal is not None:
            self._journal.note_answer(entry.number, result)
        entry.result = result
        if self._journal is not None:
            await self._journal.flush()

    def finish(self, entry: Entry, result: Result) -> Task | None:
        """The hub has the answer, or will never take it.

        Returns:
            The same task, where it was delivered once more in the meantime.
        """
        # What was answered without a handler is decided anew when it comes again.
        is_stored = entry.is_repeated and not entry.is_recovered
        is_over = bool(entry.runs) and result.status != "limit"
        if is_over:
            self._keep_result(entry, result)
        elif self._journal is not None and entry.digest not in self._done:
            self._journal.forget(entry.number)
        if entry.again is not None and (is_over or is_stored):
            self._again[entry.digest] = result
        # The last step: where one before it fails, the result is sent once more.
        del self._flying[entry.digest]
        return entry.again

    def _keep_result(self, entry: Entry, result: Result) -> None:
        now = self._now()
        answer = None
        if self._journal is None:
            answer = (result.status, result.text)
        else:
            self._journal.note_taken(entry.number, now=now)
        self._keep(entry.digest, Kept(entry.number, len(result.text), now, answer))

    def _keep(self, digest: bytes, kept: Kept) -> None:
        self._expire(self._done.keep(digest, kept))

    def _expire(self, gone: list[Kept]) -> None:
        if self._journal is not None:
            for old in gone:
                self._journal.expire(old.number)

    def list_left(self) -> list[Entry]:
        """The tasks that the hub waits for, without those that were set aside.

        Of one that came again after it was done, the hub has the result.
        """
        return [
            entry
            for entry in self._flying.values()
            if entry.digest not in self._aside
            and (entry.is_recovered or not entry.is_repeated)
        ]

    def keeps(self, entry: Entry) -> bool:
        """Whether a task that the hub waits for is in the file, for the next start."""
        journal = self._journal
        if journal is None or journal.is_gone:
            return False
        return journal.committed >= entry.written

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
