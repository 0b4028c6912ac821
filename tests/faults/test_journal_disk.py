"""The journal's disk is full or read-only, its file torn or foreign, or in use."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from promise import check_promise
from provider_process import ProviderProcess

from arbvantage_provider import Provider
from arbvantage_provider.testing import LocalHub, running

Start = Callable[..., ProviderProcess]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def refuse(hub: LocalHub, provider: ProviderProcess, problem: str) -> None:
    """It ends with the error, and has taken no task."""
    handle = hub.submit("quick")
    assert provider.wait() == 1
    assert f"JournalError: journal '{problem}" in provider.stderr()
    assert (hub.polls, handle.handed_out) == (0, 0)


def test_a_foreign_file_is_refused(hub: LocalHub, start: Start, path: Path) -> None:
    path.write_text("dear diary " * 500)

    refuse(hub, start(journal=str(path)), f"{path}' is no SQLite file")
    assert path.read_text().startswith("dear diary")


def write_journal(path: Path) -> None:
    """A journal of tasks that are done."""
    provider = Provider("tested", journal=path, log_level="CRITICAL")
    provider.actions.register("grow")(lambda: "x" * 500)
    with LocalHub() as hub, running(provider, hub):
        for _ in range(200):
            hub.submit("grow")
        hub.join(20)


def overwrite(whole: bytes, begin: int, end: int) -> bytes:
    """The same, with garbage in place of these bytes."""
    return whole[:begin] + b"\xaa" * (end - begin) + whole[end:]


TORN: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "half is gone": (lambda w: w[: len(w) // 2], "is damaged; move it away"),
    "the end is gone": (lambda w: w[:-100], "is damaged; move it away"),
    "a page is garbage": (
        lambda w: overwrite(w, 8192, 12288),
        "is damaged; move it away",
    ),
    "the beginning is garbage": (lambda w: overwrite(w, 0, 100), "is no SQLite file"),
}


@pytest.mark.parametrize("case", TORN)
def test_a_torn_file_is_refused(
    hub: LocalHub, start: Start, path: Path, case: str
) -> None:
    tear, problem = TORN[case]
    write_journal(path)
    path.write_bytes(tear(path.read_bytes()))

    refuse(hub, start(journal=str(path)), f"{path}' {problem}")


@pytest.mark.skipif(
    os.geteuid() == 0 and not shutil.which("setpriv"),
    reason="root may write what is read-only",
)
@pytest.mark.parametrize("what", ["file", "folder", "journal of before"])
def test_what_is_read_only_is_refused(
    hub: LocalHub, start: Start, tmp_path: Path, what: str
) -> None:
    folder = tmp_path / "journals"
    folder.mkdir()
    path = folder / "journal"
    if what == "journal of before":
        write_journal(path)
    elif what == "file":
        path.touch()
    read_only = folder if what == "folder" else path
    read_only.chmod(0o500)

    refuse(hub, start(journal=str(path), powerless=True), f"{path}' cannot be")


def test_a_second_process_is_refused_and_the_first_goes_on(
    hub: LocalHub, start: Start, path: Path
) -> None:
    first = start(journal=str(path))
    hub.submit("quick").result(20)
    second = start(journal=str(path))
    assert second.wait() == 1
    assert f"journal '{path}' is in use by another provider" in second.stderr()

    assert hub.submit("quick").result(20).status == "success"
    assert first.stop() == 0


def test_a_second_opening_in_one_process_does_not_let_another_process_in(
    hub: LocalHub, start: Start, path: Path
) -> None:
    first = start(journal=str(path))
    hub.submit("quick").result(20)
    assert first.ask("open journal") == "is in use by another provider"
    second = start(journal=str(path))

    assert second.wait() == 1
    assert f"journal '{path}' is in use by another provider" in second.stderr()
    assert hub.submit("quick").result(20).status == "success"
    assert first.stop() == 0


def test_after_a_kill_the_next_process_has_the_journal(
    hub: LocalHub, start: Start, path: Path
) -> None:
    first = start(journal=str(path))
    hub.submit("quick").result(20)
    first.kill()
    start(journal=str(path))

    assert hub.submit("quick").result(20).status == "success"


def test_while_the_disk_is_full_no_task_is_taken_and_it_goes_on_by_itself(
    hub: LocalHub, start: Start, path: Path
) -> None:
    provider = start(journal=str(path), max_concurrency=4)
    handles = [hub.submit("quick", {"text": "x" * 2_000}) for _ in range(5)]
    hub.join(20)
    provider.settle()
    provider.ask("room 50000")
    late = [hub.submit("quick", {"text": "x" * 200_000}) for _ in range(12)]
    provider.wait_for(lambda found: not found["healthy"])
    (line,) = provider.lines("the journal fails; no task is taken")
    assert str(path) in line["reason"]
    assert sum(handle.handed_out for handle in late) <= 4
    assert not any(handle.results for handle in late)
    assert not any(provider.runs()[handle.id] for handle in late)

    provider.ask("room -1")
    hub.join(20)
    assert provider.settle()["healthy"]
    ended = check_promise(hub, [*handles, *late], provider.runs())
    assert ended == {"success": 17}
    assert provider.lines("the journal works again")
    assert provider.stop() == 0


def test_a_disk_that_is_full_at_the_start_is_an_error(
    hub: LocalHub, start: Start, path: Path
) -> None:
    provider = start(journal=str(path), room=3_000)

    refuse(hub, provider, f"{path}' cannot be")


def test_stopped_while_the_disk_is_full_it_says_which_tasks_are_lost(
    hub: LocalHub, start: Start, path: Path
) -> None:
    # What has not begun does not wait for the disk until the grace is over.
    provider = start(journal=str(path), shutdown_timeout=600)
    hub.submit("quick").result(20)
    provider.settle()
    provider.ask("room 50000")
    late = hub.submit("quick", {"text": "x" * 200_000})
    provider.wait_for(lambda found: not found["healthy"])

    assert provider.stop() == 1
    (line,) = provider.lines("tasks left unanswered")
    assert line["ids"] == [late.id]
    assert not late.results
    assert late.id not in provider.runs()
