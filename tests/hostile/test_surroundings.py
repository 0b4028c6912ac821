"""Handlers that change their process: the provider does its work in what is left."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from arbvantage_provider.testing import LocalHub

Program = subprocess.Popen[bytes]
PROGRAM = Path(__file__).with_name("unruly_program.py")
CHANGES = [
    *("close_streams", "close_descriptors", "lose_folder", "change_locale"),
    *("change_limits", "change_switching", "change_signals", "change_tools"),
    "leave_thread",
]
pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and forks of POSIX")


@pytest.fixture
def unruly(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[LocalHub, Program]]:
    """The program in a process of its own, and its hub."""
    # gRPC's own handlers of a fork may crash the copy before it does anything.
    monkeypatch.setenv("GRPC_ENABLE_FORK_SUPPORT", "0")
    with LocalHub() as hub:
        program = subprocess.Popen(
            [sys.executable, str(PROGRAM), hub.url],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        yield hub, program
        program.kill()
        program.wait()


def ask(hub: LocalHub, action: str, payload: dict[str, Any] | None = None) -> Any:
    """What one task gives, when those after it are answered right, too."""
    result = hub.submit(action, payload).result(20)
    for name in ("Ann", "Bob", "Eve"):
        greeting = hub.submit("greet", {"name": name}).result(20)
        assert (greeting.status, greeting.data) == ("success", f"hello {name}"), action
    seen = hub.submit("tell").result(20).data
    assert (seen["state"], seen["healthy"], seen["slots_stuck"]) == ("running", True, 0)
    # Its own is not answered yet; that the hub has one may not be known yet.
    assert seen["tasks_taken"] - seen["tasks_answered"] in {1, 2}, action
    assert seen["tasks_taken"] == len(hub.submissions), action
    return result.response


def test_whatever_a_handler_changes_the_next_task_is_answered(
    unruly: tuple[LocalHub, Program], tmp_path: Path
) -> None:
    hub, program = unruly
    folder = tmp_path / "folder"
    folder.mkdir()
    for action in CHANGES:
        payload = {"folder": str(folder)} if action == "lose_folder" else {}
        assert ask(hub, action, payload)["status"] == "success", action
    hub.submit("stop").result()
    assert program.wait(20) == 23


def test_a_copy_that_a_handler_made_of_the_process_does_not_work_on(
    unruly: tuple[LocalHub, Program],
) -> None:
    hub, program = unruly
    assert ask(hub, "fork_and_leave")["data"] == 3
    for action in ("fork_and_return", "fork_and_return_async"):
        assert ask(hub, action)["data"] == os.EX_SOFTWARE, action
    hub.submit("stop").result()
    assert program.wait(20) == 23
    ids = [result.id for result in hub.submissions]
    assert len(ids) == len(set(ids))
