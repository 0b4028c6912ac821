"""``arbvantage call``."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

GREETING = {"greeting": "Hello, Ann! Hello, Ann! "}
ACTIONS = """
from arbvantage_provider import Provider, ProviderResponse, RateLimitedError

provider = Provider("calls", log_level="CRITICAL")


@provider.actions.register(account_schema={"api_key": str})
def length(account: dict) -> int:
    print("a line that is no data")
    return {"length": len(account["api_key"])}


@provider.actions.register()
def warn() -> ProviderResponse:
    return ProviderResponse("warning", "careful")


@provider.actions.register()
def busy() -> None:
    raise RateLimitedError(3)


@provider.actions.register()
def echo(payload: dict) -> dict:
    return payload
"""


@pytest.fixture
def calls(folder: Path) -> Path:
    """A file with actions that end in each way."""
    file = folder / "calls.py"
    file.write_text(ACTIONS)
    return file


@pytest.mark.parametrize(
    "payload",
    [
        ["name=Ann", "times=2"],
        ['{"name": "Ann", "times": 2}'],
        [' {"name": "Ann", "times": 2}'],
    ],
)
@pytest.mark.usefixtures("greeter")
def test_an_action_is_run_and_its_response_printed(
    arbvantage: Run, payload: list[str]
) -> None:
    done = arbvantage("call", "greeter.py", "greet", *payload)
    response = {"status": "success", "message": "", "data": GREETING}
    assert done.returncode == 0
    assert done.stdout == json.dumps(response, indent=2) + "\n"


@pytest.mark.usefixtures("greeter")
def test_the_payload_may_come_from_stdin(shell: Run) -> None:
    done = shell("call", "greeter", "greet", "-", stdin='{"name": "Ann", "times": 2}')
    assert json.loads(done.stdout)["data"] == GREETING
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.usefixtures("calls")
def test_a_byte_order_mark_is_no_part_of_what_is_read(folder: Path, shell: Run) -> None:
    mark = "\ufeff"
    source = (folder / "calls.py").read_text(encoding="utf-8")
    (folder / "calls.py").write_text(mark + source, encoding="utf-8")
    account = f'{mark}{{"api_key": "1234"}}'
    (folder / "account.json").write_text(account, encoding="utf-8")
    for given in ("@account.json", account):
        words = ("call", "calls.py", "length", "-", "--account", given)
        assert json.loads(shell(*words, stdin=f"{mark}{{}}").stdout)["data"] == {
            "length": 4
        }
    echoed = shell("call", "calls.py", "echo", f'{mark}{{"a": 1}}')
    assert json.loads(echoed.stdout)["data"] == {"a": 1}


@pytest.mark.usefixtures("calls")
def test_a_file_in_another_encoding_is_named(folder: Path, arbvantage: Run) -> None:
    (folder / "account.json").write_text('{"api_key": "1234"}', encoding="utf-16")
    done = arbvantage("call", "calls.py", "length", "--account", "@account.json")
    problem = "Error: --account @account.json: it is UTF-16, which is not UTF-8; save it anew\n"
    assert (done.returncode, done.stderr) == (2, problem)


@pytest.mark.usefixtures("greeter")
def test_without_a_payload_it_is_an_empty_object(arbvantage: Run) -> None:
    done = arbvantage("call", "greeter.py", "greet")
    assert done.returncode == 1
    assert json.loads(done.stdout)["data"]["errors"][0]["path"] == "name"


@pytest.mark.usefixtures("greeter")
def test_a_failing_action_prints_its_response_and_exits_with_1(
    arbvantage: Run,
) -> None:
    done = arbvantage("call", "greeter.py", "fail")
    assert done.returncode == 1
    assert "the handler failed" in json.loads(done.stdout)["message"]


@pytest.mark.parametrize("payload", ['{"name"', '{"name": "A", "name": "B"}'])
@pytest.mark.usefixtures("greeter")
def test_whether_json_fits_is_for_the_action_to_say(
    arbvantage: Run, payload: str
) -> None:
    done = arbvantage("call", "greeter.py", "greet", payload)
    assert done.returncode == 1
    assert json.loads(done.stdout)["status"] == "error"


@pytest.mark.parametrize(
    ("action", "status", "exit_code"), [("warn", "warning", 0), ("busy", "limit", 1)]
)
@pytest.mark.usefixtures("calls")
def test_a_warning_is_no_failure_and_a_limit_is_one(
    *, arbvantage: Run, action: str, status: str, exit_code: int
) -> None:
    done = arbvantage("call", "calls.py", action)
    assert json.loads(done.stdout)["status"] == status
    assert done.returncode == exit_code


@pytest.mark.usefixtures("calls")
def test_the_account_is_given_as_json_or_in_a_file(
    folder: Path, arbvantage: Run
) -> None:
    (folder / "account.json").write_text('{"api_key": "1234"}')
    for account in ('{"api_key": "1234"}', "@account.json", "api_key=1234"):
        done = arbvantage("call", "calls.py", "length", "--account", account)
        assert json.loads(done.stdout)["data"] == {"length": 4}


@pytest.mark.usefixtures("calls")
def test_what_a_handler_prints_goes_to_stderr(arbvantage: Run) -> None:
    account = ["--account", '{"api_key": "1234"}']
    done = arbvantage("call", "calls.py", "length", *account)
    assert "a line that is no data" in done.stderr
    assert json.loads(done.stdout)["status"] == "success"


@pytest.mark.usefixtures("calls")
def test_any_key_goes_where_the_action_takes_any_object(arbvantage: Run) -> None:
    done = arbvantage("call", "calls.py", "echo", "a=1", "b=é", "c=[2]")
    assert json.loads(done.stdout)["data"] == {"a": 1, "b": "é", "c": [2]}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["gret"], "no action 'gret'; did you mean 'greet'? (there are: greet, fail)"),
        (["xyz"], "no action 'xyz' (there are: greet, fail)"),
        (["greet", "nam=A"], "'greet' has no field 'nam'; did you mean 'name'?"),
        (["greet", "Ann"], "'Ann' is neither KEY=VALUE, nor one JSON object, nor '-'"),
        (["greet", "name=A", "name=B"], "'name' is given twice"),
        (["greet", "times=two"], "'times' is of type int, so its value must be JSON"),
        (["greet", "{}", "name=A"], "the payload is given once: as one JSON object"),
        (["greet", "-", "-"], "the payload is given once: as one JSON object"),
        (["greet", "--account", "@no.json"], "--account @no.json: No such file or"),
        (["greet", "--account", "k"], "number 1 of 1 --account is neither KEY=VALUE"),
        (["greet", "--account", "{}", "--account", "a=1"], "the account is given once"),
        (["greet", "--account", "a=1", "--account", "a=2"], "'a' is given twice"),
    ],
)
@pytest.mark.usefixtures("greeter")
def test_a_slip_is_wrong_usage_and_one_line_on_stderr(
    arbvantage: Run, words: list[str], message: str
) -> None:
    done = arbvantage("call", "greeter.py", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


LATE = """
import os, signal

