"""A short form of ``nox -s kills``."""

from pathlib import Path

import pytest
from kills import Plan, kill_again_and_again


@pytest.mark.once
@pytest.mark.parametrize("lease", [0.5, None])
def test_a_provider_that_is_killed_again_and_again_loses_and_contradicts_nothing(
    tmp_path: Path, lease: float | None
) -> None:
    plan = Plan(kills=3, tasks=100, lease=lease, seed=7)
    tally = kill_again_and_again(plan, tmp_path)

    assert tally.ended.total() + tally.never_arrived == 100
    assert tally.never_arrived == 0 or lease is None
