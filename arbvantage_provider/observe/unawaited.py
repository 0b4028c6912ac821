"""Errors that nobody awaits, logged without the values that asyncio would print.

asyncio's own handler writes the ``repr`` of a task, a callback and their arguments
to the root logger, secrets and all.
"""

import asyncio
import traceback
from collections.abc import Callable
from typing import Any, TypeAlias

LoopHandler: TypeAlias = Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]
"""See ``asyncio.loop.set_exception_handler``."""


def make_loop_handler(logger: Any) -> LoopHandler:
    """What an event loop of this package complains to.

    An error is logged with its text where asyncio tells whose context it belongs to,
    as the account of that task is cut out then. Python 3.11 never does: there, and
    for plain futures, the line has the class and the place.
    """

    def handle(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        source = context.get("task") or context.get("future") or context.get("handle")
        if error is None:
            logger.warning("an asyncio task was dropped", of=_name(source))
        elif isinstance(error, SystemExit | KeyboardInterrupt):
            return  # ``run_loop`` has told of it
        elif _is_news_for_a_closed_loop(error):
            return
        elif hasattr(source, "get_context"):
            logger.error("nobody awaited this error", exc_info=error)
        else:
            logger.error("nobody awaited this error", **describe_bare(error))

    return handle


def _is_news_for_a_closed_loop(error: BaseException) -> bool:
    """Whether gRPC could not tell a loop of before how a call of its ended.

    All loops of a process share one queue of gRPC's, and whichever runs next reads
    what is left in it. Nobody waits for that any more.
    """
    names = [
        frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)
    ]
    is_closed = isinstance(error, RuntimeError) and names[-1:] == ["_check_closed"]
    return is_closed and any(name.endswith("_handle_events") for name in names)


def describe_bare(error: BaseException) -> dict[str, str]:
    """An error without its text: the class, and where it was raised."""
    place = "an unknown place"
    for frame, line in traceback.walk_tb(error.__traceback__):
        code = frame.f_code
        place = f"{code.co_filename}:{line} in {code.co_name}"
    return {"error": type(error).__name__, "at": place}


def _name(source: object) -> str:
    """What a task runs; its ``repr`` may hold anything."""
    coroutine: Any = getattr(source, "get_coro", lambda: source)()
    return str(getattr(coroutine, "__qualname__", type(coroutine).__name__))
