"""A command that imports a program starts nothing of it."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from arbvantage_provider.testing import LocalHub

Run = Callable[..., subprocess.CompletedProcess[str]]
Write = Callable[[str], None]

TOKEN = "a-token"
PROGRAM = """
import asyncio
import os
import threading
from typing import Optional

from arbvantage_provider import ProcessPool, Provider
from arbvantage_provider.testing import LocalHub, running


class Mine(Provider):
    def start(self, **settings):
        super().start(**settings)


provider = Mine("tested", "{token}", "{hub}", journal="p.journal", max_concurrency=1)


@provider.actions.register(payload_schema={{"note": Optional[str]}})
def greet(payload):
    return "hello"


@provider.actions.register("pooled", executor=ProcessPool)
def greet_again(payload):
    return "hello"


{after}
"""
STARTS = {
    "start": "provider.start()",
    "start at an address": f'provider.start(hub_url="127.0.0.1:1", auth_token="{TOKEN}")',
    "serve": "asyncio.run(provider.serve())",
    "serve in a coroutine": """
async def main():
    await asyncio.gather(provider.serve())

asyncio.run(main())
""",
    "a local hub": """
with LocalHub() as hub, running(provider, hub):
    hub.submit("greet").result()
""",
    "start in a thread that is waited for": """
from concurrent.futures import ThreadPoolExecutor

with ThreadPoolExecutor() as pool:
    pool.submit(lambda: provider.start()).result()
""",
    "and end": """
try:
    provider.start()
except Exception:
    raise SystemExit(1)
""",
}
COMMANDS = [
    ("actions", "program.py"),
    ("actions", "program:provider"),
    ("call", "program.py", "greet"),
    ("export", "program.py"),
    ("codegen", "program.py"),
    ("run", "program.py"),
    ("run", "program.py", "--local-hub"),
]


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    """The hub in service, which must see nothing of a command that reads."""
    with LocalHub(TOKEN) as hub:
        hub.submit("greet")
        yield hub


@pytest.fixture
def write(folder: Path, hub: LocalHub) -> Write:
    """Writes a program whose last lines are these."""

    def write(after: str) -> None:
        code = PROGRAM.format(token=TOKEN, hub=hub.url, after=after)
        (folder / "program.py").write_text(code)

    return write


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_starts_no_provider_while_it_imports_it(
    folder: Path, hub: LocalHub, write: Write, arbvantage: Run, words: tuple[str, ...]
) -> None:
    write("provider.start()")
    done = arbvantage(*words)
    line = (folder / "program.py").read_text().rstrip().count("\n") + 1
    assert (done.returncode, done.stdout, hub.polls) == (1, "", 0)
    assert done.stderr.count("\n") == 1
    assert f"{folder / 'program.py'}, line {line}, starts a provider" in done.stderr
    assert 'write `if __name__ == "__main__":` before start()' in done.stderr
    assert list(folder.glob("p.journal*")) == []


@pytest.mark.parametrize("after", STARTS.values(), ids=STARTS)
def test_every_way_to_start_is_refused(
    folder: Path, hub: LocalHub, write: Write, arbvantage: Run, after: str
) -> None:
    write(after)
    done = arbvantage("actions", "program.py")
    assert (done.returncode, done.stdout, hub.polls) == (1, "", 0)
    assert f"cannot be imported: {folder / 'program.py'}, line " in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "factory",
    [
        "def create_provider():\n    provider.start()",
        """
class Other(Mine):
    def __init__(self):
        super().__init__("other", "t")
        self.start()

create_provider = Other
""",
    ],
    ids=["function", "class"],
)
def test_what_makes_a_provider_starts_none(
    hub: LocalHub, write: Write, arbvantage: Run, factory: str
) -> None:
    write(factory)
    done = arbvantage("actions", "program.py:create_provider")
    assert (done.returncode, hub.polls) == (1, 0)
    assert "starts a provider while this command imports the program" in done.stderr


CAUGHT = """
try:
    provider.start()
except Exception as error:
    print(f"Provider failed to start: {error}")
"""


@pytest.mark.parametrize("words", COMMANDS[:5], ids=" ".join)
def test_a_program_that_catches_the_refusal_can_be_read(
    hub: LocalHub, write: Write, arbvantage: Run, words: tuple[str, ...]
) -> None:
    write(CAUGHT)
    done = arbvantage(*words)
    assert (done.returncode, hub.polls) == (0, 0)
    assert "hello" in done.stdout or "greet" in done.stdout
    assert "Provider failed to start: " in done.stderr


def test_a_program_that_catches_the_refusal_can_be_run(
    folder: Path, hub: LocalHub, write: Write, shell: Run
) -> None:
    write(CAUGHT)
    (folder / "tasks.jsonl").write_text('{"action": "pooled", "payload": {}}\n' * 2)
    done = shell("run", "program.py", "--local-hub", "--tasks", "tasks.jsonl")
    assert done.stdout.count('"data": "hello"') == 2
    assert (done.returncode, hub.polls) == (0, 0)


THREADS = {
    "at once": "threading.Thread(target=provider.start).start()",
    "when the command has ended": """
def wait():
    threading.main_thread().join()
    provider.start()

threading.Thread(target=wait).start()
""",
    "from a thread of a thread": """
def begin():
    threading.main_thread().join()
    threading.Thread(target=provider.start).start()

threading.Thread(target=begin).start()
""",
    "at the exit": "import atexit; atexit.register(provider.start)",
    "serve": "threading.Thread(target=asyncio.run, args=(provider.serve(),)).start()",
    "a copy of the process": """
if os.fork() == 0:
    try:
        provider.start()
    except BaseException as error:
        os.write(2, str(error).encode())
    os._exit(0)
os.wait()
""",
}


@pytest.mark.parametrize("after", THREADS.values(), ids=THREADS)
def test_what_a_program_leaves_behind_starts_nothing(
    hub: LocalHub, write: Write, shell: Run, after: str
) -> None:
    write(after)
    done = shell("actions", "program.py")
    assert (done.returncode, hub.polls) == (0, 0)
    # From 3.12 on, Python itself may begin no thread so late.
    refusals = ("starts a provider while ", "can't create new thread")
    assert any(refusal in done.stderr for refusal in refusals)
