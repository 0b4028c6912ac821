"""docs/reliability.md has a row for each fault, and names tests that there are."""

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"

ReadTable = Callable[[str, str], list[list[str]]]


@pytest.fixture
def faults(read_table: ReadTable) -> dict[int, list[str]]:
    """The names of the tests of each fault."""
    rows = read_table("reliability.md", "## The faults")
    return {int(row[0]): re.findall(r"`([\w/]+\.py::\w+)`", row[4]) for row in rows}


def list_tests(file: Path) -> set[str]:
    """The tests that a module defines; none if there is no such module."""
    if not file.exists():
        return set()
    body = ast.parse(file.read_text(encoding="utf-8")).body
    functions = (node for node in body if isinstance(node, ast.FunctionDef))
    return {node.name for node in functions if node.name.startswith("test_")}


def test_each_of_the_thirty_faults_has_a_row_and_a_test(
    faults: dict[int, list[str]],
) -> None:
    assert list(faults) == list(range(1, 31))
    assert [number for number, tests in faults.items() if not tests] == []


def test_each_test_that_is_named_is_there(faults: dict[int, list[str]]) -> None:
    named = {name for tests in faults.values() for name in tests}
    files = {name.partition("::")[0] for name in named}
    there = {f"{file}::{test}" for file in files for test in list_tests(TESTS / file)}
    assert sorted(named - there) == []


def test_no_test_of_a_fault_is_left_out(faults: dict[int, list[str]]) -> None:
    named = {name for tests in faults.values() for name in tests}
    checks = {TESTS / "faults" / "test_promise.py"}
    files = {*(TESTS / "faults").glob("test_*.py")} - checks
    there = {f"faults/{file.name}" for file in files}
    assert sorted(there - {name.partition("::")[0] for name in named}) == []
