"""The file of a journal: what it holds, who may read it, and what is refused."""

import asyncio
import contextlib
import logging
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from arbvantage_provider import ConfigError, JournalError, Provider
from arbvantage_provider.clock import SystemClock
from arbvantage_provider.task import Task
from arbvantage_provider.testing import LocalHub, running
from arbvantage_provider.worker.delivery.journal import JournalWriter, writer
from arbvantage_provider.worker.delivery.journal.store import Store
from arbvantage_provider.worker.runtime.event_loop import MOST_THREADS

Look = Callable[[str], list[Any]]
TOKEN = "canary-token-0123456789"
ACCOUNT = {"key": "canary-account-0123456789"}
PAYLOAD = {"item": "canary-payload-0123456789"}


def make_provider(path: Path, **settings: Any) -> Provider:
    provider = Provider("tested", journal=path, execution_timeout=10, **settings)

    @provider.actions.register()
    def order(item: str) -> dict[str, int]:
        return {"length": len(item)}

    @provider.actions.register()
    def fail(item: str) -> None:
        raise RuntimeError("no")

    return provider


def read_all(path: Path) -> bytes:
    """Every byte of the file and of those that SQLite keeps beside it."""
    found: list[bytes] = []
    for file in path.parent.glob(f"{path.name}*"):
        with contextlib.suppress(FileNotFoundError):  # SQLite has just removed it
            found.append(file.read_bytes())
    return b"".join(found)


def test_texts_of_a_task_are_in_the_file_until_the_hub_has_the_result(
    path: Path, eventually: Any
) -> None:
    provider = make_provider(path)
    with LocalHub(token=TOKEN) as hub, running(provider, hub):
        hub.fail_submits("UNAVAILABLE", times=3)
        handle = hub.submit("order", PAYLOAD, ACCOUNT)
        eventually(lambda: b"canary-payload" in read_all(path))
        handle.result()
        eventually(lambda: b"canary" not in read_all(path))


def test_texts_are_gone_after_many_tasks_and_starts(
    path: Path, eventually: Any
) -> None:
    provider = make_provider(path)
    with LocalHub() as hub:
        for number in range(900):
            words = "x" * (number % 7 * 100)
            hub.submit("order", {"item": f"canary {words} {number}"}, ACCOUNT)
        for answered in (200, 400, 600):
            with running(provider, hub):
                hub.wait_until(lambda n=answered: len(hub.submissions) >= n, timeout=30)
        with running(provider, hub):
            hub.join(60)
            eventually(lambda: b"canary" not in read_all(path))


def test_the_token_is_never_in_the_file(path: Path) -> None:
    with LocalHub(token=TOKEN) as hub, running(make_provider(path), hub):
        for action in ("order", "fail", "no such"):
            hub.submit(action, PAYLOAD, ACCOUNT).result()
            assert TOKEN.encode() not in read_all(path)


def test_nothing_of_a_task_that_no_handler_saw_is_kept(path: Path, look: Look) -> None:
    with LocalHub() as hub, running(make_provider(path), hub):
        hub.submit("order", {"item": 5}).result()
        hub.submit("no such").result()

    assert look("SELECT * FROM task") == []


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
def test_only_the_owner_may_read_the_files(path: Path) -> None:
    path.touch(mode=0o666)
    modes: set[int] = set()
    with LocalHub() as hub, running(make_provider(path), hub):
        hub.submit("order", PAYLOAD).result()
        beside = list(path.parent.glob(f"{path.name}*"))
        modes = {stat.S_IMODE(file.stat().st_mode) for file in beside}

    assert len(beside) >= 3
    assert modes == {0o600}


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
def test_only_the_owner_may_read_the_log_of_a_file_that_others_could_read(
    path: Path,
) -> None:
    Store(str(path), provider="tested", hub="hub:1").close()
    path.chmod(0o644)
    file = Store(str(path), provider="tested", hub="hub:1")
    log = path.with_name(f"{path.name}-wal")

    assert [stat.S_IMODE(part.stat().st_mode) for part in (path, log)] == [0o600] * 2
    file.close()


def start(path: Path, **settings: Any) -> JournalError:
    with LocalHub() as hub, pytest.raises(JournalError) as caught:
        make_provider(path, **settings).start(hub_url=hub.url, auth_token="any")
    assert hub.polls == 0
    return caught.value


