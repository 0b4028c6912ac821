"""Changes to the journal, gathered into commits on the event loop.

Many tasks share one commit: the first change after a pause is committed at the end
of this turn of the loop, and the next ones a moment later together. It happens on
the loop, as handing single statements to a thread costs more than they do; only what
makes the disk wait, clearing the log, has a thread of its own.
"""

import asyncio
from typing import Any, Final

from arbvantage_provider.clock import Clock
from arbvantage_provider.exceptions import JournalError
from arbvantage_provider.hub.wire import Result, Task
from arbvantage_provider.worker.journal.store import (
    BusyError,
    Change,
    Store,
    answer,
    arrive,
    cross_out,
    expire,
    forget,
    start,
    start_at_once,
    withdraw,
)
from arbvantage_provider.worker.threads import ThreadPool
from arbvantage_provider.worker.waits import Waits

GATHER: Final = 0.001
"""Seconds from one commit to the next, at least."""
BUSY_WAIT: Final = 0.002
BUSY_FOR_LONG: Final = 2.0
"""Seconds after which a busy file counts as one that cannot be written."""
CLEAR_AFTER: Final = 0.5
"""Seconds that texts which were overwritten may stay in SQLite's log."""
FIRST_FAILURE_WAIT: Final = 0.05
LONGEST_FAILURE_WAIT: Final = 2.0


class Journal:
    """One provider's journal, on the running loop.

    Args:
        file: where it is.
        clock: tells when the next commit is due.
        logger: told when it cannot be written, and when it can again.

    Attributes:
        failing: whether the last commit failed; nothing new should begin then.
        committed: how many changes are in the file.
    """

    def __init__(self, file: Store, *, clock: Clock, logger: Any) -> None:
        self.store: Store = file
        self.failing: bool = False
        self.committed: int = 0
        self._clock = clock
        self._logger = logger
        self._loop = asyncio.get_running_loop()
        self._changes: list[Change] = []
        self._arrivals: dict[int, int] = {}
        self._waiting: list[asyncio.Future[None]] = []
        self._next: asyncio.Handle | None = None
        self._last_commit = 0.0
        self._busy_since: float | None = None
        # The loop's own threads may all be held by handlers.
        self._threads = ThreadPool(1, "journal")
        self._failures = Waits(FIRST_FAILURE_WAIT, LONGEST_FAILURE_WAIT)
        self._overwrites = self._gone = False
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
        self._overwrites = True
        self._write(cross_out(number, now=now))

    def forget(self, number: int) -> None:
        """Nothing is kept of a task."""
        self._overwrites = True
        self._write(forget(number))

    def expire(self, number: int) -> None:
        """Nothing more is kept of a task that the hub took long ago."""
        self._overwrites = True
        self._write(expire(number))

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

    async def close(self) -> None:
        """Write what is left, if that is possible, and close the file."""
        self._closing.set()
        if self._clearing is not None:
            await asyncio.wait({self._clearing})
        if self._next is not None:
            self._next.cancel()
        if self._changes:
            self._commit(last=True)
        await self._threads.run(self.store.close)
        self._threads.close()

    def _commit(self, *, last: bool = False) -> None:
        self._next = None
        changes = self._changes
        try:
            self.store.write(changes)
        except BusyError:
            self._note_busy()
            self._try_later(BUSY_WAIT, last=last)
            return
        except JournalError as error:
            self._fail(error)
            self._try_later(self._failures.draw(), last=last)
            return
        self._note_commit(len(changes))

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

    def _try_later(self, wait: float, *, last: bool) -> None:
        if not last:
            self._next = self._loop.call_later(wait, self._commit)

    def _note_commit(self, count: int) -> None:
        self.committed += count
        del self._changes[:count]
        self._arrivals.clear()
        self._last_commit = self._loop.time()
        self._busy_since = None
        if self.failing and not self._gone:
            self.failing = False
            self._failures.reset()
            self._logger.info("the journal works again")
        if self._overwrites and self._clearing is None and not self._closing.is_set():
            self._clearing = self._loop.create_task(self._clear())
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            if not done.done():
                done.set_result(None)

    async def _clear(self) -> None:
        """Keep texts that were overwritten out of SQLite's log, too."""
        try:
            while self._overwrites:
                if await self._clock.wait(self._closing, CLEAR_AFTER):
                    return
                self._overwrites = False
                if not await self._threads.run(self.store.clear_log):
                    self._overwrites = True
        except JournalError as error:
            # Nothing that is written from now on would be found again.
            self._gone = True
            self._fail(error)
        finally:
            self._clearing = None
