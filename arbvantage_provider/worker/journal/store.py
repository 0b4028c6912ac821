"""The file of the journal: an SQLite database with one row for each task.

A row is written when its task arrives, when its handler starts, when it has an
answer, and when the hub has taken that. Then the payload and the account are
overwritten, and the row stays for the retention or goes.

SQLite overwrites what is deleted, but a row that grows moves to another page, and
leaves a copy behind. So the payload and the account have a table of their own, whose
rows come and go, and never change.

Source: https://sqlite.org/wal.html for what a commit survives: the death of the
process at any instant. After a power cut the last moments may be missing.
"""

import errno
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, TypeAlias

from arbvantage_provider.exceptions import JournalError
from arbvantage_provider.hub.wire import Task

APPLICATION_ID: Final = 0x61727662
"""Tells a journal from other SQLite files."""
VERSION: Final = 1
_PRIVATE: Final = 0o600
_DIGEST: Final = 16
"""Bytes of a task's digest."""

_CREATE: Final = """
CREATE TABLE owner (provider TEXT NOT NULL, hub TEXT NOT NULL);
CREATE TABLE task (
    number INTEGER PRIMARY KEY,
    digest BLOB NOT NULL,
    id TEXT NOT NULL,
    action TEXT NOT NULL,
    arrived REAL NOT NULL,
    started REAL,
    runs INTEGER NOT NULL DEFAULT 0,
    status TEXT,
    result BLOB,
    taken REAL
);
CREATE TABLE content (number INTEGER PRIMARY KEY, payload BLOB, account BLOB);
"""

_ARRIVED: Final = (
    "INSERT INTO task (number, digest, id, action, arrived) VALUES (?, ?, ?, ?, ?)"
)
_ARRIVED_AND_STARTED: Final = (
    "INSERT INTO task (number, digest, id, action, arrived, started, runs)"
    " VALUES (?, ?, ?, ?, ?, ?, 1)"
)
_CONTENT: Final = "INSERT INTO content VALUES (?, ?, ?)"
_STARTED: Final = "UPDATE task SET started = ?, runs = runs + 1 WHERE number = ?"
_WITHDRAWN: Final = "UPDATE task SET started = NULL, runs = runs - 1 WHERE number = ?"
_ANSWERED: Final = "UPDATE task SET status = ?, result = ? WHERE number = ?"
_TAKEN: Final = "UPDATE task SET taken = ? WHERE number = ?"
_OVERWRITTEN: Final = "DELETE FROM content WHERE number = ?"
_FORGOTTEN: Final = "DELETE FROM task WHERE number = ?"
_READ_TASK: Final = (
    "SELECT id, action, payload, account FROM task JOIN content USING (number)"
    " WHERE number = ?"
)
_READ_ANSWER: Final = "SELECT status, result FROM task WHERE number = ?"
_COLUMNS: Final = (
    "SELECT number, digest, id, action, arrived, started, runs, status,"
    " length(result), taken FROM task ORDER BY number"
)

Change: TypeAlias = tuple[str, tuple[Any, ...]]
"""One of the statements above, and what it is given."""


def arrive(number: int, digest: bytes, task: Task, *, now: float) -> list[Change]:
    """A task came."""
    return [
        (_ARRIVED, (number, digest, task.id, task.action, now)),
        (_CONTENT, (number, task.payload, task.account)),
    ]


def start(number: int, *, now: float) -> list[Change]:
    """The handler of a task is about to be called."""
    return [(_STARTED, (now, number))]


def start_at_once(arrival: Change, *, now: float) -> Change:
    """The first statement of ``arrive``, where the handler is called in the same commit.

    One statement less for nearly every task.
    """
    _, values = arrival
    return (_ARRIVED_AND_STARTED, (*values, now))


def withdraw(number: int) -> list[Change]:
    """The handler was not called, after all."""
    return [(_WITHDRAWN, (number,))]


def answer(number: int, status: str, text: bytes) -> list[Change]:
    """A task has an answer."""
    return [(_ANSWERED, (status, text, number))]


def cross_out(number: int, *, now: float) -> list[Change]:
    """The hub took the answer, or refused it for good."""
    return [(_TAKEN, (now, number)), (_OVERWRITTEN, (number,))]


def forget(number: int) -> list[Change]:
    """Nothing is kept of a task."""
    return [(_FORGOTTEN, (number,)), (_OVERWRITTEN, (number,))]


