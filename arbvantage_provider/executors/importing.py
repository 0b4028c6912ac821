"""Whether user code is only imported here, where no provider may be started.

A program that starts its provider without ``if __name__ == "__main__":`` does so for
everybody who imports it: a command that only lists its actions, and each process of a
pool, which would start the processes of a pool of its own.
"""

import inspect
import sys
import threading
import weakref
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from multiprocessing import process
from types import FrameType
from typing import Final

from arbvantage_provider.exceptions import ProviderError

_PACKAGE: Final = __name__.partition(".")[0]
_REMEDY: Final = 'write `if __name__ == "__main__":` before start()'
_POOLS: Final = frozenset(
    {
        "concurrent.futures.process",
        "multiprocessing.pool",
        f"{_PACKAGE}.executors.calls",
    }
)
"""The modules that run handlers, and what prepares for them, in processes of an executor."""


class StartRefusedError(ProviderError):
    """User code starts a provider, or a pool, where it is only imported."""


class _State:
    """Of this process.

    Attributes:
        reader: who imports user code now; ``""``: nobody.
        threads: those that user code began meanwhile, and that may outlive it.
        serves_pool: whether this is a process of a pool.
    """

    def __init__(self) -> None:
        self.reader: str = ""
        self.threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        self.serves_pool: bool = False


_state: Final = _State()


@contextmanager
def importing(reader: str) -> Generator[None]:
    """The block imports user code, on any thread, and starts nothing of it.

    Args:
        reader: who does, as an error calls it.
    """
    before = set(threading.enumerate())
    _state.reader, outer = reader, _state.reader
    try:
        yield
    finally:
        _state.reader = outer
        _state.threads.update(set(threading.enumerate()) - before)


def import_only(reader: str) -> None:
    """The same until this process ends.

    So threads that begin later, and what is called at the exit, start nothing either.
    """
    _state.reader = reader


@contextmanager
def starting() -> Generator[None]:
    """The block starts what the user asked for, all the same."""
    _state.reader, reader = "", _state.reader
    try:
        yield
    finally:
        _state.reader = reader


def serve_pool() -> None:
    """This process is one of a pool, until it ends."""
    _state.serves_pool = True


def check_start() -> None:
    """Check that a provider may be started here.

    Raises:
        StartRefusedError: if user code is only imported here, with its line that
            starts, and the line to write; or if this is a process of a pool.
    """
    reader = _state.reader or _find_importer()
    if not reader and threading.current_thread() in _state.threads:
        reader = "a thread that began while somebody"
    if reader:
        problem = f"starts a provider while {reader} imports the program"
        raise StartRefusedError(f"{_find_place()} {problem}; {_REMEDY}")
    if _state.serves_pool:
        problem = "a process of a ProcessPool runs handlers, and starts no provider"
        raise StartRefusedError(problem)


def check_pool() -> None:
    """Check that processes may be started here.

    Raises:
        StartRefusedError: if one of a pool imports its program, and so would they.
    """
    if reader := _find_importer():
        problem = f"starts a ProcessPool while {reader} imports the program"
        raise StartRefusedError(f"{_find_place()} {problem}; {_REMEDY}")


def _find_importer() -> str:
    """Which new process imports the program, if this one does."""
    if (_state.serves_pool and _state.reader) or _is_imported_in_pool():
        return "a process of an executor"
    # Python's own mark, while a process imports the main program.
    is_new = getattr(process.current_process(), "_inheriting", False)
    return "a new process" if is_new else ""


def _is_imported_in_pool() -> bool:
    """Whether a call that an executor makes here imports what is asking."""
    frame, is_imported = inspect.currentframe(), False
    while frame is not None:
        is_imported |= frame.f_code.co_filename.startswith("<frozen importlib")
        if is_imported and frame.f_globals.get("__name__") in _POOLS:
            return True
        frame = frame.f_back
    return False


def _find_place() -> str:
    """The file and line that start: of the module, or else of what it was asked for."""
    frames = list(_iterate_frames())
    if not frames:
        return f"the thread {threading.current_thread().name!r}"
    at_top = (frame for frame in frames if frame.f_code.co_name == "<module>")
    frame = next(at_top, frames[0])
    return f"{frame.f_code.co_filename}, line {frame.f_lineno},"


def _iterate_frames() -> Iterator[FrameType]:
    """The frames of user code, from the one that called in here to who imports it."""
    frame = inspect.currentframe()
    has_begun = False
    while frame is not None:
        room = frame.f_globals.get("__name__", "").partition(".")[0]
        if room == _PACKAGE and has_begun:
            return
        if room != _PACKAGE and room not in sys.stdlib_module_names:
            has_begun = True
            yield frame
        frame = frame.f_back
