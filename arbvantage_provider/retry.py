"""When a handler that raised is run again, within its deadline."""

import math
from collections.abc import Generator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import backoff

from arbvantage_provider.exceptions import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Run a handler again when it raises what may pass by itself.

    The waits double from ``first`` up to ``most``, each with full jitter: drawn
    evenly from zero to that length. A try that would begin after the deadline is
    not made; then the last exception is what the task ends with.

    Args:
        on: an exception class, or several in a tuple.
        tries: how many times the handler runs at most, the first one included.
        first: the longest first wait, in seconds.
        most: the longest wait, in seconds.

    Raises:
        ConfigError: if one of them cannot be used.
    """

    on: type[Exception] | tuple[type[Exception], ...] = Exception
    tries: int = 3
    first: float = 0.1
    most: float = 10.0

    def __post_init__(self) -> None:
        classes = self.on if isinstance(self.on, tuple) else (self.on,)
        if not classes or not all(_is_exception(kind) for kind in classes):
            raise ConfigError(
                f"Retry: on is {self.on!r}; give an Exception class, or a tuple of them"
            )
        if type(self.tries) is not int or self.tries < 1:
            problem = f"tries is {self.tries!r}; give a whole number of at least 1"
            raise ConfigError(f"Retry: {problem}")
        for name in ("first", "most"):
            seconds: Any = getattr(self, name)
            if not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
                problem = f"{name} is {seconds!r}; give finite seconds, at least 0"
                raise ConfigError(f"Retry: {problem}")

    def draw_waits(self) -> Generator[float]:
        """The seconds to wait before each further try."""
        yield from islice(draw_waits(self.first, self.most), self.tries - 1)


def draw_waits(first: float, most: float) -> Generator[float]:
    """Seconds that double from ``first`` up to ``most``, each with full jitter.

    Full jitter: each wait is drawn evenly from zero to the doubled value, so that
    many providers do not come back to one hub in step.
    """
    longest = min(first, most)
    while True:
        yield backoff.full_jitter(longest)
        longest = min(longest * 2, most)


def _is_exception(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Exception)
