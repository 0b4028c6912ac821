"""A handler in another process: what it returns is written as JSON there.

So nothing of a result is unpickled in the provider: a class whose reading is slow, or
ends its process, does so elsewhere. Exceptions come back as objects, as hooks and
``retry`` look at their classes.
"""

import inspect
import pickle
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, NamedTuple

from pydantic import TypeAdapter
from pydantic_core import from_json, to_json

from arbvantage_provider.actions.action import Action
from arbvantage_provider.actions.result import (
    MisfitError,
    compile_result,
    validate_result,
)
from arbvantage_provider.executors.calls import (
    UnsendableError,
    call_here,
    describe,
    pack_call,
    pack_error,
    read_call,
    unpack_outcome,
)
from arbvantage_provider.handlers.signature import read_signature
from arbvantage_provider.responses import (
    STATUSES,
    NotJSONError,
    StatusError,
    encode_json,
    respond,
)

_RESULT: Final = b"="
_ERROR: Final = b"!"


class Written(NamedTuple):
    """What a handler returned, as it goes into a response.

    Attributes:
        status: of the response.
        message: of the response.
        problem: why the handler's own response is not this one, where it is not.
        data: JSON text.
    """

    status: str
    message: str
    problem: str
    data: bytes


def pack_handler(action: Action, args: list[Any], kwargs: dict[str, Any]) -> bytes:
    """A call of the action's handler, for ``run_handler``.

    Raises:
        UnsendableError: if it cannot be pickled.
    """
    is_promised = action.result is not None
    return pack_call(action.handler, (action.name, is_promised, args, kwargs), {})


def run_handler(call: bytes) -> bytes:
    """Call a handler in the process where this arrived; what came of it, packed."""
    try:
        handler, (name, is_promised, args, kwargs), _ = read_call(call)
    except BaseException as error:  # noqa: BLE001 - reading imports modules of the user's
        return _ERROR + pack_error(UnsendableError("call", describe(error)))
    try:
        value = call_here(handler, *args, **kwargs)
    except BaseException as error:  # noqa: BLE001 - it belongs to the caller
        return _ERROR + pack_error(error)
    try:
        result = _find_promise(handler, name) if is_promised else None
        return _RESULT + _write(name, value, result)
    except BaseException as error:  # noqa: BLE001 - such as no memory left
        if not isinstance(error, UnsendableError):
            error = UnsendableError("result", describe(error))
        return _ERROR + pack_error(error)


def _find_promise(handler: Any, name: str) -> TypeAdapter[Any] | None:
    try:
        return _compile_promise(handler, name)
    except TypeError:  # a callable object that has no hash
        return _compile_promise.__wrapped__(handler, name)


@lru_cache
def _compile_promise(handler: Callable[..., Any], name: str) -> TypeAdapter[Any] | None:
    signature = read_signature(name, handler)
    return compile_result(name, signature.returns, is_async=signature.is_async)


def _write(name: str, value: Any, result: TypeAdapter[Any] | None) -> bytes:
    """The result, or why it cannot be one, in two lines of JSON."""
    try:
        if inspect.isgenerator(value):
            _refuse_unsendable(value)
        response = respond(value)
        if result is not None:
            response = validate_result(result, response)
        data = encode_json(response.data, "data")
    except UnsendableError:
        raise
    except BaseException as error:  # noqa: BLE001 - a model's serialiser may raise anything
        if isinstance(error, NotJSONError):
            _refuse_unsendable(value)
        problem, errors = describe_misfit(name, error)
        return to_json(["error", problem, problem]) + b"\n" + to_json(errors)
    message = response.message.encode("utf-8", "replace").decode()
    return to_json([response.status, message, ""]) + b"\n" + data


def _refuse_unsendable(value: object) -> None:
    """What is no JSON is told by how it fails to be pickled, if it does.

    Raises:
        UnsendableError: if it cannot be pickled, or not be read again.
    """
    try:
        pickle.loads(pickle.dumps(value))  # noqa: S301 - written in the same line
    except BaseException as error:
        # A class of the user's says how it is pickled, so anything may be raised.
        raise UnsendableError("result", describe(error)) from error


def describe_misfit(
    action: str, error: BaseException
) -> tuple[str, dict[str, Any] | None]:
    """Why a result is none: a message, and data for programs."""
    if isinstance(error, MisfitError):
        errors = {"errors": error.violations}
        return f"the result of {action!r} does not fit: {error}", errors
    if isinstance(error, NotJSONError):
        return f"the result of {action!r} cannot be JSON: {error}", None
    if isinstance(error, StatusError):
        return f"the result of {action!r} is not clear: {error}", None
    kind = type(error).__name__
    return f"the result of {action!r} fails to be written: {kind}", None


def is_result(outcome: bytes) -> bool:
    """Whether an outcome of ``run_handler`` is a result, and no exception."""
    return outcome[:1] == _RESULT


def read_result(outcome: bytes) -> Written:
    """The result in an outcome.

    Raises:
        UnsendableError: if it is none; a process may send anything.
    """
    head, _, data = outcome[1:].partition(b"\n")
    try:
        status, message, problem = from_json(head)
        is_text = bool(data) and (data.isascii() or bool(data.decode()))
    except (ValueError, TypeError):
        is_text = False
        status = message = problem = ""
    if not is_text or status not in STATUSES:
        raise UnsendableError("result", "its process sent no outcome")
    return Written(status, str(message), str(problem), data)


def read_error(outcome: bytes) -> BaseException:
    """The exception in an outcome, unpickled: classes of the user's may do anything.

    Its cause is the traceback from there, as text.
    """
    try:
        unpack_outcome(outcome[1:])
    except BaseException as error:  # noqa: BLE001 - it is what was looked for
        return error
    return UnsendableError("result", "its process sent no outcome")
