"""Calls into the user's own program, and what is said when they raise.

The user's own frames are shown, and neither those of this command nor, for an
error that this package raises on purpose, the ones inside it.
"""

import importlib
import os
import traceback
from collections.abc import Callable
from typing import TypeVar

from arbvantage_provider.cli.errors import Failure
from arbvantage_provider.exceptions import ConfigError, HubError, ProviderError

_T = TypeVar("_T")
_HERE = os.path.join(os.path.dirname(__file__), "")  # noqa: PTH118, PTH120 - a prefix
_PACKAGE = os.path.join(os.path.dirname(_HERE.rstrip(os.sep)), "")  # noqa: PTH118, PTH120
_START_HINT = (
    "\n\nThe program starts its provider while it is imported; put that under "
    '`if __name__ == "__main__":`.'
)


def run_theirs(call: Callable[[], _T], problem: str) -> _T:
    """What ``call`` returns.

    Args:
        call: runs code of the user.
        problem: how the message begins when it raises.

    Raises:
        Failure: with the user's part of the traceback; for ``ConfigError`` with
            its message alone.
    """
    try:
        return call()
    except SystemExit as error:
        message = f"{problem}: it ended itself with {error!r}"
        raise Failure(message) from error
    except Exception as error:
        raise blame(error, problem) from error


def blame(error: Exception, problem: str) -> Failure:
    """What is said of an error that the user's program raised."""
    if isinstance(error, ConfigError):
        return Failure(f"{problem}: {error}")
    hint = _START_HINT if isinstance(error, HubError) else ""
    return Failure(f"{problem}\n\n{_describe(error)}{hint}")


def _describe(error: BaseException) -> str:
    """The traceback of ``error``, from the user's first frame on."""
    house = _PACKAGE if isinstance(error, ProviderError) else _HERE
    story = traceback.TracebackException.from_exception(error)
    theirs = [frame for frame in story.stack if not _is_noise(frame.filename, house)]
    story.stack = traceback.StackSummary.from_list(theirs)
    lines = story.format() if theirs else story.format_exception_only()
    return "".join(lines).rstrip()


def _is_noise(filename: str, house: str) -> bool:
    return filename.startswith(("<frozen ", house)) or filename == importlib.__file__
