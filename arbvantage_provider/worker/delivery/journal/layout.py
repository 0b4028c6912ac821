"""The tables of a journal, whose they are, and what a start finds and leaves in them."""

import sqlite3
from hashlib import blake2b
from pathlib import Path
from typing import Final

from arbvantage_provider.exceptions import JournalError
from arbvantage_provider.worker.delivery.journal.database import (
    APPLICATION_ID,
    VERSION,
    read,
)
from arbvantage_provider.worker.delivery.journal.rows import DIGEST_SIZE

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


def create(file: sqlite3.Connection, provider: str, hub: str) -> None:
    """Make an empty file a journal of this provider."""
    file.executescript(
        f"BEGIN IMMEDIATE; {_CREATE} PRAGMA application_id = {APPLICATION_ID};"
        f" PRAGMA user_version = {VERSION};"
    )
    file.execute("INSERT INTO owner VALUES (?, ?)", (provider, hub))
    file.execute("COMMIT")


def check(path: Path, file: sqlite3.Connection, provider: str) -> None:
    """Refuse what is damaged, or another provider's.

    Raises:
        JournalError: which says what is wrong.
    """
    damage = str(read(file, "PRAGMA quick_check(1)"))
    if damage != "ok":
        raise JournalError(path, f"is damaged; move it away: {damage}")
    owner = read(file, "SELECT provider FROM owner")
    if owner != provider:
        raise JournalError(path, f"belongs to the provider {owner!r}")


def take_over(path: Path, file: sqlite3.Connection, hub: str) -> None:
    """Write that it is in use, which shows that it can be written.

    Another hub knows nothing of the tasks of the last one, and would refuse their
    results for good. What is done is kept for the time that its own hub is back.

    Raises:
        JournalError: if it holds unfinished tasks of another hub.
    """
    last = read(file, "SELECT hub FROM owner")
    waiting = read(file, "SELECT count(*) FROM task WHERE taken IS NULL")
    if last != hub and waiting:
        problem = f"holds unfinished tasks ({waiting}) of the hub at {last}"
        remedy = f"start with that hub_url, not {hub}, or move the file away"
        raise JournalError(path, f"{problem}; {remedy}")
    file.execute("BEGIN IMMEDIATE")
    if last != hub:
        _disguise(file, last, hub)
    file.execute("UPDATE owner SET hub = ?", (hub,))
    # What a person left who removed a row by hand.
    file.execute("DELETE FROM content WHERE number NOT IN (SELECT number FROM task)")
    file.execute("COMMIT")
    file.executescript("PRAGMA incremental_vacuum")


def mark(file: sqlite3.Connection, *, is_open: bool) -> None:
    """Write whether somebody has it open, and so whether there must be a log."""
    file.execute("BEGIN IMMEDIATE")
    file.execute("CREATE TABLE IF NOT EXISTS state (is_open INTEGER NOT NULL)")
    file.execute("DELETE FROM state")
    file.execute("INSERT INTO state VALUES (?)", (is_open,))
    file.execute("COMMIT")


def clear(file: sqlite3.Connection) -> bool:
    """Bring all changes into the file and empty the log; whether nobody reads it."""
    busy, *_ = file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


def _disguise(file: sqlite3.Connection, last: str, hub: str) -> None:
    """Have the tasks of one hub match none of another's, until it is back itself.

    Only the digests of the hub that is in use are as they are. It is an XOR with the
    digests of both names, so the way back gives what was there before, and no row grows.
    """
    mask = _digest_name(last) ^ _digest_name(hub)

    def change(digest: bytes) -> bytes:
        masked = int.from_bytes(digest, "big") ^ mask
        return masked.to_bytes(DIGEST_SIZE, "big")

    file.create_function("disguise", 1, change)
    file.execute(
        "UPDATE task SET digest = disguise(digest)"
        " WHERE typeof(digest) = 'blob' AND length(digest) = ?",
        (DIGEST_SIZE,),
    )


def _digest_name(hub: str) -> int:
    name = hub.encode("utf-8", "surrogateescape")
    return int.from_bytes(blake2b(name, digest_size=DIGEST_SIZE).digest(), "big")
