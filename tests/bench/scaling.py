"""How the cost grows as the work grows: tables, and a plot of each."""

# pyright: basic

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from contest import Arena, Case, Run
from payloads import make_user
from plot import draw
from rows import Size, costs, interleave, rates
from table import format_table, median_ratio

SLOTS = {1: 0.25, 4: 0.5, 16: 1.0, 64: 1.0, 256: 1.0}
"""Slots, and which part of the tasks is run with them."""
ITEMS = {2: 1.0, 440: 0.1, 13_200: 0.01}
"""How long the payload's lists are: 1 KB, 100 KB, 3 MB; and the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """What is drawn and tabulated of one growing thing.

    Attributes:
        name: of the plot's file.
        title: of both.
        axes: what grows, and what is measured.
        read: the figures of some runs, by round.
    """

    name: str
    title: str
    axes: tuple[str, str]
    read: Callable[[Sequence[Run]], list[float]]


BY_SLOTS = Curve(
    name="slots",
    title="Tasks per second, async handler",
    axes=("slots", "tasks/s"),
    read=rates,
)
BY_PAYLOAD = Curve(
    name="payload",
    title="CPU per task, async handler, 16 slots",
    axes=("payload, KB", "ms"),
    read=lambda runs: [cost * 1e3 for cost in costs(runs)],
)


def measure_slots(arena: Arena, size: Size, plots: Path | None) -> str:
    """Tasks per second by slots."""
    cases = {
        slots: replace(size.case(part), slots=slots) for slots, part in SLOTS.items()
    }
    return _measure(arena, BY_SLOTS, cases, (size.rounds, plots))


def measure_payload(arena: Arena, size: Size, plots: Path | None) -> str:
    """CPU per task by payload."""
    cases = {
        round(len(str(make_user(items))) / 1e3): replace(size.case(part), items=items)
        for items, part in ITEMS.items()
    }
    return _measure(arena, BY_PAYLOAD, cases, (size.rounds, plots))


def _measure(
    arena: Arena,
    curve: Curve,
    cases: Mapping[int, Case],
    how: tuple[int, Path | None],
) -> str:
    rounds, plots = how
    both: dict[str, Case] = {}
    for x, case in cases.items():
        name = f"{curve.axes[0]}: {x}"
        both |= {name: case, f"{name}, floor": replace(case, program="floor")}
    runs = list(interleave(arena, both, rounds).values())
    ours, floor = runs[::2], runs[1::2]
    if plots:
        lines = {
            "provider": _points(curve, cases, ours),
            "floor": _points(curve, cases, floor),
        }
        plot = draw(curve.title, curve.axes, lines)
        (plots / f"performance-{curve.name}.svg").write_text(plot)
    heads = [curve.axes[0], f"provider, {curve.axes[1]}", "floor", "ratio"]
    rows = [
        _cells(curve, x, *pair)
        for x, pair in zip(cases, zip(ours, floor, strict=True), strict=True)
    ]
    return f"{curve.title}\n\n{format_table(heads, rows)}"


def _points(
    curve: Curve, cases: Mapping[int, Case], runs: Sequence[Sequence[Run]]
) -> list[tuple[float, float]]:
    return [(float(x), median(curve.read(r))) for x, r in zip(cases, runs, strict=True)]


def _cells(
    curve: Curve, x: int, ours: Sequence[Run], floor: Sequence[Run]
) -> list[str]:
    a, b = curve.read(ours), curve.read(floor)
    digits = 0 if median(a) >= 100 else 2
    values = [f"{median(values):.{digits}f}" for values in (a, b)]
    return [f"{x:,}", *values, f"{median_ratio(a, b):.2f}"]