def test_a_file_that_is_no_journal_is_refused_and_left_as_it_is(path: Path) -> None:
    path.write_text("dear diary " * 100)
    path.chmod(0o644)

    assert str(start(path)) == f"journal '{path}' is no SQLite file"
    assert path.read_text().startswith("dear diary")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_database_of_another_program_is_refused_and_left_as_it_is(path: Path) -> None:
    with closing(sqlite3.connect(path)) as file:
        file.execute("CREATE TABLE theirs (x)")
    content = path.read_bytes()

    assert start(path).problem == "is a file of another program"
    assert path.read_bytes() == content


def test_a_journal_of_another_provider_is_refused(path: Path) -> None:
    Store(str(path), provider="other", hub="hub:1").close()

    assert start(path).problem == "belongs to the provider 'other'"


def test_a_journal_of_a_later_version_is_refused(path: Path) -> None:
    Store(str(path), provider="tested", hub="hub:1").close()
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA user_version = 2")

    assert start(path).problem == "is of version 2, and this package knows 1"


def test_a_torn_journal_is_refused(path: Path) -> None:
    with LocalHub() as hub, running(make_provider(path), hub):
        for number in range(200):
            hub.submit("order", {"item": f"{number}" * 100})
        hub.join(30)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])

    assert start(path).problem.startswith("is damaged; move it away")


def test_a_journal_that_another_provider_has_is_refused(path: Path) -> None:
    with LocalHub() as hub, running(make_provider(path), hub):
        hub.wait_until(lambda: hub.polls >= 1)
        assert start(path).problem == "is in use by another provider"
        assert hub.submit("order", PAYLOAD).result().status == "success"


