"""Whether a handler can be sent to an executor, which may be in another process."""

import functools
import inspect
import pickle
from typing import Any

from arbvantage_provider.actions.action import Action
from arbvantage_provider.exceptions import HandlerSignatureError, RegistrationError
from arbvantage_provider.executors.calls import describe
from arbvantage_provider.handlers.layers import evaluate_signature
from arbvantage_provider.handlers.types import strip

_REMEDY = "write it as a function at the top of a module"


def check_picklable(action: Action) -> None:
    """Refuse what can be seen when the handler is registered.

    A function that is being decorated is not yet what its module holds under its
    name, so the rest is left to ``check_found``.

    Raises:
        HandlerSignatureError: if a parameter asks for what stays in the provider.
        RegistrationError: if the handler cannot be sent; it says why.
    """
    if action.is_async:
        problem = (
            "executor: an async handler runs on the provider's loop; "
            "leave executor out, or write it with def"
        )
        raise RegistrationError(action.name, problem)
    for parameter in action.plan.local:
        problem = (
            "what it asks for cannot be sent to an executor; leave the parameter out, "
            "or register the action without executor"
        )
        raise HandlerSignatureError(action.name, parameter, problem)
    _refuse_local_classes(action)
    handler = action.handler
    if not inspect.isfunction(handler):
        check_found(action)
    elif "<" in handler.__qualname__:
        kind = "a lambda" if handler.__name__ == "<lambda>" else "inside a function"
        raise _refuse(action, f"the handler is {kind}")


def _refuse_local_classes(action: Action) -> None:
    """A model that is defined inside a function cannot be found by its name."""
    for parameter in evaluate_signature(action.handler).parameters.values():
        annotation = strip(parameter.annotation)
        if inspect.isclass(annotation) and "<locals>" in annotation.__qualname__:
            problem = (
                f"an executor cannot find {annotation.__name__}, which is defined "
                "inside a function; define it at the top of a module"
            )
            raise HandlerSignatureError(action.name, parameter.name, problem)


def check_found(action: Action) -> None:
    """Refuse a handler that is not found again by its module and name.

    Raises:
        RegistrationError: if it is not; it says why.
    """
    try:
        pickle.dumps(action.handler)
    except BaseException as error:
        # A class of the user's says how it is pickled, so anything may be raised.
        raise _refuse(action, describe(error)) from error


def find_module(action: Action) -> str:
    """The module that a process has to import for a handler; ``""`` for none."""
    handler: Any = action.handler
    while isinstance(handler, functools.partial):
        handler = handler.func
    module = getattr(handler, "__module__", None) or ""
    # A new process has the main program already.
    return "" if module in {"__main__", "__mp_main__"} else module


def _refuse(action: Action, reason: str) -> RegistrationError:
    problem = (
        f"the handler cannot be sent to an executor: {reason}; {_REMEDY}, with "
        "register as its outermost decorator, or register it without executor"
    )
    return RegistrationError(action.name, problem)
