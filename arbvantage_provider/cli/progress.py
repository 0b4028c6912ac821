"""How far a file of tasks is: one line of a terminal, written again and again."""

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

from arbvantage_provider.clock import SystemClock
from arbvantage_provider.settings import may_drive

_CLEAR = "\r\x1b[K"


class Progress:
    """Done, failed, rate and time left on a terminal's stderr; elsewhere nothing.

    The cursor goes back to the line's start, so that a log line writes over it.

    Args:
        total: how many tasks there are.
        stream: stderr.
        monotonic: seconds, for the rate; it counts from now.
    """

    def __init__(
        self,
        total: int,
        stream: TextIO | None = None,
        monotonic: Callable[[], float] = SystemClock.monotonic,
    ) -> None:
        self._total = total
        self._stream = sys.stderr if stream is None else stream
        self._is_shown = may_drive(self._stream)
        self._monotonic = monotonic
        self._began = monotonic()

    def show(self, done: int, failed: int = 0) -> None:
        """Write the line.

        Args:
            done: how many tasks are answered.
            failed: how many of them with status ``error``.
        """
        parts = [f"{done}/{self._total} answered"]
        if failed:
            parts.append(f"{failed} failed")
        seconds = self._monotonic() - self._began
        if done and seconds > 0:
            rate = done / seconds
            parts.append(f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2g}/s")  # noqa: PLR2004 - two digits tell enough
            if done < self._total:
                parts.append(f"{format_duration((self._total - done) / rate)} left")
        self._write(f"{_CLEAR}{', '.join(parts)}\r")

    def clear(self) -> None:
        """Wipe the line, before something else is written there."""
        self._write(_CLEAR)

    def _write(self, text: str) -> None:
        if self._is_shown:
            with suppress(OSError):  # the terminal may be gone
                self._stream.write(text)
                self._stream.flush()


def format_duration(seconds: float) -> str:
    """``4 s``, ``3 min 20 s`` or ``2 h 5 min``."""
    whole = max(round(seconds), 1)
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"
