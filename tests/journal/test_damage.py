"""A row that nobody could have written, and a clock that was wrong."""

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from arbvantage_provider import Provider
from arbvantage_provider.task import Task
from arbvantage_provider.testing import LocalHub, running
from arbvantage_provider.worker.delivery.journal import list_rows
from arbvantage_provider.worker.delivery.tracker import (
    IN_MEMORY,
    DedupCache,
    FinishedTask,
)

TEXT = b'{"status":"success","message":"","data":{"item":"stored"}}'
NOW = time.time()
YEAR = 31_557_600.0

Make = Callable[..., Provider]
Look = Callable[[str], list[Any]]

DAMAGED: dict[str, str] = {
    "result = x'7b22ff227d'": "result",
    "result = x'ff'": "result",
    "result = x'7b22'": "result",
    "result = x''": "result",
    "result = NULL": "result",
    "result = 5": "result",
    "result = CAST(x'7bff7d' AS TEXT)": "result",
    "status = 'fine'": "status",
    "status = CAST(x'ff' AS TEXT)": "status",
    "status = x'ff'": "status",
    "status = NULL": "result",
    "id = CAST(x'ff' AS TEXT)": "id",
    "id = x'ff'": "id",
    "action = CAST(x'c328' AS TEXT)": "action",
    "action = x'00'": "action",
    "digest = x'00'": "digest",
    "digest = 'text'": "digest",
    "digest = 7": "digest",
    "arrived = 'yesterday'": "arrived",
    "arrived = x'ff'": "arrived",
    "arrived = 9e999": "arrived",
    "arrived = -1e300": "arrived",
    "started = 'once'": "started",
    "runs = 'many'": "runs",
    "runs = -1": "runs",
    "runs = x'ff'": "runs",
    "number = 9223372036854775807": "number, payload, account",
}
CONTENT: dict[str, str] = {
    "payload = NULL": "payload",
    "payload = 'text'": "payload",
    "account = 5": "account",
    "number = 77": "payload, account",
}


@pytest.fixture
def runs() -> list[str]:
    """The items that handlers were called with."""
    return []


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def make(path: Path, log: Path, runs: list[str]) -> Make:
    def make(**settings: Any) -> Provider:
        provider = Provider("tested", journal=path, log_file=str(log), **settings)

        @provider.actions.register()
        def order(item: str) -> dict[str, str]:
            runs.append(item)
            return {"item": item}

        return provider

    return make


@pytest.fixture
def damage(path: Path) -> Callable[[str], None]:
    def damage(statement: str) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as file:
            file.execute(statement)

    return damage


def make_task(item: str) -> Task:
    payload = json.dumps({"item": item}, separators=(",", ":")).encode()
    return Task(item, "order", payload, b"{}")


