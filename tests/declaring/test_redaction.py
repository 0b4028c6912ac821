"""No secret and no input value leaves a task by its message or by the log."""

# Handlers raise in each way.
# ruff: noqa: TRY301
# pyright: basic

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arbvantage_provider import ActionError, Provider

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
