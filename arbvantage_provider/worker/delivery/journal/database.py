"""SQLite, as the journal uses it: connections, single values, and errors in words."""

import sqlite3
from pathlib import Path
from typing import Any, Final

from arbvantage_provider.exceptions import JournalError

APPLICATION_ID: Final = 0x61727662
"""Tells a journal from other SQLite files."""
VERSION: Final = 1

_REASONS: Final = {
    sqlite3.SQLITE_NOTADB: "is no SQLite file",
    sqlite3.SQLITE_CORRUPT: "is damaged; move it away",
    sqlite3.SQLITE_READONLY: "cannot be written: it is read-only",
    sqlite3.SQLITE_FULL: "cannot be written: the disk is full",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
    sqlite3.SQLITE_BUSY: "is in use by another program",
}


def connect(
    path: Path, *, query: str = "", check_same_thread: bool = True
) -> sqlite3.Connection:
    """A connection without transactions of Python's own."""
    # Nothing waits in here: who finds it busy comes again.
    uri = f"{path.absolute().as_uri()}{query}"
    file = sqlite3.connect(
        uri,
        uri=True,
        timeout=0,
        isolation_level=None,
        check_same_thread=check_same_thread,
    )
    # A text that is no UTF-8 is a value that can be looked at, and no error.
    file.text_factory = _decode
    return file


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")


def read(file: sqlite3.Connection, query: str) -> Any:
    """The first value of the first row; ``None``: there is no row."""
    row = file.execute(query).fetchone()
    return None if row is None else row[0]


def is_empty(file: sqlite3.Connection) -> bool:
    """Whether nobody has put anything into it."""
    has_tables = read(file, "SELECT count(*) FROM sqlite_schema")
    return not has_tables and not read(file, "PRAGMA application_id")


def check_kind(path: Path, file: sqlite3.Connection) -> None:
    """Refuse what is no journal, or none of this version.

    Raises:
        JournalError: which says what it is.
    """
    if read(file, "PRAGMA application_id") != APPLICATION_ID:
        raise JournalError(path, "is a file of another program")
    version = read(file, "PRAGMA user_version")
    if version != VERSION:
        problem = f"is of version {version}, and this package knows {VERSION}"
        raise JournalError(path, problem)


def find_code(error: Exception) -> int:
    """SQLite's primary code of an error; 0: it has none."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF


def explain(error: sqlite3.Error | MemoryError) -> str:
    """An error in words that follow the name of the file."""
    if isinstance(error, MemoryError):
        return "cannot be written: there is no memory left"
    return _REASONS.get(find_code(error), f"cannot be used: {error}")


def explain_system(error: OSError) -> str:
    """What the system says, without the path."""
    return error.strerror or str(error)
