"""What a journal says of each task, also where a row is damaged.

A row with a value that nobody could have written is told of and left where it is:
it costs neither the others nor the start.
"""

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from arbvantage_provider.exceptions import JournalError
from arbvantage_provider.responses import STATUSES
from arbvantage_provider.worker.delivery.journal.database import (
    check_kind,
    connect,
    explain,
    explain_system,
    find_code,
)
from arbvantage_provider.worker.delivery.journal.files import LOG, find_beside

DIGEST_SIZE: Final = 16
"""Bytes of a task's digest."""
_NAMES: Final = (
    *("number", "digest", "id", "action", "arrived", "started", "runs", "status"),
    *("result", "taken", "payload", "account"),
)
_COLUMNS: Final = (
    "SELECT number, digest, id, action, arrived, started, runs, status, result, taken,"
    " typeof(payload), typeof(account)"
    " FROM task LEFT JOIN content USING (number) ORDER BY number"
)
MOST_NUMBER: Final = 2**62
"""No number of a row is as large; there must be room for the next ones."""
_LAST_MOMENT: Final = 2.5e11
"""Seconds since 1970 that a calendar still knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What the journal knows of one task, without its texts.

    Attributes:
        number: the place of its arrival.
        digest: of all that the hub sent; empty: it is damaged.
        id: the task's id.
        action: the name of its action.
        arrived: when, in seconds since 1970.
        started: when its handler was called last, or ``None``.
        runs: how many times it was.
        status: of its answer; ``None``: there is none.
        size: bytes of the answer's text.
        taken: when the hub took the answer, or refused it for good.
        problem: the columns that are damaged; ``None``: none is.
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
    problem: str | None = None


def read_rows(file: sqlite3.Connection) -> Iterator[Row]:
    """Every row, in the order of arrival."""
    for values in file.execute(_COLUMNS):
        yield _read_row(values)


def list_rows(path: str) -> list[Row]:
    """Every row of a journal, which may be in use, or on a disk that is read-only.

    Raises:
        JournalError: if it is none, or cannot be read.
    """
    file = Path(path)
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise JournalError(file, "cannot be read: it is no file")
        rows = _list_closed(file)
        return _list_open(file) if rows is None else rows
    except sqlite3.Error as error:
        raise JournalError(file, explain(error)) from error
    except OSError as error:
        problem = f"cannot be read: {explain_system(error)}"
        raise JournalError(file, problem) from error


def _list_closed(file: Path) -> list[Row] | None:
    """The rows, if nobody has it open; nothing is left beside the file."""
    log = find_beside(file.resolve(), LOG)
    if log.exists():
        return None
    try:
        rows = _list_rows(file, "?mode=ro&immutable=1")
    except sqlite3.Error:
        if not log.exists():
            raise
        return None
    return None if log.exists() else rows


def _list_open(file: Path) -> list[Row]:
    try:
        return _list_rows(file, "?mode=ro")
    except sqlite3.Error as error:
        if find_code(error) not in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}:
            raise
    # The disk is read-only. Without locks, the log can be read with an index of this
    # process's own.
    return _list_rows(file, "?mode=ro&vfs=unix-none", alone=True)


def _list_rows(path: Path, query: str, *, alone: bool = False) -> list[Row]:
    with closing(connect(path, query=query)) as file:
        if alone:
            file.execute("PRAGMA locking_mode = EXCLUSIVE")
        # A provider that starts or stops has it to itself for a moment.
        file.execute("PRAGMA busy_timeout = 5000")
        check_kind(path, file)
        return list(read_rows(file))


def is_text(value: object) -> bool:
    """Whether it is a text, and UTF-8 in the file."""
    try:
        return isinstance(value, str) and bool(value.encode() or True)
    except UnicodeEncodeError:
        return False


def is_response(text: object) -> bool:
    """Whether it is the text of a result, and its end is there."""
    if not isinstance(text, bytes) or text[:1] + text[-1:] != b"{}":
        return False
    try:
        return bool(text.decode())
    except UnicodeDecodeError:
        return False


def _is_moment(value: object) -> bool:
    return isinstance(value, float) and 0 <= value < _LAST_MOMENT


def _read_row(values: tuple[Any, ...]) -> Row:
    row = dict(zip(_NAMES, values, strict=True))
    problem = _find_problem(row)
    wrong = frozenset(problem)
    size = len(row["result"]) if isinstance(row["result"], bytes) else 0
    # What is wrong stands for nothing.
    return Row(
        number=row["number"],
        digest=b"" if "digest" in wrong else row["digest"],
        id=_show(row["id"]),
        action=_show(row["action"]),
        arrived=0.0 if "arrived" in wrong else row["arrived"],
        started=None if "started" in wrong else row["started"],
        runs=0 if "runs" in wrong else row["runs"],
        status=None if row["status"] is None else _show(row["status"]),
        size=size,
        taken=None if "taken" in wrong else row["taken"],
        problem=", ".join(problem) or None,
    )


def _find_problem(row: dict[str, Any]) -> list[str]:
    """The columns whose values nobody could have written."""
    is_done, has_answer = row["taken"] is not None, row["status"] is not None
    fine = {
        "number": row["number"] < MOST_NUMBER,
        "digest": _has_size(row["digest"], DIGEST_SIZE),
        "id": is_text(row["id"]),
        "action": is_text(row["action"]),
        "arrived": _is_moment(row["arrived"]),
        "started": row["started"] is None or _is_moment(row["started"]),
        "runs": isinstance(row["runs"], int) and row["runs"] >= 0,
        "status": not has_answer or row["status"] in STATUSES,
        "result": is_response(row["result"]) if has_answer else row["result"] is None,
        "taken": not is_done or _is_moment(row["taken"]),
        "payload": is_done or row["payload"] == "blob",
        "account": is_done or row["account"] == "blob",
    }
    return [name for name, is_fine in fine.items() if not is_fine]


def _has_size(value: object, size: int) -> bool:
    return isinstance(value, bytes) and len(value) == size


def _show(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text.encode("utf-8", "backslashreplace").decode()
