"""The file of the journal: an SQLite database with one row for each task.

A row is written when its task arrives, when its handler starts, when it has an
answer, and when the hub has taken that. Then the payload and the account are
overwritten, and the row stays for the retention or goes.

SQLite overwrites what is deleted, but a row that grows moves to another page, and
leaves a copy behind. So the payload and the account have a table of their own, whose
rows come and go, and never change.

Source: https://sqlite.org/wal.html for what a commit survives: the death of the
process at any instant. After a power cut the last moments may be missing, unless
each commit is forced onto the disk.
"""

import sqlite3
import threading
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

from arbvantage_provider.exceptions import JournalError
from arbvantage_provider.task import Task
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
from arbvantage_provider.worker.delivery.journal.database import (
    check_kind,
    connect,
    explain,
    explain_system,
    find_code,
    is_empty,
    read,
)
from arbvantage_provider.worker.delivery.journal.files import (
    LOG,
    SHARED_MEMORY,
    FileLock,
    Identity,
    check_files,
    find_beside,
    identify,
    make,
    make_private,
    resolve,
)
from arbvantage_provider.worker.delivery.journal.layout import (
    check,
    clear,
    create,
    mark,
    take_over,
)
from arbvantage_provider.worker.delivery.journal.lock_file import lock
from arbvantage_provider.worker.delivery.journal.rows import (
    MOST_NUMBER,
    Row,
    is_response,
    is_text,
    read_rows,
)

__all__ = [
    "BusyError",
    "Change",
    "Store",
    "answer",
    "arrive",
    "correct",
    "expire",
    "forget",
    "mark_delivered",
    "start",
    "start_at_once",
    "withdraw",
]

_OPENING_WAIT: Final = 2_000
"""Milliseconds that opening waits for another program."""
_READ_TASK: Final = (
    "SELECT id, action, payload, account FROM task JOIN content USING (number)"
    " WHERE number = ?"
)
_LAST_NUMBER: Final = "SELECT max(number) FROM task WHERE number < ?"
_READ_ANSWER: Final = "SELECT status, result FROM task WHERE number = ?"