def expire(number: int) -> list[Change]:
    """Nothing more is kept of a task that was crossed out."""
    return [(_FORGOTTEN, (number,))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What the journal knows of one task, without its texts.

    Attributes:
        number: the place of its arrival.
        digest: of all that the hub sent.
        id: the task's id.
        action: the name of its action.
        arrived: when, in seconds since 1970.
        started: when its handler was called last, or ``None``.
        runs: how many times it was.
        status: of its answer; ``None``: there is none.
        size: bytes of the answer's text.
        taken: when the hub took the answer, or refused it for good.
    """

    number: int
    digest: bytes
    id: str
    action: str
    arrived: float
    started: float | None
    runs: int
    status: str | None
    size: int
    taken: float | None


class Store:
    """An open journal; it is this process's alone until it is closed.

    Args:
        path: of the file; it is made if there is none, for its owner alone.
        provider: the name of the provider whose tasks are in it.
        hub: where they come from, as ``host:port``.

    Raises:
        JournalError: if the file cannot be used, or another process has it.
    """

    def __init__(self, path: str, *, provider: str, hub: str) -> None:
        # One name, also if a handler changes the folder, or another process knows
        # the file by a link.
        self.path: Path = Path(os.path.realpath(path))
        self._lock: sqlite3.Connection | None = None
        self._file: sqlite3.Connection | None = None
        try:
            self._open(provider, hub)
        except BaseException:
            self.close()
            raise

    def _open(self, provider: str, hub: str) -> None:
        try:
            _make(self.path)
            # Whoever opened it in a thread hands it over.
            self._file = _connect(self.path, check_same_thread=False)
            if not _is_empty(self._file):
                _check_kind(self.path, self._file)
            self._lock = _lock(self.path)
            self._check_size(self._file)
            self._set_up(self._file)
            if _is_empty(self._file):
                self._create(self._file, provider, hub)
            self._check(self._file, provider)
            self._take_over(self._file, hub)
            self._inode = self.path.stat().st_ino
        except sqlite3.Error as error:
            raise JournalError(self.path, _explain(error)) from error
        except OSError as error:
            raise JournalError(
                self.path, f"cannot be opened: {_word(error)}"
            ) from error

    def _check_size(self, file: sqlite3.Connection) -> None:
        """Nothing else would miss a part of a page that is free."""
        log = self.path.with_name(f"{self.path.name}-wal")
        has_log = log.exists() and log.stat().st_size > 0
        rest = self.path.stat().st_size % _read(file, "PRAGMA page_size")
        if rest and not has_log:
            raise JournalError(self.path, "is damaged; move it away: its end is gone")

    def _set_up(self, file: sqlite3.Connection) -> None:
        # SQLite gives its log the permissions of the file; both may be there already.
        for ending in ("", "-wal", "-shm") if os.name == "posix" else ():
            part = self.path.with_name(f"{self.path.name}{ending}")
            if part.exists() and part.stat().st_mode & 0o077:
                part.chmod(_PRIVATE)
        # An empty file is laid out for the first of these before it has a table.
        file.executescript(
            "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;"
            " PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0;"
            " PRAGMA secure_delete = ON;"
        )

    def _create(self, file: sqlite3.Connection, provider: str, hub: str) -> None:
        file.executescript(
            f"BEGIN IMMEDIATE; {_CREATE} PRAGMA application_id = {APPLICATION_ID};"
            f" PRAGMA user_version = {VERSION};"
        )
        file.execute("INSERT INTO owner VALUES (?, ?)", (provider, hub))
        file.execute("COMMIT")

    def _check(self, file: sqlite3.Connection, provider: str) -> None:
        damage = str(_read(file, "PRAGMA quick_check(1)"))
        if damage != "ok":
            raise JournalError(self.path, f"is damaged; move it away: {damage}")
        owner = _read(file, "SELECT provider FROM owner")
        if owner != provider:
            raise JournalError(self.path, f"belongs to the provider {owner!r}")

    def _take_over(self, file: sqlite3.Connection, hub: str) -> None:
        """Write that it is in use, which shows that it can be written.

        Another hub knows nothing of the tasks of the last one, and would refuse their
        results for good. What is done is kept for the time that its own hub is back.
        """
        last = _read(file, "SELECT hub FROM owner")
        waiting = _read(file, "SELECT count(*) FROM task WHERE taken IS NULL")
        if last != hub and waiting:
            problem = f"holds unfinished tasks ({waiting}) of the hub at {last}"
            remedy = f"start with that hub_url, not {hub}, or move the file away"
            raise JournalError(self.path, f"{problem}; {remedy}")
        file.execute("BEGIN IMMEDIATE")
        if last != hub:
            _disguise(file, last, hub)
        file.execute("UPDATE owner SET hub = ?", (hub,))
        file.execute("COMMIT")
        file.executescript("PRAGMA incremental_vacuum")

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
        file = self._open_file
        try:
            file.execute("BEGIN IMMEDIATE")
            for statement, values in changes:
                file.execute(statement, values)
            file.execute("COMMIT")
        except (sqlite3.Error, MemoryError) as error:
            if file.in_transaction:
                with suppress(sqlite3.Error):
                    file.execute("ROLLBACK")
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
                raise BusyError from None
            raise JournalError(self.path, _explain(error)) from error

    def list_rows(self) -> list[Row]:
        """Every row, in the order of arrival."""
        return list(_rows(self._open_file))

    def read_task(self, number: int) -> Task:
        """The task of a row that the hub has not taken.

        Raises:
            JournalError: if it cannot be read.
        """
        return Task(*self._read_row(_READ_TASK, number))

    def read_answer(self, number: int) -> tuple[str, bytes]:
        """The status and the text of a row that has an answer.

        Raises:
            JournalError: if they cannot be read.
        """
        status, text = self._read_row(_READ_ANSWER, number)
        return status, text

    def _read_row(self, query: str, number: int) -> tuple[Any, ...]:
        try:
            row = self._open_file.execute(query, (number,)).fetchone()
        except sqlite3.Error as error:
            raise JournalError(self.path, _explain(error)) from error
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
        try:
            if self.path.stat().st_ino != self._inode:
                raise JournalError(self.path, "was replaced by another file")
        except OSError as error:
            raise JournalError(self.path, f"is gone: {_word(error)}") from error
        try:
            with closing(_connect(self.path, query="?mode=rw")) as file:
                # The first one does the work, while others may write.
                file.execute("PRAGMA wal_checkpoint(PASSIVE)")
                busy, *_ = file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                return not busy
        except sqlite3.Error:
            # Such as a full disk, which the next commit tells of.
            return False

    def close(self) -> None:
        """Clear the log and let others open it."""
        if self._file is not None:
            with suppress(sqlite3.Error):
                self._file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._file.close()
        if self._lock is not None:
            self._lock.close()
        self._file = self._lock = None


class BusyError(Exception):
    """The log is being cleared; a commit has to wait for a moment."""


def list_rows(path: str) -> list[Row]:
    """Every row of a journal, which may be in use.

    Raises:
        JournalError: if it is none, or cannot be read.
    """
    file = Path(path)
    try:
        file.stat()
        with closing(_connect(file, query="?mode=ro")) as connection:
            _check_kind(file, connection)
            return list(_rows(connection))
    except sqlite3.Error as error:
        raise JournalError(file, _explain(error)) from error
    except OSError as error:
        raise JournalError(file, f"cannot be read: {_word(error)}") from error


def _rows(file: sqlite3.Connection) -> Iterator[Row]:
    for values in file.execute(_COLUMNS):
        number, digest, id_, action, arrived, started, runs, status, size, taken = (
            values
        )
        yield Row(
            number=number,
            digest=digest,
            id=id_,
            action=action,
            arrived=arrived,
            started=started,
            runs=runs,
            status=status,
            size=size or 0,
            taken=taken,
        )


def _connect(
    path: Path, *, query: str = "", check_same_thread: bool = True
) -> sqlite3.Connection:
    # Nothing waits in here: who finds it busy comes again.
    uri = f"{path.absolute().as_uri()}{query}"
    return sqlite3.connect(
        uri,
        uri=True,
        timeout=0,
        isolation_level=None,
        check_same_thread=check_same_thread,
    )


def _lock(path: Path) -> sqlite3.Connection:
    """Keep others away until the connection is closed, or the process dies."""
    beside = path.with_name(f"{path.name}-lock")
    _make(beside)
    lock = _connect(beside, check_same_thread=False)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        lock.close()
        if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        raise JournalError(path, "is in use by another provider") from None
    return lock


def _make(path: Path) -> None:
    """Make the file if there is none, for its owner alone.

    One that is there is not opened: closing it again would end every lock that this
    process holds on it, as POSIX has it.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, _PRIVATE))


