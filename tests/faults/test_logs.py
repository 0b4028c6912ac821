"""Logging that fails, in a process of its own: no task notices."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from promise import check_promise
from provider_process import ProviderProcess, wait_until

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


# --- a reader that stalls --------------------------------------------------------


class Pipe:
    """A named pipe that is full, and that nobody reads."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self._end = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def fill(self) -> None:
        for size in (4096, 1):
            try:
                while os.write(self._end, b"\n" * size):
                    pass
            except BlockingIOError:
                continue

    def read(self) -> str:
        """What is in it now."""
        found = b""
        try:
            while data := os.read(self._end, 65536):
                found += data
        except BlockingIOError:
            return found.decode()
        return found.decode()

    def close(self) -> None:
        os.close(self._end)


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Pipe]:
    pipe = Pipe(tmp_path / "pipe")
    yield pipe
    pipe.close()


@pytest.fixture(params=["stderr", "log_file"])
def surroundings(pipe: Pipe, request: Any) -> dict[str, Any]:
    """Where lines go, as arguments of ``start``."""
    to: dict[str, Any] = {"log_file": None, request.param: str(pipe.path)}
    return to


def test_a_reader_that_stalls_costs_no_task_its_result(
    hub: LocalHub, start: Start, pipe: Pipe, surroundings: dict[str, Any]
) -> None:
    pipe.fill()
    handles = [hub.submit(name, {"size": 100}) for name in ACTIONS * 10]
    provider = start(**surroundings)
    hub.join(20)
    provider.settle()

    ended = check_promise(hub, handles, provider.runs())
    assert ended == {"success": 10, "error": 30}
    assert provider.stop() == 0


def test_a_reader_that_goes_on_has_all_lines_in_order(
    hub: LocalHub, start: Start, pipe: Pipe, surroundings: dict[str, Any]
) -> None:
    pipe.fill()
    provider = start(**surroundings, max_concurrency=1)
    handles = [hub.submit("fail") for _ in range(20)]
    hub.join(20)
    found = pipe.read()
    assert provider.stop() == 0
    found += pipe.read()

    places = [found.index(f"{handle.id}") for handle in handles]
    assert places == sorted(places)
    assert "stopped" in found


def test_a_reader_that_stalls_does_not_hold_up_a_second_signal(
    hub: LocalHub, start: Start, pipe: Pipe, surroundings: dict[str, Any]
) -> None:
    pipe.fill()
    hub.submit("hold")
    provider = start(**surroundings)
    provider.wait_for_runs(1)
    provider.send(signal.SIGTERM)
    provider.wait_for(lambda found: found["state"] == "stopping")
    provider.send(signal.SIGTERM)
    assert provider.wait() == 143


def test_what_finds_no_room_is_counted_and_told_of_when_lines_flow_again(
    hub: LocalHub, start: Start, pipe: Pipe
) -> None:
    pipe.fill()
    provider = start(log_file=str(pipe.path), execution_timeout=60)
    handles = [hub.submit("say", {"size": 3_000_000}) for _ in range(8)]
    hub.join(20)
    dropped = provider.wait_for(lambda found: found["log_lines_dropped"])
    assert check_promise(hub, handles, provider.runs()) == {"success": 8}

    found: list[str] = []

    def has_told() -> bool:
        found.append(pipe.read())
        return "log lines were dropped" in "".join(found[-20:])

    wait_until(has_told, lambda: f"{len(found)} parts were read")
    lines = [json.loads(line) for line in "".join(found).split("\n") if line]
    assert lines[-1]["event"].endswith("log lines were dropped")
    assert lines[-1]["dropped"] == dropped["log_lines_dropped"]
    assert sum("odd" in line for line in lines) == 8 - lines[-1]["dropped"]
    assert provider.stop() == 0


def test_a_pipe_that_nobody_reads_yet_has_the_first_lines(
    hub: LocalHub, start: Start, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "lone")
    provider = start(log_file=str(tmp_path / "lone"))
    handle = hub.submit("refuse")
    hub.join(20)
    with (tmp_path / "lone").open() as reader:
        lines = [json.loads(next(reader))["event"] for _ in range(2)]
    assert lines == ["starting", "task failed"]
    assert handle.result().status == "error"
    assert provider.stop() == 0
