"""The page shows what the command writes."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

Run = Callable[..., subprocess.CompletedProcess[str]]
PAGE = Path(__file__).parents[2] / "docs" / "from-dicts-to-models.md"


def test_the_page_shows_what_is_written(folder: Path, arbvantage: Run) -> None:
    parsed = Sybil([PythonCodeBlockParser()]).parse(PAGE)
    program, models, _, stub = (str(block.parsed) for block in parsed)
    (folder / "users.py").write_text(program, encoding="utf-8")
    assert arbvantage("codegen", "users").stdout == models
    assert arbvantage("codegen", "users", "--stubs").stdout == stub
