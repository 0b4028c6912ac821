"""Data to stdout, words to stderr."""

import contextlib
import json
import sys
from collections.abc import Callable, Generator
from typing import Any

import click

from arbvantage_provider.cli.errors import Failure
from arbvantage_provider.text import escape, escape_json, fit

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
            raise Failure("stdout is closed")
        try:
            click.echo(fit(line, stdout), file=stdout)
        except BrokenPipeError:  # click ends the command quietly
            raise
        except OSError as error:
            problem = f"stdout cannot be written: {error.strerror}"
            raise Failure(problem) from error

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
