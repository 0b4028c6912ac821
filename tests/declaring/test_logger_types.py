"""A task's logger is of the type that its parameter says, and never fails a task."""

# ruff: noqa: LOG004, LOG014, RUF043, G010, G101, PLE1205, PLE1206
# pyright: basic

import asyncio
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
import structlog.stdlib
import structlog.typing

from arbvantage_provider import HandlerSignatureError, Logger, Provider, TaskContext
from arbvantage_provider.testing import LocalHub, running

SLIPS: dict[str, Callable[[Any], object]] = {
    "another type": lambda log: log.info("%d beds", "four"),
    "too many arguments": lambda log: log.info("beds", 4, 5),
    "too few arguments": lambda log: log.info("%s and %s", "one"),
    "an unknown format": lambda log: log.info("100% of %z", 5),
    "a missing key": lambda log: log.info("%(beds)d", {"rooms": 4}),
    "no text": lambda log: log.info(),
    "a number": lambda log: log.info(5),
    "bytes": lambda log: log.info(b"\xff %d", 5),
    "a field called event": lambda log: log.info("beds", event="b"),
    "a field called msg": lambda log: log.info("beds", msg="b"),
    "a field called level": lambda log: log.info("beds", level=5, timestamp=6),
    "a field called self": lambda log: log.info("beds", self=1, method=2, name=3),
    "no traceback": lambda log: log.exception("nothing was raised"),
    "an error that is none": lambda log: log.error("beds", exc_info="error"),
    "a tuple that is no error": lambda log: log.error("beds", exc_info=(1, 2)),
    "extra": lambda log: log.info("beds", extra={"message": 1, "args": 2, 3: 4}),
    "extra that is none": lambda log: log.info("beds", extra=5),
    "a stack": lambda log: log.info("beds", stack_info=True, stacklevel="2"),
    "a level that is none": lambda log: log.log("loud", "beds"),
    "a level by name": lambda log: log.log("INFO", "beds"),
    "a level of one's own": lambda log: log.log(25, "%d beds", "four"),
    "another case": lambda log: log.warn("%d beds", "four"),
    "a value that cannot be shown": lambda log: log.info("%s", Rude()),
    "a value that ends programs": lambda log: log.info("%s", Rude(SystemExit())),
}


class Rude:
    def __init__(self, error: BaseException | None = None) -> None:
        self._error = error or ValueError("no text")

    def __str__(self) -> str:
        raise self._error

    __repr__ = __str__


class MyLogger(logging.Logger):
    pass


class MyAdapter(logging.LoggerAdapter):
    pass


@pytest.fixture
def provider(tmp_path: Path) -> Provider:
    file = str(tmp_path / "log")
    return Provider("rooms", execution_timeout=30, log_file=file)


def read_lines(provider: Provider) -> list[dict[str, Any]]:
    text = Path(provider.settings.log_file or "").read_text()
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("slip", SLIPS.values(), ids=SLIPS)
def test_a_slip_in_a_log_line_fails_no_task(
    slip: Callable[[Any], object], provider: Provider
) -> None:
    def handle(kind: Any) -> Callable[..., str]:
        def handler(log: Any, logger: Any, context: TaskContext) -> str:
            for each in (log, logger, context.logger, provider.logger):
                slip(each)
            return "done"

        handler.__annotations__["log"] = kind
        return handler

    for kind in (logging.Logger, structlog.typing.FilteringBoundLogger):
        name = kind.__name__
        provider.actions.register(name)(handle(kind))
        assert provider.process_task(name, {})["data"] == "done"
    assert len(read_lines(provider)) == 8


def test_a_slip_shows_the_text_and_what_came_with_it(provider: Provider) -> None:
    provider.logger.info("%d beds", "four", floor=2)
    (line,) = read_lines(provider)
    assert line["event"] == "%d beds"
    assert line["args"] == ["four"]
    assert line["floor"] == 2


def test_a_slip_in_an_async_handler_with_a_hub_fails_no_task(
    provider: Provider,
) -> None:
    @provider.actions.register()
    async def beds(log: logging.Logger) -> str:
        log.info("%d beds", "four")
        return "done"

    with LocalHub() as hub, running(provider, hub):
        assert hub.submit("beds", {}).result().data == "done"


def test_a_parameter_of_logging_is_a_logger(provider: Provider) -> None:
    @provider.actions.register()
    def beds(log: logging.Logger) -> list[Any]:
        assert isinstance(log, logging.Logger)
        child = log.getChild("beds")
        child.info("made")
        log.setLevel("ERROR")
        log.info("left out")
        said = [log.isEnabledFor(logging.INFO), log.level, log.getEffectiveLevel()]
        return [*said, log.name, child.name, log.hasHandlers(), log.handlers]

    seen = provider.process_task("beds", {})["data"]
    assert seen == [
        False,
        logging.ERROR,
        logging.ERROR,
        "rooms",
        "rooms.beds",
        True,
        [],
    ]
    (line,) = read_lines(provider)
    assert line["logger"] == "rooms.beds"
    assert line["action"] == "beds"
    assert provider.logger.level == logging.INFO


