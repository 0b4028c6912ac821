"""SQLite's log, or the file itself, is taken away from a provider that runs."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from arbvantage_provider import HubError, JournalError, Provider
from arbvantage_provider.testing import LocalHub, running
from arbvantage_provider.worker.delivery.journal import list_rows
from arbvantage_provider.worker.delivery.journal.store import Store

pytestmark = pytest.mark.skipif(
    os.name != "posix", reason="elsewhere nobody removes a file that is open"
)
REMOVED = "the journal's log was removed, and is written anew; nothing is lost"

Events = Callable[[], list[str]]


@pytest.fixture
def provider(path: Path, tmp_path: Path) -> Provider:
    log = str(tmp_path / "log")
    provider = Provider("tested", journal=path, log_file=log, shutdown_timeout=1)

    @provider.actions.register()
    def order(item: str) -> dict[str, str]:
        return {"item": item}

    return provider


@pytest.fixture
def events(tmp_path: Path) -> Events:
    """What was logged, and why."""

    def read() -> list[str]:
        lines = (tmp_path / "log").read_text().splitlines()
        return [f"{(a := json.loads(x))['event']}: {a.get('reason')}" for x in lines]

    return read


def beside(path: Path, ending: str) -> Path:
    return path.with_name(f"{path.name}{ending}")


def remove_all_beside(path: Path) -> None:
    for ending in ("-wal", "-shm", "-lock"):
        beside(path, ending).unlink(missing_ok=True)


def replace_log(path: Path) -> None:
    beside(path, "-wal").rename(beside(path, "-old"))
    beside(path, "-wal").write_bytes(b"x" * 5_000)


AWAY: dict[str, Callable[[Path], object]] = {
    "the log": lambda path: beside(path, "-wal").unlink(),
    "the log, moved": lambda path: beside(path, "-wal").rename(beside(path, "-old")),
    "the log, replaced": replace_log,
    "the shared memory": lambda path: beside(path, "-shm").unlink(),
    "all beside it": remove_all_beside,
}


@pytest.mark.parametrize("what", AWAY)
def test_a_log_that_is_removed_is_written_anew_and_nothing_is_lost(
    provider: Provider,
    path: Path,
    hub: LocalHub,
    events: Events,
    eventually: Any,
    what: str,
) -> None:
    with running(provider, hub):
        for item in ("tea", "milk"):
            hub.submit("order", {"item": item}).result()
        AWAY[what](path)
        for item in ("salt", "rice"):
            hub.submit("order", {"item": item}).result()
        eventually(lambda: len([r for r in list_rows(str(path)) if r.taken]) == 4)
        assert provider.snapshot().healthy
        assert [line for line in events() if "log was removed" in line] == [
            f"{REMOVED}: None"
        ]
        shutil.copy(path, path.with_name("seen"))
        shutil.copy(beside(path, "-wal"), path.with_name("seen-wal"))
    # What a process that died just then would have left, and what it did leave.
    for found in (path.with_name("seen"), path):
        assert [row.status for row in list_rows(str(found))] == ["success"] * 4


def run_and_kill(path: Path, hub: LocalHub, before: str) -> None:
    """A process that has answered one task, and dies after it did something."""
    program = f"""
import os, sys
from pathlib import Path
from arbvantage_provider import Provider

path = Path({str(path)!r})
provider = Provider("tested", journal=path)

@provider.actions.register()
def order(item: str):
    return item

@provider.actions.register()
def die():
    {before}
    os.kill(os.getpid(), 9)