def find_lines(log: Path, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [line for line in lines if line["event"] == event]


@pytest.mark.parametrize("change", [*DAMAGED, *CONTENT])
def test_a_damaged_row_is_told_of_and_costs_nobody_else_anything(  # noqa: PLR0913 - fixtures
    hub: LocalHub,
    left: Any,
    make: Make,
    log: Path,
    damage: Callable[[str], None],
    path: Path,
    change: str,
) -> None:
    left.task(make_task("bad"), arrived=NOW, runs=1).answered("success", TEXT)
    left.task(make_task("good"), arrived=NOW, runs=1).answered("success", TEXT).write()
    table = "content" if change in CONTENT else "task"
    damage(f"UPDATE {table} SET {change} WHERE number = 1")  # noqa: S608

    with running(make(), hub):
        hub.submit("order", {"item": "new"}).result()
        hub.wait_until(lambda: len(hub.submissions) == 2)

    assert {result.id for result in hub.submissions} == {"good", "task-1"}
    (line,) = find_lines(log, "rows of the journal cannot be read, and are set aside")
    assert line["rows"] == 1
    assert line["damaged"][0].endswith((DAMAGED | CONTENT)[change])
    (row,) = [row for row in list_rows(str(path)) if row.problem is not None]
    assert row.problem == (DAMAGED | CONTENT)[change]


@pytest.mark.parametrize("state", ["waits for the hub", "is done", "had not started"])
def test_a_task_whose_row_is_damaged_is_neither_run_nor_answered_when_it_comes_again(  # noqa: PLR0913 - fixtures
    hub: LocalHub,
    left: Any,
    make: Make,
    runs: list[str],
    damage: Callable[[str], None],
    eventually: Any,
    state: str,
) -> None:
    handle = hub.submit("order", {"item": "bad"}, id="bad")
    left.task(Task("bad", "order", b'{"item":"bad"}'), arrived=NOW)
    if state != "had not started":
        left.answered("success", TEXT)
    if state == "is done":
        left.taken(NOW)
    left.write()
    what = "action" if state == "had not started" else "result"
    damage(f"UPDATE task SET {what} = CAST(x'7bff7d' AS TEXT)")  # noqa: S608
    provider = make()

    with running(provider, hub):
        eventually(lambda: provider.snapshot().tasks_redelivered == 1)
        handle.redeliver()
        eventually(lambda: provider.snapshot().tasks_redelivered == 2)
        hub.submit("order", {"item": "new"}).result()

    assert runs == ["new"]
    assert handle.results == ()


def test_a_row_that_is_damaged_while_the_provider_runs_is_set_aside(
    hub: LocalHub,
    make: Make,
    runs: list[str],
    log: Path,
    damage: Callable[[str], None],
    eventually: Any,
) -> None:
    provider = make()
    with running(provider, hub):
        handle = hub.submit("order", {"item": "tea"})
        handle.result()
        eventually(lambda: provider.snapshot().tasks_answered == 1)
        damage("UPDATE task SET result = x'ff'")
        for count in (1, 2):
            handle.redeliver()
            eventually(lambda n=count: provider.snapshot().tasks_redelivered == n)
        hub.submit("order", {"item": "milk"}).result()

    assert runs == ["tea", "milk"]
    assert len(handle.results) == 1
    (line,) = find_lines(log, "a task of the journal cannot be read, and is set aside")
    assert line["reason"].endswith("cannot be read in its row 1")


def test_many_damaged_rows_are_one_line_of_the_log(
    hub: LocalHub, left: Any, make: Make, log: Path, damage: Callable[[str], None]
) -> None:
    for number in range(100):
        left.task(make_task(f"bad {number}"), arrived=NOW, runs=1)
        left.answered("success", TEXT)
    left.write()
    damage("UPDATE task SET result = x'ff'")

    with running(make(), hub):
        hub.submit("order", {"item": "new"}).result()

    (line,) = find_lines(log, "rows of the journal cannot be read, and are set aside")
    assert (line["rows"], len(line["damaged"])) == (100, 20)


def test_a_row_that_a_person_removed_leaves_nothing_behind(
    hub: LocalHub,
    left: Any,
    make: Make,
    damage: Callable[[str], None],
    look: Look,
    eventually: Any,
) -> None:
    left.task(make_task("gone"), arrived=NOW).write()
    damage("DELETE FROM task")
    provider = make()

    with running(provider, hub):
        hub.submit("order", {"item": "new"}).result()
        eventually(lambda: look("SELECT * FROM content") == [])

    assert [result.data for result in hub.submissions] == [{"item": "new"}]


def test_a_damaged_digest_does_not_keep_another_hub_away(
    hub: LocalHub, left: Any, make: Make, damage: Callable[[str], None]
) -> None:
    left.task(make_task("bad"), arrived=NOW).answered("success", TEXT).taken(NOW)
    left.write()
    damage("UPDATE task SET digest = 'text'")

    with LocalHub() as other, running(make(), other):
        assert other.submit("order", {"item": "new"}).result().status == "success"


# --- clocks ------------------------------------------------------------------


def test_what_was_done_in_the_future_is_forgotten_a_day_from_now(
    hub: LocalHub, left: Any, make: Make, look: Look, eventually: Any
) -> None:
    left.task(make_task("ahead"), arrived=NOW + YEAR, runs=1)
    left.answered("success", TEXT).taken(NOW + YEAR).write()
    with running(make(), hub):
        eventually(lambda: look("SELECT taken FROM task")[0][0] < time.time())

    assert look("SELECT arrived < 1e10 FROM task") == [(1,)]


def test_what_was_done_in_the_future_keeps_nothing_older_alive(
    hub: LocalHub, left: Any, make: Make, look: Look, eventually: Any
) -> None:
    left.task(make_task("old"), arrived=NOW - YEAR, runs=1)
    left.answered("success", TEXT).taken(NOW - YEAR)
    left.task(make_task("ahead"), arrived=NOW + YEAR, runs=1)
    left.answered("success", TEXT).taken(NOW + YEAR).write()
    with running(make(), hub):
        eventually(lambda: look("SELECT id FROM task") == [("ahead",)])


def test_what_was_done_while_the_clock_was_behind_is_known_again(
    hub: LocalHub, left: Any, make: Make, runs: list[str]
) -> None:
    handle = hub.submit("order", {"item": "tea"})
    left.task(make_task("before"), arrived=NOW - 60, runs=1)
    left.answered("success", TEXT).taken(NOW - 60)
    left.task(Task(handle.id, "order", b'{"item":"tea"}'), arrived=60.0, runs=1)
    left.answered("success", TEXT).taken(61.0).write()

    with running(make(), hub):
        assert handle.result().data == {"item": "stored"}

    assert runs == []


def test_a_task_that_arrived_in_the_future_is_as_young_as_can_be(
    hub: LocalHub, left: Any, make: Make, look: Look, runs: list[str]
) -> None:
    left.task(make_task("ahead"), arrived=NOW + YEAR).write()

    with running(make(journal_max_age=60), hub):
        hub.wait_until(lambda: len(hub.submissions) == 1)

    assert runs == ["ahead"]
    assert look("SELECT arrived < 1e10 FROM task") == [(1,)]


def test_what_is_kept_while_the_clock_is_ahead_goes_a_day_after_it_is_right() -> None:
    done = DedupCache(IN_MEMORY)
    for number in (1, 2):
        done.keep(bytes([number]), FinishedTask(number, 10, NOW + YEAR))

    assert done.drop_old(NOW) == []
    gone = done.drop_old(NOW + IN_MEMORY.seconds + 1)
    assert [kept.number for kept in gone] == [1, 2]
