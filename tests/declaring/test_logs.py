"""The provider's logger: for people on stderr, for programs in a file."""

# Every way to log an exception is written here.
# ruff: noqa: G201, TRY301, TRY400
# pyright: basic

import asyncio
import io
import json
import logging
import sys
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from patience import wait_for
from typing_extensions import override

from arbvantage_provider import Provider
from arbvantage_provider.observe import writer

Lines = Callable[[], list[dict[str, Any]]]


class BadText:
    def __repr__(self) -> str:
        raise RuntimeError

    __str__ = __repr__


class ExitingText:
    def __repr__(self) -> str:
        raise SystemExit

    __str__ = __repr__


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "provider.log"


@pytest.fixture
def logged(file: Path) -> Callable[[], list[dict[str, Any]]]:
    """The lines of the log file; each must be strict JSON."""

    def read() -> list[dict[str, Any]]:
        lines = file.read_text().splitlines()
        return [json.loads(line, parse_constant=pytest.fail) for line in lines]

    return read


def test_a_line_on_stderr_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    Provider("weather").logger.info("it rains", city="Riga", mm=3)
    seen = capsys.readouterr()
    assert seen.out == ""
    assert len(seen.err.splitlines()) == 1
    for part in ("info", "it rains", "weather", "city=Riga", "mm=3"):
        assert part in seen.err
    assert "\x1b" not in seen.err


def test_a_line_in_a_file_is_json(file: Path, logged: Lines) -> None:
    Provider("weather", log_file=str(file)).logger.warning("it rains", city="Rīga")
    (line,) = logged()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "logger": "weather",
        "event": "it rains",
        "city": "Rīga",
        "level": "warning",
    }


def test_a_file_is_appended_to(file: Path, logged: Lines) -> None:
    for name in ("one", "two"):
        Provider(name, log_file=str(file)).logger.info("here")
    assert [line["logger"] for line in logged()] == ["one", "two"]


def test_lines_below_the_level_are_left_out(file: Path, logged: Lines) -> None:
    logger = Provider("p", log_level="warning", log_file=str(file)).logger
    for level in ("debug", "info", "warning", "error", "critical"):
        getattr(logger, level)(level)
    assert [line["level"] for line in logged()] == ["warning", "error", "critical"]


def test_two_providers_of_one_name_log_once_each(file: Path, logged: Lines) -> None:
    first, second = (Provider("same", log_file=str(file)) for _ in range(2))
    first.logger.info("first")
    second.logger.info("second")
    assert [line["event"] for line in logged()] == ["first", "second"]


def test_nothing_global_is_configured(capsys: pytest.CaptureFixture[str]) -> None:
    handlers = list(logging.getLogger().handlers)
    Provider("p", log_level="CRITICAL").logger.info("hidden")
    assert logging.getLogger().handlers == handlers
    assert capsys.readouterr().err == ""


def test_a_tasks_lines_name_it(file: Path, logged: Lines) -> None:
    provider = Provider("p", log_file=str(file), execution_timeout=30)

    @provider.actions.register()
    def say(logger: Any, context: Any) -> None:
        logger.info("by name", n=1)
        context.logger.info("by context")

    provider.process_task("say", {})
    assert [line["event"] for line in logged()] == ["by name", "by context"]
    assert {line["action"] for line in logged()} == {"say"}


def test_what_a_handler_raises_is_logged_with_its_traceback(
    file: Path, logged: Lines
) -> None:
    provider = Provider("p", log_file=str(file), execution_timeout=30)

    @provider.actions.register()
    def fail() -> None:
        raise ValueError("no good")

    provider.process_task("fail", {})
    (line,) = logged()
    assert (line["level"], line["action"]) == ("error", "fail")
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("ValueError: no good")


def test_a_refused_task_is_logged_without_traceback(file: Path, logged: Lines) -> None:
    provider = Provider("p", log_file=str(file))
    provider.process_task("nothing", {})
    (line,) = logged()
    assert (line["level"], line["reason"]) == ("warning", "no action 'nothing'")
    assert "exception" not in line


def test_logging_an_exception_adds_its_traceback(file: Path, logged: Lines) -> None:
    logger = Provider("p", log_file=str(file)).logger
    try:
        raise ValueError("no good")
    except ValueError as error:
        logger.exception("failed")
        logger.error("failed", exc_info=error)
        logger.error("failed", exc_info=True)
    assert all("ValueError: no good" in line["exception"] for line in logged())
    assert len(logged()) == 3


class BadDict(dict[str, int]):
    """Nobody may look into it."""

    def items(self) -> Any:
        raise ValueError("secret")


class ExitingList(list[int]):
    """The same, as of a session that is closed."""

    def __iter__(self) -> Any:
        raise SystemExit("secret")


class BadString(str):
    """Its methods are its own."""

    __slots__ = ()

    def __contains__(self, _: object) -> bool:
        raise ValueError("secret")

    def replace(self, *_: Any) -> str:
        raise ValueError("secret")

    encode: Any = replace


class Classless:
    """Whoever asks for its class exits."""

    @property
    def __class__(self) -> Any:
        raise SystemExit("secret")


