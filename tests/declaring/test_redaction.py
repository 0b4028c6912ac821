"""No secret and no input value leaves a task by its message or by the log."""

# Handlers raise in each way.
# ruff: noqa: TRY301
# pyright: basic

import asyncio
import functools
import json
import re
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field

from arbvantage_provider import ActionError, Provider
from arbvantage_provider.observe.redaction import MOST_TOKENS, Redactor

Run = Callable[..., dict[str, Any]]

TOKEN = "token-of-this-provider"
KEY = (
    "-----BEGIN KEY-----\nMIIEvgIBADANBgkqhkiG\nw0BAQEFAASCBKgwggSkA\n-----END KEY-----"
)
SECRETS: dict[str, str] = {
    "plain": "plain-secret-1",
    "six characters": "sixsix",
    "quotes": 'it\'s "quoted" so',
    "backslashes": "back\\slash\\n",
    "line ends": KEY,
    "beyond ASCII": "пароль-ключ",
    "emoji": "pass😀word",
    "control characters": "tab\tand\x00zero",
    "a pattern": ".*(secret)[a-z]+$",
}


def raises_text(account: dict[str, Any]) -> None:
    raise ValueError(f"refused: {account['key']}!")


def raises_repr(account: dict[str, Any]) -> None:
    raise KeyError(account["key"])


def raises_json(account: dict[str, Any]) -> None:
    raise ValueError(json.dumps({"sent": account}))


def raises_json_unescaped(account: dict[str, Any]) -> None:
    raise ValueError(json.dumps({"sent": account}, ensure_ascii=False))


def raises_account(account: dict[str, Any]) -> None:
    raise ValueError(account)


def raises_group(account: dict[str, Any]) -> None:
    raise ExceptionGroup("some", [ValueError(account["key"])])


def raises_cause(account: dict[str, Any]) -> None:
    try:
        raise ValueError(account["key"])
    except ValueError as error:
        raise RuntimeError("wrapped") from error


def raises_note(account: dict[str, Any]) -> None:
    error = ValueError("noted")
    error.add_note(f"with {account['key']}")
    raise error


def raises_own_error(account: dict[str, Any]) -> None:
    raise RuntimeError("own") from ActionError(account["key"])


def logs(account: dict[str, Any], logger: Any) -> None:
    logger.info(account["key"], value=account["key"], whole=account, more=[account])
    logger.info("object", value=Holder(account["key"]), keys={account["key"]: 1})


class Holder:
    def __init__(self, value: str) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"<Holder of {self.value!r}>"


HANDLERS = [
    raises_text,
    raises_repr,
    raises_json,
    raises_json_unescaped,
    raises_account,
    raises_group,
    raises_cause,
    raises_note,
    raises_own_error,
    logs,
]


