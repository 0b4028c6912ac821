"""How these tests write programs, run the command on them, and import the result."""

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture
def folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, which modules are imported from."""
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return folder


@pytest.fixture
def generate(
    folder: Path, arbvantage: Callable[..., subprocess.CompletedProcess[str]]
) -> Callable[..., str]:
    """The code of the models of one of the programs beside, or of a text.

    The program is ``program.py`` then, and the code ``models.py``.
    """

    def write(program: str, more: str = "") -> str:
        file = PROGRAMS / f"{program}.txt"
        text = file.read_text(encoding="utf-8") if "\n" not in program else program
        (folder / "program.py").write_text(f"{text}\n\n{more}", encoding="utf-8")
        done = arbvantage("codegen", "program.py")
        assert done.returncode == 0, done.stderr
        (folder / "models.py").write_text(done.stdout, encoding="utf-8")
        return done.stdout

    return write


@pytest.fixture
def load(folder: Path) -> Callable[[str], Any]:
    """Imports a module of the current folder."""

    def load_module(name: str) -> Any:
        spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load_module
