"""No secret leaves the process, whatever the code around the package does with it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arbvantage_provider.testing import HubResult, LocalHub

PROGRAM = Path(__file__).with_name("canary_program.py")
WORD = "canary-"
TOKEN = "canary-token"
ACCOUNT: dict[str, Any] = {
    "key": "canary-key",
    "pem": "canary-line-1\ncanary-line-2 with \"quotes\" and 'more'",
    "deep": {"list": ["canary-deep", "canary-пароль"]},
    "secret": "canary-hidden",
}
LEAKS = [
    *("raise_text", "raise_text_async", "raise_key", "raise_from", "raise_while"),
    *("raise_noted", "raise_group", "raise_with_locals", "exit_with_text"),
    *("fail_in_hook", "try_again", "take_too_long", "log", "log_elsewhere"),
    *("leave_unawaited", "look_at_everything", "raise_there", "give_unsendable"),
]
OTHERS: list[tuple[str, Any, Any]] = [
    ("raise_text", {}, {**ACCOUNT, "kind": "canary-refused"}),
    ("raise_text", {}, {**ACCOUNT, "kind": "canary-raised"}),
    ("raise_text", {}, {"key": ["canary-list"], "pem": 5}),
    ("raise_text", {}, b"canary-no-json"),
    ("raise_text", {}, b'{"key": canary-unquoted}'),
    ("raise_text", {}, None),
    ("no_such", {}, ACCOUNT),
    ("take_all", {}, ACCOUNT),
    ("take_payload", {"key": "canary-payload"}, None),
    ("take_payload", {"key": "canary-payload"}, ACCOUNT),
    ("take_payload", {"key": ["canary-payload"], "number": "canary-number"}, None),
    ("take_payload", {"key": "a", "kind": "canary-kind"}, None),
    ("take_payload", b'{"key": "canary-payload" canary-junk}', None),
    ("take_payload", b'{"key": "canary-payload", "key": "canary-again"}', None),
    ("give_broken", {}, None),
    ("give_number", {}, None),
    ("give_broken_data", {}, None),
    ("break_promise", {}, None),
    ("log_nothing", {}, None),
    ("wait", {}, None),
]
"""An action, a payload and an account."""


def run_tasks(hub: LocalHub) -> list[HubResult]:
    words = f"the hub knows {TOKEN}"
    hub.fail_polls("UNAVAILABLE", details=words)
    secrets = json.dumps(ACCOUNT, ensure_ascii=False)
    first = hub.submit("raise_key", {}, ACCOUNT, id="quoted")
    hub.fail_submits("UNAVAILABLE", details=f"{words} and {secrets}", id="quoted")
    second = hub.submit("raise_key", {}, ACCOUNT, id="refused")
    hub.fail_submits("NOT_FOUND", details=f"{words} and {secrets}", id="refused")
    handles = [hub.submit(action, {}, ACCOUNT) for action in LEAKS]
    handles += [hub.submit(action, *contents) for action, *contents in OTHERS]
    results = [handle.result(30) for handle in (first, *handles)]
    hub.wait_until(lambda: second.handed_out == 1)
    return [*results, hub.submit("stop").result(20)]


def find_canaries(text: str) -> list[str]:
    """Each line that holds one."""
    return [line for line in text.splitlines() if WORD in line]


@pytest.mark.skipif(os.name != "posix", reason="processes of POSIX")
@pytest.mark.parametrize("form", ["plain", "unified"])
def test_no_secret_leaves_a_provider(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")  # asyncio logs reprs then
    log = tmp_path / "provider.log"
    options = [str(log)] if form == "unified" else []
    words = f"the hub knows {TOKEN}"
    with LocalHub() as hub, LocalHub() as second:
        second.fail_polls("INVALID_ARGUMENT", details=words)
        second.fail_polls("UNAUTHENTICATED", details=words, times=100)
        program = subprocess.Popen(
            [sys.executable, str(PROGRAM), hub.url, second.url, form, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            results = run_tasks(hub)
            output, errors = program.communicate(timeout=30)
        finally:
            program.kill()
            program.wait()

    logged = log.read_text(encoding="utf-8") if options else errors
    check_that_all_ran(results, output, errors, logged)
    answers = "\n".join(result.result for result in hub.submissions)
    for text in (output, errors, logged, answers):
        assert find_canaries(text) == []
    for result in hub.submissions:
        assert WORD not in repr(result)
    assert WORD not in repr(hub) + repr(second)


def check_that_all_ran(
    results: list[HubResult], output: str, errors: str, logged: str
) -> None:
    """What is not written at all holds no secret either, and shows nothing."""
    statuses = {result.action: result.status for result in results}
    assert statuses["log"] == statuses["log_elsewhere"] == "success"
    assert statuses["leave_unawaited"] == statuses["look_at_everything"] == "success"
    for action in ("raise_text", "fail_in_hook", "raise_there", "take_payload"):
        assert statuses[action] == "error"
    for event in (
        *("handler raised", "task refused", "task timed out", "trying again"),
        *("handle_task_exception raised", "middleware failed", "hook", "caught"),
        *("nobody awaited this error", "a task may not end the program"),
        *("the hub does not answer", "result not taken yet", "refused for good"),
        *("rate limit monitor raised", "cannot be JSON", "nothing"),
    ):
        assert event in logged, event
    assert logged.count("***") > 100
    for kind in ("LifespanError", "ConfigError", "ProtocolError", "ConnectionError"):
        assert f"\n{kind}\n" in f"\n{output}", kind
    assert "AuthenticationError" in errors
    assert "SecretStr('**********')" in output


COMMANDS: list[list[str]] = [
    *(
        ["export", "--format", form]
        for form in ("json-schema", "openapi", "asyncapi", "mcp", "openai")
    ),
    *(["actions"], ["codegen"], ["codegen", "--stubs"]),
    ["call", "raise_text", "--account", json.dumps(ACCOUNT)],
    ["call", "raise_text", "--account", '{"key": canary-unquoted}'],
    ["call", "raise_text", "--account", '["canary-list"]'],
    ["call", "raise_text", "--account", '{"key": 5, "pem": "canary-pem"}'],
    ["call", "fail_in_hook", "--account", json.dumps(ACCOUNT)],
    ["call", "leave_unawaited", "--account", json.dumps(ACCOUNT)],
    ["call", "log_elsewhere", "--account", json.dumps(ACCOUNT)],
    ["call", "log_nothing"],
    ["call", "take_payload", '{"key": "canary-payload", "number": "canary-number"}'],
    ["call", "take_payload", '{"key": "canary-payload" canary-junk}'],
    ["call", "give_broken"],
]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words[:2]))
def test_the_command_shows_no_secret(
    arbvantage: Callable[..., Any],
    folder: Path,
    caplog: pytest.LogCaptureFixture,
    words: list[str],
) -> None:
    command, *rest = words
    done = arbvantage(command, str(PROGRAM), *rest)
    shown = done.stdout + done.stderr
    assert shown.strip()
    assert find_canaries(shown + caplog.text) == []


@pytest.mark.skipif(os.name != "posix", reason="processes of POSIX")
def test_a_run_of_the_command_shows_no_secret(tmp_path: Path) -> None:
    tasks = tmp_path / "tasks.jsonl"
    lines = [
        {"action": action, "payload": {}, "account": ACCOUNT}
        for action in ("raise_text", "raise_group", "log_elsewhere", "no_such")
    ]
    tasks.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    program = [sys.executable, "-m", "arbvantage_provider", "run", str(PROGRAM)]
    done = subprocess.run(
        [*program, "--local-hub", "--tasks", str(tasks)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.count("error") >= 3, done.stderr
    assert find_canaries(done.stdout + done.stderr) == []
