"""What a handler's signature says, read once when it is registered."""

import functools
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic.fields import FieldInfo

from arbvantage_provider.exceptions import HandlerSignatureError
from arbvantage_provider.handlers.layers import (
    AnnotationError,
    evaluate_signature,
    find_entry,
    find_kind_problem,
    list_layers,
)

_BOUND_LATER: Final[tuple[Any, ...]] = (classmethod, functools.partialmethod)


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    """A handler's parameters, with annotations that are types, not text.

    Attributes:
        parameters: in the order of the definition.
        returns: the return annotation, or ``inspect.Signature.empty``.
        is_async: whether a call of it makes a coroutine, and so belongs on the loop.
            A sync one that returns something to await is known when it does.
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
        raise HandlerSignatureError(action, "", _refuse_uncallable(handler))
    if problem := find_kind_problem(handler):
        raise HandlerSignatureError(action, "", problem)
    try:
        signature = evaluate_signature(handler)
    except AnnotationError as error:
        raise HandlerSignatureError(action, error.parameter, str(error)) from error
    except Exception as error:
        problem = f"the signature cannot be read: {error}"
        raise HandlerSignatureError(action, "", problem) from error
    bound = handler.keywords if isinstance(handler, functools.partial) else {}
    for name, value in bound.items():
        if isinstance(value, FieldInfo):
            problem = "the partial binds Field(…) itself; give it the value"
            raise HandlerSignatureError(action, name, problem)
    return Signature(
        # No task may fill what a partial fills by name.
        parameters=tuple(
            p for name, p in signature.parameters.items() if name not in bound
        ),
        returns=signature.return_annotation,
        is_async=inspect.iscoroutinefunction(find_entry(handler)),
        is_wrapped=_is_wrapped(handler, signature),
    )


def _refuse_uncallable(handler: Any) -> str:
    if isinstance(handler, _BOUND_LATER):
        return (
            "it cannot be called before its class is complete; register it after the "
            "class, as register(…)(Class.method)"
        )
    return f"{handler!r} cannot be called; register a function"


def _is_wrapped(handler: Any, signature: inspect.Signature) -> bool:
    while isinstance(handler, functools.partial):
        handler = handler.func
    # ``singledispatch`` chooses by the first argument that is passed by position.
    if hasattr(handler, "register"):
        return False
    code = getattr(find_entry(handler), "__code__", None)
    if hasattr(handler, "__wrapped__") or code is None:
        return hasattr(handler, "__wrapped__")
    # A signature that somebody set may be of more than can be passed by position.
    own = inspect.getargs(code)
    takes_names = own.varargs is None and own.varkw is not None
    is_known = {*own.args} - {"self", "cls"} <= signature.parameters.keys()
    return hasattr(handler, "__signature__") and takes_names and is_known


def refuse_unbound(
    action: str, handler: Any, signature: Signature, *, declared: Any
) -> None:
    """Refuse a function of a class that nobody has bound to an instance.

    Raises:
        HandlerSignatureError: with what to write instead.
    """
    first = signature.parameters[0] if signature.parameters else None
    if first is None or first.name not in {"self", "cls"}:
        return
    if isinstance(declared, Mapping) and first.name in declared:
        return
    function = list_layers(handler)[-1]
    code = getattr(function, "__code__", None)
    if code is None or code.co_varnames[:1] != (first.name,):
        return  # it is bound, and this is its second parameter
    above = str(getattr(function, "__qualname__", "")).split(".")[:-1]
    where = above[-1] if above else "<locals>"
    is_annotated = first.annotation is not inspect.Parameter.empty
    if where == "<locals>" and is_annotated:
        return
    problem = (
        "the function is not bound to an instance; register it where there is one, as "
        "self.actions.register(…)(self.method) in __init__, or make it a @staticmethod "
        "below register; a field of this name has an annotation and stands outside of "
        "a class"
    )
    raise HandlerSignatureError(action, first.name, problem)
