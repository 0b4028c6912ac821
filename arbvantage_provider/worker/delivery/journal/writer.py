"""Changes to the journal, gathered into commits on the event loop.

Many tasks share one commit: the first change after a pause is committed at the end
of this round of the event loop, and the next ones a moment later together. It happens on
the loop, as handing single statements to a thread costs more than they do; only what
waits for the disk has threads of its own: clearing the log, and commits that are
forced onto it.
"""

import asyncio
from functools import partial
from typing import Any, Final, TypeAlias

from arbvantage_provider.clock import Clock
from arbvantage_provider.exceptions import JournalError
from arbvantage_provider.task import Result, Task
from arbvantage_provider.worker.delivery.journal.changes import (
    Change,
    answer,
    arrive,
    correct,
    expire,
    forget,
    mark_delivered,
    start,
    start_at_once,
    withdraw,
)
from arbvantage_provider.worker.delivery.journal.rows import Row
from arbvantage_provider.worker.delivery.journal.store import BusyError, Store
from arbvantage_provider.worker.runtime.backoff import Backoff
from arbvantage_provider.worker.runtime.threads import ThreadPool

GATHER: Final = 0.001
"""Seconds from one commit to the next, at least."""
BUSY_WAIT: Final = 0.002
BUSY_FOR_LONG: Final = 2.0
"""Seconds after which a busy file counts as one that cannot be written."""
CLEAR_AFTER: Final = 0.5
"""Seconds that a commit may stay in SQLite's log, texts that it overwrote too."""
FIRST_FAILURE_WAIT: Final = 0.05
LONGEST_FAILURE_WAIT: Final = 2.0
MOST_NAMED: Final = 20
"""How many damaged rows one line of the log names."""

Waiting: TypeAlias = "asyncio.Future[None]"


