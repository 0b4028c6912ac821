"""``arbvantage run --local-hub`` touches nothing of the hub in service."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from arbvantage_provider.hub.wire import encode_request
from arbvantage_provider.protos import hub_pb2_grpc
from arbvantage_provider.testing import LocalHub
from arbvantage_provider.worker.delivery.journal import list_rows

Run = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., subprocess.Popen[str]]

PROGRAM = """
import asyncio
from pathlib import Path

from arbvantage_provider import TLS, Provider


def make_token():
    Path("asked.txt").touch()
    return "a-token-in-service"


{subclass}
provider = {provider}


@provider.actions.register()
def quick():
    print("ran")


@provider.actions.register(timeout=600)
async def wait():
    print("waiting", flush=True)
    await asyncio.sleep(600)
"""
TASK = '{"action": "quick", "payload": {}}\n'
WAIT = '{"action": "wait", "payload": {}}\n'


def write(
    folder: Path,
    provider: str = 'Provider("p", "t", "127.0.0.1:1", journal="p.journal")',
    *,
    subclass: str = "",
    tasks: str = TASK,
) -> None:
    code = PROGRAM.format(provider=provider, subclass=subclass)
    (folder / "program.py").write_text(code)
    (folder / "tasks.jsonl").write_text(tasks)


@pytest.fixture
def local(shell: Run) -> Run:
    """Runs the program on a local hub with the tasks."""
    words = ("run", "program.py", "--local-hub", "--tasks", "tasks.jsonl")
    return lambda *more: shell(*words, *more)


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts ``python -m arbvantage_provider …`` and leaves it running."""
    started: list[subprocess.Popen[str]] = []

    def run(*words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "arbvantage_provider", *words],
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def read_until(process: subprocess.Popen[str], words: str) -> str:
    return next(line for line in process.stderr or () if words in line)


# --- the journal -------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "variable"),
    [
        ('Provider("p", "t", journal="p.journal")', ""),
        ('Provider.from_env(name="p")', "p.journal"),
    ],
)
def test_a_local_hub_leaves_the_journal_alone(
    folder: Path,
    local: Run,
    monkeypatch: pytest.MonkeyPatch,
    provider: str,
    variable: str,
) -> None:
    monkeypatch.setenv("PROVIDER_JOURNAL", variable)
    write(folder, provider)
    done = local()
    assert done.returncode == 0, done.stderr
    assert list(folder.glob("p.journal*")) == []


def test_a_local_hub_has_the_journal_that_it_is_given(folder: Path, local: Run) -> None:
    write(folder)
    assert local("--journal", "local.journal").returncode == 0
    assert [row.id for row in list_rows(str(folder / "local.journal"))] == ["line-1"]
    assert list(folder.glob("p.journal*")) == []


def test_the_next_local_run_goes_on_with_a_journal_that_it_is_given(
    folder: Path, start: Start, shell: Run
) -> None:
    write(folder, tasks=WAIT)
    words = ("run", "program.py", "--local-hub", "--tasks", "tasks.jsonl")
    words = (*words, "--journal", "local.journal")
    first = start(*words)
    read_until(first, "waiting")
    first.kill()
    first.wait()
    done = shell(*words)
    assert done.returncode == 0, done.stderr
    assert "was interrupted: the provider died while it ran" in done.stdout


def test_a_run_on_its_hub_has_the_journal_that_it_is_given(
    folder: Path, start: Start
) -> None:
    with LocalHub("t") as hub:
        write(folder, f'Provider("p", "t", "{hub.url}", journal="p.journal")')
        process = start("run", "program.py", "--journal", "other.journal")
        hub.submit("quick").result(timeout=30)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert len(list_rows(str(folder / "other.journal"))) == 1
    assert list(folder.glob("p.journal*")) == []


@pytest.mark.parametrize(
    "words",
    [
        ("call", "program.py", "quick"),
        ("actions", "program.py"),
        ("export", "program.py"),
        ("codegen", "program.py"),
    ],
)
def test_a_command_that_needs_no_hub_leaves_journal_and_token_alone(
    folder: Path, shell: Run, words: tuple[str, ...]
) -> None:
    write(folder, 'Provider("p", make_token, journal="p.journal")')
    shell(*words)
    assert sorted(path.name for path in folder.iterdir()) == [
        "program.py",
        "tasks.jsonl",
    ]


# --- the token, and TLS ------------------------------------------------------


def poll(url: str, token: str) -> Any:
    with grpc.insecure_channel(url) as channel:
        stub: Any = hub_pb2_grpc.HubStub(channel)
        return stub.GetTask(encode_request("p", token), timeout=10)


@pytest.mark.parametrize("token", ["local-hub", "t", "", "any-token"])
def test_a_local_hub_gives_its_tasks_to_its_provider_alone(
    folder: Path, start: Start, token: str
) -> None:
    write(folder)
    process = start("run", "program.py", "--local-hub")
    line = read_until(process, "on a local hub at")
    found = re.search(r"127\.0\.0\.1:\d+", line)
    assert found is not None
    with pytest.raises(grpc.RpcError) as caught:
        poll(found[0], token)
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    "provider",
    [
        'Provider("p", make_token, "127.0.0.1:1")',
        'Provider("p", hub_url="127.0.0.1:1", auth_token_file="nowhere.txt")',
        'Provider("p", "t", "grpcs://127.0.0.1:1", tls=TLS(roots="nowhere.pem"))',
        'Provider("p", "t", "127.0.0.1:1", tls=TLS(roots="nowhere.pem"))',
    ],
)
def test_a_local_hub_needs_no_token_and_no_tls_of_the_provider(
    folder: Path, local: Run, provider: str
) -> None:
    write(folder, provider)
    done = local()
    assert done.returncode == 0, done.stderr
    assert not (folder / "asked.txt").exists()


def test_variables_of_the_hub_in_service_do_not_count(
    folder: Path, local: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_GRPC_URL", "grpcs://hub.invalid")
    monkeypatch.setenv("PROVIDER_AUTH_TOKEN_FILE", str(folder / "nowhere.txt"))
    monkeypatch.setenv("PROVIDER_TLS_ROOTS", str(folder / "nowhere.pem"))
    write(folder, 'Provider.from_env(name="p")')
    done = local()
    assert done.returncode == 0, done.stderr


STARTS = """
class Mine(Provider):
    def start(self, **settings):
        super().start({handed_on})
"""


@pytest.mark.parametrize(
    "handed_on", ["", "hub_url=self.hub_url", 'hub_url="127.0.0.1:{port}"']
)
def test_an_overridden_start_goes_to_the_local_hub_too(
    folder: Path, local: Run, handed_on: str
) -> None:
    with LocalHub() as hub:
        port = hub.url.rpartition(":")[2]
        subclass = STARTS.format(handed_on=handed_on.format(port=port))
        write(folder, f'Mine("p", "t", "{hub.url}")', subclass=subclass)
        done = local()
    assert done.returncode == 0, done.stderr
    assert hub.polls == 0


def test_a_journal_of_the_command_is_checked_as_any_other(
    folder: Path, arbvantage: Run
) -> None:
    provider = "Provider('p', max_send_bytes=1024**3)"
    (folder / "app.py").write_text(
        f"from arbvantage_provider import Provider\nprovider = {provider}\n"
    )
    done = arbvantage("run", "app.py", "--local-hub", "--journal", "tasks.journal")
    assert done.returncode == 2
    assert "max_send_bytes may be 900000000 at most with a journal" in done.stderr
    assert not (folder / "tasks.journal").exists()
