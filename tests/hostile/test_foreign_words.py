"""Words of a hub, a payload or a server stay words: none forges a line or drives a terminal."""

# pyright: basic

import asyncio
import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from arbvantage_provider import (
    AuthenticationError,
    ConnectionError,  # noqa: A004 - the name is the contract's
    HubError,
    JournalError,
    LifespanError,
    ProtocolError,
    Provider,
)
from arbvantage_provider.exceptions import RateLimitUnavailableError
from arbvantage_provider.testing import LocalHub, running

READABLE = "é Жя 漢字 👩\u200d🚀"
FORGED = "2026-01-31T00:00:00Z [error    ] FORGED"
# Line ends of every kind, colours and titles in C0 and C1, what turns text around.
HOSTILE = (
    f"{READABLE}\n{FORGED}\r{FORGED}\x0b{FORGED}\x85{FORGED}\u2028{FORGED}\u2029{FORGED}"
    "\x00\x07\x08\x1b[31m\x1b]0;title\x07\x7f\x9b31m\x9d0;title\x9c"
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ud800-\udfff]"
)


def check(text: str) -> None:
    """Nothing in it drives a terminal, and no line is one of the hostile text's own."""
    assert CONTROL.search(text) is None, repr(CONTROL.search(text))
    for line in text.split("\n"):
        assert not line.startswith(("2026-01-31", "FORGED", "Жя")), line


Error: Any = type("Odd" + HOSTILE.replace("\0", ""), (Exception,), {})


class Blind(Exception):  # noqa: N818 - whatever a user calls it
    def __str__(self) -> str:
        return HOSTILE


def fail(kind: str, text: str = HOSTILE) -> None:
    """What a handler may raise."""
    if kind == "note":
        error = ValueError(text)
        error.add_note(text)
        raise error
    if kind == "group":
        raise ExceptionGroup(text, [ValueError(text), Error(text)])
    if kind == "cause":
        raise RuntimeError(text) from Error(text)
    if kind == "blind":
        raise Blind
    raise Error(text)


KINDS = ["note", "group", "cause", "blind", "class"]


def register(provider: Provider) -> None:
    @provider.actions.register()
    def raising(kind: str, text: str) -> None:
        fail(kind, text)

    @provider.actions.register()
    async def raising_later(kind: str, text: str, logger: Any) -> None:
        logger.warning(text, **{text: text, "more": {text: [text]}})
        logger.error(text, stack=text, exception=text)
        try:
            fail(kind, text)
        except Exception:
            logger.exception(text)
        asyncio.get_running_loop().create_task(dropped(text), name=text)

    @provider.actions.register(payload_schema={"a": {"b": int}}, extra="forbid")
    def strict(**_: Any) -> None: ...

    @provider.middleware
    def around(context: Any) -> Generator[None, Any]:
        yield
        if context.action == "raising":
            raise ValueError(HOSTILE)


async def dropped(text: str) -> None:
    raise ValueError(text)


def work(provider: Provider, hub: LocalHub) -> list[Any]:
    """Give a provider all that a hub and a payload may word, and what it answered."""
    register(provider)
    hub.fail_polls("UNAVAILABLE", details=HOSTILE)
    hub.fail_submits("INVALID_ARGUMENT", details=HOSTILE, id=f"{HOSTILE}0")
    hub.submit(HOSTILE, id=f"{HOSTILE}0")
    with running(provider, hub):
        hub.wait_until(lambda: hub.polls > 1)
        handles = [hub.submit(HOSTILE, {HOSTILE: HOSTILE}, id=HOSTILE)]
        for name in ("raising", "raising_later"):
            handles += [
                hub.submit(
                    name, {"kind": kind, "text": HOSTILE}, id=f"{HOSTILE}{kind}{name}"
                )
                for kind in KINDS
            ]
        handles.append(hub.submit("strict", {HOSTILE: 1, "a": {HOSTILE: {}, "b": ""}}))
        return [handle.result(30) for handle in handles]


