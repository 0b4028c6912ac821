"""What a contender tells of itself: a line of figures at each of its marks.

Linux only, as it reads ``/proc``.
"""

# pyright: basic

import argparse
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

NAME = "bench"
TOKEN = "bench-token"
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Meter:
    """Counts tasks and writes a line of JSON to stdout at some of them.

    A line holds ``task``, its number; ``time`` and ``cpu`` of the whole process, in
    seconds; ``rss`` in bytes; how many ``threads`` and ``files`` there are. SIGUSR1
    asks for one at any time, with the number 0.

    Args:
        marks: at which tasks, counted from 1, in order.
    """

    def __init__(self, marks: Sequence[int]) -> None:
        self._numbers = itertools.count(1)
        self._marks = iter(marks)
        self._next = next(self._marks, 0)
        signal.signal(signal.SIGUSR1, lambda *_: self._write(0))

    def tick(self) -> None:
        """Count a task; any number of threads may."""
        if next(self._numbers) == self._next:
            task, self._next = self._next, next(self._marks, 0)
            self._write(task)

    def _write(self, task: int) -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        figures = {
            "task": task,
            "time": time.perf_counter(),
            "cpu": time.process_time(),
            "rss": pages * _PAGE,
            "threads": count("/proc/self/task"),
            # The listing itself needs one.
            "files": count("/proc/self/fd") - 1,
        }
        sys.stdout.write(json.dumps(figures) + "\n")
        sys.stdout.flush()


def count(folder: str) -> int:
    """How many entries a folder has."""
    return sum(1 for _ in Path(folder).iterdir())


def read_arguments(kinds: Sequence[str]) -> argparse.Namespace:
    """What every contender is told: ``hub``, ``kind``, ``slots`` and so on."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--hub", required=True, help="HOST:PORT")
    parser.add_argument("--kind", choices=kinds, default=kinds[0])
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--marks", type=int, nargs="*", default=[])
    parser.add_argument("--journal", metavar="PATH", help="only for a provider")
    return parser.parse_args()
