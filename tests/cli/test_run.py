"""``arbvantage run``, in a process of its own."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from arbvantage_provider.testing import LocalHub

Run = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., subprocess.Popen[str]]

TOKEN = "a-token"
TASKS = """\
{"action": "greet", "payload": {"name": "Ann"}}

{"action": "greet", "payload": {"name": 5}, "account": {"key": "top-secret"}}
{"action": "gret", "payload": {}}
{"action": "fail", "payload": {}}
"""

WORKER = """
import asyncio

from arbvantage_provider import Provider

provider = Provider(
    "worker",
    auth_token={token!r},
    hub_url={hub_url!r},
    connect_timeout=0.2,
    shutdown_timeout=2,
    execution_timeout=3600,
    max_concurrency=1,
)


@provider.actions.register()
def quick() -> None:
    print("a line that is no data")


@provider.actions.register()
def large() -> str:
    return "x" * 50_000


@provider.actions.register()
async def wait() -> None:
    print("waiting", flush=True)
    await asyncio.sleep(3600)


@provider.actions.register()
def stop() -> None:
    provider.stop()
"""


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts ``python -m arbvantage_provider …`` and leaves it running."""
    started: list[subprocess.Popen[str]] = []

    def run(*words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "arbvantage_provider", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def write_worker(
    folder: Path, hub_url: str = "127.0.0.1:1", *, token: str = TOKEN, after: str = ""
) -> None:
    code = WORKER.format(hub_url=hub_url, token=token)
    (folder / "worker.py").write_text(f"{code}\n\n{after}\n")


def write_tasks(folder: Path, *actions: str) -> None:
    lines = [json.dumps({"action": action, "payload": {}}) for action in actions]
    (folder / "tasks.jsonl").write_text("\n".join(lines))


def read_until(stream: IO[str] | None, words: str) -> None:
    """Read lines until one holds ``words``; fail if none does."""
    assert stream is not None
    assert any(words in line for line in stream)


def parse(lines: str) -> dict[str, Any]:
    """The printed results by the ids of their tasks."""
    return {result["id"]: result for result in map(json.loads, lines.splitlines())}


# --- a local hub and a file of tasks -----------------------------------------


@pytest.mark.usefixtures("greeter")
def test_each_task_of_a_file_is_answered_on_a_line_of_stdout(
    folder: Path, arbvantage: Run
) -> None:
    (folder / "tasks.jsonl").write_text(TASKS)
    done = arbvantage("run", "greeter.py", "--local-hub", "--tasks", "tasks.jsonl")
    results = parse(done.stdout)
    assert results["line-1"] == {
        "id": "line-1",
        "action": "greet",
        "status": "success",
        "result": {
            "status": "success",
            "message": "",
            "data": {"greeting": "Hello, Ann! "},
        },
    }
    statuses = {id_: result["status"] for id_, result in results.items()}
    assert statuses == {
        "line-1": "success",
        "line-3": "error",
        "line-4": "error",
        "line-5": "error",
    }
    assert done.stderr.splitlines()[-1] == "4 tasks: 1 success, 3 error"
    assert done.returncode == 0
    assert "top-secret" not in done.stdout + done.stderr


@pytest.mark.usefixtures("greeter")
def test_tasks_may_come_from_stdin(shell: Run) -> None:
    done = shell("run", "greeter", "--local-hub", "--tasks", "-", stdin=TASKS)
    assert len(parse(done.stdout)) == 4
    assert done.returncode == 0


@pytest.mark.usefixtures("greeter")
def test_a_file_without_tasks_is_done_at_once(folder: Path, arbvantage: Run) -> None:
    write_tasks(folder)
    done = arbvantage("run", "greeter.py", "--local-hub", "--tasks", "tasks.jsonl")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "0 tasks\n")


def test_a_line_that_is_no_task_is_refused_before_anything_runs(
    folder: Path, arbvantage: Run
) -> None:
    write_worker(folder)
    write_tasks(folder, "quick")
    with (folder / "tasks.jsonl").open("a") as file:
        file.write("\n{}\n")
    done = arbvantage("run", "worker.py", "--local-hub", "--tasks", "tasks.jsonl")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: tasks.jsonl, line 2: 'action' is missing;")
    assert done.stderr.count("\n") == 1


def test_what_a_handler_prints_and_logs_stays_off_stdout(
    folder: Path, shell: Run
) -> None:
    write_worker(folder)
    write_tasks(folder, "quick")
    done = shell("run", "worker.py", "--local-hub", "--tasks", "tasks.jsonl")
    assert list(parse(done.stdout)) == ["line-1"]
    assert "a line that is no data" in done.stderr


