"""Files that are read again when they change, while a provider runs."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Generic, TypeVar

from arbvantage_provider.connection import FilePath
from arbvantage_provider.exceptions import ConfigError
from arbvantage_provider.text import drop_mark

T = TypeVar("T")
Stamp = tuple[tuple[int, ...] | None, ...]

LOOK_EVERY: Final = 1.0
"""Seconds between two looks at the files."""
_TRIES: Final = 3


class Watched(Generic[T]):
    """What some files say together, as of the last time that they could be used.

    A file may be replaced, as a whole or by a link that leads elsewhere, or written
    anew in place. What cannot be used, such as a file that is half written, or a
    key whose certificate has not come yet, changes nothing: it is told once, and
    read again at each look until it can be used.

    Args:
        paths: the files.
        read: makes the value of what they hold now, or raises ``ConfigError``.
        monotonic: a clock, in seconds.
        warn: told why a change could not be used.

    Attributes:
        value: what they say.

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
        self.value: T = self._read_steadily()
        self._next_look = monotonic() + LOOK_EVERY

    def look(self) -> bool:
        """Read what has changed, once a second at most; whether ``value`` is new."""
        now = self._monotonic()
        if now < self._next_look:
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
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def read_bytes(path: FilePath, setting: str, *, longest: int) -> bytes:
    """The bytes of a file, without a byte order mark.

    Args:
        path: the file.
        setting: what errors call it.
        longest: how many bytes it may have.

    Raises:
        ConfigError: if it cannot be read, holds nothing, or more than that.
    """
    try:
        with Path(path).open("rb") as file:
            raw = file.read(longest + 1)
        content = drop_mark(raw)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"{setting}: cannot read {os.fspath(path)!r}: {reason}"
        ) from None
    if not content.strip():
        raise ConfigError(f"{setting}: {os.fspath(path)!r} is empty")
    if len(raw) > longest:
        problem = f"{os.fspath(path)!r} has more than {longest:,} bytes"
        raise ConfigError(f"{setting}: {problem}; is it the right file?")
    return content
