"""Data to stdout, words to stderr."""

import contextlib
import json
import sys
from collections.abc import Callable, Generator
from typing import Any

import click

from arbvantage_provider.cli.errors import Failure
from arbvantage_provider.text import escape, escape_json

Emit = Callable[[str], None]


@contextlib.contextmanager
def open_output() -> Generator[Emit]:
    """A function that writes one line of data to stdout.

    Meanwhile what the user's program prints goes to stderr, so that stdout holds
    nothing but data.
    """
    stdout = sys.stdout

    def emit(line: str) -> None:
        try:
            click.echo(line, file=stdout)
        except BrokenPipeError:  # click ends the command quietly
            raise
        except OSError as error:
            problem = f"stdout cannot be written: {error.strerror}"
            raise Failure(problem) from error

    with contextlib.redirect_stdout(sys.stderr):
        yield emit


def say(words: str) -> None:
    """One line for a person, on stderr."""
    click.echo(escape(words), err=True)


def format_json(value: Any, indent: int | None = None) -> str:
    """JSON text; characters beyond ASCII as they are where stdout can hold them."""
    encoding = getattr(sys.__stdout__, "encoding", None) or "ascii"
    is_unicode = encoding.lower().startswith("utf")
    return escape_json(json.dumps(value, ensure_ascii=not is_unicode, indent=indent))
