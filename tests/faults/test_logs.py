"""Logging that fails, in a process of its own: no task notices."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from promise import check_promise
from provider_process import ProviderProcess

from arbvantage_provider.testing import LocalHub

Start = Callable[..., ProviderProcess]
ACTIONS = ["say", "fail", "refuse", "nothing of this name"]
CASES: dict[str, dict[str, Any]] = {
    "the disk is full": {"log_file": "/dev/full"},
    "stderr is closed": {"log_file": None, "close_stderr": True},
}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("case", CASES)
def test_a_log_that_cannot_be_written_costs_no_task_its_result(
    hub: LocalHub, start: Start, case: str
) -> None:
    handles = [hub.submit(name, {"size": 100}) for name in ACTIONS * 5]
    provider = start(**CASES[case])
    hub.join(20)
    provider.settle()

    ended = check_promise(hub, handles, provider.runs())
    assert ended == {"success": 5, "error": 15}
    assert provider.stop() == 0
    assert provider.stderr() == ""


@pytest.mark.parametrize("more", [0, 20])
def test_a_file_that_has_no_room_is_written_again_when_it_has(
    hub: LocalHub, start: Start, tmp_path: Path, more: int
) -> None:
    provider, log = start(), tmp_path / "log"
    first = hub.submit("say", {"size": 10})
    hub.join(20)
    provider.ask(f"room {log.stat().st_size + more}")
    unseen = hub.submit("fail")
    hub.join(20)
    provider.ask("room -1")
    seen = hub.submit("refuse")
    hub.join(20)
    provider.settle()

    ended = check_promise(hub, [first, unseen, seen], provider.runs())
    assert ended == {"success": 1, "error": 2}
    *_, last = log.read_text(encoding="utf-8").splitlines()
    assert "handler raised" not in log.read_text(encoding="utf-8")
    # What there was room for is a line of its own.
    assert json.loads(last)["task"] == seen.id


def test_a_message_of_10_mb_and_values_that_are_not_json_are_one_line_each(
    hub: LocalHub, start: Start
) -> None:
    size = 10_000_000
    provider = start(execution_timeout=60)
    handles = [hub.submit("say", {"size": size}), hub.submit("say", {"size": 5})]
    hub.join(20)
    provider.settle()

    assert check_promise(hub, handles, provider.runs()) == {"success": 2}
    lines = [line for line in provider.lines() if "odd" in line]
    assert sorted(len(line["event"]) for line in lines) == [5, size]
