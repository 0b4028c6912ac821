"""The command where its streams are of another encoding, closed, full or left by their reader."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PROGRAM = """
from typing import Literal
from arbvantage_provider import Provider

provider = Provider("лавка", auth_token="a-token")


@provider.actions.register(description="Заказать 漢字 🚀 é")
def order(item: str, kind: Literal["é", "ж"] = "ж") -> dict:
    print("печать")
    provider.logger.info("запись", поле="значение")
    return {"ordered": item, "ж": "🚀"}


@provider.actions.register(payload_schema={"имя": str})
def dicts(payload) -> dict:
    return payload
"""
TASK = '{"action": "order", "payload": {"item": "чай"}}\n'
ENCODINGS = {
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "the C locale": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}
LOCAL = ("run", "лавка.py", "--local-hub", "--tasks")
Run = Callable[..., "subprocess.CompletedProcess[bytes]"]
pytestmark = pytest.mark.skipif(os.name != "posix", reason="a shell of POSIX")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """The command in a shell, which may close or redirect its streams."""
    (tmp_path / "лавка.py").write_text(PROGRAM, encoding="utf-8")
    (tmp_path / "tasks").write_text(TASK, encoding="utf-8")

    def run(
        *words: str, streams: str = "", **variables: str
    ) -> "subprocess.CompletedProcess[bytes]":
        shell = ["sh", "-c", f'"$@" {streams}', "sh"]
        done = subprocess.run(
            [*shell, sys.executable, "-m", "arbvantage_provider", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=60,
            cwd=tmp_path,
            env={**os.environ, **variables},  # noqa: TID251 - passed on
        )
        for text in (done.stdout, done.stderr):
            assert b"Traceback" not in text
            assert b"Exception ignored" not in text
        return done

    return run


# --- another encoding ----------------------------------------------------------


@pytest.mark.parametrize("case", ENCODINGS)
def test_a_listing_escapes_what_the_terminal_cannot_show(run: Run, case: str) -> None:
    done = run("actions", "лавка.py", **ENCODINGS[case])
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"order: " in done.stdout
    assert b"\\u6f22\\u5b57 \\U0001f680" in done.stdout


@pytest.mark.parametrize("case", ENCODINGS)
def test_json_is_the_same_in_any_encoding(run: Run, case: str, tmp_path: Path) -> None:
    around = ENCODINGS[case]
    given = '{"item": "чай"}'
    for payload in (["item=чай"], [given]):
        called = run("call", "лавка.py", "order", *payload, **around)
        assert json.loads(called.stdout)["data"] == {"ordered": "чай", "ж": "🚀"}
        assert called.returncode == 0
    listed = json.loads(run("actions", "лавка.py", "--json", **around).stdout)
    assert listed[0]["description"] == "Заказать 漢字 🚀 é"
    exported = json.loads(run("export", "лавка.py", **around).stdout)
    assert "Заказать" in json.dumps(exported, ensure_ascii=False)
    answered = run(*LOCAL, "tasks", **around)
    assert json.loads(answered.stdout)["result"]["data"]["ordered"] == "чай"
    assert answered.stderr.endswith(b"1 task: 1 success\n")


@pytest.mark.parametrize("case", ENCODINGS)
def test_code_is_utf_8_or_refused(run: Run, case: str, tmp_path: Path) -> None:
    refused = run("codegen", "лавка.py", **ENCODINGS[case])
    assert (refused.returncode, refused.stdout) == (1, b"")
    assert b"stdout cannot hold all characters" in refused.stderr
    written = run("codegen", "лавка.py", "-o", "models.py", **ENCODINGS[case])
    assert written.returncode == 0
    assert "имя" in (tmp_path / "models.py").read_text(encoding="utf-8")


def test_help_is_shown_in_any_encoding(arbvantage: Run) -> None:
    for words in ([], ["run"], ["call"], ["codegen"], ["actions"], ["journal"]):
        assert str(arbvantage(*words, "--help").stdout).isascii(), words


@pytest.mark.parametrize("case", ENCODINGS)
def test_errors_are_shown_in_any_encoding(run: Run, case: str) -> None:
    assert run("actions", "нет.py", **ENCODINGS[case]).returncode == 2
    unknown = run("call", "лавка.py", "нет", **ENCODINGS[case])
    assert unknown.returncode == 2
    assert unknown.stderr.startswith(b"Error: no action '")


# --- streams that are closed, full, or left ------------------------------------

DATA = [
    *(["actions", "лавка.py"], ["call", "лавка.py", "order", "item=a"]),
    [*LOCAL, "tasks"],
]


@pytest.mark.parametrize("words", DATA, ids=" ".join)
def test_data_that_cannot_be_written_is_a_failure_in_one_line(
    run: Run, words: list[str]
) -> None:
    closed = run(*words, streams=">&-")
    assert closed.returncode == 1
    assert closed.stderr.endswith(b"Error: stdout is closed\n")
    full = run(*words, streams=">/dev/full")
    assert full.returncode == 1
    problem = b"Error: stdout cannot be written: No space left on device\n"
    assert full.stderr.endswith(problem)
    assert run(*words, streams="<&- >&- 2>&-").returncode == 1


@pytest.mark.parametrize("words", DATA, ids=" ".join)
@pytest.mark.parametrize("streams", ["<&- 2>&-"])
def test_data_is_written_whatever_the_other_streams_are(
    run: Run, words: list[str], streams: str
) -> None:
    done = run(*words, streams=streams)
    assert done.returncode == 0
    assert done.stdout == run(*words).stdout


@pytest.mark.parametrize("words", DATA, ids=" ".join)
def test_a_reader_that_leaves_ends_the_command_quietly(
    run: Run, words: list[str]
) -> None:
    done = run(*words, streams="2>words | true")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.parametrize("words", [["--help"], ["--version"]])
def test_help_that_cannot_be_written_is_a_failure_in_one_line(
    run: Run, words: list[str]
) -> None:
    full = run(*words, streams=">/dev/full")
    assert full.returncode == 1
    assert full.stderr.startswith(b"Error: stdout cannot be written: No space")
    assert run(*words, streams="<&- 2>&-").returncode == 0


@pytest.mark.parametrize("streams", ["2>&-", "2>/dev/full"])
def test_the_exit_code_is_the_same_where_no_word_can_be_written(
    run: Run, streams: str
) -> None:
    for words in (["actions", "no.py"], ["call", "лавка.py", "no"], ["journal", "no"]):
        done = run(*words, streams=streams)
        assert (done.returncode, done.stdout) == (2, b""), words
    code = ["codegen", "лавка.py", "-o", "models.py"]
    assert run(*code, streams=streams).returncode == 0


@pytest.mark.parametrize(
    "words", [["call", "лавка.py", "order", "-"], [*LOCAL, "-"]], ids=" ".join
)
def test_a_stdin_that_is_closed_is_named(run: Run, words: list[str]) -> None:
    done = run(*words, streams="<&-")
    assert (done.returncode, done.stderr) == (2, b"Error: stdin is closed\n")


# --- what a terminal is told ---------------------------------------------------

LOG = """
import sys
from arbvantage_provider import Provider
from arbvantage_provider.cli.output import Progress

