"""Log lines are written elsewhere, and are there when the call returns."""

import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from patience import wait_for
from typing_extensions import override

from arbvantage_provider import ConfigError, Provider
from arbvantage_provider.observe import writer


class Held(io.StringIO):
    """A stream that takes nothing until the test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.free = threading.Event()

    @override
    def write(self, text: str) -> int:
        self.free.wait(20)
        return super().write(text)


@pytest.fixture
def patient_log() -> None:
    """Here it is the patience itself that is looked at."""


def test_a_line_is_there_when_the_call_returns(
    capsys: pytest.CaptureFixture[str],
) -> None:
    provider = Provider("shop")
    for number in range(50):
        provider.logger.info("counting", number=number)
        assert f"number={number}" in capsys.readouterr().err
    provider.process_task("nothing", {})
    assert "task refused" in capsys.readouterr().err


def test_a_stream_that_blocks_stops_no_task(monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held()
    monkeypatch.setattr(sys, "stderr", held)
    provider = Provider("shop")
    for _ in range(5):
        assert provider.process_task("nothing", {})["status"] == "error"
    held.free.set()
    wait_for(lambda: held.getvalue().count("task refused") == 5)


def test_what_the_queue_has_no_room_for_is_dropped_and_told_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = Held()
    monkeypatch.setattr(sys, "stderr", held)
    monkeypatch.setattr(writer, "MOST_LINES", 3)
    provider = Provider("shop")
    for number in range(10):
        provider.logger.info("line", number=number)
    assert provider.snapshot().log_lines_dropped == 7
    held.free.set()
    wait_for(lambda: "7 log lines were dropped" in held.getvalue())
    provider.logger.info("at last")
    wait_for(lambda: "at last" in held.getvalue())  # nobody waits so soon after

    events = [" ".join(line.split()[1:]) for line in held.getvalue().splitlines()]
    assert events == [
        *(f"[info ] line [shop] number={number}" for number in range(3)),
        "[error ] 7 log lines were dropped [shop] dropped=7",
        "[info ] at last [shop]",
    ]


def test_lines_of_threads_are_whole_and_each_is_there(tmp_path: Path) -> None:
    log = tmp_path / "log"
    provider = Provider("shop", log_file=str(log))

    def count(thread: int) -> None:
        for number in range(50):
            provider.logger.info("counting", place=f"{thread}-{number}")

    threads = [threading.Thread(target=count, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    provider.process_task("nothing", {})

    lines = log.read_text().splitlines()
    assert len(lines) == 8 * 50 + 1
    assert all(line.startswith("{") and line.endswith("}") for line in lines)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_fork_writes_its_own_lines_and_no_others(tmp_path: Path) -> None:
    log = tmp_path / "log"
    provider = Provider("shop", log_file=str(log))
    provider.logger.info("before")
    child = os.fork()
    if not child:
        provider.logger.info("in the child")
        os._exit(0)
    os.waitpid(child, 0)
    provider.logger.info("after")
    events = [json.loads(line)["event"] for line in log.read_text().splitlines()]
    assert events == ["before", "in the child", "after"]


@pytest.mark.parametrize("end", ["pass", "sys.exit(3)", "1 / 0", "os._exit(4)"])
def test_the_last_line_of_a_program_is_written(end: str) -> None:
    program = (
        "import os, sys\n"
        "from arbvantage_provider import Provider\n"
        'Provider("shop").logger.info("the last line")\n'
        f"{end}\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=False, timeout=60
    )
    assert b"the last line" in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
def test_a_reader_that_stalls_does_not_hold_up_the_end_of_a_program() -> None:
    program = (
        "import os, sys\n"
        "from arbvantage_provider import Provider\n"
        "provider = Provider('shop')\n"
        "provider.logger.info('x' * 500_000)\n"
        "provider.process_task('nothing', {})\n"
        "sys.exit(3)\n"
    )
    reader, end = os.pipe()
    try:
        code = subprocess.run(
            [sys.executable, "-c", program], stderr=end, check=False, timeout=60
        ).returncode
    finally:
        os.close(reader)
        os.close(end)
    assert code == 3


def test_a_folder_is_no_log_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Is a directory"):
        Provider("shop", log_file=str(tmp_path))


def test_a_stream_over_bytes_in_memory_gets_its_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(raw, write_through=True))
    Provider("shop").logger.info("for the stream")
    assert b"for the stream" in raw.getvalue()
