"""A thread that notices when something blocks the event loop, and says what.

No deadline reaches an async handler that never awaits: while it blocks, nothing else
of the provider runs, not even the timer that would cancel it.
"""

import asyncio
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

from arbvantage_provider.clock import Clock

PERIOD: Final = 1.0
"""Seconds between two looks, and the longest that the loop may take to answer."""


class Watchdog:
    """Watches the loop that ``start`` is called on.

    Args:
        clock: tells for how long the loop was blocked.
        logger: told what blocks it.
        find_logger: a logger that names the task whose handler runs as a task of the
            loop, if one does.
        is_busy: whether there is anything that may block the loop; an idle provider
            is not woken up.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        logger: Any,
        find_logger: Callable[[asyncio.Task[Any] | None], Any],
        is_busy: Callable[[], bool],
    ) -> None:
        self._clock = clock
        self._logger = logger
        self._find_logger = find_logger
        self._is_busy = is_busy
        self._closed = threading.Event()
        self.is_blocked: bool = False

    def start(self) -> None:
        """Watch the running loop until ``close``."""
        loop = asyncio.get_running_loop()
        thread = threading.get_ident()
        threading.Thread(
            target=self._watch, args=(loop, thread), name="watchdog", daemon=True
        ).start()

    def close(self) -> None:
        """Watch no longer."""
        self._closed.set()

    def _watch(self, loop: asyncio.AbstractEventLoop, thread: int) -> None:
        while not self._closed.wait(PERIOD):
            if not self._is_busy():
                continue
            answered = threading.Event()
            asked = self._clock.monotonic()
            try:
                loop.call_soon_threadsafe(answered.set)
            except RuntimeError:
                return  # the loop is closed
            if answered.wait(PERIOD) or self._closed.is_set():
                continue
            self.is_blocked = True
            self._report(loop, thread)
            while not answered.wait(PERIOD) and not self._closed.is_set():
                pass
            self.is_blocked = False
            seconds = round(self._clock.monotonic() - asked, 1)
            self._logger.warning("the event loop runs again", blocked=seconds)

    def _report(self, loop: asyncio.AbstractEventLoop, thread: int) -> None:
        logger = self._find_logger(asyncio.current_task(loop)) or self._logger
        logger.error(
            "the event loop is blocked",
            at=_describe_place(thread),
            remedy="await instead, or make the handler a plain def",
        )


def _describe_place(thread: int) -> str:
    """Where a thread is: the innermost Python frame."""
    frame = sys._current_frames().get(thread)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - the documented way
    if frame is None:
        return "an unknown place"
    code = frame.f_code
    return f"{code.co_filename}:{frame.f_lineno} in {code.co_name}"
