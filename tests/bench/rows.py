"""The rows about speed: what is measured, against what, and the aim.

Each function measures in so many rounds, all contenders once in each round, one
after the other, so that a machine that slows down slows all of them.
"""

# pyright: basic

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from contest import Arena, Case, Run
from handlers import WAIT, WORK
from payloads import make_user
from table import AT_MOST, Row, median_ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured.

    Attributes:
        rounds: how often each contender runs.
        tasks: how many in one run.
        long: how many tasks the memory is watched for.
        idle: seconds that an idle provider is watched for.
        pickups: how many tasks come to an idle hub.
        imports: how many interpreters import each thing.
    """

    rounds: int = 5
    tasks: int = 8000
    long: int = 200_000
    idle: float = 10.0
    pickups: int = 200
    imports: int = 30

    def case(self, part: float = 1) -> Case:
        """A case with this part of the tasks."""
        tasks = max(int(self.tasks * part), 20)
        return Case(tasks=tasks, warm=max(tasks // 10, 4))


def say(text: str) -> None:
    """Tell people how far the bench is."""
    sys.stderr.write(text + "\n")


def interleave(
    arena: Arena, cases: Mapping[str, Case], rounds: int
) -> dict[str, list[Run]]:
    """Every case once in each round."""
    runs: dict[str, list[Run]] = {name: [] for name in cases}
    for number in range(1, rounds + 1):
        for name, case in cases.items():
            run = arena.run(case)
            runs[name].append(run)
            figures = f"{run.rate:8.0f} tasks/s {run.cpu * 1e6:8.0f} µs CPU a task"
            say(f"round {number}  {name:36}{figures}")
    return runs


def rates(runs: Sequence[Run]) -> list[float]:
    """Tasks per second, by round."""
    return [run.rate for run in runs]


def costs(runs: Sequence[Run]) -> list[float]:
    """CPU seconds per task, by round."""
    return [run.cpu for run in runs]


def compare_rates(
    what: str, ours: Sequence[Run], theirs: Sequence[Run], aim: float | None
) -> Row:
    """The ratio of tasks per second."""
    detail = f"{median(rates(ours)):.0f} and {median(rates(theirs)):.0f} tasks/s"
    ratio = median_ratio(rates(ours), rates(theirs))
    return Row(what=what, value=ratio, aim=aim, detail=detail)


def compare_costs(
    what: str, ours: Sequence[Run], theirs: Sequence[Run], aim: float | None
) -> Row:
    """The ratio of CPU seconds per task."""
    both = [median(costs(runs)) * 1e6 for runs in (ours, theirs)]
    detail = f"{both[0]:.0f} and {both[1]:.0f} µs"
    ratio = median_ratio(costs(ours), costs(theirs))
    return Row(what=what, value=ratio, way=AT_MOST, aim=aim, detail=detail)


def measure_throughput(arena: Arena, size: Size) -> list[Row]:
    """Tasks per second and CPU per task, of each kind of handler."""
    ours = size.case()
    floor = replace(ours, program="floor")
    handed = replace(ours, hub=("--next-on-submit",))
    few = size.case(0.4)
    cases = {
        "async, 16 slots": ours,
        "floor: grpc.aio": floor,
        "sync, 16 slots": replace(ours, kind="sync"),
        "floor: 16 threads": replace(floor, kind="sync"),
        "10 ms, 64 slots": replace(ours, kind="wait", slots=64),
        "floor: 10 ms, 64 loops": replace(floor, kind="wait", slots=64),
        "next task with each submit": handed,
        "one slot, sync": replace(few, kind="sync", slots=1),
        "floor: plain sync loop": replace(few, kind="plain", program="floor"),
    }
    runs = interleave(arena, cases, size.rounds)
    async_, floor_runs = runs["async, 16 slots"], runs["floor: grpc.aio"]
    threads = runs["sync, 16 slots"], runs["floor: 16 threads"]
    waits = runs["10 ms, 64 slots"], runs["floor: 10 ms, 64 loops"]
    single = runs["one slot, sync"], runs["floor: plain sync loop"]
    return [
        compare_rates("tasks/s, async handler, 16 slots", async_, floor_runs, 0.95),
        compare_costs("CPU per task, the same", async_, floor_runs, 1.15),
        compare_rates("tasks/s, sync handler, 16 slots", *threads, 0.9),
        compare_costs("CPU per task, the same", *threads, None),
        _compare_waits(*waits),
        compare_costs("CPU per task, the same", *waits, None),
        compare_rates(
            "tasks/s, next task with each submit; floor: two calls",
            runs["next task with each submit"],
            floor_runs,
            1.4,
        ),
        compare_rates("tasks/s, sync, one slot; floor: plain loop", *single, None),
    ]


def measure_journal(arena: Arena, size: Size) -> list[Row]:
    """What a journal costs."""
    cases = {
        f"{kind}, 16 slots{', journal' * journal}": replace(
            size.case(), kind=kind, journal=journal
        )
        for kind in ("async", "sync")
        for journal in (False, True)
    }
    runs = interleave(arena, cases, size.rounds)
    rows: list[Row] = []
    for kind in ("async", "sync"):
        both = runs[f"{kind}, 16 slots, journal"], runs[f"{kind}, 16 slots"]
        what = f"with a journal, {kind} handler, 16 slots"
        rows.append(compare_rates(f"tasks/s {what}", *both, 0.8))
        rows.append(compare_costs("CPU per task, the same", *both, None))
    return rows


def _compare_waits(ours: Sequence[Run], floor: Sequence[Run]) -> Row:
    """Against what 64 slots can do, or against the floor if that is lower."""
    most = 64 / WAIT
    lower = [min(rate, most) for rate in rates(floor)]
    detail = f"{median(rates(ours)):.0f} and {median(rates(floor)):.0f} tasks/s"
    return Row(
        what="tasks/s, async handler that waits 10 ms, 64 slots",
        value=median_ratio(rates(ours), lower),
        aim=0.9,
        detail=f"{detail}; {most:.0f} at most",
    )


def measure_stuck(arena: Arena, size: Size) -> list[Row]:
    """What one handler that is blocked for ever costs the others."""
    stuck = {"id": "stuck", "action": "stick", "payload": make_user(1)}
    free = replace(size.case(0.15), kind="block")
    cases = {
        "blocking, 16 slots": free,
        "the same, one slot stuck": replace(free, lines=(stuck,), errors=1),
    }
    without, with_ = interleave(arena, cases, size.rounds).values()
    ratio = median_ratio(rates(with_), rates(without))
    detail = f"{median(rates(with_)):.0f} and {median(rates(without)):.0f} tasks/s"
    share = 15 / 16
    return [
        Row(
            what=f"one of 16 slots stuck, the others' tasks ({WORK * 1e3:.0f} ms): "
            "tasks/s, as a part of 15/16",
            value=ratio / share,
            aim=0.97,
            detail=detail,
        )
    ]
