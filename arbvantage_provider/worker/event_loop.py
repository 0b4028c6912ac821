"""An event loop for one run, which nobody can keep from ending.

``asyncio.run`` waits for every task that it cancels, so one handler that swallows
its cancellation would keep the program alive for ever.
"""

import asyncio
from asyncio import tasks
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

LAST_GRACE: Final = 1.0
"""Seconds that tasks have to end when they are cancelled with their loop."""


def run_loop(main: Coroutine[Any, Any, T]) -> T:
    """What ``main`` returns, run on a loop of its own as ``asyncio.run`` does.

    Tasks that are not done then are cancelled, and left behind if that does not
    end them.

    Raises:
        RuntimeError: if a loop runs on this thread.
    """
    with asyncio.Runner() as runner:
        try:
            return runner.run(main)
        finally:
            _cancel_rest(runner.get_loop())


def _cancel_rest(loop: asyncio.AbstractEventLoop) -> None:
    rest = asyncio.all_tasks(loop)
    for task in rest:
        task.cancel()
    if rest:
        _, left = loop.run_until_complete(asyncio.wait(rest, timeout=LAST_GRACE))
        for task in left:
            # The runner waits for every task that it knows of.
            tasks._unregister_task(task)  # noqa: SLF001 - documented for such a use
            loop.set_exception_handler(_say_nothing)


def _say_nothing(_: asyncio.AbstractEventLoop, __: dict[str, Any]) -> None:
    """What tasks that were left behind complain of helps nobody."""
