"""SIGTERM and SIGINT: the first one asks to stop, the second one forces.

A SIGINT that is ignored stays ignored.
"""

import asyncio
import gc
import signal
import threading
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager, suppress
from typing import Any, Final

from arbvantage_provider.exceptions import ProviderError
from arbvantage_provider.worker.runtime.event_loop import run_loop

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
"""Not SIGHUP: ``nohup`` ignores it, and elsewhere it ends the process."""


class Forced(Exception):  # noqa: N818 - an event, not a mistake
    """A second signal came.

    Attributes:
        signum: which.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum


def run_until_stopped(
    serve: Callable[[], Coroutine[Any, Any, None]],
    stop: Callable[[], None],
    logger: Any,
) -> None:
    """Run ``serve`` on a loop of its own; signals call ``stop``, then force.

    Raises:
        ProviderError: if a loop runs here already.
        KeyboardInterrupt: if it was forced by SIGINT.
        SystemExit: if it was forced by SIGTERM; 128 and the signal's number.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        problem = "start() blocks, and an event loop runs here; await serve()"
        raise ProviderError(problem)

    async def serve_with_signals() -> None:
        with stop_on_signals(stop):
            await serve()

    try:
        with _nothing_to_collect():
            run_loop(serve_with_signals(), logger)
    except Forced as error:
        if error.signum == signal.SIGINT:
            raise KeyboardInterrupt from None
        raise SystemExit(128 + error.signum) from None


@contextmanager
def _nothing_to_collect() -> Generator[None]:
    """Have what is there stay: the collector need not look at it again and again.

    Off the main thread the process is not the provider's, and nothing is done.
    """
    is_own = threading.current_thread() is threading.main_thread()
    if is_own:
        gc.collect()
        gc.freeze()
    try:
        yield
    finally:
        if is_own:
            gc.unfreeze()


@contextmanager
def stop_on_signals(stop: Callable[[], None]) -> Generator[None]:
    """Call ``stop`` at the first signal; at the second, cancel the running task.

    Off the main thread, where Python takes no signals, nothing is done.

    Raises:
        Forced: instead of the ``CancelledError`` of the second signal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    task = asyncio.current_task()
    received: list[int] = []

    def receive(signum: int, _: object = None) -> None:
        received.append(signum)
        if len(received) == 1:
            stop()
        elif task is not None:
            # A third one finds the handlers of before, and ends the process.
            restore()
            task.cancel()

    restore = _install(receive)
    try:
        yield
    except asyncio.CancelledError:
        if len(received) > 1:
            raise Forced(received[-1]) from None
        raise
    finally:
        restore()


def _install(receive: Callable[[int, object], None]) -> Callable[[], None]:
    """Set the handlers; what is returned puts back those of before."""
    loop = asyncio.get_running_loop()
    before = {signum: signal.getsignal(signum) for signum in SIGNALS}
    # So a shell starts what runs in the background: Ctrl-C is not meant for it.
    if before[signal.SIGINT] is signal.SIG_IGN:
        del before[signal.SIGINT]

    def handle(signum: int, frame: object) -> None:
        loop.call_soon_threadsafe(receive, signum, frame)

    def restore() -> None:
        for signum, handler in before.items():
            with suppress(NotImplementedError):
                loop.remove_signal_handler(signum)
            # ``None``: it is none of Python's, and cannot be set from here.
            if handler is not None:
                signal.signal(signum, handler)

    for signum in before:
        try:
            # Python runs a handler between two steps of its own, and a loop that has
            # just gone to sleep takes none; this one is woken up by the signal.
            loop.add_signal_handler(signum, receive, signum, None)
        except NotImplementedError:  # Windows
            signal.signal(signum, handle)
    return restore
