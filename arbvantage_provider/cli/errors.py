"""What ends a command, as one ``Error:`` line on stderr and an exit code."""

from contextlib import suppress
from typing import IO, Any

import click
from typing_extensions import override

from arbvantage_provider.exceptions import nearest_name
from arbvantage_provider.text import escape_lines


class CommandError(click.ClickException):
    """Something went wrong while the command did what it was asked for.

    Args:
        message: what is said; it may quote what others wrote.
        details: what follows it, as it is to be shown.
    """

    exit_code = 1

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(escape_lines(message) + details)

    @override
    def show(self, file: IO[Any] | None = None) -> None:
        """Print it; the exit code is the same where stderr cannot be written."""
        with suppress(OSError):
            super().show(file)


class UsageError(CommandError):
    """What was typed names something that is not there, or cannot be read.

    click's own ``UsageError`` would put the syntax of the command above the
    message, and here the syntax was right.
    """

    exit_code = 2


class CommandInterruptedError(CommandError):
    """Ctrl-C ended the command; in ``run``, the second one."""

    exit_code = 130

    def __init__(self) -> None:
        super().__init__("interrupted by Ctrl-C")


class HubUnreachableError(CommandError):
    """No hub answers."""

    exit_code = 3


class TokenRefusedError(CommandError):
    """The hub refuses the token, or there is none to show."""

    exit_code = 4


def suggest(name: str, names: list[str]) -> str:
    """``; did you mean 'x'?``, or nothing where no name is like it."""
    nearest = nearest_name(name, names)
    return f"; did you mean {nearest!r}?" if nearest else ""
