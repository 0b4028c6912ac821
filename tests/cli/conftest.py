"""How these tests type commands: in this process, or in one of their own."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from arbvantage_provider.cli import main

GREETER = '''
from arbvantage_provider import Provider

provider = Provider("greeter", auth_token="secret-token", log_level="WARNING")


@provider.actions.register()
def greet(name: str, times: int = 1) -> dict:
    """Greet somebody."""
    return {"greeting": f"Hello, {name}! " * times}


@provider.actions.register()
def fail() -> dict:
    raise RuntimeError("the handler failed")
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current folder; what is imported from it is forgotten again."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        file = getattr(sys.modules[name], "__file__", None)
        if file is None or Path(file).is_relative_to(tmp_path):
            del sys.modules[name]


@pytest.fixture
def greeter(folder: Path) -> Path:
    """A file with one provider, in the current folder."""
    file = folder / "greeter.py"
    file.write_text(GREETER)
    return file


@pytest.fixture
def arbvantage(
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs ``arbvantage …`` in this process."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(words, prog_name="arbvantage")
        code = ended.value.code
        seen = capsys.readouterr()
        exit_code = code if isinstance(code, int) else int(code is not None)
        return subprocess.CompletedProcess(words, exit_code, seen.out, seen.err)

    return run


@pytest.fixture
def shell() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs ``python -m arbvantage_provider …`` in a process of its own."""

    def run(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "arbvantage_provider", *words],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run
