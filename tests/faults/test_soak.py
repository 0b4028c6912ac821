"""A short form of ``nox -s soak``."""

import sys
from pathlib import Path

import pytest
from soak import MOST_MORE, WAITING, Plan, soak


@pytest.mark.once
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_goes_out_comes_in_and_neither_threads_nor_descriptors_grow(
    tmp_path: Path,
) -> None:
    tally = soak(Plan(seconds=5, round=2.5, seed=1), tmp_path)

    assert tally.ended.total() >= 2 * WAITING
    assert tally.faults.total() >= 1
    first, last = tally.settled[0], tally.settled[-1]
    assert last.threads <= first.threads + MOST_MORE
    assert last.files <= first.files + MOST_MORE
