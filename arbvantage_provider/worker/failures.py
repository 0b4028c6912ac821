"""An exception as the response that the hub is given.

Source: the table in ``docs/errors.md``.
"""

from collections.abc import Callable

from arbvantage_provider.exceptions import ActionError, RateLimitedError
from arbvantage_provider.observe.redaction import cut_input_values
from arbvantage_provider.responses import Response, Status

LONGEST_MESSAGE = 10_000
"""Characters; an exception may carry a whole page of HTML."""


def describe_failure(
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
        return Response(status=status, message=_name_own(error), data=error.data)
    text = redact(cut_input_values(_read_text(error)))
    if len(text) > LONGEST_MESSAGE:
        text = text[: LONGEST_MESSAGE - 1] + "…"
    name = type(error).__name__
    message = f"{name}: {text}" if text else name
    return Response(status=status, message=message, data=None)


def _name_own(error: ActionError) -> str:
    """The message; with the class in front where this package worded it."""
    kind = type(error)
    if not error.message:
        return kind.__name__
    is_ours = kind is not ActionError and kind.__module__ == ActionError.__module__
    if not is_ours or (isinstance(error, RateLimitedError) and error.is_worded):
        return error.message
    return f"{kind.__name__}: {error.message}"


def _read_text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:  # noqa: BLE001 - a broken ``__str__`` may raise anything
        return "its message cannot be read"
