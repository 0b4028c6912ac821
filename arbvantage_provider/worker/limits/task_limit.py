"""The limit of a task as its handler asks for it, on the loop or on a thread."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any

from arbvantage_provider.exceptions import RateLimitedError
from arbvantage_provider.worker.limits.wait_queue import UNKNOWN_WAIT


class HandlerRateLimit:
    """Spends a permit for each block that is entered; a ``TaskRateLimit``.

    Args:
        acquire: waits for a permit, and spends it.
        loop: the provider's, on which that has to happen.
    """

    def __init__(
        self,
        acquire: Callable[[], Coroutine[Any, Any, None]],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._acquire = acquire
        self._loop = loop

    async def __aenter__(self) -> None:
        """Wait on the running loop, which may be one of the handler's own."""
        if asyncio.get_running_loop() is self._loop:
            await self._acquire()
        else:
            await asyncio.wrap_future(self._ask())

    async def __aexit__(self, *_: object) -> None:
        """Nothing is given back."""

    def __enter__(self) -> None:
        """Wait on this thread.

        Raises:
            RuntimeError: if an event loop runs here, which would stand still.
        """
        if _loop_runs_here():
            problem = "an event loop runs here; write `async with context.rate_limit:`"
            raise RuntimeError(problem)
        try:
            self._ask().result()
        except CancelledError:
            raise RateLimitedError(UNKNOWN_WAIT) from None

    def __exit__(self, *_: object) -> None:
        """Nothing is given back."""

    def _ask(self) -> "Future[None]":
        acquiring = self._acquire()
        try:
            return asyncio.run_coroutine_threadsafe(acquiring, self._loop)
        except RuntimeError:
            # The provider ended, and this handler is a thread that nobody waits for.
            acquiring.close()
            raise RateLimitedError(UNKNOWN_WAIT) from None


def _loop_runs_here() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
