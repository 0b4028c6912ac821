"""Data to stdout, words to stderr."""

import contextlib
import json
import sys
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any, TextIO

import click

from arbvantage_provider.cli.errors import CommandError
from arbvantage_provider.clock import SystemClock
from arbvantage_provider.settings import may_drive
from arbvantage_provider.text import escape, escape_json, fit

_CLEAR = "\r\x1b[K"
Emit = Callable[[str], None]


@contextlib.contextmanager
def open_output() -> Generator[Emit]:
    """A function that writes one line of data to stdout.

    Meanwhile what the user's program prints goes to stderr, so that stdout holds
    nothing but data.
    """
    stdout = sys.stdout

    def emit(line: str) -> None:
        if stdout is None:
            raise CommandError("stdout is closed")
        try:
            click.echo(fit(line, stdout), file=stdout)
        except BrokenPipeError:  # click ends the command quietly
            raise
        except OSError as error:
            problem = f"stdout cannot be written: {error.strerror}"
            raise CommandError(problem) from error

    with contextlib.redirect_stdout(sys.stderr):
        yield emit


def say(words: str) -> None:
    """One line for a person, on stderr; it is no failure if nobody can read it."""
    with contextlib.suppress(OSError):
        click.echo(escape(words), err=True)


def format_json(value: Any, indent: int | None = None) -> str:
    """JSON text; characters beyond ASCII as they are where stdout can hold them."""
    ascii_only = not is_unicode()
    return escape_json(json.dumps(value, ensure_ascii=ascii_only, indent=indent))


def is_unicode() -> bool:
    """Whether stdout can hold every character."""
    encoding = getattr(sys.__stdout__, "encoding", None) or "ascii"
    return encoding.lower().startswith("utf")


class Progress:
    """Done, failed, rate and time left on a terminal's stderr; elsewhere nothing.

    The cursor goes back to the line's start, so that a log line writes over it.

    Args:
        total: how many tasks there are.
        stream: stderr.
        monotonic: seconds, for the rate; it counts from now.
    """

    def __init__(
        self,
        total: int,
        stream: TextIO | None = None,
        monotonic: Callable[[], float] = SystemClock.monotonic,
    ) -> None:
        self._total = total
        self._stream = sys.stderr if stream is None else stream
        self._is_shown = may_drive(self._stream)
        self._monotonic = monotonic
        self._began = monotonic()

    def show(self, done: int, failed: int = 0) -> None:
        """Write the line.

        Args:
            done: how many tasks are answered.
            failed: how many of them with status ``error``.
        """
        parts = [f"{done}/{self._total} answered"]
        if failed:
            parts.append(f"{failed} failed")
        seconds = self._monotonic() - self._began
        if done and seconds > 0:
            rate = done / seconds
            parts.append(f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2g}/s")  # noqa: PLR2004 - two digits tell enough
            if done < self._total:
                parts.append(f"{format_duration((self._total - done) / rate)} left")
        self._write(f"{_CLEAR}{', '.join(parts)}\r")

    def clear(self) -> None:
        """Wipe the line, before something else is written there."""
        self._write(_CLEAR)

    def _write(self, text: str) -> None:
        if self._is_shown:
            with suppress(OSError):  # the terminal may be gone
                self._stream.write(text)
                self._stream.flush()


def format_duration(seconds: float) -> str:
    """``4 s``, ``3 min 20 s`` or ``2 h 5 min``."""
    whole = max(round(seconds), 1)
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"
