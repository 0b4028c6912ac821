"""An event loop for one run, which nobody can end, nor keep from ending.

``asyncio.run`` waits for every task that it cancels, so one handler that swallows
its cancellation would keep the program alive for ever. And a ``SystemExit`` that any
task raises stops a loop, and with it the tasks of all other handlers.
"""

import asyncio
import threading
from asyncio import tasks
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Final, TypeVar

from typing_extensions import override

from arbvantage_provider.observe.unawaited import describe_bare, make_loop_handler

T = TypeVar("T")

MOST_THREADS: Final = 32
"""As many as a stock pool has at most."""

LAST_GRACE: Final = 1.0
"""Seconds that tasks have to end when they are cancelled with their loop."""


def run_loop(main: Coroutine[Any, Any, T], logger: Any) -> T:
    """What ``main`` returns, run on a loop of its own as ``asyncio.run`` does.

    A ``SystemExit`` or ``KeyboardInterrupt`` of any other task goes to whoever awaits
    that task, and the loop goes on. Tasks that are not done at the end are cancelled,
    and left behind if that does not end them.

    Args:
        main: what to run.
        logger: is told of such exits, and of errors that nobody awaits.

    Raises:
        RuntimeError: if a loop runs on this thread.
    """
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        loop.set_default_executor(_DaemonThreads())
        loop.set_exception_handler(make_loop_handler(logger))
        running = loop.create_task(main)
        try:
            _outlive_exits(lambda: runner.run(_follow(running)), running, logger)
            return running.result()
        finally:
            _cancel_rest(loop, logger)


async def _follow(running: "asyncio.Task[Any]") -> None:
    """Wait for a task, and cancel it when this is: by Ctrl-C, which the runner takes."""
    try:
        await asyncio.wait({running})
    except asyncio.CancelledError:
        running.cancel()
        await asyncio.wait({running})
        raise


def _outlive_exits(
    run: Callable[[], object], awaited: "asyncio.Future[Any]", logger: Any
) -> None:
    """``run`` the loop, again and again, until ``awaited`` is done.

    Raises:
        BaseException: what ``run`` raises, unless it is the exit of a task, or
            something stopped the loop.
    """
    while True:
        try:
            run()
        except (SystemExit, KeyboardInterrupt) as error:
            if not _note_exit(error, awaited, logger):
                raise
            if awaited.done():
                return  # uvloop goes on for a while before it raises
        except RuntimeError:
            if awaited.done() or not _may_run(awaited.get_loop()):
                raise
            logger.error("a task may not stop the event loop")  # noqa: TRY400 - it tells nothing more
        else:
            return


def _note_exit(
    error: BaseException, awaited: "asyncio.Future[Any]", logger: Any
) -> bool:
    """Log the exit of another task or callback; whether it came from one at all."""
    frames = _find_frames_of_callback(error)
    if frames is not None and not _raised(awaited, error):
        said = describe_bare(error)
        logger.error("a task may not end the program", **said)
        # Who awaits the task is to see its frames, and not those of the loop.
        BaseException.with_traceback(error, frames.tb_next)
    return frames is not None


def _may_run(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether a loop was only stopped, by a call of its ``stop``."""
    return not loop.is_closed() and asyncio._get_running_loop() is None  # noqa: SLF001 - the same, without an exception


def _find_frames_of_callback(error: BaseException) -> TracebackType | None:
    """Where a callback or a task was called that raised it; ``None``: none did.

    That is so for a signal that came while the loop slept.
    """
    step = asyncio.Handle._run.__code__  # noqa: SLF001 - all of them run in it
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code is not step:
        if _is_uvloops(frames) and not _is_uvloops(frames.tb_next):
            is_signal = frames.tb_next is None or _is_runners(frames.tb_next)
            return None if is_signal else frames
        frames = frames.tb_next
    return frames


def _is_uvloops(frames: TracebackType | None) -> bool:
    return frames is not None and frames.tb_frame.f_code.co_filename.startswith(
        "uvloop/"
    )


def _is_runners(frames: TracebackType) -> bool:
    """Whether ``asyncio.Runner`` raised it, for a second Ctrl-C."""
    return frames.tb_frame.f_code.co_filename == asyncio.runners.__file__


def _raised(awaited: "asyncio.Future[Any]", error: BaseException) -> bool:
    done = awaited.done() and not awaited.cancelled()
    return done and awaited.exception() is error


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


def _cancel_rest(loop: asyncio.AbstractEventLoop, logger: Any) -> None:
    rest = asyncio.all_tasks(loop)
    for task in rest:
        task.cancel()
    if rest:
        for task in _finish(loop, _wait_briefly(rest), logger):
            # The runner waits for every task that it knows of.
            tasks._unregister_task(task)  # noqa: SLF001 - documented for such a use
            loop.set_exception_handler(_say_nothing)
    _finish(loop, loop.shutdown_asyncgens(), logger)


def _finish(
    loop: asyncio.AbstractEventLoop, last: Coroutine[Any, Any, T], logger: Any
) -> T:
    finishing = loop.create_task(last)
    _outlive_exits(lambda: loop.run_until_complete(finishing), finishing, logger)
    return finishing.result()


async def _wait_briefly(rest: set["asyncio.Task[Any]"]) -> set["asyncio.Task[Any]"]:
    """Wait for cancelled tasks; those that do not end."""
    _, left = await asyncio.wait(rest, timeout=LAST_GRACE)
    return left


def _say_nothing(_: asyncio.AbstractEventLoop, __: dict[str, Any]) -> None:
    """What tasks that were left behind complain of helps nobody."""
