"""Files that are read again when they change, while a provider runs."""

import os
import select
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Generic, TypeVar

from arbvantage_provider.clock import SystemClock
from arbvantage_provider.connection import FilePath
from arbvantage_provider.exceptions import ConfigError
from arbvantage_provider.text import drop_mark

T = TypeVar("T")
Stamp = tuple[tuple[int, ...] | None, ...]

LOOK_EVERY: Final = 1.0
"""Seconds between two looks at the files."""
PIPE_WAIT: Final = 5.0
"""Seconds that who writes to a pipe has to write all of it, and to close it."""
_TRIES: Final = 3


class Watched(Generic[T]):
    """What some files say together, as of the last time that they could be used.

    A file may be replaced, as a whole or by a link that leads elsewhere, or written
    anew in place. What cannot be used, such as a file that is half written, or a
    key whose certificate has not come yet, changes nothing: it is told once, and
    read again at each look until it can be used. Where one of the files is a pipe, all
    are read once, as what was read from a pipe is gone.

    Args:
        paths: the files.
        read: makes the value of what they hold now, or raises ``ConfigError``.
        monotonic: a clock, in seconds.
        warn: told why a change could not be used.

    Attributes:
        value: what they say.
        is_piped: whether one of the files is a pipe.

    Raises:
        ConfigError: if they cannot be used from the start.
    """

    def __init__(
        self,
        paths: Sequence[FilePath],
        read: Callable[[], T],
        *,
        monotonic: Callable[[], float],
        warn: Callable[[str], None],
    ) -> None:
        self._paths = paths
        self._read = read
        self._monotonic = monotonic
        self._warn = warn
        self._has_warned = False
        self._stamp: Stamp = ()
        self._is_settled = False
        self.is_piped: bool = any(_find_kind(path) == "pipe" for path in paths)
        self.value: T = self._read_steadily()
        self._next_look = monotonic() + LOOK_EVERY

    def look(self) -> bool:
        """Read what has changed, once a second at most; whether ``value`` is new."""
        now = self._monotonic()
        if now < self._next_look or self.is_piped:
            return False
        self._next_look = now + LOOK_EVERY
        if self._is_settled and self._stamp == take_stamp(self._paths):
            return False
        try:
            return self.read()
        except ConfigError as error:
            if not self._has_warned:
                self._has_warned = True
                self._warn(str(error))
            return False

    def read(self) -> bool:
        """Read now; whether ``value`` is new.

        Raises:
            ConfigError: if the files cannot be used; ``value`` stays as it is.
        """
        if self.is_piped:
            return False
        for path in self._paths:
            if _find_kind(path) == "pipe":
                # Its writer would be waited for, and with it every task.
                problem = (
                    f"{os.fspath(path)!r} has become a pipe, which is read at a start"
                )
                raise ConfigError(f"{problem} only; give a file")
        former, stamp = self.value, self._stamp
        self._is_settled = False
        self.value = self._read_steadily()
        self._has_warned = False
        # A second write within the clock tick of the first one changes no stamp, so
        # what is new is read once more at the next look.
        self._is_settled = self._stamp == stamp
        return self.value != former

    def _read_steadily(self) -> T:
        """Read; again where the files were changed under the reading."""
        for _ in range(_TRIES):
            stamp = take_stamp(self._paths)
            try:
                value = self._read()
            except ConfigError:
                if stamp == take_stamp(self._paths):
                    raise
                continue
            if stamp == take_stamp(self._paths):
                self._stamp = stamp
                return value
        names = ", ".join(os.fspath(path) for path in self._paths)
        raise ConfigError(f"what changes while it is read cannot be used: {names}")


def take_stamp(paths: Sequence[FilePath]) -> Stamp:
    """What changes when the files do: where the bytes are, how many, and since when."""
    return tuple(_take_stamp(path) for path in paths)


def _take_stamp(path: FilePath) -> tuple[int, ...] | None:
    try:
        # Links are followed: a Kubernetes volume turns one to swap all its files.
        found = Path(path).stat()
    except (OSError, ValueError):
        return None
    if stat.S_ISFIFO(found.st_mode):
        return found.st_dev, found.st_ino
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def read_bytes(path: FilePath, setting: str, *, longest: int) -> bytes:
    """The bytes of a file, without a byte order mark.

    Args:
        path: the file; or a pipe, which is waited for, and can be read only once.
        setting: what errors call it.
        longest: how many bytes it may have.

    Raises:
        ConfigError: if it cannot be read, holds nothing, or more than that.
    """
    kind = _find_kind(path)
    if kind in {"device", "socket"}:
        problem = f"{os.fspath(path)!r} is a {kind}; give a file, or a pipe"
        raise ConfigError(f"{setting}: {problem}")
    try:
        raw = (_read_pipe if kind == "pipe" else _read_file)(path, longest + 1)
        content = drop_mark(raw)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"{setting}: cannot read {os.fspath(path)!r}: {reason}"
        ) from None
    if not content.strip():
        again = "; a pipe can be read only once" if kind == "pipe" else ""
        raise ConfigError(f"{setting}: {os.fspath(path)!r} is empty{again}")
    if len(raw) > longest:
        problem = f"{os.fspath(path)!r} has more than {longest:,} bytes"
        raise ConfigError(f"{setting}: {problem}; is it the right file?")
    return content


def _find_kind(path: FilePath) -> str:
    """What a file is that is read in a way of its own; ``""``: it is read as others."""
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return ""
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        return "device"
    if stat.S_ISSOCK(mode):
        return "socket"
    return "pipe" if stat.S_ISFIFO(mode) else ""


def _read_file(path: FilePath, most: int) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(most)


def _read_pipe(path: FilePath, most: int) -> bytes:
    """What is written to a pipe until it is closed; at most so many bytes.

    Raises:
        OSError: if that takes longer than ``PIPE_WAIT``.
    """
    clock, raw = SystemClock(), b""
    # Opened as others are, a pipe without a writer would be waited for here.
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with open(number, "rb", buffering=0) as pipe:  # noqa: PTH123 - it has no path
        news = select.poll()
        news.register(pipe, select.POLLIN)
        end = clock.monotonic() + PIPE_WAIT
        while len(raw) < most:
            left = max(end - clock.monotonic(), 0)
            if not news.poll(left * 1000):
                problem = f"its writer did not close it within {PIPE_WAIT:g} s"
                raise TimeoutError(problem)
            more = pipe.read(most - len(raw))
            if more == b"":
                break
            raw += more or b""
    return raw
