"""An exception as the response that the hub is given.

Source: the table in ``docs/errors.md``.
"""

from collections.abc import Callable
from typing import Any

from arbvantage_provider.exceptions import ActionError, RateLimitedError
from arbvantage_provider.observe.redaction import cut_input_values
from arbvantage_provider.responses import Response, Status

LONGEST_MESSAGE = 10_000
"""Characters; an exception may carry a whole page of HTML."""


def describe_error(
    error: BaseException, redact: Callable[[str], str] = str
) -> Response:
    """What a task that ended with ``error`` is answered with.

    Args:
        error: what was raised.
        redact: cuts the token and the account's texts out of a message that this
            package did not word. An ``ActionError`` is as its author meant it.
    """
    status: Status = "limit" if isinstance(error, RateLimitedError) else "error"
    if isinstance(error, ActionError):
        return Response(status=status, message=_name_own(error), data=_read_data(error))
    text = redact(cut_input_values(_read_text(error)))
    if len(text) > LONGEST_MESSAGE:
        text = text[: LONGEST_MESSAGE - 1] + "…"
    name = type(error).__name__
    message = f"{name}: {text}" if text else name
    return Response(status=status, message=message, data=None)


def _name_own(error: ActionError) -> str:
    """The message; with the class in front where this package worded it."""
    kind = type(error)
    message = read_message(error)
    if not message:
        return kind.__name__
    is_ours = kind is not ActionError and kind.__module__ == ActionError.__module__
    if not is_ours or (isinstance(error, RateLimitedError) and error.is_worded):
        return message
    return f"{kind.__name__}: {message}"


def read_message(error: ActionError) -> str:
    """The message of an error; a subclass may have made anything of it."""
    try:
        return str(error.message)
    except BaseException:  # noqa: BLE001 - a property may raise anything
        return _read_text(error)


def _read_data(error: ActionError) -> Any:
    try:
        return error.data
    except BaseException:  # noqa: BLE001 - the same
        return None


def _read_text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:  # noqa: BLE001 - a broken ``__str__`` may raise anything
        return "its message cannot be read"
