"""The rows about a provider that rests, or only grows: time, CPU, memory, imports."""

# pyright: basic

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from statistics import median

from contest import EMBEDDED, Arena, Case, Run, ask, check, end_hub, read_line, stop
from meter import TOKEN
from rows import Size, say
from table import AT_MOST, Row, median_ratio

MEGABYTE = 1e6
SETTLE = 3.0
"""Seconds until an idle provider polls as rarely as it ever does."""
MARKS = 10
"""How often memory is looked at."""

IMPORTS = {
    "floor": "import grpc, pydantic; from pydantic import BaseModel; "
    "from arbvantage_provider.protos import hub_pb2, hub_pb2_grpc",
    "package": "import arbvantage_provider",
    "provider": "from arbvantage_provider import Provider",
}


def measure_pickup(arena: Arena, size: Size) -> list[Row]:
    """How long a task waits that comes to an idle hub which holds polls."""
    runs: dict[int, list[float]] = {1: [], 64: []}
    for _ in range(size.rounds):
        for slots, values in runs.items():
            pickups = _run_pickup(arena, slots, size.pickups)
            values.append(pickups["p99"])
            say(f"pickup with {slots} slots, ms: {pickups}")
    return [
        Row(
            what=f"pickup from an idle hub that holds polls, p99, slots: {slots}",
            value=median(values),
            unit="ms",
            way=AT_MOST,
            aim=5,
            detail=f"{size.rounds} times {size.pickups} tasks, 50 a second",
        )
        for slots, values in runs.items()
    ]


def _run_pickup(arena: Arena, slots: int, count: int) -> dict[str, float]:
    case = Case(slots=slots, hub=("--idle", "longpoll:30000", "--rate", "50"))
    with (
        arena.start_hub(arena.hub, arena.describe(case, count)) as (hub, url),
        arena.start(case, url, [count]) as contender,
    ):
        read_line(contender)
        stop(contender)
        statistics = end_hub(hub)
    check(statistics)
    pickups: dict[str, float] = statistics["pickup_ms"]
    return pickups


def measure_idle(arena: Arena, size: Size) -> list[Row]:
    """What a provider costs that has nothing to do; the hub is the embedded one."""
    loads: list[float] = []
    polls: list[float] = []
    for _ in range(size.rounds):
        load, rate = _run_idle(arena, size.idle)
        loads.append(load * 100)
        polls.append(rate)
        say(f"idle: {load:.2%} of a core, {rate:.1f} polls/s")
    detail = f"{size.rounds} times {size.idle:.0f} s"
    return [
        Row(
            what="an idle provider, 16 slots: part of a core",
            value=median(loads),
            unit="%",
            way=AT_MOST,
            aim=0.5,
            detail=detail,
        ),
        Row(
            what="polls per second of an idle hub; poll_interval 1 s, full jitter: 2",
            value=median(polls),
            way=AT_MOST,
            aim=3,
            detail=detail,
        ),
    ]


def _run_idle(arena: Arena, seconds: float) -> tuple[float, float]:
    """The part of a core, and polls per second."""
    with (
        arena.start_hub(EMBEDDED, ["--token", TOKEN]) as (hub, url),
        arena.start(Case(), url, []) as contender,
    ):
        _rest(SETTLE)
        marks, polls = [ask(contender)], [ask(hub)["get_calls"]]
        _rest(seconds)
        marks, polls = [*marks, ask(contender)], [*polls, ask(hub)["get_calls"]]
        stop(contender)
    run = Run(marks=marks, hub={})
    return run.load, (polls[1] - polls[0]) / (marks[1]["time"] - marks[0]["time"])


def _rest(seconds: float) -> None:
    time.sleep(seconds)  # noqa: TID251 - the bench has no clock to inject


def measure_memory(arena: Arena, size: Size) -> list[Row]:
    """Memory beside the floor's, and after many tasks."""
    step = max(size.long // MARKS, 1)
    marks = range(step, size.long + 1, step)
    ours, floor = (
        arena.run(Case(program=program), list(marks))
        for program in ("contender", "floor")
    )
    # What the first tasks need once is no growth.
    grown = max(mark["rss"] for mark in ours.marks) - ours.marks[0]["rss"]
    theirs = max(mark["rss"] for mark in floor.marks) - floor.marks[0]["rss"]
    last, floor_last = ours.marks[-1]["rss"], floor.marks[-1]["rss"]
    return [
        Row(
            what="memory over the floor's",
            value=(last - floor_last) / MEGABYTE,
            unit="MB",
            way=AT_MOST,
            aim=15,
            detail=f"{last / MEGABYTE:.1f} and {floor_last / MEGABYTE:.1f} MB",
        ),
        Row(
            what=f"growth of memory from task {step:,} to task {size.long:,}",
            value=grown / MEGABYTE,
            unit="MB",
            way=AT_MOST,
            aim=2,
            detail=f"floor {theirs / MEGABYTE:.2f} MB",
        ),
        *(_watch(ours, figure) for figure in ("threads", "files")),
    ]


def _watch(run: Run, figure: str) -> Row:
    values = [mark[figure] for mark in run.marks]
    return Row(
        what=f"growth of the number of {figure} in that time",
        value=max(values) - values[0],
        way=AT_MOST,
        aim=0,
        detail=f"{values[0]} to {values[-1]}",
    )


def measure_imports(arena: Arena, size: Size) -> list[Row]:
    """How long imports take, each in a fresh interpreter."""
    times: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for statement in IMPORTS.values():
        _time_import(statement)  # the bytecode is written now
    for _ in range(size.imports):
        for name, statement in IMPORTS.items():
            times[name].append(_time_import(statement))
    whole = {"package": IMPORTS["package"], "provider": IMPORTS["provider"]}
    return [
        _compare_imports(statement, times[name], times["floor"])
        for name, statement in whole.items()
    ]


def _compare_imports(
    statement: str, ours: Sequence[float], floor: Sequence[float]
) -> Row:
    return Row(
        what=f"`{statement}`; floor: grpc, pydantic and the generated code",
        value=median_ratio(ours, floor),
        way=AT_MOST,
        aim=1.2,
        detail=f"{median(ours) * 1e3:.0f} and {median(floor) * 1e3:.0f} ms",
    )


def _time_import(statement: str) -> float:
    """Seconds, in an interpreter that has compiled bytecode."""
    source = (
        "import time; began = time.perf_counter()\n"
        f"{statement}\n"
        "print(time.perf_counter() - began)"
    )
    environment = dict(os.environ)  # noqa: TID251 - passed on, not read
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    output = subprocess.check_output([sys.executable, "-c", source], env=environment)
    return float(output)
