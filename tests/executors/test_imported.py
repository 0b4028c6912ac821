"""A process of an executor imports the program, and starts nothing of it."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from arbvantage_provider.testing import LocalHub

TOKEN = "token-for-tests"
SHOP = """
import asyncio, os, sys, threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import current_process, get_context
from pathlib import Path

from arbvantage_provider import ProcessPool, Provider

def make_standard():
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))

provider = Provider(
    "tested", "token-for-tests", os.environ["HUB_GRPC_URL"],
    execution_timeout=60, executor={executor}, max_concurrency=1,
)

def note():
    Path(f"imported-{{os.getpid()}}").touch()

@provider.actions.register()
def greet():
    return "hello"

@provider.actions.register()
def nest():
    try:
        provider.start()
    except Exception as error:
        return str(error)

note()
{after}
"""
GUARDED = """
import shop

if __name__ == "__main__":
    shop.provider.start()
"""
"""A program that is in order, and whose module of actions is not."""

Program = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    with LocalHub(TOKEN) as hub:
        yield hub


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., None]:
    def write(after: str, executor: str = "ProcessPool") -> None:
        code = SHOP.format(after=textwrap.dedent(after), executor=executor)
        (tmp_path / "shop.py").write_text(code)
        (tmp_path / "main.py").write_text(GUARDED)

    return write


@pytest.fixture
def start(
    tmp_path: Path, hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Program]:
    """Starts ``python …`` in the folder of the program."""
    monkeypatch.setenv("HUB_GRPC_URL", hub.url)
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> "subprocess.Popen[str]":
        program = subprocess.Popen(
            [sys.executable, *words],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(program)
        return program

    yield start
    for program in started:
        # Its own processes, too, which would keep its output open.
        with suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
        program.communicate()


IN_CHILD = 'if current_process().name != "MainProcess":\n    '
STARTS = {
    "start": "provider.start()",
    "serve": "asyncio.run(provider.serve())",
    "a pool": "ProcessPool(1).submit(os.getpid).result()",
}


@pytest.mark.parametrize("after", STARTS.values(), ids=STARTS)
@pytest.mark.parametrize(
    "words",
    [
        ("main.py",),
        ("-m", "main"),
        ("-c", "import runpy; runpy.run_path('main.py', run_name='__main__')"),
        ("-m", "arbvantage_provider", "run", "shop.py"),
        ("-m", "arbvantage_provider", "run", "shop"),
    ],
    ids=["file", "module", "runpy", "command file", "command module"],
)
def test_a_process_that_imports_the_actions_starts_nothing(
    tmp_path: Path,
    hub: LocalHub,
    write: Callable[..., None],
    start: Program,
    words: tuple[str, ...],
    after: str,
) -> None:
    write(IN_CHILD + after)
    program = start(*words)
    _, errors = program.communicate(timeout=60)
    assert program.returncode == 1
    assert 'write `if __name__ == "__main__":` before start()' in errors
    assert " imports the program; " in errors
    assert len(list(tmp_path.glob("imported-*"))) == 2  # the program, and one process
    assert hub.polls == 0


def test_a_process_whose_module_catches_the_refusal_runs_its_handlers(
    tmp_path: Path, hub: LocalHub, write: Callable[..., None], start: Program
) -> None:
    write(
        IN_CHILD + "try:\n        provider.start()\n"
        "    except Exception as error:\n        print('Provider failed:', error)\n"
    )
    handle = hub.submit("greet")
    start("main.py")
    assert handle.result(60).data == "hello"
    assert len(list(tmp_path.glob("imported-*"))) == 2


def test_a_thread_of_a_module_starts_nothing_in_a_process(
    hub: LocalHub, write: Callable[..., None], start: Program
) -> None:
    write(
        """
        def start_later():
            ready.wait()
            try:
                provider.start()
            except Exception as error:
                told.append(str(error))
            done.set()

        ready, done, told = threading.Event(), threading.Event(), []

        if current_process().name != "MainProcess":
            threading.Thread(target=start_later, daemon=True).start()

        @provider.actions.register()
        def ask():
            ready.set()
            done.wait()
            return told
        """
    )
    handle = hub.submit("ask")
    start("main.py")
    (told,) = handle.result(60).data
    assert told.endswith("starts no provider")


def test_a_handler_in_a_process_starts_no_provider(
    hub: LocalHub, write: Callable[..., None], start: Program
) -> None:
    write("")
    handle = hub.submit("nest")
    start("main.py")
    assert handle.result(60).data == (
        "a process of a ProcessPool runs handlers, and starts no provider"
    )


@pytest.mark.parametrize("after", list(STARTS.values())[:2], ids=list(STARTS)[:2])
def test_an_executor_of_python_imports_actions_and_starts_nothing(
    tmp_path: Path,
    hub: LocalHub,
    write: Callable[..., None],
    start: Program,
    after: str,
) -> None:
    write(IN_CHILD + after, "make_standard")
    handle = hub.submit("greet")
    start("-m", "arbvantage_provider", "run", "shop.py")
    result = handle.result(60)
    assert result.status == "error"
    assert "starts a provider while a process of an executor imports" in result.message
    assert len(list(tmp_path.glob("imported-*"))) == 2


LATE = """
import concurrent.futures, multiprocessing
from arbvantage_provider import Provider

def prepare():
    import unguarded

def make():
    context = multiprocessing.get_context({method!r})
    return concurrent.futures.ProcessPoolExecutor(1, context{initializer})

provider = Provider("tested", "token-for-tests", {hub!r}, execution_timeout=60)

@provider.actions.register(executor=make)
def greet():
    prepare()

if __name__ == "__main__":
    provider.start()
"""
UNGUARDED = """
from pathlib import Path
from arbvantage_provider import Provider

try:
    Provider("tested", "token-for-tests", {hub!r}).start()
except Exception as error:
    Path("refused").write_text(str(error))
    raise
"""


@pytest.mark.parametrize("method", ["spawn", "fork"])
@pytest.mark.parametrize("initializer", ["", ", initializer=prepare"])
def test_a_module_that_a_process_imports_late_starts_nothing(
    tmp_path: Path, hub: LocalHub, start: Program, method: str, initializer: str
) -> None:
    late = LATE.format(method=method, initializer=initializer, hub=hub.url)
    (tmp_path / "late.py").write_text(late)
    (tmp_path / "unguarded.py").write_text(UNGUARDED.format(hub=hub.url))
    handle = hub.submit("greet")
    start("late.py")
    assert handle.result(60).status == "error"
    refused = (tmp_path / "refused").read_text()
    assert "starts a provider while a process of an executor imports" in refused


OWN_PROCESS = """
import multiprocessing

import shop


def run():
    shop.provider.start()


if __name__ == "__main__":
    process = multiprocessing.get_context({method!r}).Process(target=run)
    process.start()
    process.join()
"""


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_a_process_of_the_users_own_starts_a_provider_with_a_pool(
    tmp_path: Path,
    hub: LocalHub,
    write: Callable[..., None],
    start: Program,
    method: str,
) -> None:
    write("")
    (tmp_path / "own.py").write_text(OWN_PROCESS.format(method=method))
    handle = hub.submit("greet")
    start("own.py")
    assert handle.result(60).data == "hello"
