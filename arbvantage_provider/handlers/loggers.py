"""The logger that a parameter asks for by its annotation, as one of that type."""

import functools
import inspect
import logging
from collections.abc import Callable
from typing import Any, cast, get_args, get_origin

from arbvantage_provider.handlers.types import UNIONS
from arbvantage_provider.logger import Logger

Wrap = Callable[[Logger], Any]
"""Makes the logger of a parameter of the task's."""


def asks_for_logger(annotation: Any) -> bool:
    """Whether an annotation is a logger type of ``logging`` or structlog."""
    if get_origin(annotation) in UNIONS:
        return all(map(asks_for_logger, get_args(annotation)))
    kind: Any = get_origin(annotation) or annotation
    if not inspect.isclass(kind):
        return False
    if issubclass(kind, logging.Logger | logging.LoggerAdapter):
        return True
    return _is_structlogs(kind)


def _is_structlogs(kind: type[Any]) -> bool:
    return kind.__module__.partition(".")[0] == "structlog"


def find_wrap(annotation: Any) -> Wrap | None:
    """What makes a logger of the annotated type.

    Raises:
        TypeError: if the task's logger can be none of this type.
    """
    kind: Any = get_origin(annotation) or annotation
    if kind in UNIONS:
        return None
    if kind is logging.LoggerAdapter:
        return _adapt
    if _is_structlogs(kind):
        return _wrap_with(kind)
    if not issubclass(Logger, kind):
        raise TypeError
    return None


def _adapt(logger: Logger) -> "logging.LoggerAdapter[Logger]":
    return logging.LoggerAdapter(logger, {})


def _wrap_with(kind: Any) -> Wrap:
    """A structlog logger whose lines go to the task's logger as they are."""
    import structlog  # noqa: PLC0415 - for those who use it

    bound = cast("type[Any]", structlog.BoundLoggerBase)
    if kind is structlog.stdlib.AsyncBoundLogger:
        return lambda logger: kind(logger, [_pass_on], {})
    if inspect.isclass(kind) and issubclass(kind, bound):
        made = type(kind.__name__, (kind,), {"_proxy_to_logger": _proxy})
    else:
        made = _make_filtering(structlog.make_filtering_bound_logger("notset"))
    bind: Any = made
    return lambda logger: bind(logger, [], {})


def _pass_on(_: Any, __: str, event: Any) -> tuple[Any, Any]:
    args = event.pop("positional_args", ())
    return (event.pop("event", ""), *args), event


def _proxy(
    self: Any, method: str, event: Any = "", /, *args: Any, **fields: Any
) -> None:
    """What a method of structlog's calls; it formats nothing, so nothing fails."""
    fields.pop("positional_args", None)
    getattr(self._logger, method)(event, *args, **self._context | fields)


@functools.cache
def _make_filtering(base: Any) -> type[Any]:
    """Structlog's usual logger; its own methods format the text, and may raise."""
    names = ("debug", "info", "warning", "warn", "error", "exception", "critical")
    methods: dict[str, Any] = {"_proxy_to_logger": _proxy}
    for name in (*names, "fatal", "msg", "log"):
        methods[name] = functools.partialmethod(_proxy, name)
        methods[f"a{name}"] = _make_async(name)
    methods["is_enabled_for"] = _is_enabled_for
    methods["get_effective_level"] = _get_level
    return type("BoundLogger", (base,), methods)


def _is_enabled_for(self: Any, level: int) -> bool:
    return bool(self._logger.isEnabledFor(level))


def _get_level(self: Any) -> int:
    return int(self._logger.getEffectiveLevel())


def _make_async(name: str) -> Callable[..., Any]:
    async def log(self: Any, /, *args: Any, **fields: Any) -> None:
        _proxy(self, name, *args, **fields)

    return log
