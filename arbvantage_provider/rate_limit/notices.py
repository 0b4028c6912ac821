"""Whom limits tell how they are: the provider that runs, or else ``logging``."""

import logging
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, Final

Listener = Callable[[str, object, str, Mapping[str, Any]], None]
"""Is given a level, the monitor, what to log, and its fields; on any thread."""

LISTENER: Final[ContextVar[Listener | None]] = ContextVar("listener", default=None)
"""Set while a provider runs, for all that its tasks and threads do."""

_log = logging.getLogger("arbvantage_provider.rate_limit")


def notify(level: str, monitor: object, text: str, *, line: str, **fields: Any) -> None:
    """Log something of a monitor.

    Args:
        level: ``info`` or ``warning``.
        monitor: the monitor.
        text: what a provider logs, with ``fields``.
        line: what is logged where there is no provider.
        fields: what belongs to ``text``.
    """
    listener = LISTENER.get()
    if listener is None:
        getattr(_log, level)("%s", line)
    else:
        listener(level, monitor, text, fields)
