"""A provider's own logger: ``logger.info("text", key=value)``.

Each provider has one of its own, and nothing global is configured: a second
provider of the same name logs each line once. Lines go to stderr for people, or
to a file as JSON. A secret never gets into a line, and a line that cannot be
written never stops a task.
"""

import os
import sys
import weakref
from collections.abc import Callable, MutableMapping
from typing import Any, Final, cast

import structlog
from typing_extensions import override

from arbvantage_provider.exceptions import ConfigError
from arbvantage_provider.observe.redaction import (
    AccountSecrets,
    Redactor,
    format_traceback,
)

Event = MutableMapping[str, Any]
_SECRETS: Final = "_account_secrets"
_LONGEST_NAME: Final = 200


def make_logger(name: str, *, level: str, file: str | None, redactor: Redactor) -> Any:
    """A logger with ``debug``, ``info``, ``warning``, ``error``, ``exception``.

    Args:
        name: shown in each line.
        level: the least severe level that is written.
        file: where JSON lines are appended; ``None``: text to stderr.
        redactor: cuts secrets out of each line.

    Raises:
        ConfigError: if the file cannot be opened.
    """
    sink = _Sink() if file is None else _FileSink(file)
    logger: Any = structlog.wrap_logger(
        sink,
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _format_exception,
            _Renderer(file, redactor),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
    )
    return logger.bind(logger=name)


def bind_task(logger: Any, *, task: str, action: str, secrets: AccountSecrets) -> Any:
    """A logger whose lines name the task and hide what its account holds.

    A task that is run without a hub has no id. Names come from the hub, so only
    their beginning is shown.
    """
    fields = {"task": task[:_LONGEST_NAME]} if task else {}
    shown = action[:_LONGEST_NAME]
    return logger.bind(**fields, action=shown, **{_SECRETS: secrets})


class _Sink:
    """Writes whole lines to stderr; a line that cannot be written is dropped."""

    def msg(self, line: str) -> None:
        try:
            self._write(line + "\n")
        except (OSError, ValueError):
            # A full disk or a closed stream must not cost a task its result.
            return

    debug = info = warning = error = critical = exception = msg

    def _write(self, line: str) -> None:
        # Looked up at each line, as programs and tests put another stream there.
        stream = sys.stderr
        if stream is not None:
            stream.write(line)


class _FileSink(_Sink):
    """Appends whole lines to a file."""

    def __init__(self, path: str) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        try:
            self._descriptor = os.open(path, flags, 0o644)
        except OSError as error:
            problem = f"cannot open {path!r}: {error.strerror}"
            raise ConfigError(f"log_file (PROVIDER_LOG_FILE): {problem}") from error
        weakref.finalize(self, os.close, self._descriptor)

    @override
    def _write(self, line: str) -> None:
        os.write(self._descriptor, line.encode())


def _format_exception(_: Any, __: str, event: Event) -> Event:
    info = event.pop("exc_info", None)
    error = sys.exc_info()[1] if info is True else info
    if isinstance(error, tuple):
        error = cast("tuple[object, ...]", error)[1]
    if isinstance(error, BaseException):
        event["exception"] = format_traceback(error)
    return event


class _Renderer:
    """An event as one line of text for people, or of JSON, without secrets."""

    def __init__(self, file: str | None, redactor: Redactor) -> None:
        self._redactor = redactor
        self._render = _make_console() if file is None else _make_json()

    def __call__(self, logger: Any, method: str, event: Event) -> str:
        text = event.get("event")
        secrets = event.pop(_SECRETS, None)
        more = secrets.values if isinstance(secrets, AccountSecrets) else ()
        try:
            line = str(self._render(logger, method, event))
        except Exception as error:  # noqa: BLE001 - a value's repr may raise anything
            line = f"{text!s:.200} (not shown: {type(error).__name__})"
        return self._redactor.redact(line, more).encode("utf-8", "replace").decode()


def _make_console() -> Callable[[Any, str, Event], str]:
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr is not None and sys.stderr.isatty(),
        exception_formatter=structlog.dev.plain_traceback,
        sort_keys=False,
    )


def _make_json() -> Callable[[Any, str, Event], str | bytes]:
    return structlog.processors.JSONRenderer(default=repr)