provider.start(hub_url={hub.url!r}, auth_token="any")
"""
    hub.submit("order", {"item": "tea"})
    hub.submit("die")
    subprocess.run([sys.executable, "-c", program], check=False, timeout=30)


def test_a_log_that_is_gone_after_a_kill_is_missed(
    path: Path, hub: LocalHub, provider: Provider
) -> None:
    run_and_kill(path, hub, "path.with_name(path.name + '-wal').unlink()")

    with pytest.raises(JournalError) as caught:
        provider.start(hub_url=hub.url, auth_token="any")
    assert caught.value.problem == (
        f"was not closed, and its log '{beside(path, '-wal')}' is gone with what was "
        "in it; put that back, or move the file away"
    )
    assert {result.status for result in hub.submissions} <= {"success"}


def test_a_file_that_was_copied_without_its_log_is_read_and_not_gone_on_with(
    path: Path, hub: LocalHub
) -> None:
    run_and_kill(path, hub, "pass")
    copy = path.with_name("copy")
    shutil.copy(path, copy)

    list_rows(str(copy))
    with pytest.raises(JournalError, match="was not closed, and its log"):
        Store(str(copy), provider="tested", hub=hub.url)
    shutil.copy(beside(path, "-wal"), beside(copy, "-wal"))
    Store(str(copy), provider="tested", hub=hub.url).close()


def test_a_start_that_is_refused_takes_nothing_from_the_next_one(
    path: Path, hub: LocalHub
) -> None:
    run_and_kill(path, hub, "pass")
    for lock in (b"garbage" * 99, None):
        if lock is not None:
            beside(path, "-lock").write_bytes(lock)
            with pytest.raises(JournalError, match="lock file"):
                Store(str(path), provider="tested", hub=hub.url)
            beside(path, "-lock").unlink()
        with pytest.raises(JournalError, match="belongs to the provider"):
            Store(str(path), provider="other", hub=hub.url)

    Store(str(path), provider="tested", hub=hub.url).close()


def test_a_journal_of_a_version_that_kept_no_such_note_is_taken(path: Path) -> None:
    Store(str(path), provider="tested", hub="hub:1").close()
    with closing(sqlite3.connect(path)) as file:
        file.execute("DROP TABLE state")

    Store(str(path), provider="tested", hub="hub:1").close()


def replace(path: Path) -> None:
    path.rename(path.with_name("old"))
    shutil.copy(path.with_name("old"), path)


LOST: dict[str, tuple[Callable[[Path], object], str]] = {
    "removed": (lambda path: path.unlink(), "is gone: No such file or directory"),
    "moved": (lambda path: path.rename(f"{path}-old"), "is gone: No such file"),
    "replaced": (replace, "was replaced by another file"),
    "removed with all beside it": (
        lambda path: (path.unlink(), remove_all_beside(path)),
        "is gone: No such file",
    ),
}


@pytest.mark.parametrize("what", LOST)
def test_a_file_that_is_lost_ends_the_polling(
    provider: Provider,
    path: Path,
    hub: LocalHub,
    events: Events,
    eventually: Any,
    what: str,
) -> None:
    lose, problem = LOST[what]
    with running(provider, hub):
        hub.submit("order", {"item": "tea"}).result()
        eventually(lambda: beside(path, "-wal").stat().st_size == 0)
        lose(path)
        hub.submit("order", {"item": "milk"})
        eventually(lambda: not provider.snapshot().healthy)

    assert [line for line in events() if problem in line]
    assert {result.status for result in hub.submissions} == {"success"}


@pytest.mark.parametrize("size", [100, 4_096])
def test_a_file_that_is_cut_ends_the_polling_and_nothing_is_answered_wrongly(
    provider: Provider,
    path: Path,
    hub: LocalHub,
    events: Events,
    eventually: Any,
    size: int,
) -> None:
    with suppress(HubError), running(provider, hub):
        hub.submit("order", {"item": "tea"}).result()
        eventually(lambda: beside(path, "-wal").stat().st_size == 0)
        os.truncate(path, size)
        hub.submit("order", {"item": "milk"})
        eventually(lambda: not provider.snapshot().healthy)

    reasons = ("was cut by another program", "is damaged", "is no SQLite file")
    assert any(reason in line for line in events() for reason in reasons)
    assert {result.status for result in hub.submissions} == {"success"}
    with pytest.raises(JournalError, match=r"is damaged|is no SQLite|was not closed"):
        Store(str(path), provider="tested", hub=hub.url)


def test_tasks_that_are_in_a_file_that_is_lost_are_not_called_kept(
    provider: Provider, path: Path, hub: LocalHub, events: Events, eventually: Any
) -> None:
    with pytest.raises(HubError, match="1 left unanswered"), running(provider, hub):
        hub.submit("order", {"item": "tea"}).result()
        hub.fail_submits("UNAVAILABLE", times=1_000)
        hub.submit("order", {"item": "milk"})
        eventually(lambda: provider.snapshot().results_waiting == 1)
        path.unlink()
        eventually(lambda: not provider.snapshot().healthy)

    assert not [line for line in events() if "kept in the journal" in line]


def test_the_end_of_a_provider_takes_no_log_from_the_one_that_replaced_its_file(
    path: Path,
) -> None:
    first = Store(str(path), provider="tested", hub="hub:1")
    path.rename(path.with_name("old"))
    beside(path, "-lock").unlink()
    remove_all_beside(path)
    second = Store(str(path), provider="tested", hub="hub:1")
    with pytest.raises(JournalError, match="was replaced by another file"):
        first.clear_log()
    first.close()
    second.write([])

    assert beside(path, "-wal").exists()
    assert second.recoveries == 0
    second.close()


@pytest.fixture
def mount_over(path: Path) -> Iterator[Callable[[], None]]:
    """Mounts another file system over the folder."""
    mounted: list[str] = []

    def mount() -> None:
        command = ["mount", "-t", "tmpfs", "none", str(path.parent)]
        if not shutil.which("mount") or subprocess.run(command, check=False).returncode:
            pytest.skip("this user may not mount")
        mounted.append(str(path.parent))

    yield mount
    for place in mounted:
        subprocess.run(["umount", "--lazy", place], check=True)  # noqa: S607


def test_another_mount_over_the_folder_with_the_same_inode_is_noticed(
    path: Path, mount_over: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = Store(str(path), provider="tested", hub="hub:1")
    number = path.stat().st_ino
    mount_over()
    path.write_bytes(b"x" * 100_000)
    stat = Path.stat

    def number_alike(self: Path, **options: Any) -> os.stat_result:
        found = list(stat(self, **options))
        found[1] = number
        return os.stat_result(found)

    monkeypatch.setattr(Path, "stat", number_alike)
    with pytest.raises(JournalError, match="was replaced by another file"):
        file.clear_log()
    file.close()
