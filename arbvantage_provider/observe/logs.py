"""A provider's own logger: ``logger.info("text", key=value)``.

Each provider has one of its own, and nothing global is configured: a second
provider of the same name logs each line once. Lines go to stderr for people, or
to a file as JSON. A secret never gets into a line, and a line that cannot be
written never stops a task.
"""

import json
import os
import sys
import weakref
from collections.abc import Callable, MutableMapping
from functools import partial
from typing import Any, Final, cast

import structlog
from typing_extensions import override

from arbvantage_provider.exceptions import ConfigError
from arbvantage_provider.observe.redaction import (
    CURRENT_ACCOUNT,
    AccountSecrets,
    Redactor,
    Secret,
    format_traceback,
)
from arbvantage_provider.observe.values import make_loggable, show
from arbvantage_provider.text import escape, escape_json, escape_lines

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
        except Exception:  # noqa: BLE001 - the stream may be a program's own
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
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            problem = f"cannot open {path!r}: {reason}"
            raise ConfigError(f"log_file (PROVIDER_LOG_FILE): {problem}") from error
        self._is_torn = False
        weakref.finalize(self, os.close, self._descriptor)

    @override
    def _write(self, line: str) -> None:
        # What follows a line that a full disk cut must not be a part of it.
        data = b"\n" * self._is_torn + line.encode()
        self._is_torn = os.write(self._descriptor, data) < len(data)


def _format_exception(event: Event) -> Event:
    info = event.pop("exc_info", None)
    error = sys.exc_info()[1] if info is True else info
    if isinstance(error, tuple):
        error = next(iter(cast("tuple[object, ...]", error)[1:]), None)
    if isinstance(error, BaseException):
        event["exception"] = format_traceback(error)
    return event


class _Renderer:
    """An event as one line of text for people, or of JSON, without secrets.

    Secrets are cut out of each value before it is written: a written line spells
    them in other ways, and has other parts that may look like them.
    """

    def __init__(self, file: str | None, redactor: Redactor) -> None:
        self._redactor = redactor
        self._is_console = file is None
        self._render = _make_console() if file is None else _make_json()

    def __call__(self, logger: Any, method: str, event: Event) -> str:
        ours = {key: event[key] for key in _OURS & event.keys()}
        try:
            plain = self._make_plain(_format_exception(event))
        except BaseException as error:  # noqa: BLE001 - such as no memory to look for secrets
            reason = type(error).__name__
            plain = {**ours, "event": "a log line cannot be told", "reason": reason}
        return str(self._render(logger, method, plain))

    def _make_plain(self, event: Event) -> Event:
        clean = partial(self._clean, more=_find_secrets(event.pop(_SECRETS, None)))
        plain: Event = {}
        for key, value in event.items():
            if key in _OURS:
                plain[key] = value
            elif key in _TEXTS:
                plain[key] = clean(show(value), is_block=key in _BLOCKS)
            else:
                name = key if key in _NAMES else clean(key)
                plain[name] = make_loggable(value, clean)
        return plain

    def _clean(
        self, text: str, *, more: tuple[Secret, ...], is_block: bool = False
    ) -> str:
        text = self._redactor.redact(text, more).encode("utf-8", "replace").decode()
        if not self._is_console:
            return text
        return escape_lines(f"    {text}") if is_block else escape(text)


def _find_secrets(bound: object) -> tuple[Secret, ...]:
    """What the account of a line's task holds, and that of the code that writes it."""
    secrets = bound if isinstance(bound, AccountSecrets) else AccountSecrets(b"")
    current = CURRENT_ACCOUNT.get()
    if current in {b"", secrets.raw}:
        return secrets.values
    return (*secrets.values, *AccountSecrets(current).values)


_OURS: Final = frozenset({"level", "timestamp"})
_NAMES: Final = frozenset({"task", "action", "reason"})
_TEXTS: Final = frozenset({"event", "logger", "exception", "stack"})
_BLOCKS: Final = frozenset({"exception", "stack"})


def _make_console() -> Callable[[Any, str, Event], str]:
    return structlog.dev.ConsoleRenderer(
        colors=_is_terminal(sys.stderr),
        exception_formatter=structlog.dev.plain_traceback,
        sort_keys=False,
    )


def _is_terminal(stream: Any) -> bool:
    try:
        return bool(stream.isatty())
    except Exception:  # noqa: BLE001 - there may be none, or a program's own
        return False


def _make_json() -> Callable[[Any, str, Event], str | bytes]:
    def write(event: Event, **options: Any) -> str:
        return escape_json(json.dumps(event, **options))  # which leaves DEL as it is

    return structlog.processors.JSONRenderer(write)
