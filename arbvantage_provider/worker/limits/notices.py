"""What limits say of themselves, as lines of the provider that runs."""

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from arbvantage_provider.clock import Clock
from arbvantage_provider.rate_limit import PerKey
from arbvantage_provider.worker.limits.circuit_breaker import LOG_INTERVAL
from arbvantage_provider.worker.limits.permit_acquirer import Source


class Notices:
    """Logs warnings once for each limit and minute, with the limit's name.

    Args:
        list_limits: the limits of the provider by their names; from any thread.
        clock: tells when a minute is over.
        logger: the provider's.
    """

    def __init__(
        self,
        list_limits: Callable[[], Iterable[tuple[str, Source]]],
        *,
        clock: Clock,
        logger: Any,
    ) -> None:
        self._list_limits = list_limits
        self._clock = clock
        self._logger = logger
        self._notified: dict[str, float] = {}
        self._lock = threading.Lock()

    def note(  # noqa: PLR0917 - a ``Listener``
        self, level: str, monitor: object, text: str, fields: Mapping[str, Any]
    ) -> None:
        """Log it, unless it is a threshold of a limit that has just been told of."""
        limit = self._describe(monitor)
        if "threshold" not in fields or self._is_due(limit["limit"]):
            getattr(self._logger, level)(text, **limit, **fields)

    def _describe(self, monitor: object) -> dict[str, str]:
        shown = {"monitor": repr(monitor)}
        for name, source in self._list_limits():
            if not isinstance(source, PerKey):
                if source is monitor:
                    return {"limit": name, **shown}
            elif source.one is monitor:
                return {"limit": name, **shown}
            elif key := source.find_key_of(monitor):
                return {"limit": name, "key": key, **shown}
        return {"limit": repr(monitor)}

    def _is_due(self, limit: str) -> bool:
        now = self._clock.monotonic()
        with self._lock:
            is_due = now - self._notified.get(limit, now - LOG_INTERVAL) >= LOG_INTERVAL
            if is_due:
                self._notified[limit] = now
        return is_due