@pytest.mark.parametrize("form", ["file", "stderr"])
@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("handler", HANDLERS)
def test_an_account_value_is_neither_answered_nor_logged(
    handler: Any,
    secret: str,
    form: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "provider.log"
    log_file = str(file) if form == "file" else None
    provider = Provider("p", auth_token=TOKEN, execution_timeout=30, log_file=log_file)
    provider.actions.register("use")(functools.partial(handler))
    account = {"key": SECRETS[secret]}
    response = json.dumps(provider.process_task("use", {}, account))
    log = file.read_text() if form == "file" else capsys.readouterr().err
    assert log
    for text in (response, log):
        for part in pieces(SECRETS[secret]):
            assert part not in text
    if form == "file":
        for line in log.splitlines():
            json.loads(line)


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_found_however_often_it_was_quoted(run: Run, secret: str) -> None:
    def fail(account: dict[str, Any]) -> None:
        key = account["key"]
        once = [repr([key]), json.dumps([key]), repr(key.encode()), ascii(key)]
        raise ValueError([*once, repr(once), json.dumps([json.dumps(once)])], key)

    message = run(fail, {}, {"key": SECRETS[secret]})["message"]
    assert message.count("***") >= 9
    for part in re.findall(r"[A-Za-z0-9]{4,}", SECRETS[secret]):
        assert part not in message
    for code in ("043f", "xd0", "xf0", "0001f600", "d83d"):
        assert code not in message


def test_a_secret_whose_signs_stand_alone_is_found(run: Run) -> None:
    def fail(account: dict[str, Any]) -> None:
        raise ValueError(repr([account["key"]]), "a quote's \\ and no more")

    message = run(fail, {}, {"key": "'\"\\\n\x00é"})["message"]
    assert message == r"""ValueError: ('[\'***\']', "a quote's \\ and no more")"""


def pieces(secret: str) -> set[str]:
    """The secret, its lines, and how Python and JSON spell them."""
    found = {secret, *secret.split("\n"), repr(secret)[1:-1], json.dumps(secret)[1:-1]}
    found |= {json.dumps(piece)[1:-1] for piece in [*found, repr(secret)[1:-1]]}
    return {piece for piece in found if len(piece) >= 6}


def test_the_token_is_neither_answered_nor_logged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    provider = Provider("p", auth_token=TOKEN, execution_timeout=30)

    @provider.actions.register()
    def fail() -> None:
        raise PermissionError(f"Bearer {TOKEN}")

    assert provider.process_task("fail", {})["message"] == "PermissionError: Bearer ***"
    provider.logger.info(TOKEN, value=TOKEN, **{TOKEN: 1})
    assert TOKEN not in capsys.readouterr().err


class Says:
    """Writes an account's value through a provider's logger, from where it is asked."""

    def __init__(self) -> None:
        self.provider = Provider("p", execution_timeout=30)

    def say(self) -> str:
        self.provider.logger.info("hidden-secret", value=["hidden-secret"])
        return "said"

    async def say_async(self) -> None:
        self.say()

    async def say_in_thread(self) -> None:
        await asyncio.to_thread(self.say)

    async def say_in_subtask(self) -> None:
        await asyncio.create_task(self.say_async())

    async def say_in_callback(self) -> None:
        asyncio.get_running_loop().call_soon(self.say)
        await asyncio.sleep(0)

    def say_in_validator(self) -> Any:
        class Payload(BaseModel):
            text: str = Field(default_factory=self.say)

        def use(payload: Payload) -> None:
            """It is said by now."""

        return use


@pytest.mark.parametrize("way", ["process_task", "dispatch"])
@pytest.mark.parametrize("place", [name for name in vars(Says) if name[0] == "s"])
def test_the_providers_own_logger_hides_the_account_of_the_task(
    way: str, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    says = Says()
    handler = getattr(says, place)
    if place == "say_in_validator":
        handler = handler()
    says.provider.actions.register("use")(handler)
    account = {"key": "hidden-secret"}
    if way == "process_task":
        assert says.provider.process_task("use", {}, account)["status"] == "success"
    else:
        says.provider.dispatch("use", b"{}", json.dumps(account).encode())
    seen = capsys.readouterr().err
    assert seen.count("***") == 2
    assert "hidden-secret" not in seen
    says.say()
    assert capsys.readouterr().err.count("hidden-secret") == 2


def test_values_deep_in_the_account_are_hidden(run: Run) -> None:
    account = {"a": [{"b": {"c": "deep-secret"}}], "n": 12345678}

    def fail(account: dict[str, Any]) -> None:
        raise ValueError(account["a"][0]["b"]["c"])

    assert run(fail, {}, account)["message"] == "ValueError: ***"


def test_an_account_that_no_action_reads_is_hidden_too(run: Run) -> None:
    def fail() -> None:
        raise ValueError("raw-secret")

    assert run(fail, {}, {"key": "raw-secret"})["message"] == "ValueError: ***"


def test_an_account_with_a_number_that_python_refuses_is_hidden_too(run: Run) -> None:
    def fail() -> None:
        raise ValueError("raw-secret")

    account = '{"n": ' + "9" * 5000 + ', "key": "raw-secret"}'
    assert run(fail, {}, account)["message"] == "ValueError: ***"


def test_short_account_values_are_left(run: Run) -> None:
    def fail() -> None:
        raise ValueError("the error of eu")

    response = run(fail, {}, {"region": "eu", "mode": "error"})
    assert response["message"] == "ValueError: the error of eu"


def test_an_authors_own_error_is_as_it_was_meant(run: Run) -> None:
    def fail(account: dict[str, Any]) -> None:
        raise ActionError(f"unknown user {account['user']}", {"user": account["user"]})

    response = run(fail, {}, {"user": "somebody"})
    assert response["message"] == "unknown user somebody"
    assert response["data"] == {"user": "somebody"}


def test_a_short_or_numeric_secret_leaves_log_lines_json(tmp_path: Path) -> None:
    file = tmp_path / "provider.log"
    provider = Provider("p", auth_token="1234", log_file=str(file))
    provider.logger.info("count", n=12345, flag=True, other=None)
    (line,) = file.read_text().splitlines()
    assert json.loads(line)["event"] == "count"


@pytest.mark.parametrize(
    "value", ["logger", "action", "timestamp", "exception", "warning"]
)
def test_an_account_value_that_is_a_name_of_ours_leaves_log_lines_whole(
    tmp_path: Path, value: str
) -> None:
    file = tmp_path / "provider.log"
    provider = Provider("p", log_file=str(file), execution_timeout=30)

    @provider.actions.register()
    def fail() -> None:
        raise ValueError

    provider.process_task("fail", {}, {"mode": value})
    (line,) = file.read_text().splitlines()
    assert {"logger", "action", "timestamp", "exception", "level"} <= set(
        json.loads(line)
    )


ENDLESS = """
from arbvantage_provider import Provider

provider = Provider("p")

@provider.actions.register()
def fail(text: str) -> None:
    raise ValueError(text)

def run(text: str, secret: str) -> None:
    raw = json.dumps({"text": text}).encode()
    account = json.dumps({"key": secret}).encode()
    answer = json.loads(provider.dispatch("fail", raw, account))
    assert answer["message"].startswith("ValueError: "), answer["message"][:100]

import json
run("input_value=" * 1_000_000, "")
run("\\\\" * 4_000_000, "")
run("\\\\" * 4_000_000, "\\\\\\\\secret")
"""


def test_no_text_takes_longer_to_redact_than_to_read() -> None:
    # Each takes hours where a part of the text is looked at once for each other part.
    program = [sys.executable, "-c", ENDLESS]
    done = subprocess.run(
        program, timeout=60, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-1000:]


@pytest.mark.parametrize("secret", ["\\secret-key", "\"'secret-key", "\nsecret-key"])
def test_a_secret_that_begins_with_what_is_escaped_is_found_behind_backslashes(
    run: Run, secret: str
) -> None:
    def fail(account: dict[str, Any]) -> None:
        key = account["key"]
        raise ValueError(f"\\\\{key} a\\{key} {repr(key)!r} {key}{key}")

    message = run(fail, {}, {"key": secret})["message"]
    assert "secret-key" not in message
    assert message.count("***") == 5


def test_an_account_of_too_many_texts_hides_long_messages_as_a_whole(run: Run) -> None:
    def fail() -> None:
        raise ValueError("secret-99999 " * 1_000)

    account = {str(n): f"secret-{n}" for n in range(100_000)}
    assert run(fail, {}, account)["message"] == "ValueError: ***"


def test_inputs_that_pydantic_quotes_are_cut_from_the_first_to_the_last_of_a_line(
    run: Run,
) -> None:
    line = "input_value='a, input_type=b', input_type=str]"

    def fail() -> None:
        raise ValueError(f"one [{line}\ntwo [{line}\ninput_value=left")

    assert run(fail, {})["message"] == (
        "ValueError: one [input_type=str]\ntwo [input_type=str]\ninput_value=left"
    )


@pytest.mark.parametrize("part", [{"auth": [TOKEN]}, TOKEN.encode(), (1, TOKEN)])
def test_a_token_inside_what_an_exception_holds_is_cut_out(part: object) -> None:
    error = LookupError("kept", 5, part)
    cause = ExceptionGroup("some", [KeyError(part)])
    error.__cause__ = cause
    Redactor(TOKEN).scrub(error)
    told = traceback.format_exception(error)
    assert TOKEN not in "".join(told) + repr(error) + repr(cause)
    assert error.args[:2] == ("kept", 5)
    assert len(cause.exceptions) == 1


class WordedError(Exception):
    """Its text is none of its arguments."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__()

    def __str__(self) -> str:
        return self.text


@pytest.mark.parametrize(
    "hidden",
    [
        FileNotFoundError(2, "no such file", TOKEN),
        WordedError(TOKEN),
        ExceptionGroup(TOKEN, [KeyError("member")]),
    ],
)
@pytest.mark.parametrize("link", ["__cause__", "__context__"])
def test_a_token_in_the_text_of_what_an_error_came_from_is_cut_out(
    link: str, hidden: Exception
) -> None:
    first = ValueError("first")
    hidden.__cause__ = first
    error, between = LookupError("last"), RuntimeError("between")
    setattr(error, link, between)
    setattr(between, link, hidden)
    Redactor(TOKEN).scrub(error)
    told = "".join(traceback.format_exception(error))
    assert TOKEN not in told
    assert f"{type(hidden).__name__}: " in told
    for text in ("first", "between", "last", "***"):
        assert text in told


def test_of_tokens_that_follow_each_other_the_last_ones_are_cut() -> None:
    redactor = Redactor("token-first")
    for number in range(1_000):
        redactor.add(f"token-{number:04}")
        redactor.add("token-again")
    for number in range(1_000 - MOST_TOKENS + 1, 1_000):
        assert redactor.redact(f"it is token-{number:04}.") == "it is ***."
    assert redactor.redact("it is token-again.") == "it is ***."
    assert repr(redactor) == f"<Redactor of {MOST_TOKENS} secrets>"
