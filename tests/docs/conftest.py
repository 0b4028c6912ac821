"""What the tests of the pages share: where they run, and how tables are read."""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from arbvantage_provider.settings import ENVIRONMENT

ROOT = Path(__file__).parents[2]

ReadTable = Callable[[str, str], list[list[str]]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, without settings, and with the command on PATH."""
    monkeypatch.chdir(tmp_path)
    for variable in ENVIRONMENT.values():
        monkeypatch.setenv(variable, "")  # an empty one counts as not set
    programs = str(Path(sys.executable).parent)
    monkeypatch.setenv("PATH", programs, prepend=os.pathsep)
    return tmp_path


@pytest.fixture
def read_table() -> ReadTable:
    """Reads the cells of the first table after a line of a page, without its head."""

    def read(page: str, after: str) -> list[list[str]]:
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        _, _, rest = f"\n{text}".partition(f"\n{after}\n")
        table = re.search(r"(?:^\|.*\n)+", rest, re.MULTILINE)
        assert table is not None
        lines = table[0].splitlines()[2:]
        return [
            [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)]
            for line in (line.strip().strip("|") for line in lines)
        ]

    return read
