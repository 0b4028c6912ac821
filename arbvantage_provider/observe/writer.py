"""Log lines on a thread of their own, so that whoever reads them holds up no task.

A line waits in a bounded queue until the thread has written it; one that finds no
room is dropped and counted. Whoever logs waits for its line, but only for a moment:
so a line is there when the call returns, unless its reader has stalled, or is slow.
"""

import asyncio
import atexit
import io
import os
import stat
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from arbvantage_provider.clock import SystemClock
from arbvantage_provider.exceptions import ConfigError
from arbvantage_provider.text import fit
from arbvantage_provider.variables import name_setting

MOST_LINES: Final = 10_000
MOST_CHARACTERS: Final = 16_000_000
"""In the queue; a single line may be longer."""
LOOP_PATIENCE: Final = 0.1
"""Seconds that the event loop waits for a line to be written, once in each stall."""
PATIENCE: Final = 0.25
"""The same for other threads."""
LONG: Final = 0.01
"""Seconds after which a line that was written all the same has a slow reader."""
REST: Final = 50
"""Nobody waits for as many times as long as a slow reader was waited for."""
LAST_PATIENCE: Final = 1.0
"""Seconds that the end of a run, or of the process, waits for all lines."""
IDLE: Final = 1.0
"""Seconds without a line after which the thread ends."""


class LogWriter:
    """Writes whole lines; one that cannot be written is dropped.

    Args:
        write: writes one line, and may block; what it raises drops the line.

    Attributes:
        dropped: how many lines were dropped.
        describe_loss: the line that says that so many were, or ``None``.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self.dropped: int = 0
        self.describe_loss: Callable[[int], str | None] = _say_nothing
        self._write = write
        self.reset()
        _writers.add(self)

    def reset(self) -> None:
        """Begin anew, in a process that was forked: the lines are its parent's."""
        lock = threading.RLock()  # a signal handler may log while its thread does
        self._came = threading.Condition(lock)
        self._went = threading.Condition(lock)
        self._lines: deque[tuple[str, int]] = deque()
        self._size = self._put = self._gone = self._untold = 0
        self._gave_up: int | None = None
        self._is_stalled = False
        self._rests_until = 0.0
        self._thread: threading.Thread | None = None

    def msg(self, line: str) -> None:
        """Have a line written; it waits a moment for that."""
        is_on_loop = asyncio._get_running_loop() is not None  # noqa: SLF001 - the same, without an exception
        with self._came:
            if not self._has_room(line):
                self.dropped += 1
                self._untold += 1
                return
            self._tell_loss()
            self._append(line + "\n")
            if not self._has_thread():
                self._drain()
            elif not self._is_stalled:
                self._wait_a_moment(LOOP_PATIENCE if is_on_loop else PATIENCE)

    debug = msg
    info = msg
    warning = msg
    error = msg
    critical = msg
    exception = msg

    def _wait_a_moment(self, patience: float) -> None:
        """Wait for the lines, in all a fiftieth of the time where they take long."""
        began = SystemClock.monotonic()
        if began < self._rests_until:
            return
        self._is_stalled = not self._wait(patience)
        now = SystemClock.monotonic()
        if now - began > LONG:
            self._rests_until = now + REST * (now - began)

    def flush(self, seconds: float = LAST_PATIENCE) -> None:
        """Wait until all lines are written, unless that took too long before."""
        if self._put == self._gone:
            return
        with self._came:
            if self._gave_up == self._gone or self._wait(seconds):
                return
            self._gave_up = self._gone

    def _has_room(self, line: str) -> bool:
        if threading.current_thread() is self._thread:
            return False  # the stream itself logs, once for each line
        is_short = self._size + len(line) <= MOST_CHARACTERS
        return not self._lines or (is_short and len(self._lines) < MOST_LINES)

    def _tell_loss(self) -> None:
        """Say how many lines were dropped since that was said last."""
        if self._untold:
            lost, self._untold = self._untold, 0
            if line := self.describe_loss(lost):
                self._append(line + "\n", lost)

    def _append(self, line: str, lost: int = 0) -> None:
        self._lines.append((line, lost))
        self._size += len(line)
        self._put += 1

    def _wait(self, seconds: float) -> bool:
        """Whether all lines of before are written within ``seconds``."""
        last = self._put
        is_written: bool = self._went.wait_for(lambda: self._gone >= last, seconds)
        return is_written

    def _has_thread(self) -> bool:
        """Have a thread that writes; not so where the system has none."""
        if self._thread is None:
            thread = threading.Thread(target=self._work, name="log", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                return False
            self._thread = thread
        self._came.notify()
        return True

    # --- on the thread -------------------------------------------------------

    def _work(self) -> None:
        while self._wait_for_line():
            self._take()

    def _drain(self) -> None:
        while self._lines:
            self._take()

    def _wait_for_line(self) -> bool:
        """Whether a line came; none for a while ends the thread."""
        with self._came:
            self._came.wait_for(lambda: bool(self._lines), IDLE)
            if not self._lines:
                self._thread = None
            return bool(self._lines)

    def _take(self) -> None:
        """Write the first line."""
        line, lost = self._lines[0]
        try:
            self._write(line)
        except BaseException:  # noqa: BLE001 - the stream may be a program's own
            # A full disk or a closed stream must not cost a task its result.
            is_written = False
        else:
            is_written = True
        with self._came:
            self._lines.popleft()
            self._size -= len(line)
            self._gone += 1
            if not is_written:
                self.dropped += not lost
                self._untold += lost or 1
            elif not self._lines:
                self._tell_loss()
            self._is_stalled = self._is_stalled and bool(self._lines)
            self._went.notify_all()


def _say_nothing(_: int) -> None:
    return None


_writers: "weakref.WeakSet[LogWriter]" = weakref.WeakSet()
_stderr_lock = threading.Lock()
"""Whole lines of several providers are not mixed."""


def _reset_all() -> None:
    global _stderr_lock  # noqa: PLW0603 - a thread that is not here may hold it
    _stderr_lock = threading.Lock()
    for writer in list(_writers):
        writer.reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_all)


