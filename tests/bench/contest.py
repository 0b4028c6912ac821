"""Contenders against a hub: each a process of its own, stopped by its id.

They are in groups of their own, so that Ctrl-C reaches the bench alone, which then
ends them.
"""

# pyright: basic

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from meter import TOKEN
from payloads import make_user

HERE = Path(__file__).parent
EMBEDDED = [sys.executable, str(HERE / "embedded_hub.py")]
PATIENCE = 300.0
"""Seconds to wait for a line of figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One contender, and the hub that it meets.

    Attributes:
        program: ``contender`` or ``floor``.
        kind: of handler.
        slots: how many tasks may be in flight.
        tasks: how many are measured.
        warm: how many come before those.
        items: how long the payload's lists are.
        lines: tasks that come first.
        hub: more options of the hub.
        errors: how many tasks are to end with one.
        journal: whether the provider keeps one.
    """

    program: str = "contender"
    kind: str = "async"
    slots: int = 16
    tasks: int = 8000
    warm: int = 800
    items: int = 1
    lines: tuple[dict[str, Any], ...] = ()
    hub: tuple[str, ...] = ()
    errors: int = 0
    journal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How one contender did.

    Attributes:
        marks: its lines of figures.
        hub: the hub's statistics.
    """

    marks: list[dict[str, float]]
    hub: dict[str, Any]

    @property
    def rate(self) -> float:
        """Tasks per second between the first mark and the last."""
        return self._change("task") / self._change("time")

    @property
    def cpu(self) -> float:
        """CPU seconds per task in that time."""
        return self._change("cpu") / self._change("task")

    @property
    def load(self) -> float:
        """CPU seconds per second in that time."""
        return self._change("cpu") / self._change("time")

    def _change(self, figure: str) -> float:
        return self.marks[-1][figure] - self.marks[0][figure]


@dataclass(slots=True, kw_only=True)
class Arena:
    """Where contenders meet hubs.

    Attributes:
        folder: for files that they write.
        hub: the command that starts a hub.
    """

    folder: Path
    hub: list[str]
    _runs: int = field(default=0)

    def run(self, case: Case, marks: Sequence[int] = ()) -> Run:
        """Measure one case.

        Args:
            case: which.
            marks: at which tasks figures are taken; left out: after ``warm`` and
                after ``tasks`` more.

        Raises:
            RuntimeError: if a task got another answer than a success, or two.
        """
        marks = marks or (case.warm, case.warm + case.tasks)
        # Some more, so that no slot is idle at the last mark.
        options = self.describe(case, marks[-1] + 2 * case.slots)
        with (
            self.start_hub(self.hub, options) as (hub, url),
            self.start(case, url, marks) as contender,
        ):
            lines = [read_line(contender) for _ in marks]
            stop(contender)
            statistics = end_hub(hub)
        check(statistics, case.errors)
        return Run(marks=lines, hub=statistics)

    def describe(self, case: Case, count: int) -> list[str]:
        """The hub's options for a case with so many tasks."""
        payload = self.folder / f"payload-{case.items}.json"
        payload.write_text(json.dumps(make_user(case.items)))
        options = [*case.hub, "--token", TOKEN, "--generate", str(count)]
        options += ["--action", "create_user", "--payload-file", str(payload)]
        if case.lines:
            tasks = self.folder / f"tasks-{self._runs}.jsonl"
            tasks.write_text("".join(json.dumps(t) + "\n" for t in case.lines))
            options += ["--tasks", str(tasks)]
        return options

    @contextmanager
    def start_hub(
        self, command: Sequence[str], options: Sequence[str]
    ) -> Generator[tuple[subprocess.Popen[bytes], str]]:
        """A hub, and its address."""
        self._runs += 1
        file = self.folder / f"port-{self._runs}"
        arguments = [*command, "--port", "0", "--port-file", str(file), *options]
        with self.process(arguments) as hub:
            end = time.monotonic() + PATIENCE
            while not file.exists():
                if hub.poll() is not None or time.monotonic() > end:
                    problem = f"the hub did not start; see {self.folder}/log"
                    raise RuntimeError(problem)
                time.sleep(0.01)  # noqa: TID251 - there is nothing to wait for
            yield hub, f"127.0.0.1:{file.read_text().strip()}"

    @contextmanager
    def start(
        self, case: Case, url: str, marks: Sequence[int]
    ) -> Generator[subprocess.Popen[bytes]]:
        """The contender of a case."""
        command = [sys.executable, str(HERE / f"{case.program}.py"), "--hub", url]
        command += ["--kind", case.kind, "--slots", str(case.slots)]
        if case.journal:
            command += ["--journal", str(self.folder / f"journal-{self._runs}")]
        with self.process([*command, "--marks", *map(str, marks)]) as contender:
            yield contender

    @contextmanager
    def process(self, command: Sequence[str]) -> Generator[subprocess.Popen[bytes]]:
        """A process that does not outlive the block; what it logs goes to a file."""
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                command, bufsize=0, stdout=subprocess.PIPE, stderr=log, process_group=0
            )
        with process:
            try:
                yield process
            finally:
                process.kill()


def read_line(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """The next line of figures.

    Raises:
        RuntimeError: if none comes.
    """
    out: Any = process.stdout
    ready, _, _ = select.select([out], [], [], PATIENCE)
    line = out.readline() if ready else b""
    if not line:
        problem = f"no figures from {process.args!r}"
        raise RuntimeError(problem)
    figures: dict[str, Any] = json.loads(line)
    return figures


def ask(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Its figures of this moment."""
    os.kill(process.pid, signal.SIGUSR1)
    return read_line(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End it in an orderly way."""
    process.terminate()
    process.wait(20)


def end_hub(hub: subprocess.Popen[bytes]) -> dict[str, Any]:
    """End a hub; its statistics."""
    hub.terminate()
    return read_line(hub)


def check(statistics: dict[str, Any], errors: int = 0) -> None:
    """Refuse a run in which something went wrong.

    Raises:
        RuntimeError: if more tasks failed than should, or one was answered twice.
    """
    others = {k: n for k, n in statistics["statuses"].items() if k != "success"}
    if sum(others.values()) > errors or statistics["duplicates_submitted"]:
        problem = f"this run does not count: {statistics}"
        raise RuntimeError(problem)
