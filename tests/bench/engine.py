"""What the engine costs, against what a careful user would write without it.

Ratios inside one run, medians of interleaved rounds. Each contender is a process of
its own, and so is the hub: the embedded one, or any other command that takes the
options of ``embedded_hub.py``. The embedded hub is slower than what it serves, so
with it only the CPU per task tells much.

Run it with ``nox -s bench``, or ``python tests/bench/engine.py``; ``--quick`` shows
in two minutes that all of it works. Linux only.
"""

# pyright: basic

import argparse
import importlib.metadata
import os
import platform
import shlex
import signal
import sys
import tempfile
from pathlib import Path

from contest import EMBEDDED, Arena
from resting import measure_idle, measure_imports, measure_memory, measure_pickup
from rows import Size, measure_journal, measure_stuck, measure_throughput, say
from scaling import measure_payload, measure_slots
from table import format_rows

PARTS = {
    "throughput": measure_throughput,
    "journal": measure_journal,
    "pickup": measure_pickup,
    "idle": measure_idle,
    "memory": measure_memory,
    "imports": measure_imports,
    "stuck": measure_stuck,
}
CURVES = {"slots": measure_slots, "payload": measure_payload}
QUICK = Size(rounds=1, tasks=1000, long=5000, idle=3, pickups=50, imports=5)


def main() -> None:
    """Measure, and print the tables."""
    arguments = read_arguments()
    # So that a bench that is told to end ends its contenders, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    size = QUICK if arguments.quick else Size(rounds=arguments.rounds)
    with tempfile.TemporaryDirectory() as folder:
        arena = Arena(folder=Path(folder), hub=shlex.split(arguments.hub))
        rows, tables = [], []
        for name in arguments.parts:
            say(f"--- {name}")
            if name in PARTS:
                rows += PARTS[name](arena, size)
            else:
                tables.append(CURVES[name](arena, size, arguments.plots))
    kind = "the embedded hub" if arena.hub == EMBEDDED else "a hub of its own"
    sys.stdout.write(f"{describe_machine()}; {kind}; rounds: {size.rounds}\n\n")
    if rows:
        sys.stdout.write(format_rows(rows) + "\n")
    sys.stdout.write("\n".join(tables))


def read_arguments() -> argparse.Namespace:
    """What is measured, and how."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument(
        "--hub", default=shlex.join(EMBEDDED), help="a command that starts a hub"
    )
    parser.add_argument("--plots", type=Path, help="a folder for two SVG files")
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=", ".join([*PARTS, *CURVES])
    )
    arguments = parser.parse_args()
    arguments.parts = arguments.parts or [*PARTS, *CURVES]
    if unknown := set(arguments.parts) - {*PARTS, *CURVES}:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return arguments


def describe_machine() -> str:
    """Cores, Python, and what the figures depend on."""
    versions = [
        f"{name} {importlib.metadata.version(name)}"
        for name in ("grpcio", "protobuf", "pydantic")
    ]
    system = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return ", ".join([system, f"Python {platform.python_version()}", *versions])


if __name__ == "__main__":
    main()
