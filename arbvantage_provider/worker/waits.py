"""Waiting: for what comes first, and before something is tried again."""

import asyncio
from collections.abc import Generator
from typing import Any

import backoff


class Waits:
    """Seconds that double from ``first`` up to ``most``, each with full jitter.

    Full jitter: each wait is drawn evenly from zero to the doubled value, so that
    many providers do not come back to one hub in step.
    """

    def __init__(self, first: float, most: float) -> None:
        self._first = first
        self._most = most
        self._values: Generator[float, Any] | None = None

    def reset(self) -> None:
        """Begin with ``first`` again."""
        self._values = None

    def draw(self) -> float:
        """The next wait, in seconds."""
        if self._values is None:
            self._values = backoff.expo(factor=self._first, max_value=self._most)
            next(self._values)  # the generator's first step only starts it
        return float(backoff.full_jitter(next(self._values)))


async def first_of(future: "asyncio.Future[Any]", event: asyncio.Event) -> None:
    """Wait until ``future`` is done or ``event`` is set, whichever comes first."""
    waiting = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({future, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
