"""Whole programs with a process pool: their main module, their end, the command."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from arbvantage_provider.testing import LocalHub

HANDLERS = """
    import os, sys, time
    from arbvantage_provider import ProcessPool, Provider

    provider = Provider(
        "tested", "token-for-tests", execution_timeout=60, shutdown_timeout=30,
        executor=ProcessPool, max_concurrency=1,
    )

    @provider.actions.register()
    def finish():
        print("begun", os.getpid(), flush=True)
        time.sleep(0.3)
        return os.getppid()

    @provider.actions.register(timeout=0.2)
    def hang():
        print("begun", os.getpid(), flush=True)
        while True:
            pass

    @provider.actions.register(timeout=600)
    def hang_on():
        hang()
"""
PROGRAM = (
    HANDLERS
    + """
    if __name__ == "__main__":
        provider.start(hub_url=sys.argv[1])
        print("ended", flush=True)
"""
)
UNGUARDED = (
    HANDLERS
    + """
    provider.start(hub_url=sys.argv[1])
"""
)

Program = subprocess.Popen[str]
posix_only = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


@pytest.fixture
def start(tmp_path: Path, hub: LocalHub) -> Iterator[Callable[[str], Program]]:
    """Starts a program in a process of its own."""
    started: list[Program] = []

    def start(code: str) -> Program:
        script = tmp_path / "program.py"
        script.write_text(textwrap.dedent(code), encoding="utf-8")
        program = subprocess.Popen(
            [sys.executable, str(script), hub.url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(program)
        return program

    yield start
    for program in started:
        program.kill()
        program.communicate()


def read_begun(program: Program) -> int:
    """The process of the handler that says that it has begun."""
    assert program.stdout is not None
    word, _, pid = program.stdout.readline().partition(" ")
    assert word == "begun"
    return int(pid)


def test_handlers_of_the_main_module_are_found(
    hub: LocalHub, start: Callable[[str], Program]
) -> None:
    handle = hub.submit("finish")
    program = start(PROGRAM)

    assert handle.result(30).data == program.pid


@posix_only
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_all_processes_lets_handlers_end(
    hub: LocalHub, start: Callable[[str], Program], signum: signal.Signals
) -> None:
    handle = hub.submit("finish")
    program = start(PROGRAM)
    read_begun(program)
    os.killpg(program.pid, signum)
    output, _ = program.communicate(timeout=30)

    assert handle.result().status == "success"
    assert (program.returncode, output) == (0, "ended\n")


@posix_only
def test_handlers_die_with_the_program(
    hub: LocalHub,
    start: Callable[[str], Program],
    eventually: Callable[[Callable[[], bool]], None],
) -> None:
    hub.submit("hang_on")
    program = start(PROGRAM)
    pid = read_begun(program)
    program.kill()
    program.wait()

    def is_gone() -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return _is_zombie(pid)

    eventually(is_gone)


def _is_zombie(pid: int) -> bool:
    """Dead, and nobody there to take its exit code, as in some containers."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z"


@posix_only
def test_a_second_signal_does_not_wait_for_a_handler(
    hub: LocalHub, start: Callable[[str], Program]
) -> None:
    hub.submit("hang_on")
    program = start(PROGRAM)
    read_begun(program)
    os.kill(program.pid, signal.SIGTERM)
    for line in program.stderr or ():
        if "stopping" in line:
            break
    os.kill(program.pid, signal.SIGTERM)

    assert program.wait(timeout=20) == 128 + signal.SIGTERM


def test_a_program_that_starts_when_it_is_imported_is_told_what_to_write(
    start: Callable[[str], Program],
) -> None:
    program = start(UNGUARDED)
    _, errors = program.communicate(timeout=60)

    assert program.returncode == 1
    assert 'write `if __name__ == "__main__":` before start()' in errors
    assert "ConfigError: executor: a process died while it started" in errors


def test_the_command_runs_a_file_with_a_pool(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(textwrap.dedent(HANDLERS), encoding="utf-8")
    tasks = tmp_path / "tasks.jsonl"
    tasks.write_text('{"action": "finish", "payload": {}}\n', encoding="utf-8")
    command = (*(sys.executable, "-m", "arbvantage_provider", "run"), "shop.py")
    done = subprocess.run(
        [*command, "--local-hub", "--tasks", str(tasks)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0
    assert "success" in done.stdout
