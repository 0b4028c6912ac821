"""The file of a journal: what it holds, who may read it, and what is refused."""

import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from arbvantage_provider import ConfigError, JournalError, Provider
from arbvantage_provider.testing import LocalHub, running
from arbvantage_provider.worker.journal.store import Store

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
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


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


@pytest.mark.parametrize("journal", ["", 5])
def test_what_is_no_path_is_refused(journal: Any) -> None:
    with pytest.raises(ConfigError, match=r"journal \(PROVIDER_JOURNAL\)"):
        Provider("tested", journal=journal)