class JournalWriter:
    """One provider's journal, on the running loop.

    Args:
        file: where it is.
        clock: tells when the next commit is due.
        logger: told when it cannot be written, and when it can again.

    Attributes:
        failing: whether the last commit failed; nothing new should begin then.
        is_gone: whether the file at the path is another one, or none, since it was
            opened; what is committed now is not found by the next start.
        committed: how many changes are in the file.
    """

    def __init__(self, file: Store, *, clock: Clock, logger: Any) -> None:
        self.store: Store = file
        self.failing: bool = False
        self.is_gone: bool = False
        self.committed: int = 0
        self._clock = clock
        self._logger = logger
        self._loop = asyncio.get_running_loop()
        self._changes: list[Change] = []
        self._arrivals: dict[int, int] = {}
        self._waiting: list[Waiting] = []
        self._trying: list[Waiting] = []
        self._hurries = False
        self._writing: Waiting | None = None
        self._next: asyncio.Handle | None = None
        self._last_commit = 0.0
        self._busy_since: float | None = None
        # The loop's own threads may all be held by handlers.
        self._threads = ThreadPool(2, "journal")
        self._failures = Backoff(FIRST_FAILURE_WAIT, LONGEST_FAILURE_WAIT)
        self._is_clear = True
        self._recoveries = 0
        self._closing = asyncio.Event()
        self._clearing: asyncio.Task[None] | None = None

    def note_arrival(
        self, number: int, digest: bytes, task: Task, *, now: float
    ) -> int:
        """A task came.

        Returns:
            The place of this change: it is in the file once ``committed`` is as high.
        """
        self._arrivals[number] = len(self._changes)
        return self._write(arrive(number, digest, task, now=now))

    def note_start(self, number: int, *, now: float) -> None:
        """The handler of a task is about to be called."""
        place = self._arrivals.pop(number, None)
        if place is None:
            self._write(start(number, now=now))
        else:  # its arrival is not in the file yet
            self._changes[place] = start_at_once(self._changes[place], now=now)

    def note_withdrawal(self, number: int) -> None:
        """The handler of a task was not called, after all."""
        self._write(withdraw(number))

    def note_answer(self, number: int, result: Result) -> None:
        """A task has an answer."""
        self._write(answer(number, result.status, result.text))

    def note_taken(self, number: int, *, now: float) -> None:
        """The hub took the answer; overwrite what the task was given."""
        self._write(mark_delivered(number, now=now))

    def forget(self, number: int) -> None:
        """Nothing is kept of a task."""
        self._write(forget(number))

    def expire(self, number: int) -> None:
        """Nothing more is kept of a task that the hub took long ago."""
        self._write(expire(number))

    def correct(self, *, now: float) -> None:
        """The clock was ahead when moments were written that are to come."""
        self._write(correct(now=now))

    def report_damaged(self, rows: list[Row]) -> None:
        """Tell of rows that cannot be read; they stay in the file."""
        named = [
            f"row {row.number}, id {row.id[:200]!r}: {row.problem or 'twice'}"
            for row in rows[:MOST_NAMED]
        ]
        self._logger.error(
            "rows of the journal cannot be read, and are set aside",
            rows=len(rows),
            damaged=named,
        )

    def report_aside(self, task_id: str, error: JournalError) -> None:
        """Tell of a task whose row cannot be read any more; it stays in the file."""
        self._logger.error(
            "a task of the journal cannot be read, and is set aside",
            id=task_id[:200],
            reason=str(error),
        )

    def _write(self, changes: list[Change]) -> int:
        """Have changes in the next commit."""
        self._changes += changes
        if self._next is None:
            due = self._last_commit + GATHER - self._loop.time()
            self._next = (
                self._loop.call_later(due, self._commit)
                if due > 0
                else self._loop.call_soon(self._commit)
            )
        return self.committed + len(self._changes)

    async def flush(self) -> None:
        """Wait until all that was written so far is in the file."""
        if self._changes:
            done = self._loop.create_future()
            self._waiting.append(done)
            await done

    async def try_flush(self) -> bool:
        """The same, but not while a stop goes on and the file cannot be written.

        Returns:
            Whether it is in the file.
        """
        if self._changes and not (self._hurries and self.failing):
            done = self._loop.create_future()
            self._waiting.append(done)
            self._trying.append(done)
            await done
        return not (self._hurries and self.failing)

    def hurry(self) -> None:
        """A stop goes on: who tries to write waits for no disk that is full."""
        self._hurries = True
        if self.failing:
            self._give_up()

    def _give_up(self) -> None:
        for done in self._trying:
            if not done.done():
                done.set_result(None)
        self._trying.clear()

    async def close(self) -> None:
        """Write what is left, if that is possible, and close the file."""
        self._closing.set()
        if self._clearing is not None:
            await asyncio.wait({self._clearing})
        if self._writing is not None:
            await asyncio.wait({self._writing})
        if self._next is not None:
            self._next.cancel()
        if self._changes:
            self._commit(last=True)
        await self._threads.run(self.store.close)
        self._threads.close()

    def _commit(self, *, last: bool = False) -> None:
        changes, waiting = self._changes, self._waiting
        if self.store.is_forced and not last:
            # The disk takes its time, and the loop has other things to do. What is
            # noted in the meantime is in the next commit; until then there is none.
            changes, self._waiting = changes.copy(), []
            self._arrivals.clear()
            write = partial(self.store.write, changes)
            end = partial(self._end_commit, len(changes), waiting)
            self._writing = self._threads.run(write)
            self._writing.add_done_callback(end)
            return
        self._waiting = []
        try:
            self.store.write(changes)
        except (BusyError, JournalError) as error:
            self._note_failure(error, waiting, last=last)
        else:
            self._note_commit(len(changes), waiting)

    def _end_commit(
        self, count: int, waiting: list[Waiting], writing: "asyncio.Future[None]"
    ) -> None:
        self._writing = None
        try:
            writing.result()
        except (BusyError, JournalError) as error:
            self._note_failure(error, waiting, last=False)
        else:
            self._note_commit(count, waiting)
            # Who came meanwhile may have noted nothing, and still waits for a commit.
            if self._changes or self._waiting:
                self._write([])

    def _note_failure(
        self, error: BusyError | JournalError, waiting: list[Waiting], *, last: bool
    ) -> None:
        self._next = None
        self._waiting[:0] = waiting
        wait = BUSY_WAIT
        if isinstance(error, BusyError):
            self._note_busy()
        else:
            self._fail(error)
            self._note_files()
            wait = self._failures.next_wait()
        if not last:
            self._next = self._loop.call_later(wait, self._commit)

    def _note_busy(self) -> None:
        now = self._loop.time()
        if self._busy_since is None:
            self._busy_since = now
        if now - self._busy_since > BUSY_FOR_LONG:
            problem = "is kept busy by another program, or by a slow disk"
            self._fail(JournalError(self.store.path, problem))

    def _fail(self, error: JournalError) -> None:
        if not self.failing:
            self._logger.error("the journal fails; no task is taken", reason=str(error))
        self.failing = True
        if self._hurries:
            self._give_up()

    def _note_commit(self, count: int, waiting: list[Waiting]) -> None:
        self._next = None
        self.committed += count
        del self._changes[:count]
        self._arrivals.clear()
        self._trying.clear()
        self._last_commit = self._loop.time()
        self._busy_since = None
        self._note_files()
        if self.failing and not self.is_gone:
            self.failing = False
            self._failures.reset()
            self._logger.info("the journal works again")
        self._is_clear = False
        is_over = self.is_gone or self._closing.is_set()
        if self._clearing is None and not is_over:
            self._clearing = self._loop.create_task(self._clear())
        for done in waiting:
            if not done.done():
                done.set_result(None)

    def _note_files(self) -> None:
        """Tell what became of the files since the last commit."""
        if self._recoveries != self.store.recoveries:
            self._recoveries = self.store.recoveries
            self._logger.error(
                "the journal's log was removed, and is written anew; nothing is lost"
            )
        if self.store.lost is not None and not self.is_gone:
            # Nothing that is written from now on would be found again.
            self.is_gone = True
            self._fail(JournalError(self.store.path, self.store.lost))

    async def _clear(self) -> None:
        """Keep texts that were overwritten out of SQLite's log, too."""
        try:
            while not self._is_clear:
                if await self._clock.wait(self._closing, CLEAR_AFTER):
                    return
                self._is_clear = True
                if not await self._threads.run(self.store.clear_log):
                    self._is_clear = False
                    self._write([])  # a commit looks after a log that was removed
        except JournalError:
            self._note_files()
        finally:
            self._clearing = None