@atexit.register
def _flush_all() -> None:
    """The last lines; a reader that has stalled does not hold up the exit."""
    monotonic = SystemClock.monotonic
    end = monotonic() + LAST_PATIENCE
    for writer in list(_writers):
        writer.flush(max(end - monotonic(), 0.0))


def write_to_stderr(line: str) -> None:
    """Write to what is ``sys.stderr`` now: programs and tests put other streams there.

    Python's own stream has a lock that the exit waits for; it is gone round, as a
    line may never be read.

    Raises:
        Exception: what the stream raises.
    """
    stream: Any = sys.stderr
    if stream is None:
        raise OSError
    line = fit(line, stream)
    with _stderr_lock:
        descriptor = _find_descriptor(stream)
        if descriptor is None:
            stream.write(line)
        else:
            stream.flush()
            write_all(descriptor, line.encode(stream.encoding))


def _find_descriptor(stream: Any) -> int | None:
    """What a stream of Python's own writes to; ``None``: it is another one."""
    buffer = getattr(stream, "buffer", None)
    raw: Any = getattr(buffer, "raw", buffer)
    is_pythons = type(stream) is io.TextIOWrapper and type(raw) is io.FileIO
    descriptor: int = raw.fileno() if is_pythons and os.name == "posix" else -1
    return None if descriptor < 0 else descriptor


def write_all(descriptor: int, data: bytes) -> int:
    """Write all of it, also where the other end of a pipe is slow; how much was.

    Raises:
        OSError: if not even a part can be written.
    """
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            _wait_until_writable(descriptor)
        except OSError:
            if len(rest) == len(data):
                raise
            break
    return len(data) - len(rest)


def _wait_until_writable(descriptor: int) -> None:
    """Another program may have made a stream that it shares one that never blocks."""
    import select  # noqa: PLC0415 - seldom needed

    select.select([], [descriptor], [])


class LogFile:
    """A file to append lines to; a named pipe need have no reader yet.

    Args:
        path: where it is.

    Raises:
        ConfigError: if it cannot be opened.
    """

    def __init__(self, path: str) -> None:
        try:
            self._descriptor = _open(path)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            problem = f"cannot open {path!r}: {reason}"
            raise ConfigError(f"{name_setting('log_file')}: {problem}") from error
        self._is_torn = False
        weakref.finalize(self, os.close, self._descriptor)

    def write(self, line: str) -> None:
        """Append a line.

        Raises:
            OSError: if there is no room for it.
        """
        # What follows a line that a full disk cut must not be a part of it.
        data = b"\n" * self._is_torn + line.encode()
        self._is_torn = write_all(self._descriptor, data) < len(data)
        if self._is_torn:
            raise OSError


def _open(path: str) -> int:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    if os.name != "posix":
        return os.open(path, flags, 0o644)
    try:
        # Without it, this would wait for the reader of a named pipe.
        descriptor = os.open(path, flags | os.O_NONBLOCK, 0o644)
    except OSError:
        if not stat.S_ISFIFO(Path(path).stat().st_mode):
            raise
        # Lines wait in a pipe that this process could read itself.
        descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    os.set_blocking(descriptor, True)
    return descriptor
