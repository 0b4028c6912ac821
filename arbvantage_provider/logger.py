"""What ``provider.logger`` is, and the logger that a handler receives.

It is a ``logging.Logger``, so that programs and libraries can use it as one, with
fields: ``logger.info("text", key=value)``. It stands by itself: it is not in the tree
of loggers, and ``logging`` need not be configured. No slip in a line raises anything.
"""

# A field may have any name, also that of a parameter of ``logging``.
# mypy: disable-error-code="override"
# pyright: reportIncompatibleMethodOverride=false, reportAssignmentType=false

import logging
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, Self, cast

from typing_extensions import override

Write = Callable[[str, dict[str, Any], Any], None]
"""Writes a line: its level, its fields, and what was hidden."""

_FIXED: Final = frozenset({"event", "level", "timestamp"})
_CALLS: Final = 3
"""Frames of this file between a caller and ``findCaller``."""


class Logger(logging.Logger):
    """Logs with fields: ``logger.info("%d beds", 4, floor=2)``.

    What cannot be formatted or shown says so in its line; nothing is raised. The
    fields ``exc_info``, ``stack_info``, ``stacklevel`` and ``extra`` mean what they
    mean in ``logging``; those of ``extra`` become fields. Handlers and filters may be
    added, and are called for each line.

    Args:
        name: shown in each line.
        level: the least severe level that is written.
        write: writes a line.
    """

    def __init__(self, name: str, level: str, write: Write) -> None:
        super().__init__(name, level.upper())
        self._write = write
        self._bound: dict[str, Any] = {"logger": name}
        self._secrets: Any = None

    # --- lines ---------------------------------------------------------------

    @override
    def debug(self, msg: object = "", /, *args: object, **fields: Any) -> None:
        """Log what helps to find errors."""
        self._line(logging.DEBUG, msg, args, fields)

    @override
    def info(self, msg: object = "", /, *args: object, **fields: Any) -> None:
        """Log what happens."""
        self._line(logging.INFO, msg, args, fields)

    @override
    def warning(self, msg: object = "", /, *args: object, **fields: Any) -> None:
        """Log what may be wrong."""
        self._line(logging.WARNING, msg, args, fields)

    @override
    def error(self, msg: object = "", /, *args: object, **fields: Any) -> None:
        """Log what is wrong."""
        self._line(logging.ERROR, msg, args, fields)

    @override
    def critical(self, msg: object = "", /, *args: object, **fields: Any) -> None:
        """Log what ends the work."""
        self._line(logging.CRITICAL, msg, args, fields)

    @override
    def exception(self, msg: object = "", /, *args: object, **fields: Any) -> None:
        """Log an error with the traceback of the exception that is handled."""
        self._line(logging.ERROR, msg, args, {"exc_info": True} | fields)

    @override
    def log(
        self, level: int | str, msg: object = "", /, *args: object, **fields: Any
    ) -> None:
        """Log at a level: a number of ``logging``, or its name."""
        self._line(_read_level(level), msg, args, fields)

    warn = warning  # pyright: ignore[reportDeprecated]
    fatal = critical
    msg = info

    # --- other loggers of the same lines ---------------------------------------

    def bind(self, **fields: Any) -> Self:
        """A logger that adds these fields to each of its lines."""
        return self._copy(_bound=self._bound | fields)

    def unbind(self, *names: str) -> Self:
        """A logger without these fields; those that it has not do not matter."""
        kept = {k: v for k, v in self._bound.items() if k not in names}
        return self._copy(_bound=kept)

    try_unbind = unbind

    def new(self, **fields: Any) -> Self:
        """A logger that adds only these fields."""
        return self._copy(_bound={"logger": self.name} | fields)

    def hide(self, secrets: object) -> Self:
        """A logger whose lines do not show these; what writes them knows how."""
        return self._copy(_secrets=secrets)

    @override
    def getChild(self, suffix: str) -> Self:
        """A logger that is called ``name.suffix``."""
        name = f"{self.name}.{suffix}"
        return self._copy(name=name, _bound=self._bound | {"logger": name})

    def _copy(self, **changed: Any) -> Self:
        copy = type(self).__new__(type(self))
        copy.__dict__ |= self.__dict__ | changed
        return copy

    # --- as ``logging`` has it -------------------------------------------------

    @override
    def isEnabledFor(self, level: int) -> bool:
        """Whether lines of a level are written."""
        return not self.disabled and level >= self.level

    @override
    def hasHandlers(self) -> bool:
        """Lines are written, whether or not there are handlers."""
        return True

    @override
    def _log(
        self, level: int, msg: object, args: Any, /, *rest: Any, **fields: Any
    ) -> None:
        """What libraries call that wrap a logger."""
        names = ("exc_info", "extra", "stack_info", "stacklevel")
        self._line(level, msg, args, dict(zip(names, rest, strict=False)) | fields)

    @override
    def handle(self, record: logging.LogRecord) -> None:
        """Write a record, unless a filter stops it, and give it to the handlers."""
        with suppress(Exception):
            kept: Any = self.filter(record)
            if not kept:
                return
            record = kept if isinstance(kept, logging.LogRecord) else record
        level = logging.getLevelName(record.levelno).lower()
        self._write(level, _read_fields(record), self._secrets)
        if self.handlers:
            with suppress(Exception):
                self.callHandlers(record)

    def _line(  # noqa: PLR0917 - a name could be that of a field
        self, level: int, msg: object, args: tuple[object, ...], fields: dict[str, Any]
    ) -> None:
        if not self.isEnabledFor(level):
            return
        error = _find_error(fields.pop("exc_info", None))
        stacklevel = fields.pop("stacklevel", 1)
        depth = stacklevel if type(stacklevel) is int else 1
        shows_stack = fields.pop("stack_info", False) is True
        file, line, function, stack = self.findCaller(shows_stack, depth + _CALLS - 1)
        exc_info = None if error is None else (type(error), error, error.__traceback__)
        record = logging.LogRecord(
            self.name, level, file, line, msg, args, exc_info, function, stack
        )
        extra: Any = fields.get("extra")
        if isinstance(extra, Mapping):
            del fields["extra"]
            given = cast("Mapping[str, Any]", extra)
            more = {str(k): v for k, v in given.items()}
            record.__dict__ |= {k: v for k, v in more.items() if k not in vars(record)}
            fields = more | fields
        record.fields = self._bound | fields
        self.handle(record)


def _read_level(level: object) -> int:
    if isinstance(level, str):
        return logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    return level if isinstance(level, int) else logging.INFO


def _find_error(info: object) -> BaseException | None:
    if isinstance(info, tuple):
        info = next(iter(cast("tuple[object, ...]", info)[1:]), None)
    elif info and not isinstance(info, BaseException):
        info = sys.exc_info()[1]
    return info if isinstance(info, BaseException) else None


def _read_fields(record: logging.LogRecord) -> dict[str, Any]:
    """A record as the fields of a line; also one that another logger has made."""
    given: dict[str, Any] = getattr(record, "fields", {"logger": record.name})
    fields = {f"{k}_" if k in _FIXED else k: v for k, v in given.items()}
    event: object = record.msg
    if record.args:
        try:
            event = record.getMessage()
        except BaseException:  # noqa: BLE001 - a slip in a log line never fails a task
            fields["args"] = record.args
    if record.exc_info:
        fields["exc_info"] = record.exc_info
    if record.stack_info:
        fields["stack"] = record.stack_info
    return fields | {"event": event}
