"""Waiting: for what comes first, and before something is tried again."""

import asyncio
import math
from collections.abc import Generator
from typing import Any

from arbvantage_provider.retry import draw_waits


class Backoff:
    """Seconds as ``draw_waits`` gives them, which may begin with ``first`` again."""

    def __init__(self, first: float, most: float) -> None:
        self._first = first
        self._most = most
        self._values: Generator[float] | None = None

    def reset(self) -> None:
        """Begin with ``first`` again."""
        self._values = None

    def next_wait(self) -> float:
        """The next wait, in seconds."""
        if self._values is None:
            self._values = draw_waits(self._first, self._most)
        return next(self._values)


class Ending(asyncio.Event):
    """Set when tasks that wait for room, or for a limit, are given up.

    Attributes:
        until: when that will be, on the provider's clock, once it is known; who would
            wait for longer waits in vain.
    """

    def __init__(self) -> None:
        super().__init__()
        self.until: float = math.inf


async def first_of(future: "asyncio.Future[Any]", event: asyncio.Event) -> None:
    """Wait until ``future`` is done or ``event`` is set, whichever comes first."""
    waiting = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({future, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
