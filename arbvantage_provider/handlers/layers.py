"""What a handler consists of: partials, methods, objects and wrappers, one in another."""

import contextlib
import functools
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, Final

from arbvantage_provider.annotations import AliasError, holds_name, resolve_aliases

_MOST_LAYERS: Final = 100
"""An object may say of every attribute that it has it, ``__wrapped__`` too."""
_CACHED: Final = type(functools.cache(int))
_BUILT_IN: Final = (
    *(_CACHED, types.BuiltinFunctionType, types.MethodDescriptorType),
    *(types.WrapperDescriptorType, types.MethodWrapperType),
)
_MAKERS: Final[tuple[Any, ...]] = (
    contextlib.contextmanager,
    contextlib.asynccontextmanager,
)
_MANAGERS: Final = frozenset(make(int).__code__ for make in _MAKERS)


class AnnotationError(TypeError):
    """An annotation cannot be resolved.

    Attributes:
        parameter: whose it is; ``return`` for what is returned.
    """

    def __init__(self, parameter: str, problem: str) -> None:
        super().__init__(problem)
        self.parameter = parameter


def list_layers(handler: Any) -> list[Any]:
    """What a call goes through, outermost first, down to what ``wraps`` names."""
    layers: list[Any] = []
    below = [handler]
    while below and len(layers) < _MOST_LAYERS:
        layers += below
        below = _look_below(layers[-1])
    return layers


def _look_below(layer: Any) -> list[Any]:
    if inspect.isclass(layer):
        return []
    if isinstance(layer, functools.partial):
        return [layer.func]
    if hasattr(layer, "__func__"):
        return [layer.__func__]
    below = [] if _is_function(layer) else [type(layer).__call__]
    return [*below, layer.__wrapped__] if hasattr(layer, "__wrapped__") else below


def find_entry(handler: Any) -> Any:
    """What runs first: below partials and objects, and above what it may wrap."""
    for layer in list_layers(handler):
        if isinstance(layer, functools.partial | staticmethod):
            continue
        # ``inspect.markcoroutinefunction`` may have marked an object.
        if _is_function(layer) or inspect.iscoroutinefunction(layer):
            return layer
    return handler


def _is_function(layer: Any) -> bool:
    """Whether it is called itself, and not by the ``__call__`` of its class."""
    is_method = inspect.ismethod(layer) or inspect.isclass(layer)
    return is_method or inspect.isfunction(layer) or isinstance(layer, _BUILT_IN)


def find_kind_problem(handler: Any) -> str:
    """Why a callable is no handler; ``""``: it may be one."""
    entry = find_entry(handler)
    if inspect.isgeneratorfunction(entry) or inspect.isasyncgenfunction(entry):
        return "the handler is a generator; return one value instead of yielding"
    if getattr(entry, "__code__", None) in _MANAGERS:
        return (
            "the handler is a context manager, made of a generator; return one value "
            "instead of yielding, or register it as a lifespan"
        )
    is_async = inspect.iscoroutinefunction(list_layers(handler)[-1])
    if isinstance(entry, _CACHED) and is_async:
        return (
            "a cache around an async function keeps what can be awaited only once; "
            "leave the cache out, or keep the value itself"
        )
    return ""


def evaluate_signature(handler: Callable[..., Any]) -> inspect.Signature:
    """The signature with types for annotations: no text, and no alias.

    Raises:
        AnnotationError: if an annotation cannot be resolved.
        TypeError: or ``ValueError``, if there is no signature.
    """
    signature = inspect.signature(handler)
    layers = list_layers(handler)
    parameters = [
        each.replace(annotation=_evaluate(each.name, each.annotation, layers))
        for each in signature.parameters.values()
    ]
    returns = _evaluate("return", signature.return_annotation, layers)
    return signature.replace(parameters=parameters, return_annotation=returns)


def _evaluate(name: str, annotation: Any, layers: list[Any]) -> Any:
    for _ in range(2):  # a text may be a text's, under postponed annotations
        if isinstance(annotation, str):
            annotation = _evaluate_text(name, annotation, layers)
    if holds_name(annotation):
        annotation = _evaluate_text(name, annotation, layers)
    try:
        return resolve_aliases(annotation)
    except AliasError as error:
        raise AnnotationError(name, f"its annotation: {error}") from error


def _evaluate_text(name: str, text: Any, layers: list[Any]) -> Any:
    """A text, or names inside a type, in the module that it was written in.

    Wrappers copy annotations, so the innermost layer that has this one comes first.
    """
    problem: Exception | None = None
    theirs = [each for each in layers if _annotates(each, name, text)]
    if not theirs:
        theirs = [each for each in _list_held(layers) if _annotates(each, name, text)]
    for layer in (*reversed(theirs), *layers):
        for scope, own in _list_scopes(layer, name, text):
            try:
                return _evaluate_in(text, scope, own)
            except Exception as error:  # noqa: BLE001 - whatever it raises, it does not evaluate
                problem = problem or error
    said = (
        f"its annotation {text!r} cannot be resolved ({problem}); "
        "define or import the name at the top of the module"
    )
    raise AnnotationError(name, said) from problem


def _evaluate_in(text: Any, names: dict[str, Any], own: dict[str, Any]) -> Any:
    if isinstance(text, str):
        return eval(text, names, own)  # noqa: S307 - the handler's own annotation, as inspect does
    holder = SimpleNamespace(__annotations__={"value": text})
    return typing.get_type_hints(holder, names, own, include_extras=True)["value"]


def _annotates(layer: Any, name: str, text: object) -> bool:
    return getattr(layer, "__annotations__", {}).get(name) == text


def _list_held(layers: list[Any]) -> list[Any]:
    """What is behind layers that show a signature, and name nothing they wrap."""
    held: list[Any] = []
    waiting = [*layers]
    while waiting and len(held) < _MOST_LAYERS:
        layer = waiting.pop()
        if hasattr(layer, "__signature__"):
            kept = dict(_read_closure(layer)) | getattr(layer, "__dict__", {})
            found = [below for each in kept.values() for below in list_layers(each)]
            held += found
            waiting += found
    return held


def _list_scopes(
    layer: Any, name: str, text: object
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The global and the local names that an annotation of a layer may mean."""
    module = sys.modules.get(getattr(layer, "__module__", None) or "")
    theirs = vars(module) if module else {}
    scope = getattr(layer, "__globals__", theirs)
    parameters = getattr(layer, "__type_params__", ())
    own = {each.__name__: each for each in parameters} | dict(_read_closure(layer))
    # ``wraps`` copies annotations together with the name of their module.
    if _annotates(layer, name, text) and not _defines(layer, name):
        yield theirs, own
    yield scope, own
    owner: Any = module
    for step in str(getattr(layer, "__qualname__", "")).split(".")[:-1]:
        owner = getattr(owner, step, None)
    if inspect.isclass(owner):
        yield theirs, dict(vars(owner))


def _defines(layer: Any, name: str) -> bool:
    """Whether a function has the parameter itself."""
    code = getattr(layer, "__code__", None)
    return code is None or name in inspect.getargs(code).args


def _read_closure(layer: Any) -> Iterator[tuple[str, Any]]:
    cells = getattr(layer, "__closure__", None) or ()
    names = layer.__code__.co_freevars if cells else ()
    for name, cell in zip(names, cells, strict=True):
        with contextlib.suppress(ValueError):  # it is not set yet
            yield name, cell.cell_contents
