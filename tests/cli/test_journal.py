"""``arbvantage journal``."""

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from arbvantage_provider import Provider
from arbvantage_provider.testing import LocalHub, running

Run = Callable[..., subprocess.CompletedProcess[str]]


def make_provider(path: Path) -> Provider:
    """One that gives up soon when it is stopped."""
    return Provider("tested", journal=path, log_level="CRITICAL", shutdown_timeout=0.2)


@pytest.fixture
def journal(folder: Path) -> Path:
    """One task is done, another one's result waits for a hub that is gone."""
    path = folder / "tasks.journal"
    provider = make_provider(path)

    @provider.actions.register()
    def order(item: str) -> dict[str, str]:
        return {"ordered": item}

    with LocalHub() as hub, running(provider, hub):
        hub.submit("order", {"item": "tea"}, {"key": "s3cret"}, id="first")
        hub.wait_until(lambda: provider.snapshot().tasks_answered == 1)
        hub.fail_submits("UNAVAILABLE", times=1_000)
        hub.submit("order", {"item": "milk"}, {"key": "s3cret"}, id="second")
        hub.wait_until(lambda: provider.snapshot().results_waiting == 1)
    return path


def test_tasks_that_are_not_done_are_listed(journal: Path, arbvantage: Run) -> None:
    shown = arbvantage("journal", journal.name)

    assert shown.returncode == 0
    assert shown.stdout.startswith("second  order  answered success, 59 bytes  0:00:0")
    assert shown.stdout.count("\n") == 1
    assert shown.stderr == "2 tasks: 1 answered, 1 done\n"


def test_all_tasks_are_listed_as_json(journal: Path, arbvantage: Run) -> None:
    shown = arbvantage("journal", journal.name, "--all", "--json")

    first, second = map(json.loads, shown.stdout.splitlines())
    assert (first["id"], first["state"], first["runs"]) == ("first", "done", 1)
    assert (second["status"], second["taken"]) == ("success", None)


def test_no_text_of_a_task_is_shown(journal: Path, arbvantage: Run) -> None:
    for options in ((), ("--all",), ("--all", "--json")):
        shown = arbvantage("journal", journal.name, *options)
        for secret in ("s3cret", "milk", "tea"):
            assert secret not in shown.stdout + shown.stderr


def test_names_from_a_hub_do_not_reach_the_terminal(
    folder: Path, arbvantage: Run
) -> None:
    provider = make_provider(folder / "tasks.journal")
    with LocalHub() as hub, running(provider, hub):
        hub.fail_submits("UNAVAILABLE", times=1_000)
        hub.submit("a" * 1_000, id="\x1b[2J\nred")
        hub.wait_until(lambda: provider.snapshot().results_waiting == 1)

    shown = arbvantage("journal", "tasks.journal").stdout
    assert shown.startswith(f"'\\x1b[2J\\nred'  {'a' * 59}…  answered")


@pytest.mark.parametrize(
    ("content", "problem"),
    [(None, "cannot be read: No such file"), (b"dear diary", "is no SQLite file")],
)
def test_what_is_no_journal_is_refused(
    folder: Path, arbvantage: Run, content: bytes | None, problem: str
) -> None:
    if content is not None:
        (folder / "diary").write_bytes(content * 100)

    shown = arbvantage("journal", "diary")

    assert shown.returncode == 2
    assert problem in shown.stderr


def test_a_damaged_row_is_shown(journal: Path, arbvantage: Run) -> None:
    with closing(sqlite3.connect(journal)) as file, file:
        file.execute("UPDATE task SET result = x'ff', id = CAST(x'ff' AS TEXT)")

    shown = arbvantage("journal", journal.name)
    assert shown.returncode == 0
    assert "damaged: id, result" in shown.stdout
    assert shown.stderr == "2 tasks: 2 damaged\n"
    rows = arbvantage("journal", journal.name, "--json").stdout.splitlines()
    assert [json.loads(row)["damaged"] for row in rows] == ["id, result"] * 2


def test_nothing_is_left_beside_a_closed_journal(
    journal: Path, arbvantage: Run
) -> None:
    before = sorted(journal.parent.iterdir())
    arbvantage("journal", journal.name)

    assert sorted(journal.parent.iterdir()) == before


@pytest.mark.parametrize("has_log", [False, True], ids=["closed", "with its log"])
def test_a_journal_on_a_read_only_disk_is_read(
    journal: Path, tmp_path: Path, arbvantage: Run, *, has_log: bool
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    shutil.copy(journal, disk)
    copy = disk / journal.name
    if has_log:
        with closing(sqlite3.connect(copy)) as file, file:
            file.execute("UPDATE task SET action = 'from the log'")
            file.commit()
            shutil.copy(f"{copy}-wal", tmp_path / "log")
        shutil.copy(tmp_path / "log", f"{copy}-wal")
    mount = ["mount", "--bind", "-o", "ro", str(disk), str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, check=False).returncode:
        pytest.skip("this user may not mount")
    try:
        shown = arbvantage("journal", str(copy), "--all")
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)  # noqa: S607

    assert shown.stderr == "2 tasks: 1 answered, 1 done\n"
    assert has_log == ("from the log" in shown.stdout)
