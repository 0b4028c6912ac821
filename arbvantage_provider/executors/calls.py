"""A call as bytes on its way to another process, and what comes of it as bytes.

Both are one ``bytes``, whichever executor carries them: it has nothing to look into,
and what cannot be pickled is found on the side where it is.
"""

import asyncio
import pickle
import traceback
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from typing_extensions import override

from arbvantage_provider.exceptions import ActionError


class UnsendableError(Exception):
    """Something cannot be pickled, or not be read where it arrives.

    Attributes:
        part: ``arguments``, ``call`` or ``result``.
        reason: what pickle says, or what the import of a module raised.
    """

    def __init__(self, part: str, reason: str) -> None:
        super().__init__(part, reason)
        self.part = part
        self.reason = reason

    @override
    def __str__(self) -> str:
        return f"the {self.part} cannot be sent: {self.reason}"


class RemoteTraceback(Exception):  # noqa: N818 - no error, but where one was raised
    """The cause of an exception that was raised elsewhere: its traceback, as text."""

    @override
    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


def pack_call(
    function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> bytes:
    """A call that ``run_packed`` makes; no two of them are the same bytes.

    An executor that takes functions for pure, as Dask does, would otherwise run two
    tasks with the same payload once.

    Raises:
        UnsendableError: if it cannot be pickled.
    """
    try:
        return pickle.dumps((uuid.uuid4().bytes, function, tuple(args), dict(kwargs)))
    except BaseException as error:
        # A class of the user's says how it is pickled, so anything may be raised.
        raise UnsendableError("arguments", describe(error)) from error


def read_call(
    call: bytes,
) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
    """A call as ``pack_call`` was given it; reading it imports modules of the user's."""
    _, function, args, kwargs = pickle.loads(call)  # noqa: S301 - the provider's own
    return function, args, kwargs


def run_packed(call: bytes) -> bytes:
    """Make a call, in the process where it arrived; what came of it, packed."""
    try:
        function, args, kwargs = read_call(call)
    except BaseException as error:  # noqa: BLE001 - reading imports modules of the user's
        return pack_error(UnsendableError("call", describe(error)))
    try:
        value = call_here(function, *args, **kwargs)
    except BaseException as error:  # noqa: BLE001 - it belongs to the caller
        return pack_error(error)
    try:
        return pickle.dumps((value, None, ""))
    except BaseException as error:  # noqa: BLE001 - a class says how it is pickled
        return pack_error(UnsendableError("result", describe(error)))


def call_here(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """What a function returns; an awaitable is awaited on a loop of its own."""
    value = function(*args, **kwargs)
    kind: type[Any] = value.__class__
    return asyncio.run(_await(value)) if hasattr(kind, "__await__") else value


async def _await(value: Awaitable[Any]) -> Any:
    return await value


def unpack_outcome(outcome: bytes) -> Any:
    """What a call returned.

    Raises:
        BaseException: what it raised; its cause is the traceback there, as text.
        UnsendableError: if it cannot be read here.
    """
    try:
        value, error, where = pickle.loads(outcome)  # noqa: S301 - from our own process
    except BaseException as problem:
        raise UnsendableError("result", describe(problem)) from problem
    if error is None:
        return value
    raise error from RemoteTraceback(where)


def pack_error(error: BaseException) -> bytes:
    """An error, or a stand-in of the same name where it cannot be pickled."""
    frames = error.__traceback__
    for _ in range(2):  # the first two are ours
        frames = None if frames is None else frames.tb_next
    try:
        lines = traceback.format_exception(type(error), error, frames)
    except BaseException:  # noqa: BLE001 - a broken exception may raise anything
        lines = traceback.format_tb(frames)
    where = "".join(lines)
    try:
        # Some libraries teach pickle to write tracebacks, which this one has as text.
        packed = pickle.dumps((None, error.with_traceback(None), where))
        # Many classes can be written and not read, as their __init__ asks for more.
        read = pickle.loads(packed)[1]  # noqa: S301 - written in the line before
    except BaseException:  # noqa: BLE001 - a class says how it is pickled
        read = None
    else:
        if type(read) is type(error):
            return packed
    return pickle.dumps((None, _StandIn(error), where))


class _StandIn:
    """Is read as an exception of the same class name and message as ``error``."""

    def __init__(self, error: BaseException) -> None:
        self._name = type(error).__name__
        self._is_worded = isinstance(error, ActionError)
        self._text = read_text(error)

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        return _make_stand_in, (self._name, self._text, self._is_worded)


def _make_stand_in(name: str, text: str, is_worded: bool) -> Exception:  # noqa: FBT001
    """An ``ActionError`` where its author worded the message."""
    bases = (ActionError,) if is_worded else (Exception,)
    error: Exception = type(name, bases, {"__module__": __name__})(text)
    return error


def describe(error: BaseException) -> str:
    """The class and the message, in one line."""
    return f"{type(error).__name__}: {read_text(error)}"


def read_text(error: BaseException) -> str:
    """The message, which a broken ``__str__`` may not give."""
    try:
        return str(error)
    except BaseException:  # noqa: BLE001 - it may raise anything
        return "its message cannot be read"
