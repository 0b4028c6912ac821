"""What tests of several rooms use: commands, and a server for shared limits."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from arbvantage_provider.cli import main
from arbvantage_provider.observe import writer

# Where programs that tests start find the server, too.
sys.path.insert(0, str(Path(__file__).parent))

from patience import wait_for
from redis_server import RedisServer

# What the programs of tests inherit is the same in the background of a shell, which
# ignores SIGINT, where colours are asked for, and behind a proxy.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
for name in ("NO_COLOR", "FORCE_COLOR", "grpc_proxy", "https_proxy", "http_proxy"):
    os.environ.pop(name, None)  # noqa: TID251 - not read

ONCE = ("bench", "docs", "executors", "faults", "hostile", "journal")
"""Folders whose tests take long, and show the same with any dependencies."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.relative_to(here).parts[0] in ONCE:
            item.add_marker("once")


@pytest.fixture(autouse=True)
def patient_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line is there when its call returns, however late the machine wakes a thread."""
    for name in ("LOOP_PATIENCE", "PATIENCE", "LONG"):
        monkeypatch.setattr(writer, name, 10.0)


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
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Waits until something is so that the hub hears nothing of."""
    return wait_for


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A server that several tests use, each with keys of its own."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A server that the test may end."""
    with RedisServer() as server:
        yield server
