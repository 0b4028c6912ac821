"""The tables of docs/rate-limits.md are what there is."""

import dataclasses
from collections.abc import Callable
from typing import get_args

from arbvantage_provider.settings import MonitorErrorPolicy
from arbvantage_provider.worker.metrics.snapshot import LimitFigures

ReadTable = Callable[[str, str], list[list[str]]]


def read_names(rows: list[list[str]]) -> list[str]:
    return [row[0].partition("(")[0].strip('` "') for row in rows]


def test_the_figures_are_those_of_a_snapshot(read_table: ReadTable) -> None:
    shown = read_names(read_table("rate-limits.md", "## Figures"))
    assert shown == [field.name for field in dataclasses.fields(LimitFigures)]


def test_the_policies_are_those_that_are_taken(read_table: ReadTable) -> None:
    shown = read_names(read_table("rate-limits.md", "## When a monitor fails"))
    assert shown == list(get_args(MonitorErrorPolicy))
