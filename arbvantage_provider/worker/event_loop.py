"""An event loop for one run, which nobody can keep from ending.

``asyncio.run`` waits for every task that it cancels, so one handler that swallows
its cancellation would keep the program alive for ever.
"""

import asyncio
import threading
from asyncio import tasks
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, Final, TypeVar

from typing_extensions import override

T = TypeVar("T")

MOST_THREADS: Final = 32
"""As many as a stock pool has at most."""

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
        runner.get_loop().set_default_executor(_DaemonThreads())
        try:
            return runner.run(main)
        finally:
            _cancel_rest(runner.get_loop())


class _DaemonThreads(ThreadPoolExecutor):
    """What ``asyncio.to_thread`` runs on; nothing waits for these threads at the end."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._started = 0

    @override
    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        future: Future[T] = Future()

        def call() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - it belongs to the caller
                future.set_exception(error)
            else:
                future.set_result(result)

        self._calls.put(call)
        if not self._idle.acquire(blocking=False) and self._started < MOST_THREADS:
            self._started += 1
            threading.Thread(target=self._work, daemon=True).start()
        return future

    @override
    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let each thread end when its call does."""
        for _ in range(self._started):
            self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
            self._idle.release()


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
