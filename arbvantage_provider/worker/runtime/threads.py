"""A pool of threads for sync handlers, which never holds up the exit.

A stock pool waits for its threads when the interpreter ends; a handler that
never returns would keep the program alive for ever. These threads are daemons.
"""

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")
_Job = Callable[[], None]


class ThreadPool:
    """At most ``size`` threads, each started when it is first needed.

    Args:
        size: how many jobs may run at once.
        name: what the threads are called.
    """

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._ended: deque[_Job] = deque()
        self._is_told = False
        self._started = 0
        self._busy = 0

    def run(
        self, function: Callable[[], T], on_end: Callable[[], object] | None = None
    ) -> "asyncio.Future[T]":
        """Run ``function`` on a thread, in a copy of the caller's context.

        The future belongs to the running loop. It may be cancelled; the function
        then runs to its end all the same.

        Args:
            function: what to run.
            on_end: called on the loop as soon as the future is done, a turn of the
                loop before the future's own callbacks are.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        context = contextvars.copy_context()

        def settle(end: _Job) -> None:
            self._busy -= 1
            if not future.done():
                end()
            if on_end is not None:
                on_end()

        def job() -> None:
            try:
                end = partial(future.set_result, context.run(function))
            except BaseException as error:  # noqa: BLE001 - it belongs to the caller
                end = partial(future.set_exception, _make_settable(error))
            self._ended.append(partial(settle, end))
            self._tell(loop)

        if self._busy >= self._started and self._started < self._size:
            self._start_thread()
        self._busy += 1
        self._jobs.put(job)
        return future

    def _tell(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wake the loop, on a thread, unless it has been woken and not come yet."""
        if self._is_told:
            return
        self._is_told = True
        try:
            loop.call_soon_threadsafe(self._settle)
        except RuntimeError:
            self._is_told = False  # the loop is closed: nobody waits any more

    def _settle(self) -> None:
        # First: who ends from now on wakes the loop once more.
        self._is_told = False
        while self._ended:
            self._ended.popleft()()

    def close(self) -> None:
        """Let each thread end when its job does."""
        for _ in range(self._started):
            self._jobs.put(None)

    def _start_thread(self) -> None:
        name = f"{self._name}-{self._started + 1}"
        threading.Thread(target=self._work, name=name, daemon=True).start()
        self._started += 1

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()


def _make_settable(error: BaseException) -> BaseException:
    """The error, or one in its place that a future takes."""
    return RuntimeError("StopIteration") if isinstance(error, StopIteration) else error
