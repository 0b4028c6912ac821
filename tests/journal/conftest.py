"""A journal file for each test, and what a process that died left in it."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from arbvantage_provider.task import Task
from arbvantage_provider.testing import LocalHub
from arbvantage_provider.worker.delivery.journal import store
from arbvantage_provider.worker.delivery.journal.store import Change, Store
from arbvantage_provider.worker.delivery.tracker import digest_task

NAME = "tested"


class Left:
    """Writes into a journal what a provider wrote before it died."""

    def __init__(self, path: Path, hub: str) -> None:
        self.path = path
        self.hub = hub
        self._changes: list[Change] = []
        self._number = 0

    def task(self, task: Task, *, arrived: float, runs: int = 0) -> "Left":
        """A task that came, and whose handler was called so many times."""
        self._number += 1
        digest = digest_task(task)
        self._changes += store.arrive(self._number, digest, task, now=arrived)
        for _ in range(runs):
            self._changes += store.start(self._number, now=arrived)
        return self

    def answered(self, status: str, text: bytes) -> "Left":
        """The last of them has an answer."""
        self._changes += store.answer(self._number, status, text)
        return self

    def taken(self, moment: float) -> "Left":
        """The hub has it."""
        self._changes += store.mark_delivered(self._number, now=moment)
        return self

    def write(self) -> None:
        file = Store(str(self.path), provider=NAME, hub=self.hub)
        file.write(self._changes)
        file.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tasks.journal"


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    with LocalHub() as hub:
        yield hub


@pytest.fixture
def left(path: Path, hub: LocalHub) -> Left:
    return Left(path, hub.url)


@pytest.fixture
def look(path: Path) -> Callable[[str], list[Any]]:
    """Asks the file, as another program would."""

    def ask(query: str) -> list[Any]:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as file:
            return file.execute(query).fetchall()

    return ask
