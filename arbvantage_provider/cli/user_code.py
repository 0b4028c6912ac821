"""Calls into the user's own program, and what is said when they raise.

The user's own frames are shown, and neither those of this command nor, for an
error that this package raises on purpose, the ones inside it.
"""

import importlib
import os
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from arbvantage_provider.cli.errors import CommandError
from arbvantage_provider.exceptions import ConfigError, HubError, ProviderError
from arbvantage_provider.executors.importing import StartRefusedError
from arbvantage_provider.text import escape, escape_lines

_T = TypeVar("_T")
_HERE = os.path.join(os.path.dirname(__file__), "")  # noqa: PTH118, PTH120 - a prefix
_PACKAGE = os.path.join(os.path.dirname(_HERE.rstrip(os.sep)), "")  # noqa: PTH118, PTH120
_TRACEBACK = "Traceback (most recent call last):"
_START_HINT = (
    "\n\nThe program starts its provider while it is imported; put that under "
    '`if __name__ == "__main__":`.'
)


def run_user_code(call: Callable[[], _T], problem: str) -> _T:
    """What ``call`` returns.

    Args:
        call: runs code of the user.
        problem: how the message begins when it raises.

    Raises:
        CommandError: with the user's part of the traceback; for ``ConfigError``, and a
            start that is refused, with its message alone.
    """
    try:
        return call()
    except SystemExit as error:
        if isinstance(error.__context__, StartRefusedError):
            raise blame(error.__context__, problem) from error
        message = f"{problem}: it ended itself with {error!r}"
        raise CommandError(message) from error
    except Exception as error:
        raise blame(error, problem) from error


def blame(error: Exception, problem: str) -> CommandError:
    """What is said of an error that the user's program raised."""
    if isinstance(error, ConfigError | StartRefusedError):
        return CommandError(f"{problem}: {error}")
    hint = _START_HINT if isinstance(error, HubError) else ""
    return CommandError(problem, f"\n\n{_describe(error)}{hint}")


def _describe(error: BaseException) -> str:
    """The traceback of ``error``, from the user's first frame on."""
    house = _PACKAGE if isinstance(error, ProviderError) else _HERE
    story = traceback.TracebackException.from_exception(error)
    user_frames = [
        frame for frame in story.stack if not _is_noise(frame.filename, house)
    ]
    story.stack = traceback.StackSummary.from_list(user_frames)
    lines = story.format() if user_frames else story.format_exception_only()
    return "".join(_indent_words(lines)).rstrip()


def _indent_words(lines: Iterable[str]) -> Iterator[str]:
    """The parts of a traceback; of an exception's words, the first line is not indented."""
    has_begun = False
    for part in lines:
        if part.startswith("\n") and part.strip():  # it leads to another exception
            has_begun = False
            yield part
        elif part.startswith((" ", _TRACEBACK)) and not has_begun:
            yield escape(part, "\n\t")
        else:  # what is raised, and then its notes, line by line
            yield "    " * has_begun + escape_lines(part.rstrip("\n")) + "\n"
            has_begun = True


def _is_noise(filename: str, house: str) -> bool:
    return filename.startswith(("<frozen ", house)) or filename == importlib.__file__
