"""What a handler's signature says, read once when it is registered."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from arbvantage_provider.exceptions import HandlerSignatureError


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    """A handler's parameters, with annotations that are types, not text.

    Attributes:
        parameters: in the order of the definition.
        returns: the return annotation, or ``inspect.Signature.empty``.
        is_async: whether what it returns is to be awaited.
        is_wrapped: whether a decorator stands in front of it, which may take
            arguments by name only.
    """

    parameters: tuple[inspect.Parameter, ...]
    returns: Any
    is_async: bool
    is_wrapped: bool


def read_signature(action: str, handler: Any) -> Signature:
    """The signature of a function, method, partial or callable object.

    Raises:
        HandlerSignatureError: if it cannot be called, is a generator, or has an
            annotation that cannot be resolved.
    """
    if not callable(handler):
        problem = f"{handler!r} cannot be called; register a function"
        raise HandlerSignatureError(action, "", problem)
    function = _find_function(handler)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        problem = "the handler is a generator; return one value instead of yielding"
        raise HandlerSignatureError(action, "", problem)
    try:
        signature = inspect.signature(handler, eval_str=True)
    except Exception as error:
        raise _refuse_annotation(action, handler, error) from error
    bound = _find_bound(handler)
    return Signature(
        parameters=tuple(
            p for name, p in signature.parameters.items() if name not in bound
        ),
        returns=signature.return_annotation,
        is_async=_is_async(handler) or _is_async(function),
        is_wrapped=hasattr(handler, "__wrapped__"),
    )


def _find_function(handler: Callable[..., Any]) -> Any:
    """The function that runs in the end: below partials, objects and wrappers."""
    function: Any = handler
    while isinstance(function, functools.partial):
        function = function.func
    if not inspect.isroutine(function) and not inspect.isclass(function):
        function = type(function).__call__
    return inspect.unwrap(function)


def _find_bound(handler: Any) -> frozenset[str]:
    """The parameters that a partial fills by name; no task may fill them."""
    if not isinstance(handler, functools.partial):
        return frozenset()
    return frozenset(handler.keywords)


def _is_async(function: Any) -> bool:
    return inspect.iscoroutinefunction(function)


def _refuse_annotation(
    action: str, handler: Callable[..., Any], error: Exception
) -> HandlerSignatureError:
    """Name the first annotation that fails by itself."""
    annotations = getattr(_find_function(handler), "__annotations__", {})
    scope = getattr(_find_function(handler), "__globals__", {})
    for name, annotation in annotations.items():
        if isinstance(annotation, str) and not _evaluates(annotation, scope):
            problem = (
                f"its annotation {annotation!r} cannot be resolved ({error}); "
                "define or import the name at the top of the module"
            )
            return HandlerSignatureError(action, name, problem)
    return HandlerSignatureError(action, "", f"the signature cannot be read: {error}")


def _evaluates(annotation: str, scope: dict[str, Any]) -> bool:
    try:
        eval(annotation, scope)  # noqa: S307 - the handler's own annotation, as inspect does
    except Exception:  # noqa: BLE001 - whatever it raises, it does not evaluate
        return False
    return True
