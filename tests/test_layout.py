"""The repository keeps what it says about itself."""

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "arbvantage_provider"


def test_no_name_of_a_class_stands_twice() -> None:
    files = [file for file in PACKAGE.rglob("*.py") if "protos" not in file.parts]
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    found = Counter(
        node.name
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in found.items() if count > 1] == []


def test_the_worker_has_few_files_on_its_top_level() -> None:
    assert len([*(PACKAGE / "worker").glob("*.py")]) <= 6


@pytest.mark.parametrize("room", ["actions", "worker.lifecycle", "worker.in_process"])
def test_below_the_edge_nothing_imports_grpc(room: str) -> None:
    program = (
        f"import sys, arbvantage_provider.{room}\n"
        "print([name for name in ('grpc', 'google.protobuf') if name in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "[]"


def test_ci_runs_the_tests_with_the_command_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    (command,) = [
        line.strip()
        for line in readme
        if "-m venv" in line and line.endswith("nox -s tests")
    ]
    assert command in script