def test_on_the_console_each_line_is_the_providers_own(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with LocalHub() as hub:
        work(Provider("tested", log_level="DEBUG", poll_interval=0.05), hub)
    seen = capfd.readouterr()
    assert seen.out == ""
    check(seen.err)
    for line in seen.err.splitlines():
        assert re.match(r"20\d\d-\d\d-\d\dT|    |=*$", line), line
    for word in (
        "Жя",
        "漢字",
        "👩\u200d🚀",
        "FORGED",
        "handler raised",
        "task refused",
    ):
        assert word in seen.err


def test_in_a_file_each_line_is_json_of_printable_characters(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "log"
    settings: dict[str, Any] = {"log_file": str(file), "log_level": "DEBUG"}
    with LocalHub() as hub:
        work(Provider("tested", poll_interval=0.05, **settings), hub)
    text = file.read_text(encoding="utf-8")
    check(text)
    lines = [json.loads(line) for line in text.splitlines()]
    assert any(line["event"] == HOSTILE for line in lines)
    assert capfd.readouterr() == ("", "")


def test_the_path_of_a_key_is_shown_escaped() -> None:
    with LocalHub() as hub:
        *_, refused = work(Provider("tested", log_level="CRITICAL"), hub)
    paths = [each["path"] for each in refused.response["data"]["errors"]]
    assert len(paths) == 3
    for path in paths:
        check(path)
    assert sum("Жя" in path for path in paths) == 2


def test_the_path_of_a_key_in_a_result_is_shown_escaped() -> None:
    provider = Provider("tested", log_level="CRITICAL")

    @provider.actions.register()
    def give() -> Any:
        return {HOSTILE: {HOSTILE: float("nan")}}

    message = provider.process_task("give", {})["message"]
    check(message)
    assert message.endswith("is nan, which JSON cannot hold")


# --- errors that a program sees ----------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("UNAUTHENTICATED", AuthenticationError),
        ("PERMISSION_DENIED", AuthenticationError),
        ("UNIMPLEMENTED", ProtocolError),
        ("INVALID_ARGUMENT", ProtocolError),
    ],
)
def test_a_refusal_is_one_line(code: str, kind: type[Exception]) -> None:
    with LocalHub() as hub:
        hub.fail_polls(code, 100, details=HOSTILE)
        provider = Provider("tested", "a-token", hub.url, log_level="CRITICAL")
        with pytest.raises(kind) as caught:
            provider.start()
    check_error(caught.value)


def test_the_ids_of_tasks_that_are_left_are_one_line() -> None:
    with LocalHub() as hub:
        provider = Provider(
            "tested", "a-token", hub.url, log_level="CRITICAL", shutdown_timeout=0.2
        )

        @provider.actions.register()
        def stop() -> None:
            provider.stop()

        hub.fail_submits("UNAVAILABLE", 1_000)
        hub.submit("stop", id=HOSTILE)
        with pytest.raises(HubError) as caught:
            provider.start()
    check_error(caught.value)


def test_what_the_function_of_a_token_raises_is_one_line() -> None:
    def find_token() -> str:
        raise ValueError(HOSTILE)

    with LocalHub() as hub, pytest.raises(AuthenticationError) as caught:
        Provider("tested", find_token, hub.url, log_level="CRITICAL").start()
    check_error(caught.value)


def test_what_a_lifespan_raises_is_one_line() -> None:
    provider = Provider("tested", "a-token", log_level="CRITICAL")

    @provider.lifespan
    async def database() -> AsyncIterator[None]:
        raise Error(HOSTILE)
        yield

    with LocalHub() as hub, pytest.raises(LifespanError) as caught:
        provider.start(hub_url=hub.url)
    check_error(caught.value)


@pytest.mark.parametrize(
    "make",
    [
        *(HubError, ConnectionError, AuthenticationError, ProtocolError),
        *(RateLimitUnavailableError, lambda text: JournalError(text, text)),
        lambda text: LifespanError("name", text),
    ],
)
def test_an_error_that_quotes_is_one_line(make: Callable[[str], Exception]) -> None:
    check_error(make(HOSTILE))


def check_error(error: Exception) -> None:
    check(str(error))
    assert "\n" not in str(error)
    assert "Жя" in str(error)


# --- the command -------------------------------------------------------------


PROGRAM = f"""
import sys
from arbvantage_provider import Provider

provider = Provider("tested", "a-token", log_level="DEBUG", connect_timeout=5)
HOSTILE = {HOSTILE!r}

@provider.actions.register()
def echo(text: str) -> dict:
    return {{text: text}}

@provider.actions.register(description=HOSTILE)
def fail(text: str) -> None:
    error = ValueError(text)
    error.add_note(text)
    raise error
"""


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")

    def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "arbvantage_provider", *words],
            capture_output=True,
            check=False,
            timeout=60,
            cwd=tmp_path,
            env={**os.environ, "PYTHONUTF8": "1", **variables},  # noqa: TID251 - passed on
        )
        # Not as text: that would make one line end of several.
        out, err = done.stdout.decode(), done.stderr.decode()
        check(out)
        check(err)
        return subprocess.CompletedProcess(words, done.returncode, out, err)

    return run


Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize("code", ["UNAUTHENTICATED", "UNIMPLEMENTED"])
def test_what_a_hub_says_is_one_line_of_the_command(
    command: Command, tmp_path: Path, code: str
) -> None:
    with LocalHub() as hub:
        hub.fail_polls(code, 100, details=HOSTILE)
        source = PROGRAM.replace('"a-token"', f'"a-token", "{hub.url}"')
        (tmp_path / "program.py").write_text(source, encoding="utf-8")
        done = command("run", "program.py")
    assert done.returncode in {1, 4}
    assert "Жя" in done.stderr