class Terminal:
    encoding = "utf-8"
    text = ""
    def write(self, text): self.text += text
    def flush(self): pass
    def isatty(self): return bool(int(sys.argv[1]))

out, sys.stderr = sys.stdout, Terminal()
provider = Provider("tested")
provider.logger.info("logged")
provider.process_task("none", {})
log, sys.stderr = sys.stderr, Terminal()
Progress(2).show(1)
import atexit
atexit.register(lambda: print(int("\\x1b[" in log.text), int(bool(sys.stderr.text)), file=out))
"""


@pytest.mark.parametrize(
    ("terminal", "variables", "colours", "progress"),
    [
        (True, {}, True, True),
        (False, {}, False, False),
        (True, {"NO_COLOR": "1"}, False, True),
        (True, {"NO_COLOR": ""}, True, True),
        (False, {"FORCE_COLOR": "1"}, True, False),
        (False, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
        (True, {"TERM": "dumb"}, False, False),
        (True, {"TERM": "dumb", "FORCE_COLOR": "1"}, True, False),
    ],
)
def test_colours_and_progress_are_for_terminals_that_want_them(
    *, terminal: bool, variables: dict[str, str], colours: bool, progress: bool
) -> None:
    kept = {k: v for k, v in os.environ.items() if not k.endswith("_COLOR")}  # noqa: TID251 - passed on
    done = subprocess.run(
        [sys.executable, "-c", LOG, str(int(terminal))],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
        env={**kept, "TERM": "xterm", **variables},
    )
    assert (done.stdout, done.stderr) == (f"{colours:d} {progress:d}\n", "")
