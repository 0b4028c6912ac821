"""What once failed, and what fuzzing begins with, through the same targets."""

from pathlib import Path

import pytest
from targets import TARGETS

CORPUS = Path(__file__).with_name("corpus")
FILES = sorted(CORPUS.glob("*/*"))


def test_each_target_has_a_corpus() -> None:
    assert {file.parent.name for file in FILES} == {*TARGETS}
    assert all(file.stat().st_size < 5_000 for file in FILES)


@pytest.mark.parametrize(
    "file", FILES, ids=[str(file.relative_to(CORPUS)) for file in FILES]
)
def test_a_target_takes_what_once_failed(file: Path) -> None:
    TARGETS[file.parent.name](file.read_bytes())