def test_what_a_program_raises_begins_no_line_but_its_first(
    command: Command, tmp_path: Path
) -> None:
    raising = "\n\ntry:\n    fail(HOSTILE)\nexcept ValueError as error:\n    raise RuntimeError(HOSTILE) from error\n"
    (tmp_path / "program.py").write_text(PROGRAM + raising, encoding="utf-8")
    done = command("actions", "program.py")
    assert done.returncode == 1
    assert done.stderr.count("\nTraceback (most recent call last):") == 2


def test_results_and_descriptions_are_shown_escaped(command: Command) -> None:
    payload = json.dumps({"text": HOSTILE})
    echoed = command("call", "program.py", "echo", payload)
    assert json.loads(echoed.stdout)["data"] == {HOSTILE: HOSTILE}
    assert "Жя" in echoed.stdout
    failed = command("call", "program.py", "fail", payload)
    assert HOSTILE in json.loads(failed.stdout)["message"]
    listed = command("actions", "program.py", "--json")
    assert json.loads(listed.stdout)[1]["description"] == HOSTILE
    assert "FORGED" in command("actions", "program.py").stdout
    for form in ("json-schema", "openapi", "asyncapi", "mcp", "openai"):
        json.loads(command("export", "program.py", "--format", form).stdout)


def test_a_file_of_tasks_is_run_and_shown_escaped(
    command: Command, tmp_path: Path
) -> None:
    payload = {"text": HOSTILE}
    tasks = [{"action": a, "payload": payload} for a in ("echo", "fail", HOSTILE)]
    file = tmp_path / "tasks"
    file.write_text("\n".join(map(json.dumps, tasks)), encoding="utf-8")
    done = command("run", "program.py", "--local-hub", "--tasks", "tasks")
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted(result["action"] for result in results) == sorted(
        ["echo", "fail", HOSTILE]
    )


def test_a_journal_is_listed_escaped(command: Command, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"log_level": "CRITICAL", "shutdown_timeout": 0.2}
    provider = Provider("tested", journal=tmp_path / "journal", **settings)
    with LocalHub() as hub, running(provider, hub):
        hub.fail_submits("UNAVAILABLE", times=1_000)
        hub.submit(HOSTILE, id=HOSTILE)
        hub.wait_until(lambda: provider.snapshot().results_waiting == 1)
    (row,) = command("journal", "journal", "--json").stdout.split("\n")[:-1]
    assert (json.loads(row)["id"], json.loads(row)["action"]) == (HOSTILE, HOSTILE)
    assert "Жя" in command("journal", "journal").stdout


# --- gRPC's own log ----------------------------------------------------------

GOAWAY = """
    import os, socket, struct, sys, threading
    from arbvantage_provider import ConnectionError, Provider

    assert os.environ.get("GRPC_VERBOSITY") == (sys.argv[1] or None)

    def frame(kind, data):
        return struct.pack(">I", len(data))[1:] + bytes([kind, 0, 0, 0, 0, 0]) + data

    server = socket.create_server(("127.0.0.1", 0))

    def leave():
        while True:
            peer, _ = server.accept()
            peer.sendall(frame(4, b"") + frame(7, struct.pack(">II", 0, 11) + b"\\nFORGED"))
            peer.close()

    threading.Thread(target=leave, daemon=True).start()
    url = "127.0.0.1:%d" % server.getsockname()[1]
    provider = Provider("tested", "a-token", url, connect_timeout=2, log_level="CRITICAL")
    threading.Timer(2, provider.stop).start()
    try:
        provider.start()
    except ConnectionError:
        pass
"""


@pytest.mark.parametrize("verbosity", ["", "INFO"])
def test_grpcs_own_log_is_quiet_unless_it_is_asked_for(verbosity: str) -> None:
    environment = dict(os.environ)  # noqa: TID251 - passed on
    environment.pop("GRPC_VERBOSITY", None)
    if verbosity:
        environment["GRPC_VERBOSITY"] = verbosity
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(GOAWAY), verbosity],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert ("FORGED" in done.stderr) == bool(verbosity)
