"""A provider in a process of its own: start it, look into it, kill it."""

import dataclasses
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from arbvantage_provider.settings import ENVIRONMENT

PROGRAM: Final = Path(__file__).with_name("program.py")
TOKEN: Final = "token-for-faults"
PATIENCE: Final = 20.0
"""Seconds that a test waits for what it expects; no case decides anything by it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the process lives in.

    Attributes:
        keepalive: seconds after which a silent connection is asked whether it lives;
            ``None``: as in service.
        room: bytes that a file may have; ``None``: any number.
        shift: seconds by which the wall clock is ahead.
        stderr: a file for its stderr, in place of the folder's.
        close_stderr: whether it has no stderr, instead of the folder's file.
        powerless: whether modes of files bind it, even if root runs the tests.
        environment: variables besides those of the tests.
    """

    keepalive: float | None = None
    room: int | None = None
    shift: float = 0.0
    stderr: str = ""
    close_stderr: bool = False
    powerless: bool = False
    environment: dict[str, str] = dataclasses.field(default_factory=dict[str, str])

    def wrap(self, command: list[str]) -> list[str]:
        """The command that starts a process with this stderr and these powers."""
        if self.close_stderr:
            command = ["/bin/sh", "-c", 'exec "$@" 2>&-', "sh", *command]
        if self.powerless and os.geteuid() == 0:
            command = ["setpriv", "--bounding-set=-all", *command]
        return command


class ProviderProcess:
    """One life of ``program.py``.

    Args:
        folder: where its files are; lives that share one continue each other's.
        hub_url: where it connects.
        settings: arguments of ``Provider``.
        around: what it lives in.

    Attributes:
        pid: of the process.
    """

    def __init__(
        self,
        folder: Path,
        hub_url: str,
        *,
        settings: dict[str, Any],
        around: Surroundings,
    ) -> None:
        self._folder = folder
        self._rest = b""
        defaults: dict[str, Any] = {
            "name": "tested",
            "auth_token": TOKEN,
            "execution_timeout": 60,
            "shutdown_timeout": 10,
            "poll_interval": 0.05,
            "log_file": str(folder / "log"),
        }
        arguments = {
            "provider": defaults | settings,
            "hub_url": hub_url,
            "runs": str(folder / "runs"),
        }
        told = json.dumps(arguments | dataclasses.asdict(around))
        command = around.wrap([sys.executable, str(PROGRAM), told])
        unset = dict.fromkeys(ENVIRONMENT.values(), "")
        environment = {**os.environ, **unset, **around.environment}  # noqa: TID251 - passed on
        with Path(around.stderr or folder / "stderr").open("ab") as stderr:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=environment,
                bufsize=0,
            )
        self.pid: int = self._process.pid

    # --- what it does ----------------------------------------------------------

    def ask(self, command: str) -> Any:
        """Give it a command of ``program.answer``, and return what it says."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n".encode())
        return json.loads(self._read_line())

    def snapshot(self) -> dict[str, Any]:
        """Its snapshot."""
        found: dict[str, Any] = self.ask("snapshot")
        return found

    def open_gate(self) -> None:
        """Let ``hold`` and ``hold_sync`` return."""
        self.ask("open")

    def wait_for(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until its snapshot is so, and return it."""
        found: dict[str, Any] = {}

        def is_so() -> bool:
            found.update(self.snapshot())
            return condition(found)

        wait_until(is_so, lambda: f"the last snapshot is {found}\n{self._tell_end()}")
        return found

    def settle(self) -> dict[str, Any]:
        """Wait until it runs, no slot is taken and no result waits; its snapshot."""
        busy = ("slots_taken", "results_waiting")
        return self.wait_for(
            lambda found: found["state"] == "running" and not any(map(found.get, busy))
        )

    def wait_for_runs(self, count: int) -> None:
        """Wait until handlers have begun so many times, in all lives."""
        wait_until(lambda: self.runs().total() >= count, self._tell_end)

    def wait_for_line(self, event: str) -> dict[str, Any]:
        """Wait until it has logged this, and return the first such line."""
        wait_until(lambda: bool(self.lines(event)), self._tell_end)
        return self.lines(event)[0]

    # --- what it leaves --------------------------------------------------------

    def runs(self) -> Counter[str]:
        """How many times the handler of each id was called, in all lives."""
        return read_runs(self._folder)

    def lines(self, event: str = "") -> list[dict[str, Any]]:
        """What it logged in all lives, or the lines of one event."""
        return read_lines(self._folder, event)

    def stderr(self) -> str:
        """What it printed, in all lives."""
        return (self._folder / "stderr").read_text(encoding="utf-8")

    # --- how it ends -----------------------------------------------------------

    def send(self, signum: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(signum)

    def kill(self) -> None:
        """``kill -9``; returns when it is gone."""
        self._process.kill()
        self.close()

    def wait(self) -> int:
        """Wait until it ends, and return its exit code."""
        code = self._process.wait(PATIENCE)
        self.close()
        return code

    def stop(self) -> int:
        """SIGTERM, and wait."""
        self.send(signal.SIGTERM)
        return self.wait()

    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def close(self) -> None:
        """End it in any case."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _read_line(self) -> bytes:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        while b"\n" not in self._rest:
            ready, _, _ = select.select([descriptor], [], [], PATIENCE)
            data = os.read(descriptor, 65536) if ready else b""
            assert data, f"the provider does not answer\n{self._tell_end()}"
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _tell_end(self) -> str:
        events = [line["event"][:200] for line in self.lines()[-20:]]
        return f"exit code {self._process.poll()}\nlast lines {events}\n{self.stderr()}"


def read_runs(folder: Path) -> Counter[str]:
    """How many times the handler of each id was called."""
    file = folder / "runs"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return Counter(line.partition("\t")[2] for line in lines)


def read_lines(folder: Path, event: str = "") -> list[dict[str, Any]]:
    """The log's lines, or those of one event; one that is not whole is left out."""
    file = folder / "log"
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    *whole, _ = text.split("\n")
    lines = [json.loads(line) for line in whole]
    return [line for line in lines if not event or line["event"] == event]


def wait_until(condition: Callable[[], bool], tell: Callable[[], str]) -> None:
    """Wait until something is so, and fail with what ``tell`` says if it never is."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"it never came true: {tell()}"
        select.select([], [], [], 0.01)
