"""Stubs: what the handlers receive, and everything else that the module shows."""

import ast
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
Load = Callable[[str], Any]
PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture
def stub(folder: Path, arbvantage: Run) -> str:
    """The stub of the shop."""
    (folder / "shop.py").write_text((PROGRAMS / "shop.txt").read_text())
    done = arbvantage("codegen", "shop.py", "--stubs")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_stub_of_a_module_is_this(stub: str) -> None:
    assert stub == (PROGRAMS / "shop.pyi.txt").read_text()


def test_every_name_of_the_module_is_in_the_stub(stub: str, load: Load) -> None:
    shown: set[str] = set()
    for node in ast.walk(ast.parse(stub)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            shown.add(node.name)
        elif isinstance(node, ast.alias):
            shown.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            shown.add(node.id)
    names = [name for name in dir(load("shop")) if not name.startswith("_")]
    assert {*names} - {"annotations"} <= shown
