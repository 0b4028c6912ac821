"""``arbvantage journal``."""

import json
import subprocess
from collections.abc import Callable
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
