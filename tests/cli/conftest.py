"""How these tests type commands: in this process, or in one of their own."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

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
def greeter(folder: Path) -> Path:
    """A file with one provider, in the current folder."""
    file = folder / "greeter.py"
    file.write_text(GREETER)
    return file


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