def test_a_journal_is_the_same_one_by_another_name(path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to(path)
    with LocalHub() as hub, running(make_provider(path), hub):
        hub.wait_until(lambda: hub.polls >= 1)
        assert start(link).problem == "is in use by another provider"


def test_a_change_of_the_folder_does_not_lose_the_file(
    path: Path, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    with LocalHub() as hub, running(make_provider(Path(path.name)), hub):
        hub.wait_until(lambda: hub.polls >= 1)
        monkeypatch.chdir("/")
        hub.submit("order", PAYLOAD).result()
        eventually(lambda: b"canary" not in read_all(path))


def test_a_program_that_keeps_the_file_busy_is_told_of_and_waited_for(
    path: Path, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "BUSY_FOR_LONG", 0.1)
    log = path.parent / "log"
    provider = make_provider(path, log_file=str(log))
    with (
        LocalHub() as hub,
        running(provider, hub),
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        hub.submit("order", PAYLOAD).result()
        other.execute("BEGIN IMMEDIATE")
        waiting = hub.submit("order", {"item": "milk"})
        eventually(lambda: not provider.snapshot().healthy)
        assert "is kept busy by another program" in log.read_text()
        other.execute("ROLLBACK")
        assert waiting.result().status == "success"
        eventually(lambda: provider.snapshot().healthy)


def test_threads_that_handlers_never_give_back_keep_nobody_from_clearing_and_closing(
    path: Path, eventually: Any
) -> None:
    provider = make_provider(path, shutdown_timeout=1)
    end = threading.Event()

    @provider.actions.register(timeout=0.1)
    async def hang(number: int) -> None:
        await asyncio.to_thread(end.wait, 30)

    try:
        with LocalHub() as hub, running(provider, hub):
            for number in range(MOST_THREADS):
                hub.submit("hang", {"number": number})
            hub.join(20)
            hub.submit("order", PAYLOAD).result()
            eventually(lambda: b"canary" not in read_all(path))
    finally:
        end.set()


def test_a_task_that_waits_for_a_slot_is_in_the_file(
    path: Path, eventually: Any, look: Look
) -> None:
    provider = make_provider(path, max_concurrency=1)
    end = threading.Event()
    provider.actions.register("hang", timeout=0.1)(end.wait)
    try:
        with LocalHub(next_on_submit=True) as hub, running(provider, hub):
            hub.submit("hang")
            waiting = hub.submit("order", PAYLOAD)
            hub.wait_until(lambda: waiting.handed_out == 1)
            eventually(lambda: (waiting.id,) in look("SELECT id FROM task"))
            assert not waiting.results
            end.set()
            assert waiting.result().status == "success"
    finally:
        end.set()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "no" / "tasks.journal"

    assert str(start(path)) == (
        f"journal '{path}' cannot be opened: No such file or directory"
    )


def test_a_folder_is_no_journal(tmp_path: Path) -> None:
    assert start(tmp_path).problem == "cannot be opened: Is a directory"


def test_a_journal_that_is_replaced_stops_the_polling(
    path: Path, eventually: Any
) -> None:
    provider = make_provider(path, log_file=str(path.parent / "log"))
    with LocalHub() as hub, running(provider, hub):
        hub.submit("order", PAYLOAD).result()
        path.unlink()
        path.touch()
        hub.submit("order", {"item": "milk"}).result()
        eventually(lambda: not provider.snapshot().healthy)
        waiting = hub.submit("order", {"item": "salt"})
        polls = hub.polls
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.6)
        assert hub.polls <= polls + 1

    assert "was replaced by another file" in (path.parent / "log").read_text()


WITHOUT_MEMORY = """
import sqlite3, sys
from arbvantage_provider import JournalError
from arbvantage_provider.hub.wire import Task
from arbvantage_provider.worker.delivery.journal.store import Store, arrive

file = Store(sys.argv[1], provider="tested", hub="hub:1")
sqlite3.connect(":memory:").execute("PRAGMA hard_heap_limit = 3000000")
try:
    file.write(arrive(1, b"1", Task("large", "order", bytes(20_000_000)), now=1.0))
except JournalError as error:
    print(error.problem)
file.write(arrive(1, b"1", Task("small", "order", b"{}"), now=1.0))
print([row.id for row in file.list_rows()])
"""


@pytest.mark.skipif(
    sqlite3.sqlite_version_info < (3, 31), reason="SQLite has no bound for its memory"
)
def test_a_commit_that_finds_no_memory_can_be_tried_again(path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_MEMORY, str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)

    assert ended.stdout.splitlines() == [
        "cannot be written: there is no memory left",
        "['small']",
    ]


def test_many_tasks_share_one_commit(path: Path) -> None:
    provider = make_provider(path, max_concurrency=64)
    commits: list[int] = []
    write = Store.write

    def count(file: Store, changes: Any) -> None:
        write(file, changes)
        commits.append(len(changes))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "write", count)
        with LocalHub() as hub:
            for number in range(500):
                hub.submit("order", {"item": str(number)})
            with running(provider, hub):
                hub.join(30)

    # The arrival and the start of each in one statement, in nearly every case.
    assert 5 * 500 <= sum(commits) < 5.5 * 500
    assert len(commits) < 1_000


@pytest.mark.parametrize("journal", ["", 5, "a\0b", Path("a\0b")])
def test_what_is_no_path_is_refused(journal: Any) -> None:
    with pytest.raises(ConfigError, match=r"^journal: "):
        Provider("tested", journal=journal)


@pytest.mark.parametrize(("sync", "level"), [("normal", 1), ("full", 2)])
def test_commits_are_forced_onto_the_disk_where_that_is_asked_for(
    path: Path, monkeypatch: pytest.MonkeyPatch, look: Look, sync: Any, level: int
) -> None:
    threads: set[str] = set()
    levels: set[int] = set()
    write = Store.write

    def watch(file: Store, changes: Any) -> None:
        assert file._file is not None  # pyright: ignore[reportPrivateUsage]
        (found,) = file._file.execute("PRAGMA synchronous").fetchone()  # pyright: ignore[reportPrivateUsage]
        levels.add(found)
        threads.add(threading.current_thread().name.split("-")[0])
        write(file, changes)

    monkeypatch.setattr(Store, "write", watch)
    with (
        LocalHub() as hub,
        running(make_provider(path, journal_sync=sync), hub),
    ):
        for number in range(200):
            hub.submit("order", {"item": str(number)})
        hub.join(30)
        hub.wait_until(lambda: len(hub.submissions) == 200)

    assert levels == {level}
    assert ("journal" in threads) == (sync == "full")
    assert look("SELECT count(*) FROM task WHERE taken IS NOT NULL") == [(200,)]


def test_who_waits_while_a_forced_commit_is_under_way_is_woken(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    write = Store.write

    def hold(file: Store, changes: Any) -> None:
        begun.set()
        assert go_on.wait(20)
        write(file, changes)

    async def wait_twice() -> None:
        store = Store(str(path), provider="tested", hub="hub:1", sync="full")
        journal = JournalWriter(
            store, clock=SystemClock(), logger=logging.getLogger("x")
        )
        monkeypatch.setattr(Store, "write", hold)
        task = Task(id="a", action="order", payload=b"{}")
        journal.note_arrival(1, b"0" * 16, task, now=0.0)
        first = asyncio.create_task(journal.flush())
        await asyncio.to_thread(begun.wait, 20)
        # It has noted nothing itself, as at a stop, and nothing comes after it.
        second = asyncio.create_task(journal.flush())
        await asyncio.sleep(0)
        go_on.set()
        async with asyncio.timeout(20):
            await asyncio.gather(first, second)
        await journal.close()

    asyncio.run(wait_twice())
