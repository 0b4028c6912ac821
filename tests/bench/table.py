"""Figures beside their aims, as Markdown."""

# pyright: basic

import operator
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

AT_LEAST = "at least"
AT_MOST = "at most"
_HOLDS: dict[str, Callable[[float, float], bool]] = {
    AT_LEAST: operator.ge,
    AT_MOST: operator.le,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure.

    Attributes:
        what: is measured.
        value: the figure.
        unit: of it and the aim; none for a ratio.
        way: whether the aim is a floor or a ceiling.
        aim: ``None``: there is none.
        detail: the figures behind it.
    """

    what: str
    value: float
    unit: str = ""
    way: str = AT_LEAST
    aim: float | None = None
    detail: str = ""

    def cells(self) -> list[str]:
        """The row's texts."""
        unit = f" {self.unit}" if self.unit else ""
        if self.aim is None:
            aim = verdict = ""
        else:
            aim = f"{self.way} {self.aim:g}{unit}"
            verdict = "yes" if _HOLDS[self.way](self.value, self.aim) else "**no**"
        return [self.what, aim, f"{self.value:.2f}{unit}", verdict, self.detail]


def format_rows(rows: Sequence[Row]) -> str:
    """The table of figures."""
    heads = ["what", "aim", "measured", "met", "medians behind it"]
    return format_table(heads, [row.cells() for row in rows])


def format_table(heads: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """Any table; all columns but the first are figures."""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *cells]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios, round by round."""
    return statistics.median(o / t for o, t in zip(ours, theirs, strict=True))
