"""Awaiting what a sync handler returned, from the thread that it ran on.

A decorator that knows nothing of async functions makes such handlers, and so does a
class with a plain ``__call__`` around one.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from functools import partial
from types import CoroutineType
from typing import Any, TypeAlias

from arbvantage_provider.worker.runtime.event_loop import run_loop

Outcome: TypeAlias = Callable[[], Any]
"""Gives what was awaited, or raises what that raised."""


def start_on(
    loop: asyncio.AbstractEventLoop, value: Awaitable[Any]
) -> "Future[Outcome]":
    """Begin to await ``value`` on a loop that runs on another thread."""
    return asyncio.run_coroutine_threadsafe(_take(value), loop)


def wait_for(settling: "Future[Outcome]", seconds: float) -> Outcome | None:
    """What became of it; ``None``: the seconds passed, and it is cancelled.

    Raises:
        asyncio.CancelledError: if it was cancelled before.
    """
    try:
        return settling.result(seconds)
    except CancelledError:
        raise asyncio.CancelledError from None
    except TimeoutError:
        return None
    finally:
        settling.cancel()


def run_here(value: Awaitable[Any], seconds: float, logger: Any) -> Outcome | None:
    """The same on a loop of its own, begun and ended here.

    Raises:
        asyncio.CancelledError: if it cancelled itself.
    """

    def run() -> Outcome | None:
        try:
            return run_loop(asyncio.wait_for(_take(value), seconds), logger)
        except TimeoutError:
            return None

    if asyncio._get_running_loop() is None:  # noqa: SLF001 - the same, without an exception
        return run()
    context = contextvars.copy_context()
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(context.run, run).result()


def discard(value: Awaitable[Any]) -> None:
    """Let nobody complain that ``value`` is never awaited."""
    if isinstance(value, asyncio.Future):
        value.cancel()
    elif isinstance(value, CoroutineType):
        value.close()


async def _take(value: Awaitable[Any]) -> Outcome:
    """An exit must not end the loop that it is raised on."""
    try:
        result = await value
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 - it is raised where it is looked at
        return partial(_raise, error)
    return lambda: result


def _raise(error: BaseException) -> Any:
    raise error
