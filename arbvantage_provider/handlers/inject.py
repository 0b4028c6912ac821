"""``Inject[T]``: what a handler asks for that the provider's lifespans make."""

import inspect
import types
from dataclasses import dataclass
from typing import (
    Annotated,
    Any,
    Final,
    ForwardRef,
    TypeAlias,
    TypeVar,
    Union,
    get_args,
    get_origin,
)

from typing_extensions import override

from arbvantage_provider.exceptions import HandlerSignatureError
from arbvantage_provider.handlers.defaults import EMPTY, find_maker
from arbvantage_provider.handlers.handler_inputs import Inputs, Reader, read_default

T = TypeVar("T")
_UNIONS: Final = (Union, types.UnionType)


class _Marker:
    """Tells ``Inject[T]`` from other annotations."""

    @override
    def __repr__(self) -> str:
        return "Inject"


Inject: TypeAlias = Annotated[T, _Marker()]
"""A parameter that is filled with the provider's value of a type.

To type checkers ``Inject[T]`` is ``T``. The value comes from
``@provider.lifespan`` or ``provider.provide``.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dependency:
    """One parameter that is annotated with ``Inject``.

    Attributes:
        parameter: its name.
        kind: the type that is asked for.
        default: what it is where nothing provides that; ``EMPTY``: something must.
    """

    parameter: str
    kind: Any
    default: Any


def find_dependency(parameter: inspect.Parameter) -> Dependency | None:
    """What a parameter asks to be injected, or ``None``: it asks for another thing.

    ``Inject[T] | None`` without a default is ``None`` where nothing provides it.
    """
    if not is_injected(parameter.annotation):
        return None
    default = parameter.default
    if default is EMPTY and _takes_none(parameter.annotation):
        default = None
    kind = read_kind(parameter.annotation)
    return Dependency(parameter=parameter.name, kind=kind, default=default)


def is_injected(annotation: Any) -> bool:
    """Whether it is ``Inject[T]``, or a union with it."""
    if get_origin(annotation) in _UNIONS:
        return any(is_injected(member) for member in get_args(annotation))
    metadata = getattr(annotation, "__metadata__", ())
    return any(isinstance(each, _Marker) for each in metadata)


def read_kind(annotation: Any) -> Any:
    """The type by which a value is known: without ``Annotated`` and ``None``.

    A ``NewType`` stays one: it tells two values of the same class apart.
    """
    if get_origin(annotation) is Annotated:
        return read_kind(get_args(annotation)[0])
    if get_origin(annotation) in _UNIONS:
        members = [arg for arg in get_args(annotation) if arg is not type(None)]
        if len(members) == 1:
            return read_kind(members[0])
    return annotation


def _takes_none(annotation: Any) -> bool:
    if get_origin(annotation) is Annotated:
        return _takes_none(get_args(annotation)[0])
    return get_origin(annotation) in _UNIONS and type(None) in get_args(annotation)


def find_misuse(kind: Any) -> str:
    """What is wrong with a type that a value is to be known by; ``""``: nothing."""
    if isinstance(kind, TypeVar):
        return "it does not say which type; write Inject[…] with the type"
    if isinstance(kind, str | ForwardRef):
        return f"{show_kind(kind)} is a text; give the type itself"
    try:
        hash(kind)
    except TypeError:
        return f"{show_kind(kind)} cannot be looked up; give a class"
    return ""


def show_kind(kind: Any) -> str:
    """A type as messages call it: two classes of one name differ by their modules."""
    if isinstance(kind, ForwardRef):
        return repr(kind.__forward_arg__)
    if not inspect.isclass(kind) or get_origin(kind) is not None:
        return repr(kind)
    is_builtin = kind.__module__ == "builtins"
    return kind.__qualname__ if is_builtin else f"{kind.__module__}.{kind.__qualname__}"


def read_injected(dependency: Dependency) -> Reader:
    """A reader of what the lifespans made of a type.

    It raises ``HandlerSignatureError`` where they made nothing of it: what a handler
    needs is looked for when the provider starts, and this one came later.
    """
    kind, default = dependency.kind, dependency.default
    if default is not EMPTY:
        if find_maker(default) is None:
            return lambda inputs: inputs.injected.get(kind, default)
        make = read_default(default)
        return lambda inputs: (
            inputs.injected[kind] if kind in inputs.injected else make(inputs)
        )

    def read(inputs: Inputs) -> Any:
        try:
            return inputs.injected[kind]
        except KeyError:
            problem = (
                f"there is no {show_kind(kind)}: the action was registered while the "
                "provider runs; register it before start()"
            )
            raise HandlerSignatureError(
                inputs.context.action, dependency.parameter, problem
            ) from None

    return read