def test_handlers_and_filters_of_logging_are_called(provider: Provider) -> None:
    seen: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(f"{record.funcName}: {record.getMessage()}")

    provider.logger.addHandler(Kept())
    provider.logger.addFilter(lambda record: "secret" not in record.getMessage())
    provider.logger.info("%d beds", 4)
    provider.logger.info("secret")
    assert seen == ["test_handlers_and_filters_of_logging_are_called: 4 beds"]
    assert [line["event"] for line in read_lines(provider)] == ["4 beds"]


def test_a_handler_that_raises_fails_no_line(provider: Provider) -> None:
    class Broken(logging.Handler):
        def handle(self, record: logging.LogRecord) -> bool:
            raise OSError(record.name)

    provider.logger.addHandler(Broken())
    provider.logger.addFilter(lambda _: bool(1 / 0))
    provider.logger.info("here")
    assert [line["event"] for line in read_lines(provider)] == ["here"]


def test_records_of_others_become_lines(provider: Provider) -> None:
    record = logging.makeLogRecord({"name": "http", "msg": "%s", "args": ("sent",)})
    provider.logger.handle(record)
    (line,) = read_lines(provider)
    assert (line["logger"], line["event"]) == ("http", "sent")


@pytest.mark.parametrize(
    "kind",
    [
        Logger,
        logging.Logger,
        logging.LoggerAdapter,
        logging.LoggerAdapter[logging.Logger],
        logging.Logger | None,
        logging.Logger | logging.LoggerAdapter[Any],
        structlog.BoundLogger,
        structlog.stdlib.BoundLogger,
        structlog.typing.BindableLogger,
        structlog.typing.FilteringBoundLogger,
    ],
    ids=str,
)
def test_each_logger_type_names_the_task(kind: Any, provider: Provider) -> None:
    def beds(log: Any) -> None:
        log.info("%d beds", 4)
        log.warning("%d beds", "four")
        if isinstance(kind, type):
            assert isinstance(log, kind) or "typing" in kind.__module__
        if hasattr(log, "bind"):
            log.bind(floor=2).error("bound")

    beds.__annotations__["log"] = kind
    provider.actions.register()(beds)
    assert provider.process_task("beds", {})["status"] == "success"
    lines = read_lines(provider)
    assert [line["event"] for line in lines][:2] == ["4 beds", "%d beds"]
    assert {line["action"] for line in lines} == {"beds"}
    assert len(lines) == 2 or lines[2]["floor"] == 2


def test_async_methods_of_structlog_are_awaited(provider: Provider) -> None:
    @provider.actions.register()
    async def beds(
        one: structlog.stdlib.AsyncBoundLogger,
        other: structlog.typing.FilteringBoundLogger,
    ) -> None:
        await one.info("%d beds", "four")
        await other.ainfo("%d beds", "five")

    assert provider.process_task("beds", {})["status"] == "success"
    assert [line["args"] for line in read_lines(provider)] == [["four"], ["five"]]


@pytest.mark.parametrize("kind", [MyLogger, MyAdapter])
def test_a_logger_type_of_ones_own_is_refused(kind: Any, provider: Provider) -> None:
    def beds(log: Any) -> None:
        pass

    beds.__annotations__["log"] = kind
    with pytest.raises(HandlerSignatureError, match="annotate it with logging.Logger"):
        provider.actions.register()(beds)


def test_fields_are_bound_and_unbound() -> None:
    lines: list[dict[str, Any]] = []
    logger = Logger("rooms", "info", lambda _, fields, __: lines.append(fields))
    bound = logger.bind(floor=2, bed=3)
    bound.info("a")
    bound.unbind("bed", "none").info("b")
    bound.new(wing="east").info("c")
    assert lines == [
        {"logger": "rooms", "floor": 2, "bed": 3, "event": "a"},
        {"logger": "rooms", "floor": 2, "event": "b"},
        {"logger": "rooms", "wing": "east", "event": "c"},
    ]


def test_fields_of_extra_are_fields(provider: Provider) -> None:
    provider.logger.info("beds", extra={"floor": 2})
    assert read_lines(provider)[0]["floor"] == 2


def test_loops_and_threads_share_a_logger(provider: Provider) -> None:
    async def log() -> None:
        await asyncio.to_thread(provider.logger.info, "%d", "x")

    asyncio.run(log())
    assert read_lines(provider)[0]["args"] == ["x"]
