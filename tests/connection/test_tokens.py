"""Tokens from files and functions, and what becomes of a token that is refused."""

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from typing_extensions import override

from arbvantage_provider import AuthenticationError, ConfigError, Provider
from arbvantage_provider.hub.auth import Auth
from arbvantage_provider.hub.tokens import TokenFile, TokenFromFunction
from arbvantage_provider.observe.redaction import Redactor
from arbvantage_provider.testing import LocalHub

TOKEN = "token-for-tests"
OTHER = "another-token"

Make = Callable[..., Provider]
Start = Callable[..., Any]
SetEnv = Callable[[str, object], None]


def answer(hub: LocalHub, text: str = "a") -> bool:
    """Whether the provider at work answers a task."""
    return bool(hub.submit("echo", {"text": text}).result(20).data == {"text": text})


def fail(provider: Provider, hub: LocalHub) -> str:
    """What a user reads where the provider does not start."""
    with pytest.raises(AuthenticationError) as caught:
        provider.start(hub_url=hub.url)
    return str(caught.value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text(TOKEN, encoding="utf-8")
    return file


# --- from a file -------------------------------------------------------------


def give_argument(token: str, _: Path, __: SetEnv) -> Any:
    return {"auth_token": token}


def give_secret(token: str, _: Path, __: SetEnv) -> Any:
    return {"auth_token": SecretStr(token)}


def give_function(token: str, _: Path, __: SetEnv) -> Any:
    return {"auth_token": lambda: token}


def give_async_function(token: str, _: Path, __: SetEnv) -> Any:
    async def fetch() -> SecretStr:
        return SecretStr(token)

    return {"auth_token": fetch}


def give_file(token: str, file: Path, _: SetEnv) -> Any:
    file.write_bytes(token.encode())
    return {"auth_token_file": file}


def give_variable(token: str, _: Path, environment: SetEnv) -> Any:
    environment("PROVIDER_AUTH_TOKEN", token)
    return {}


SOURCES = [
    *(give_argument, give_secret, give_function, give_async_function),
    *(give_file, give_variable),
]


@pytest.mark.parametrize("give", SOURCES)
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_token_is_read_without_its_line_end_and_byte_order_mark(
    file: Path, environment: SetEnv, start: Start, give: Any, end: str, mark: str
) -> None:
    given = give(mark + TOKEN + end, file, environment)
    with LocalHub(TOKEN) as hub:
        provider = Provider.from_env(name="tested", poll_interval=0.05, **given)

        @provider.actions.register()
        def echo(text: str) -> dict[str, str]:
            return {"text": text}

        start(provider, hub)
        assert answer(hub)
        assert hub.refused == 0


@pytest.mark.parametrize("give", SOURCES)
def test_a_line_end_alone_is_no_token(
    file: Path, environment: SetEnv, give: Any
) -> None:
    given = give("\ufeff\r\n", file, environment)
    with LocalHub() as hub, pytest.raises((AuthenticationError, ConfigError)) as caught:
        Provider.from_env(name="tested", hub_url=hub.url, **given).start()
    assert re.search("no token|empty", str(caught.value))


def test_a_token_for_one_run_is_trimmed_too(make_provider: Make) -> None:
    provider = make_provider()
    with LocalHub(TOKEN) as hub:
        provider.stop()
        provider.start(hub_url=hub.url, auth_token=f"\ufeff{TOKEN}\n")
    with pytest.raises(AuthenticationError, match="no token to show"):
        provider.start(hub_url=hub.url, auth_token="\n")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_a_file_in_another_encoding_is_named(
    file: Path, make_provider: Make, encoding: str
) -> None:
    file.write_text(TOKEN, encoding=encoding)
    with pytest.raises(
        ConfigError, match=r"it is UTF-\d\d, which is not UTF-8; save it"
    ):
        make_provider(auth_token_file=file).start()


def test_the_file_may_be_named_in_the_environment(
    file: Path, environment: SetEnv, start: Start
) -> None:
    environment("PROVIDER_NAME", "p")
    environment("PROVIDER_AUTH_TOKEN_FILE", file)
    provider = Provider.from_env()

    @provider.actions.register()
    def echo(text: str) -> dict[str, str]:
        return {"text": text}

    with LocalHub(TOKEN) as hub:
        start(provider, hub)
        assert answer(hub)


def test_an_argument_wins_over_a_file_of_the_environment(
    file: Path, environment: SetEnv
) -> None:
    environment("PROVIDER_AUTH_TOKEN_FILE", file)
    provider = Provider.from_env(name="p", auth_token="mine")
    assert provider.settings.token == "mine"
    assert provider.settings.auth_token_file is None


def test_a_file_wins_over_a_token_of_the_environment(
    file: Path, environment: SetEnv
) -> None:
    environment("PROVIDER_AUTH_TOKEN", "theirs")
    provider = Provider.from_env(name="p", auth_token_file=file)
    assert provider.settings.token == ""
    assert provider.settings.auth_token_file == str(file)


def test_a_token_is_given_once(file: Path, environment: SetEnv) -> None:
    environment("PROVIDER_AUTH_TOKEN", TOKEN)
    environment("PROVIDER_AUTH_TOKEN_FILE", file)
    with pytest.raises(ConfigError, match="given twice") as caught:
        Provider.from_env(name="p")
    assert TOKEN not in str(caught.value)
    with pytest.raises(ConfigError, match="given twice"):
        Provider("p", lambda: TOKEN, auth_token_file=file)


UNUSABLE: dict[str, tuple[bytes | None, str]] = {
    "missing": (None, "cannot read .*: No such file"),
    "empty": (b"", "is empty"),
    "blank": (b" \n", "is empty"),
    "no text": (b"\xff\xfe", "is not UTF-8"),
    "long": (b"x" * 70_000, "has more than 65,536 bytes"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_a_file_that_holds_no_token_is_named_at_the_start(
    file: Path, make_provider: Make, case: str
) -> None:
    content, problem = UNUSABLE[case]
    file.unlink() if content is None else file.write_bytes(content)
    name = "auth_token_file"
    with pytest.raises(ConfigError, match=f"^{name}: .*{problem}"):
        make_provider(auth_token_file=file).start()


def test_a_token_that_changes_in_its_file_is_shown_before_the_former_is_refused(
    authority: Any, noting_hub: Any, file: Path, make_provider: Make, start: Start
) -> None:
    from arbvantage_provider import TLS  # noqa: PLC0415

    tls = TLS(roots=authority.roots, **authority.issue()._asdict())
    with noting_hub as hub:
        run = start(make_provider(auth_token_file=file, tls=tls), hub)
        hub.wait_for(token=TOKEN)
        file.write_text(OTHER, encoding="utf-8")
        hub.wait_for(token=OTHER)
        run.stop()


def test_a_file_that_is_half_written_changes_nothing_and_is_told_once(
    file: Path, make_provider: Make, start: Start, eventually: Any, log: Path
) -> None:
    with LocalHub(TOKEN) as hub:
        run = start(make_provider(auth_token_file=file), hub)
        assert answer(hub)
        file.write_bytes(b"")
        eventually(lambda: b"file cannot be used" in log.read_bytes())
        assert answer(hub)
        file.write_text(OTHER, encoding="utf-8")
        hub.token = OTHER
        assert answer(hub)
        run.stop()
    assert log.read_bytes().count(b"file cannot be used") == 1


def test_every_token_that_a_file_held_is_cut_out_of_the_log(
    file: Path, make_provider: Make, start: Start, log: Path
) -> None:
    provider = make_provider(auth_token_file=file)

    @provider.actions.register()
    def tell(text: str) -> None:
        provider.logger.info(text)

    with LocalHub(TOKEN) as hub:
        run = start(provider, hub)
        assert answer(hub)
        file.write_text(OTHER, encoding="utf-8")
        hub.token = OTHER
        hub.submit("tell", {"text": f"was {TOKEN}, is {OTHER}"}).result()
        run.stop()
    text = log.read_text(encoding="utf-8")
    assert "was ***, is ***" in text
    assert TOKEN not in text
    assert OTHER not in text


# --- from a pipe --------------------------------------------------------------


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """A named pipe that nobody writes to."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    return pipe


@pytest.fixture
def substitution() -> Iterator[str]:
    """What a shell makes of ``<(echo token)``."""
    reading, writing = os.pipe()
    os.write(writing, TOKEN.encode() + b"\n")
    os.close(writing)
    yield f"/dev/fd/{reading}"
    os.close(reading)


def test_a_token_is_read_once_from_a_process_substitution(
    substitution: str, make_provider: Make, start: Start
) -> None:
    provider = make_provider(auth_token_file=substitution)
    with LocalHub(TOKEN) as hub:
        for _ in range(2):
            run = start(provider, hub)
            assert answer(hub)
            run.stop()
        assert hub.refused == 0


def test_a_token_from_a_pipe_is_the_only_one_when_it_is_refused(
    substitution: str, make_provider: Make
) -> None:
    with LocalHub(OTHER) as hub:
        problem = fail(make_provider(auth_token_file=substitution), hub)
    assert "refuses the token" in problem
    assert "auth_token_file" in problem
    assert "pipe" not in problem


def test_the_writer_of_a_named_pipe_is_waited_for(
    pipe: Path, make_provider: Make, start: Start
) -> None:
    with LocalHub(TOKEN) as hub:
        start(make_provider(auth_token_file=pipe), hub)
        # Opened for writing, a pipe waits until somebody reads it.
        with pipe.open("wb") as end:
            end.write(TOKEN.encode())
        assert answer(hub)


def test_a_pipe_may_be_named_in_the_environment(
    substitution: str, environment: SetEnv, start: Start
) -> None:
    environment("PROVIDER_NAME", "p")
    environment("PROVIDER_AUTH_TOKEN_FILE", substitution)
    provider = Provider.from_env()

    @provider.actions.register()
    def echo(text: str) -> dict[str, str]:
        return {"text": text}

    with LocalHub(TOKEN) as hub:
        start(provider, hub)
        assert answer(hub)


def test_a_program_may_be_given_its_token_by_stdin(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "from arbvantage_provider import Provider\n"
        "from arbvantage_provider.testing import LocalHub\n"
        "provider = Provider('p', auth_token_file='/dev/stdin')\n"
        "provider.actions.register('stop')(provider.stop)\n"
        f"with LocalHub({TOKEN!r}) as hub:\n"
        "    hub.submit('stop')\n"
        "    provider.start(hub_url=hub.url)\n"
        "    hub.join()\n",
        encoding="utf-8",
    )
    words = [sys.executable, str(program)]
    subprocess.run(words, input=TOKEN.encode(), check=True, timeout=30)


def write(pipe: Path, content: bytes) -> None:
    """Write to a pipe, and close it, once it is read."""
    threading.Thread(target=pipe.write_bytes, args=(content,), daemon=True).start()


def leave_alone(pipe: Path) -> None:
    """No writer comes."""


def write_nothing(pipe: Path) -> None:
    write(pipe, b"")


def write_too_much(pipe: Path) -> None:
    write(pipe, b"x" * 70_000)


def make_device(pipe: Path) -> None:
    pipe.unlink()
    pipe.symlink_to("/dev/zero")


def make_socket(pipe: Path) -> None:
    pipe.unlink()
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(pipe))


def make_folder(pipe: Path) -> None:
    pipe.unlink()
    pipe.mkdir()


BAD_PIPES: dict[Callable[[Path], None], str] = {
    leave_alone: "cannot read .*: its writer did not close it within 0.3 s",
    write_nothing: "is empty; a pipe can be read only once",
    write_too_much: "has more than 65,536 bytes",
    make_device: "is a device; give a file, or a pipe",
    make_socket: "is a socket; give a file, or a pipe",
    make_folder: "cannot read .*: Is a directory",
}


@pytest.mark.parametrize("spoil", BAD_PIPES, ids=lambda spoil: spoil.__name__)
def test_what_gives_no_token_is_named_in_time(
    pipe: Path,
    make_provider: Make,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Path], None],
) -> None:
    wait = 0.3 if spoil is leave_alone else 20.0
    monkeypatch.setattr("arbvantage_provider.hub.files.PIPE_WAIT", wait)
    spoil(pipe)
    name = "auth_token_file"
    with pytest.raises(ConfigError, match=f"^{name}: .*{BAD_PIPES[spoil]}"):
        make_provider(auth_token_file=pipe).start()


def test_a_program_of_its_own_loop_goes_on_while_a_pipe_is_waited_for(
    pipe: Path, make_provider: Make
) -> None:
    async def program(hub: LocalHub) -> None:
        provider = make_provider(auth_token_file=pipe)
        serving = asyncio.create_task(provider.serve(hub_url=hub.url))
        end = await asyncio.to_thread(pipe.open, "wb")
        await asyncio.sleep(0)
        provider.stop()
        end.write(TOKEN.encode())
        end.close()
        await serving

    with LocalHub(TOKEN) as hub:
        asyncio.run(asyncio.wait_for(program(hub), 20))


# --- from a function ---------------------------------------------------------


async def fetch() -> str:
    await asyncio.sleep(0)
    return TOKEN


def begin_to_fetch() -> Coroutine[None, None, str]:
    return fetch()


FUNCTIONS: dict[str, Callable[[], Any]] = {
    "sync": lambda: TOKEN,
    "async": fetch,
    "a coroutine of a sync one": begin_to_fetch,
    "a secret": lambda: SecretStr(TOKEN),
}


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_a_function_gives_the_token(
    make_provider: Make, start: Start, kind: str
) -> None:
    provider = make_provider(auth_token=FUNCTIONS[kind])
    with LocalHub(TOKEN) as hub:
        start(provider, hub)
        assert answer(hub)
        assert hub.refused == 0
    assert provider.has_token


def test_a_function_is_called_once_while_its_token_is_taken(
    make_provider: Make, start: Start
) -> None:
    calls: list[int] = []

    def give() -> str:
        calls.append(1)
        return TOKEN

    with LocalHub(TOKEN) as hub:
        run = start(make_provider(auth_token=give), hub)
        assert all(answer(hub, str(number)) for number in range(20))
        run.stop()
    assert calls == [1]


def test_a_function_that_blocks_does_not_block_the_loop(make_provider: Make) -> None:
    async def program(hub: LocalHub) -> None:
        loop, release, called = (
            asyncio.get_running_loop(),
            threading.Event(),
            asyncio.Event(),
        )

        def give() -> str:
            loop.call_soon_threadsafe(called.set)
            return TOKEN if release.wait(10) else ""

        provider = make_provider(auth_token=give)
        serving = asyncio.create_task(provider.serve(hub_url=hub.url))
        await called.wait()
        release.set()
        assert await asyncio.to_thread(answer, hub)
        provider.stop()
        await serving

    with LocalHub(TOKEN) as hub:
        asyncio.run(program(hub))


def test_a_function_that_never_returns_does_not_hold_up_the_start_for_ever(
    make_provider: Make, gate: Any
) -> None:
    def give() -> str:
        gate.end.wait(20)
        return TOKEN

    with LocalHub(TOKEN) as hub:
        message = fail(make_provider(auth_token=give, connect_timeout=0.2), hub)
    assert message == "the function in auth_token gave no token within 0.2 s"


def test_a_provider_stops_while_its_function_never_returns(
    make_provider: Make, start: Start, gate: Any
) -> None:
    def give() -> str:
        gate.begun.set()
        gate.end.wait(20)
        return TOKEN

    with LocalHub(TOKEN) as hub:
        run = start(make_provider(auth_token=give), hub)
        assert gate.begun.wait(10)
        run.stop()


def raising(error: BaseException) -> Callable[[], str]:
    def give() -> str:
        raise error

    return give


async def cancel() -> str:
    raise asyncio.CancelledError


class ExitingTextError(Exception):
    """Whoever asks for its text exits."""

    @override
    def __str__(self) -> str:
        raise SystemExit(TOKEN)


NO_UNICODE = "it holds bytes, or half of a surrogate pair, that are no UTF-8"
BAD: dict[str, tuple[Callable[[], Any], str]] = {
    "raises what exits": (raising(ExitingTextError()), "raised ExitingTextError"),
    "gives no Unicode": (
        lambda: TOKEN + "\ud800",
        f"gave a token that cannot be sent: {NO_UNICODE}",
    ),
    "raises": (raising(ValueError("no vault")), "raised ValueError: no vault"),
    "exits": (raising(SystemExit(3)), "raised SystemExit: 3"),
    "stops": (raising(StopIteration()), "raised RuntimeError: StopIteration"),
    "is cancelled": (cancel, "was cancelled"),
    "gives none": (lambda: None, "gave a value of type NoneType, and no str"),
    "gives nothing": (lambda: "", "gave an empty token"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_function_that_gives_no_token_ends_the_start(
    make_provider: Make, case: str
) -> None:
    function, problem = BAD[case]
    with LocalHub(TOKEN) as hub:
        message = fail(make_provider(auth_token=function), hub)
        assert hub.polls == 0
    assert message == f"the function in auth_token {problem}"


@pytest.mark.skipif(os.name != "posix", reason="elsewhere variables are Unicode")
def test_a_token_of_the_environment_that_is_no_unicode_is_refused_and_not_kept(
    environment: SetEnv,
) -> None:
    environment("PROVIDER_NAME", "p")
    environment("PROVIDER_AUTH_TOKEN", os.fsdecode(TOKEN.encode() + b"\xff"))
    with LocalHub() as hub, pytest.raises(ConfigError) as caught:
        Provider.from_env(log_level="CRITICAL").start(hub_url=hub.url)
    assert str(caught.value) == f"auth_token (PROVIDER_AUTH_TOKEN): {NO_UNICODE}"
    assert caught.value.__context__ is None


def test_a_next_token_that_is_no_unicode_is_a_refusal(
    make_provider: Make, start: Start, log: Path
) -> None:
    gives = [TOKEN + "\ud800", TOKEN]
    with LocalHub(TOKEN) as hub:
        run = start(make_provider(auth_token=gives.pop), hub)
        assert answer(hub)
        hub.revoke_token()
        error = run.wait()
    assert isinstance(error, AuthenticationError)
    assert NO_UNICODE in str(error)
    assert TOKEN not in log.read_text(encoding="utf-8")


def test_what_a_function_raises_is_told_without_the_token(
    make_provider: Make, start: Start, log: Path
) -> None:
    gives: list[str] = [TOKEN]

    def give() -> str:
        if gives:
            return gives.pop()
        raise ValueError(f"cannot renew {TOKEN}")

    with LocalHub(TOKEN) as hub:
        run = start(make_provider(auth_token=give), hub)
        assert answer(hub)
        hub.revoke_token()
        error = run.wait()
    assert isinstance(error, AuthenticationError)
    assert "auth_token raised ValueError: cannot renew ***" in str(error)
    assert TOKEN not in log.read_text(encoding="utf-8")


def test_a_function_is_in_no_repr(make_provider: Make) -> None:
    def give(token: str) -> str:
        return token

    from functools import partial  # noqa: PLC0415

    provider = make_provider(auth_token=partial(give, TOKEN))
    assert provider.settings.auth_token is None
    assert TOKEN not in repr(
        [provider, provider.settings, provider.settings.describe()]
    )


# --- a token that is refused -------------------------------------------------


def hold_polls(hub: LocalHub, count: int) -> None:
    """Have so many polls held, by tasks that come quicker than they are done."""
    hub.idle = "long_poll"
    hub.long_poll = 60
    for _ in range(100):
        handles = [hub.submit("echo") for _ in range(200)]
        handles[-1].result(20)
        try:
            return hub.wait_until(lambda: hub.held >= count, timeout=0.2)
        except TimeoutError:
            continue
    return pytest.fail("there are too few polls")


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("text", "UNAUTHENTICATED"),
        ("text", "PERMISSION_DENIED"),
        ("file", "UNAUTHENTICATED"),
        ("function", "UNAUTHENTICATED"),
        ("another token", "PERMISSION_DENIED"),
    ],
)
def test_a_revoked_token_costs_the_hub_five_calls_at_most(
    file: Path,
    make_provider: Make,
    start: Start,
    source: str,
    code: str,
) -> None:
    tokens = iter([TOKEN, OTHER, "a-third-token"])
    settings: dict[str, dict[str, Any]] = {
        "text": {"auth_token": TOKEN},
        "file": {"auth_token_file": file},
        "function": {"auth_token": lambda: TOKEN},
        "another token": {"auth_token": lambda: next(tokens)},
    }
    provider = make_provider(max_concurrency=64, **settings[source])
    with LocalHub(TOKEN) as hub:
        run = start(provider, hub)
        hold_polls(hub, 64)
        before = hub.polls
        hub.revoke_token(code)
        error = run.wait()
        begun = hub.polls - before
    assert isinstance(error, AuthenticationError)
    assert f"refuses the token of 'tested' ({code}: this token was revoked)" in str(
        error
    )
    assert begun == (1 if source == "another token" else 0)
    assert next(tokens) == ("a-third-token" if source == "another token" else TOKEN)


def test_a_token_that_is_refused_is_read_once_more_and_all_go_on(
    make_provider: Make, start: Start
) -> None:
    tokens = [OTHER, TOKEN]
    with LocalHub(TOKEN) as hub:
        run = start(make_provider(auth_token=tokens.pop, max_concurrency=64), hub)
        hold_polls(hub, 64)
        before = hub.polls
        hub.token = OTHER
        hub.wait_until(lambda: hub.refused == 64 and hub.held == 1)
        assert hub.polls == before + 1  # one call shows the new token, the others wait
        for number in range(100):
            hub.submit("echo", {"text": str(number)})
        hub.join()
        assert hub.refused == 64
        run.stop()
    assert all(
        len(hub.submissions) == len({r.id for r in hub.submissions}) for _ in "1"
    )


def test_a_token_may_be_refused_again_and_again_where_it_is_taken_in_between(
    make_provider: Make, start: Start
) -> None:
    tokens = [f"token-{number}" for number in range(9)]
    with LocalHub("token-0") as hub:
        gives = iter(tokens)
        run = start(make_provider(auth_token=lambda: next(gives)), hub)
        for token in tokens:
            hub.token = token
            assert answer(hub, token)
        run.stop()
    assert next(gives, None) is None


def test_a_file_that_changes_with_the_token_is_read_at_the_refusal(
    file: Path, make_provider: Make, start: Start
) -> None:
    with LocalHub(TOKEN, idle="long_poll", long_poll=60) as hub:
        run = start(make_provider(auth_token_file=file), hub)
        assert answer(hub)
        hub.wait_until(lambda: hub.held > 0)
        file.write_text(OTHER, encoding="utf-8")
        hub.token = OTHER
        assert answer(hub)
        run.stop()


def test_a_result_is_sent_with_the_token_of_the_moment(
    make_provider: Make, start: Start, gate: Any
) -> None:
    tokens = [OTHER, TOKEN]
    with LocalHub(TOKEN) as hub:
        provider = make_provider(auth_token=tokens.pop, max_concurrency=1)
        run = start(provider, hub)
        handle = hub.submit("hold")
        assert gate.begun.wait(10)
        hub.token = OTHER
        gate.end.set()
        assert handle.result(20).status == "success"
        assert hub.refused == 1
        run.stop()
    assert len(handle.results) == 1


def test_a_poll_that_the_hub_holds_does_not_hold_up_the_results(
    make_provider: Make, start: Start, gate: Any
) -> None:
    tokens = [OTHER, TOKEN]
    with LocalHub(TOKEN, idle="long_poll", long_poll=60) as hub:
        run = start(make_provider(auth_token=tokens.pop, max_concurrency=2), hub)
        handle = hub.submit("hold")
        assert gate.begun.wait(10)
        hub.wait_until(lambda: hub.held == 1)
        hub.token = OTHER
        hub.wait_until(lambda: hub.refused == 1 and hub.held == 1)
        gate.end.set()
        assert handle.result(20).status == "success"
        run.stop()


def test_a_provider_stops_while_the_next_token_is_waited_for(
    make_provider: Make, start: Start, gate: Any
) -> None:
    first = threading.Event()

    def give() -> str:
        if not first.is_set():
            first.set()
            return TOKEN
        gate.begun.set()
        gate.end.wait(20)
        return OTHER

    with LocalHub(TOKEN) as hub:
        run = start(make_provider(auth_token=give), hub)
        assert answer(hub)
        hub.token = OTHER
        assert gate.begun.wait(10)
        run.stop()


def test_a_new_token_comes_even_if_the_call_that_asked_for_it_is_cancelled() -> None:
    async def program() -> str:
        tokens, asked, given = [OTHER, TOKEN], asyncio.Event(), asyncio.Event()

        async def give() -> str:
            if len(tokens) == 1:
                asked.set()
                await given.wait()
            return tokens.pop()

        gate = Auth(TokenFromFunction(give, Redactor()), Redactor())
        await gate.open(10)
        token = await gate.take("poll")
        first = asyncio.create_task(gate.replace(token, "refused"))
        second = asyncio.create_task(gate.replace(token, "refused"))
        await asked.wait()
        first.cancel()
        await asyncio.wait({first})
        given.set()
        await second
        return (await gate.take("result")).text

    assert asyncio.run(program()) == OTHER


def test_a_connection_that_fails_meanwhile_says_nothing_of_the_token(
    make_provider: Make, start: Start
) -> None:
    tokens = [OTHER, TOKEN]
    with LocalHub(TOKEN) as hub:
        run = start(make_provider(auth_token=tokens.pop), hub)
        assert answer(hub)
        hub.token = OTHER
        hub.fail_polls("UNAVAILABLE", times=3)
        assert answer(hub)
        run.stop()


def test_a_provider_without_any_source_has_no_token(make_provider: Make) -> None:
    provider = make_provider()
    assert not provider.has_token
    with pytest.raises(AuthenticationError, match="there is no token to show"):
        provider.start()


def test_a_log_line_names_no_token(
    make_provider: Make, start: Start, log: Path
) -> None:
    with LocalHub(TOKEN) as hub:
        run = start(make_provider(auth_token=TOKEN), hub)
        hub.fail_polls("UNAVAILABLE", details=f"go away, {TOKEN}")
        assert answer(hub)
        run.stop()
    channels = [
        json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()
    ]
    reasons = [line.get("reason", "") for line in channels]
    assert "UNAVAILABLE: go away, ***" in reasons


def test_a_file_that_becomes_a_pipe_keeps_nobody_waiting(tmp_path: Path) -> None:
    path, moments, warned = tmp_path / "token", iter(range(0, 100, 2)), list[str]()
    path.write_text(TOKEN)
    source = TokenFile(path, monotonic=lambda: next(moments), warn=warned.append)
    path.unlink()
    os.mkfifo(path)
    assert source.look() == TOKEN
    assert source.look() == TOKEN
    (reason,) = warned
    assert "has become a pipe" in reason
    with pytest.raises(ConfigError, match="has become a pipe"):
        asyncio.run(source.read())