class Store:
    """An open journal; it is this process's alone until it is closed.

    Args:
        path: of the file; it is made if there is none, for its owner alone.
        provider: the name of the provider whose tasks are in it.
        hub: where they come from, as ``host:port``.
        sync: ``full``: each commit is forced onto the disk; ``normal``: that is left
            to the system.

    Attributes:
        path: of the file, without links.
        lost: why what is written now is not found at the path; ``None``: it is.
        is_forced: whether each commit waits for the disk.
        recoveries: how many times the log was removed, and written anew.

    Raises:
        JournalError: if the file cannot be used, or another process has it.
    """

    def __init__(
        self, path: str, *, provider: str, hub: str, sync: str = "normal"
    ) -> None:
        self.path: Path = Path(path)
        self.lost: str | None = None
        self.recoveries: int = 0
        self.is_forced: bool = sync == "full"
        self._own: FileLock | None = None
        self._lock: sqlite3.Connection | None = None
        self._file: sqlite3.Connection | None = None
        self._needs_log = False
        self._identity: Identity | None = None
        self._size = 0
        self._beside: dict[str, Identity] = {}
        self._clearing = threading.Lock()
        try:
            self._open(provider, hub)
        except BaseException:
            self.close()
            raise

    def _open(self, provider: str, hub: str) -> None:
        try:
            # One name, also if a handler changes the folder, or another process
            # knows the file by a link.
            self.path = resolve(str(self.path))
            check_files(self.path)
            make(self.path)
            self._needs_log = find_beside(self.path, LOG).exists()
            # Whoever opened it in a thread hands it over.
            file = self._file = connect(self.path, check_same_thread=False)
            # Others that open it at the same moment are refused, and gone.
            file.execute(f"PRAGMA busy_timeout = {_OPENING_WAIT}")
            if not is_empty(file):
                check_kind(self.path, file)
            self._own = FileLock(self.path)
            self._lock = lock(self.path)
            self._check_log(file)
            self._set_up(file)
            if is_empty(file):
                create(file, provider, hub)
            check(self.path, file, provider)
            take_over(self.path, file, hub)
            self._settle(file, self._own)
            file.execute("PRAGMA busy_timeout = 0")
        except sqlite3.Error as error:
            raise JournalError(self.path, explain(error)) from error
        except OSError as error:
            problem = f"cannot be opened: {explain_system(error)}"
            raise JournalError(self.path, problem) from error

    def _check_log(self, file: sqlite3.Connection) -> None:
        """What is in the log only must not be missing: it is by the file's name."""
        if self._own is not None and self._own.names > 1:
            problem = f"has {self._own.names} names (hard links), and a log for each"
            raise JournalError(self.path, f"{problem}; remove all but one")
        log = find_beside(self.path, LOG)
        query = "SELECT count(*) FROM sqlite_schema WHERE name = 'state'"
        was_left = read(file, query) and read(file, "SELECT is_open FROM state")
        if was_left and not self._needs_log:
            problem = f"was not closed, and its log '{log}' is gone with what was in it"
            raise JournalError(
                self.path, f"{problem}; put that back, or move the file away"
            )
        # Nothing else would miss a part of a page that is free.
        has_log = log.exists() and log.stat().st_size > 0
        rest = self.path.stat().st_size % read(file, "PRAGMA page_size")
        if rest and not has_log:
            raise JournalError(self.path, "is damaged; move it away: its end is gone")

    def _set_up(self, file: sqlite3.Connection) -> None:
        make_private(self.path)
        sync = "FULL" if self.is_forced else "NORMAL"
        # An empty file is laid out for the first of these before it has a table.
        file.executescript(
            "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;"
            f" PRAGMA synchronous = {sync}; PRAGMA wal_autocheckpoint = 0;"
            " PRAGMA secure_delete = ON;"
        )

    def _settle(self, file: sqlite3.Connection, own: FileLock) -> None:
        """Note in the file itself that it is open, and which files belong to it."""
        mark(file, is_open=True)
        self._needs_log = True
        is_whole = clear(file)
        own.stand_in(self.path)
        # Others may have put theirs there in the meantime.
        check_files(self.path)
        self._identity = own.identity
        if problem := self._find_loss():
            raise JournalError(self.path, problem)
        for ending in (LOG, SHARED_MEMORY):
            beside = str(find_beside(self.path, ending))
            self._beside[beside] = identify(beside)
        self._size = self.path.stat().st_size if is_whole else 0

    @property
    def _open_file(self) -> sqlite3.Connection:
        if self._file is None:
            raise JournalError(self.path, "is closed")
        return self._file

    def write(self, changes: Iterable[Change]) -> None:
        """All of the changes, in one commit, or none.

        Raises:
            BusyError: if the log is being cleared at this moment.
            JournalError: if they cannot be written.
        """
        try:
            if self._file is None or not (self.lost or self._has_log()):
                self._recover_log()
            file = self._open_file
            file.execute("BEGIN IMMEDIATE")
            for statement, values in changes:
                file.execute(statement, values)
            file.execute("COMMIT")
        except (sqlite3.Error, MemoryError) as error:
            if self._file is not None and self._file.in_transaction:
                with suppress(sqlite3.Error):
                    self._file.execute("ROLLBACK")
            if find_code(error) == sqlite3.SQLITE_BUSY:
                raise BusyError from None
            problem = self._note_loss() or explain(error)
            raise JournalError(self.path, problem) from error

    def _has_log(self) -> bool:
        """Whether the log at its path is the one that is open."""
        try:
            return all(identify(path) == found for path, found in self._beside.items())
        except OSError:
            return False

    def _note_loss(self) -> str | None:
        """See whether the file at the path is still the one that is open."""
        self.lost = self.lost or self._find_loss()
        return self.lost

    def _find_loss(self) -> str | None:
        try:
            found = self.path.stat()
        except OSError as error:
            return f"is gone: {explain_system(error)}"
        if (found.st_dev, found.st_ino) != self._identity:
            return "was replaced by another file"
        return "was cut by another program" if found.st_size < self._size else None

    def _recover_log(self) -> None:
        """Bring what is in a log that was removed into the file, and begin another.

        What is written beside a file that was removed, too, would not be found by the
        next start, but as long as this process lives it can go on with it.
        """
        if self._own is None:
            raise JournalError(self.path, "is closed")
        if self._note_loss() is not None:
            return
        if not self._clearing.acquire(blocking=False):
            raise BusyError
        try:
            self._leave_log(self._own)
            self._begin_log(self._own)
        except OSError as error:
            problem = f"has lost its log: {explain_system(error)}"
            raise JournalError(self.path, problem) from error
        finally:
            self._clearing.release()
        self.recoveries += 1

    def _leave_log(self, own: FileLock) -> None:
        if self._file is None:  # it was left before, and another could not be begun
            return
        mark(self._file, is_open=False)
        if not clear(self._file):
            raise BusyError
        self._file.close()
        self._file = None
        own.forget_memory()

    def _begin_log(self, own: FileLock) -> None:
        for path in self._beside:  # what is there now belongs to nobody
            Path(path).unlink(missing_ok=True)
        file = connect(self.path, check_same_thread=False)
        try:
            self._set_up(file)
            self._settle(file, own)
        except BaseException:
            file.close()
            raise
        self._file = file

    def list_rows(self) -> list[Row]:
        """Every row, in the order of arrival.

        Raises:
            JournalError: if they cannot be read.
        """
        try:
            return list(read_rows(self._open_file))
        except sqlite3.Error as error:
            raise JournalError(self.path, explain(error)) from error

    def find_last_number(self) -> int:
        """The number of the last row, below those that leave no room for others."""
        (last,) = self._read_row(_LAST_NUMBER, MOST_NUMBER)
        return max(last or 0, 0)

    def read_task(self, number: int) -> Task:
        """The task of a row that the hub has not taken.

        Raises:
            JournalError: if it cannot be read.
        """
        row = self._read_row(_READ_TASK, number)
        texts, contents = row[:2], row[2:]
        if not all(map(is_text, texts)) or not all(
            isinstance(content, bytes) for content in contents
        ):
            raise JournalError(self.path, f"cannot be read in its row {number}")
        return Task(*row)

    def read_answer(self, number: int) -> tuple[str, bytes]:
        """The status and the text of a row that has an answer.

        Raises:
            JournalError: if they cannot be read.
        """
        status, text = self._read_row(_READ_ANSWER, number)
        if not is_text(status) or not is_response(text):
            raise JournalError(self.path, f"cannot be read in its row {number}")
        return status, text

    def _read_row(self, query: str, number: int) -> tuple[Any, ...]:
        try:
            row = self._open_file.execute(query, (number,)).fetchone()
        except sqlite3.Error as error:
            raise JournalError(self.path, explain(error)) from error
        if row is None:
            raise JournalError(self.path, f"has lost its row {number}")
        return tuple(row)

    def clear_log(self) -> bool:
        """Bring all changes into the file and empty SQLite's log, on any thread.

        The log holds texts that were overwritten in the file; so it must not last.

        Returns:
            Whether it is empty; not so while somebody reads the journal.

        Raises:
            JournalError: if the file at the path is another one now.
        """
        with self._clearing:
            if problem := self._note_loss():
                raise JournalError(self.path, problem)
            if not self._has_log():
                return False  # the next commit sees to it
            try:
                with closing(connect(self.path, query="?mode=rw")) as file:
                    # The first one does the work, while others may write.
                    file.execute("PRAGMA wal_checkpoint(PASSIVE)")
                    is_clear = clear(file)
                if is_clear:
                    self._size = self.path.stat().st_size
            except (sqlite3.Error, OSError):
                # Such as a full disk, which the next commit tells of.
                return False
            return is_clear

    def close(self) -> None:
        """Clear the log and let others open it."""
        if self._file is not None:
            if self._own is not None and self._beside and self.lost is None:
                with suppress(sqlite3.Error):
                    mark(self._file, is_open=False)
                    self._needs_log = False
                    clear(self._file)
                    # Else its log stays: there may be another one's at the path.
                    self._own.stand_back()
            self._file.close()
        if self._needs_log and self.lost is None:
            with suppress(OSError):
                make(find_beside(self.path, LOG))
        if self._lock is not None:
            self._lock.close()
        if self._own is not None:
            self._own.release()
        self._file = self._lock = self._own = None


class BusyError(Exception):
    """The log is being cleared; a commit has to wait for a moment."""
