"""What a payload costs before its handler runs: time, and memory at the worst moment.

Each shape is dispatched once in a process of its own, to an action that takes any
object, so all of the document is read twice and built twice; or to one that none of
its items fits. Run it with
``nox -s bench``.
"""

# pyright: basic

import multiprocessing
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from arbvantage_provider import Provider

MIB = 1024 * 1024
SIZES = (1, 16, 64)
SHAPES: dict[str, Callable[[int], bytes]] = {
    "one text": lambda size: b'{"a":"%b"}' % (b"x" * size),
    "numbers": lambda size: b'{"a":[%b1]}' % (b"1234567," * (size // 8)),
    "keys": lambda size: (
        b"{%b}" % b",".join(b'"%08x":1' % number for number in range(size // 13))
    ),
    "empty objects": lambda size: b'{"a":[%b1]}' % (b"{}," * (size // 3)),
    "wrong items": lambda size: b'{"wrong":[%b1]}' % (b'"",' * (size // 3)),
}
"""Empty objects are the worst that a document of its length can be, if it fits."""


def main() -> None:
    """Print a row for each shape and size."""
    context = multiprocessing.get_context("spawn")
    rows: list[tuple[str, ...]] = [
        ("payload", "bytes", "seconds", "memory", "times its bytes")
    ]
    for shape in SHAPES:
        for size in SIZES:
            with context.Pool(1) as pool:
                rows.append(pool.apply(measure, (shape, size * MIB)))
    for row in rows:
        cells = "".join(f"{cell:>17}" for cell in row[1:])
        sys.stdout.write(f"{row[0]:15}{cells}\n")


def measure(shape: str, size: int) -> tuple[str, ...]:
    """Dispatch one payload; what it took."""
    provider = Provider("bench", execution_timeout=600)

    @provider.actions.register()
    def take(payload: dict[str, Any]) -> int:
        return len(payload)

    @provider.actions.register()
    def check(wrong: list[int]) -> int:
        return len(wrong)

    raw = SHAPES[shape](size - 64)
    action = "check" if shape == "wrong items" else "take"
    provider.dispatch("take", b'{"warm": "up"}')
    before = _reset_peak()
    began = time.perf_counter()
    provider.dispatch(action, raw)
    seconds = time.perf_counter() - began
    memory = _read_memory("VmHWM") - before
    return (
        shape,
        f"{len(raw):,}",
        f"{seconds:.2f}",
        f"{memory // MIB:,} MiB",
        f"{memory / len(raw):.1f}",
    )


def _reset_peak() -> int:
    """Forget the most that the process has held, and tell what it holds now."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _read_memory("VmRSS")


def _read_memory(name: str) -> int:
    """Bytes, as Linux counts them."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