def _disguise(file: sqlite3.Connection, last: str, hub: str) -> None:
    """Have the tasks of one hub match none of another's, until it is back itself.

    Only the digests of the hub that is in use are as they are. It is an XOR with the
    digests of both names, so the way back gives what was there before, and no row grows.
    """
    mask = _digest_name(last) ^ _digest_name(hub)

    def change(digest: bytes) -> bytes:
        masked = int.from_bytes(digest, "big") ^ mask
        return masked.to_bytes(_DIGEST, "big")

    file.create_function("disguise", 1, change)
    file.execute("UPDATE task SET digest = disguise(digest)")


def _digest_name(hub: str) -> int:
    return int.from_bytes(blake2b(hub.encode(), digest_size=_DIGEST).digest(), "big")


def _is_empty(file: sqlite3.Connection) -> bool:
    has_tables = _read(file, "SELECT count(*) FROM sqlite_schema")
    return not has_tables and not _read(file, "PRAGMA application_id")


def _check_kind(path: Path, file: sqlite3.Connection) -> None:
    if _read(file, "PRAGMA application_id") != APPLICATION_ID:
        raise JournalError(path, "is a file of another program")
    version = _read(file, "PRAGMA user_version")
    if version != VERSION:
        problem = f"is of version {version}, and this package knows {VERSION}"
        raise JournalError(path, problem)


def _read(file: sqlite3.Connection, query: str) -> Any:
    row = file.execute(query).fetchone()
    return None if row is None else row[0]


_REASONS: Final = {
    sqlite3.SQLITE_NOTADB: "is no SQLite file",
    sqlite3.SQLITE_CORRUPT: "is damaged; move it away",
    sqlite3.SQLITE_READONLY: "cannot be written: it is read-only",
    sqlite3.SQLITE_FULL: "cannot be written: the disk is full",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
    sqlite3.SQLITE_BUSY: "is in use by another program",
}


def _word(error: OSError) -> str:
    return error.strerror or str(error)


def _explain(error: sqlite3.Error | MemoryError) -> str:
    if isinstance(error, MemoryError):
        return "cannot be written: there is no memory left"
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return _REASONS.get(code, f"cannot be used: {error}")
