"""A provider's own logger: ``logger.info("text", key=value)``.

Each provider has one of its own, and nothing global is configured: a second
provider of the same name logs each line once. Lines go to stderr for people, or
to a file as JSON. A secret never gets into a line, and a line that cannot be
written never stops a task.
"""

import json
import logging
import sys
from collections.abc import Callable, MutableMapping
from functools import partial
from typing import Any, Final

import structlog

from arbvantage_provider.logger import Logger
from arbvantage_provider.observe.redaction import (
    CURRENT_ACCOUNT,
    AccountSecrets,
    Redactor,
    Secret,
    format_traceback,
)
from arbvantage_provider.observe.values import make_loggable, show
from arbvantage_provider.observe.writer import LogFile, LogWriter, write_to_stderr
from arbvantage_provider.settings import may_color
from arbvantage_provider.text import escape, escape_json, escape_lines

Event = MutableMapping[str, Any]
_LONGEST_NAME: Final = 200
_NO_SECRETS: Final = AccountSecrets(b"")


def make_log_writer(file: str | None) -> LogWriter:
    """What writes the lines of one logger.

    Args:
        file: where JSON lines are appended; ``None``: text to stderr.

    Raises:
        ConfigError: if the file cannot be opened.
    """
    return LogWriter(write_to_stderr if file is None else LogFile(file).write)


def make_logger(
    name: str, writer: LogWriter, *, level: str, file: str | None, redactor: Redactor
) -> Logger:
    """The logger of a provider.

    Args:
        name: shown in each line.
        writer: as ``make_log_writer`` made it for ``file``.
        level: the least severe level that is written.
        file: where JSON lines are appended; ``None``: text to stderr.
        redactor: cuts secrets out of each line.
    """
    render = _Renderer(file, redactor)

    def write(level: str, fields: Event, secrets: Any) -> None:
        writer.msg(render(level, fields, secrets or _NO_SECRETS))

    logger = Logger(name, level, write)

    def describe_loss(count: int) -> str | None:
        if not logger.isEnabledFor(logging.ERROR):
            return None
        told = f"{count} log lines were dropped"
        fields = {"logger": name, "dropped": count, "event": told}
        return render("error", fields, _NO_SECRETS)

    writer.describe_loss = describe_loss
    return logger


def bind_task(
    logger: Logger, *, task: str, action: str, secrets: AccountSecrets
) -> Logger:
    """A logger whose lines name the task and hide what its account holds.

    A task that is run without a hub has no id. Names come from the hub, so only
    their beginning is shown.
    """
    fields = {"task": task[:_LONGEST_NAME]} if task else {}
    shown = action[:_LONGEST_NAME]
    return logger.hide(secrets).bind(**fields, action=shown)


def _format_exception(event: Event) -> Event:
    info = event.pop("exc_info", None)
    if info:
        event["exception"] = format_traceback(info[1])
    return event


class _Renderer:
    """An event as one line of text for people, or of JSON, without secrets.

    Secrets are cut out of each value before it is written: a written line spells
    them in other ways, and has other parts that may look like them.
    """

    def __init__(self, file: str | None, redactor: Redactor) -> None:
        self._redactor = redactor
        self._is_console = file is None
        self._add_time: Any = structlog.processors.TimeStamper(fmt="iso", utc=True)
        self._render = _make_console() if file is None else _make_json()

    def __call__(self, level: str, event: Event, secrets: AccountSecrets) -> str:
        event["level"] = level
        event = self._add_time(None, level, event)
        ours = {key: event[key] for key in _OURS & event.keys()}
        try:
            plain = self._make_plain(_format_exception(event), secrets)
        except BaseException as error:  # noqa: BLE001 - such as no memory to look for secrets
            reason = type(error).__name__
            plain = {**ours, "event": "a log line cannot be told", "reason": reason}
        return str(self._render(None, level, plain))

    def _make_plain(self, event: Event, secrets: AccountSecrets) -> Event:
        clean = partial(self._clean, more=_find_secrets(secrets))
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


def _find_secrets(secrets: AccountSecrets) -> tuple[Secret, ...]:
    """What the account of a line's task holds, and that of the code that writes it."""
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
        colors=may_color(sys.stderr),
        exception_formatter=structlog.dev.plain_traceback,
        sort_keys=False,
    )


def _make_json() -> Callable[[Any, str, Event], str | bytes]:
    def write(event: Event, **options: Any) -> str:
        return escape_json(json.dumps(event, **options))  # which leaves DEL as it is

    return structlog.processors.JSONRenderer(write)