def test_a_signal_drains_and_says_what_was_not_answered(
    folder: Path, start: Start
) -> None:
    write_worker(folder)
    write_tasks(folder, "quick", "wait", "quick")
    running = start("run", "worker.py", "--local-hub", "--tasks", "tasks.jsonl")
    read_until(running.stderr, "waiting")
    running.send_signal(signal.SIGINT)
    stdout, stderr = running.communicate(timeout=60)
    assert parse(stdout)["line-1"]["status"] == "success"
    assert "line-3" not in stdout
    assert stderr.splitlines()[-1].startswith("3 tasks: 1 success, ")
    assert stderr.splitlines()[-1].endswith(" unanswered")
    assert running.returncode == 1


def test_a_provider_that_stops_itself_leaves_tasks_unanswered(
    folder: Path, arbvantage: Run
) -> None:
    write_worker(folder)
    write_tasks(folder, "stop", *["quick"] * 20)
    done = arbvantage("run", "worker.py", "--local-hub", "--tasks", "tasks.jsonl")
    assert done.stderr.splitlines()[-1].startswith("21 tasks: ")
    assert done.stderr.splitlines()[-1].endswith(" unanswered")
    assert done.returncode == 1


def test_a_closed_stdout_ends_the_run_quietly(folder: Path, start: Start) -> None:
    write_worker(folder)
    write_tasks(folder, *["large"] * 20)  # more than a pipe holds
    running = start("run", "worker.py", "--local-hub", "--tasks", "tasks.jsonl")
    assert running.stdout is not None
    running.stdout.readline()
    running.stdout.close()
    assert running.stderr is not None
    words = running.stderr.read()
    assert running.wait(timeout=60) == 1
    assert "Traceback" not in words
    assert "Broken" not in words
    assert "Exception" not in words


# --- a local hub without tasks -----------------------------------------------


def test_a_local_hub_without_tasks_runs_until_a_signal(
    folder: Path, start: Start
) -> None:
    write_worker(folder)
    running = start("run", "worker.py", "--local-hub")
    read_until(running.stderr, "on a local hub at 127.0.0.1:")
    read_until(running.stderr, "starting")
    running.send_signal(signal.SIGTERM)
    stdout, _ = running.communicate(timeout=60)
    assert (running.returncode, stdout) == (0, "")


def test_a_provider_that_is_stopped_already_ends_at_once(
    folder: Path, arbvantage: Run
) -> None:
    write_worker(folder, after="provider.stop()")
    done = arbvantage("run", "worker.py", "--local-hub")
    assert (done.returncode, done.stdout) == (0, "")
    assert "'worker' runs on a local hub at 127.0.0.1:" in done.stderr


# --- a hub of its own --------------------------------------------------------


def test_a_provider_on_its_hub_drains_at_a_signal(folder: Path, start: Start) -> None:
    with LocalHub(TOKEN) as hub:
        write_worker(folder, hub.url)
        running = start("run", "worker.py")
        hub.submit("quick").result(timeout=60)
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=60)
    assert running.returncode == 0


def test_no_hub_is_exit_code_3(folder: Path, arbvantage: Run) -> None:
    write_worker(folder)
    done = arbvantage("run", "worker.py")
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1].startswith("Error: ")
    assert "Traceback" not in done.stderr


def test_a_refused_token_is_exit_code_4(folder: Path, arbvantage: Run) -> None:
    with LocalHub("another") as hub:
        write_worker(folder, hub.url, token="not-that-one")
        done = arbvantage("run", "worker.py")
    assert done.returncode == 4
    assert done.stderr.splitlines()[-1].startswith("Error: ")
    assert "Traceback" not in done.stderr
    assert "not-that-one" not in done.stderr


def test_an_address_that_is_no_hub_is_a_failure(folder: Path, arbvantage: Run) -> None:
    with LocalHub(TOKEN) as hub:
        hub.fail_polls("UNIMPLEMENTED")
        write_worker(folder, hub.url)
        done = arbvantage("run", "worker.py")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("Error: ")


def test_an_overridden_start_that_raises_shows_the_users_line(
    folder: Path, arbvantage: Run
) -> None:
    after = "def start(): raise LookupError('mine')\nprovider.start = start"
    write_worker(folder, after=after)
    done = arbvantage("run", "worker.py")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: 'worker' failed\n\nTraceback (most recent")
    assert done.stderr.endswith("LookupError: mine\n")
    assert "arbvantage_provider" not in done.stderr


def test_a_missing_token_is_told_by_the_name_of_its_variable(
    folder: Path, arbvantage: Run
) -> None:
    write_worker(folder, token="")
    done = arbvantage("run", "worker.py")
    assert done.returncode == 4
    assert "PROVIDER_AUTH_TOKEN" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


# --- wrong usage -------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--tasks", "greeter.py"], "--tasks is for the local hub: give --local-hub"),
        (["--local-hub", "--tasks", "no.jsonl"], "--tasks no.jsonl: No such file"),
    ],
)
@pytest.mark.usefixtures("greeter")
def test_options_that_make_no_sense_are_wrong_usage(
    arbvantage: Run, words: list[str], message: str
) -> None:
    done = arbvantage("run", "greeter.py", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