from arbvantage_provider import Provider

provider = Provider("late", execution_timeout=30)


@provider.actions.register()
def wait() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    signal.pause()


@provider.actions.register(account_schema={"shop_id": int, "key": str})
def pay(account: dict) -> dict:
    return account
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_one_ctrl_c_ends_a_call_with_words_and_130(folder: Path, shell: Any) -> None:
    (folder / "late.py").write_text(LATE)
    done = shell("call", "late.py", "wait")
    assert done.returncode == 130
    assert done.stderr.splitlines()[-1] == "Error: interrupted by Ctrl-C"
    assert "Aborted" not in done.stderr


def test_fields_of_the_account_are_read_by_their_types(
    folder: Path, arbvantage: Run
) -> None:
    (folder / "late.py").write_text(LATE)
    words = ("call", "late.py", "pay", "--account")
    done = arbvantage(*words, "shop_id=7", "--account", "key=7")
    assert json.loads(done.stdout)["data"] == {"shop_id": 7, "key": "7"}

    done = arbvantage(*words, "shop_id=top-secret")
    assert done.returncode == 2
    assert "'shop_id' is of type int, so its value must be JSON" in done.stderr
    assert "top-secret" not in done.stderr

    done = arbvantage(*words, "top-secret")
    assert done.returncode == 2
    assert "top-secret" not in done.stderr