ODD: dict[str, dict[str, Any]] = {
    "a text that fails": {"value": BadText()},
    "a text that exits": {"value": ExitingText()},
    "a failing text in a list": {"value": [{"a": BadText()}]},
    "keys that are no text": {"value": {(1, 2): 3, None: 4}},
    "NaN": {"value": [float("nan"), float("inf")]},
    "half a surrogate pair": {"value": "a\ud800b"},
    "bytes": {"value": b"\xff"},
    "an object": {"value": object()},
    "a set": {"value": {1}},
    "exc_info that is no exception": {"exc_info": 5},
    "names of structlog's own": {"level": 1, "timestamp": 2, "logger": 3},
    "stack_info": {"stack_info": True},
    "a huge int": {"value": 10**5000},
    "a dict that fails": {"value": BadDict()},
    "a list that exits": {"value": {"a": ExitingList()}},
    "a text that is none": {"value": [BadString("text")]},
    "a class that exits": {"value": Classless()},
}


def cyclic() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["self"] = value
    return value


@pytest.mark.parametrize("case", ODD)
def test_a_value_that_cannot_be_shown_costs_neither_line_nor_task(
    file: Path, logged: Lines, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    Provider("p", log_file=str(file)).logger.info("odd", more="kept", **ODD[case])
    (line,) = logged()
    assert (line["event"], line["more"]) == ("odd", "kept")
    Provider("p").logger.info("odd", more="kept", **ODD[case])
    assert "odd" in capsys.readouterr().err


@pytest.mark.parametrize("event", [BadText(), ExitingText(), None, 5, b"x"])
def test_an_event_that_is_no_text_stops_nothing(
    file: Path, logged: Lines, capsys: pytest.CaptureFixture[str], event: Any
) -> None:
    Provider("p", log_file=str(file)).logger.info(event, a=1)
    assert logged()[0]["a"] == 1
    Provider("p").logger.info(event, a=1)
    assert "a=1" in capsys.readouterr().err


def test_a_value_that_holds_itself_stops_nothing(file: Path, logged: Lines) -> None:
    Provider("p", log_file=str(file)).logger.info("odd", value=cyclic())
    assert logged()[0]["event"] == "odd"


def test_positional_arguments_are_formatted(file: Path, logged: Lines) -> None:
    logger = Provider("p", log_file=str(file)).logger
    logger.info("%s of %d", "one", 2)
    logger.info("100%")
    assert [line["event"] for line in logged()] == ["one of 2", "100%"]


def test_a_line_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    provider = Provider("p")
    forged = "x\n2026-01-31T00:00:00Z [info     ] forged\x1b[31m"
    provider.process_task(forged, {})
    provider.logger.info("event", value=forged)
    provider.logger.info(forged)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert not any(line.startswith("2026-01-31") for line in lines)
    assert "\x1b" not in "".join(lines)


class Failing(io.StringIO):
    """A stream that cannot be written to."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        raise self.error


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


class Bare:
    """A stream as some programs put one in the place of stderr."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text


STREAMS: dict[str, Callable[[], Any]] = {
    "closed": closed,
    "none": lambda: None,
    "broken pipe": lambda: Failing(BrokenPipeError()),
    "full disk": lambda: Failing(OSError(28, "No space left on device")),
    "unencodable": lambda: Failing(UnicodeEncodeError("ascii", "é", 0, 1, "no")),
    "its own error": lambda: Failing(RuntimeError("no")),
    "bare": Bare,
}


@pytest.mark.parametrize("case", STREAMS)
def test_a_line_that_cannot_be_written_costs_no_task_its_result(
    monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.setattr(sys, "stderr", STREAMS[case]())
    provider = Provider("p", execution_timeout=30)

    @provider.actions.register()
    def say(logger: Any) -> str:
        logger.info("here")
        return "done"

    assert provider.process_task("say", {})["data"] == "done"
    assert provider.process_task("nothing", {})["status"] == "error"


def test_lines_go_to_the_stderr_of_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = Provider("p")
    later = Bare()
    monkeypatch.setattr(sys, "stderr", later)
    provider.logger.info("here")
    assert "here" in later.text


class SlowStream(io.StringIO):
    """Takes a while for each line."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = 0

    @override
    def write(self, text: str) -> int:
        threading.Event().wait(0.03)
        self.lines += 1
        return super().write(text)


def step(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run it without a loop."""
    with pytest.raises(StopIteration):
        coroutine.send(None)


@pytest.mark.parametrize("run", [asyncio.run, step])
def test_a_reader_that_is_slow_is_not_waited_for_at_each_line(
    monkeypatch: pytest.MonkeyPatch, run: Callable[..., None]
) -> None:
    stream = SlowStream()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(writer, "LONG", 0.01)
    provider = Provider("tested")
    written: list[int] = []

    async def log() -> None:
        for number in range(20):
            provider.logger.info("line", number=number)
            written.append(stream.lines)

    run(log())
    assert written[0] == 1
    assert written[-1] < 20
    wait_for(lambda: stream.lines == 20)
    text = stream.getvalue()
    places = [text.index(f"number={number}") for number in range(20)]
    assert places == sorted(places)
