"""One process of the pool, as its parent sees it."""

import multiprocessing
from collections.abc import Iterable
from typing import Final

from arbvantage_provider.executors.child import serve

_LOOK: Final = 1.0
"""Seconds between two looks whether a process that says nothing is there."""
_PATIENCE: Final = 5.0
"""Seconds that a process has to end by itself."""


class ProcessDiedError(RuntimeError):
    """A process ended before it had an outcome.

    Attributes:
        how: ``died (exit code -9)``; a negative one is the signal that killed it.
    """

    def __init__(self, exit_code: int | None, note: str = "") -> None:
        self.how: str = f"died{note} (exit code {exit_code})"
        super().__init__(f"a process {self.how}")


class WorkerProcess:
    """A process that makes one call at a time.

    It starts at once; ``wait_until_ready`` waits for that.

    Args:
        name: what it is called.
        modules: what it imports before the first call.

    Attributes:
        doomed: whether it was killed, though it may not have noticed yet.
    """

    def __init__(self, name: str, modules: Iterable[str]) -> None:
        context = multiprocessing.get_context("spawn")
        self.doomed: bool = False
        self._pipe, child_end = context.Pipe()
        self._process = context.Process(
            target=serve, args=(child_end, tuple(modules)), name=name
        )
        try:
            self._process.start()
        except BaseException:
            self._pipe.close()
            raise
        finally:
            child_end.close()

    def wait_until_ready(self) -> None:
        """Wait until it has imported what it needs.

        Raises:
            ProcessDiedError: if it ends before; stderr has its traceback.
        """
        try:
            self._receive()
        except (EOFError, OSError):
            note = " while it started, as stderr tells"
            raise ProcessDiedError(self.end(), note) from None

    def is_usable(self) -> bool:
        """Whether it may be given a call."""
        return not self.doomed and self._process.is_alive()

    def run(self, call: bytes) -> bytes:
        """Give it a call, and wait for the outcome.

        Raises:
            ProcessDiedError: if it dies meanwhile.
        """
        try:
            self._pipe.send_bytes(call)
            return self._receive()
        except (EOFError, OSError):
            raise ProcessDiedError(self.end()) from None

    def kill(self) -> None:
        """End it now; any thread may ask for that."""
        self.doomed = True
        self._process.kill()

    def end(self) -> int | None:
        """Let it end, and take its exit code."""
        self._pipe.close()
        self._process.join(_PATIENCE)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        return self._process.exitcode

    def _receive(self) -> bytes:
        # A process that it forked may hold the pipe open when it is dead itself.
        while not self._pipe.poll(_LOOK):
            if not self._process.is_alive():
                raise EOFError
        return self._pipe.recv_bytes()
