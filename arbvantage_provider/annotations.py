"""Type aliases (``type X = …``, ``TypeAliasType``), and what they stand for."""

import sys
import types
import typing
from types import SimpleNamespace
from typing import (
    Annotated,
    Any,
    Final,
    ForwardRef,
    Literal,
    TypeGuard,
    TypeVar,
    Union,
    get_args,
    get_origin,
)

import typing_extensions

_ALIASES: Final[tuple[Any, ...]] = (
    typing_extensions.TypeAliasType,
    # Of Python 3.12 and later.
    getattr(typing, "TypeAliasType", typing_extensions.TypeAliasType),
)
_UNIONS: Final = (Union, types.UnionType)


class AliasError(TypeError):
    """What an alias stands for cannot be resolved."""


class _HoldsItselfError(Exception):
    def __init__(self, alias: Any) -> None:
        super().__init__()
        self.alias = alias


def find_alias(annotation: Any) -> Any:
    """The alias that ``Alias``, or ``Alias[int]``, is; ``None``: it is none."""
    for each in (annotation, get_origin(annotation)):
        if isinstance(each, _ALIASES):
            return each
    return None


def holds_name(annotation: Any) -> bool:
    """Whether a type inside the annotation is only named, as in ``list["Order"]``."""
    if isinstance(annotation, str | ForwardRef):
        return True
    origin = get_origin(annotation)
    if origin is Literal:
        return False
    args = get_args(annotation)
    return any(map(holds_name, args[:1] if origin is Annotated else args))


def resolve_aliases(annotation: Any, _above: tuple[Any, ...] = ()) -> Any:
    """The annotation with what aliases stand for in their place, at any depth.

    One that holds itself stays, as it has no end.

    Raises:
        AliasError: if one cannot be resolved.
    """
    alias = find_alias(annotation)
    if alias is None:
        return _rebuild(annotation, _above)
    if alias in _above:
        raise _HoldsItselfError(alias)
    try:
        return resolve_aliases(read_alias(annotation), (*_above, alias))
    except _HoldsItselfError as found:
        if found.alias is not alias:
            raise
        return annotation


def read_alias(annotation: Any) -> Any:
    """What ``Alias``, or ``Alias[int]``, stands for, its own aliases left as they are.

    Raises:
        AliasError: if it cannot be resolved.
    """
    alias: Any = find_alias(annotation)
    parameters = alias.__type_params__
    holder = SimpleNamespace()
    names = {alias.__name__: alias} | {each.__name__: each for each in parameters}
    module = sys.modules.get(alias.__module__)
    try:
        holder.__annotations__ = {"value": alias.__value__}
        value = typing.get_type_hints(
            holder, vars(module) if module else {}, names, include_extras=True
        )["value"]
        args = get_args(annotation) or tuple(map(_read_unsaid, parameters))
        return substitute(value, parameters, args)
    except Exception as error:
        problem = (
            f"the type alias {alias.__name__} cannot be resolved ({error}); define or "
            "import what it names at the top of its module"
        )
        raise AliasError(problem) from error


def _read_unsaid(parameter: Any) -> Any:
    """What a type variable stands for in an alias that is written without types."""
    return Any if is_free(parameter) else parameter


def is_free(parameter: object) -> TypeGuard[TypeVar]:
    """Whether it is a type variable without a bound, constraints and a default."""
    if not isinstance(parameter, TypeVar):
        return False
    none = typing_extensions.NoDefault
    has_default = getattr(parameter, "__default__", none) is not none
    return not (parameter.__bound__ or parameter.__constraints__ or has_default)


def substitute(value: Any, parameters: tuple[Any, ...], args: tuple[Any, ...]) -> Any:
    """A type with ``args`` in place of its type variables ``parameters``."""
    given = dict(zip(parameters, args, strict=False))  # one may have a default
    if isinstance(value, TypeVar):
        return given.get(value, value)
    of_model = getattr(value, "__pydantic_generic_metadata__", {})
    own: Any = of_model.get("parameters") or getattr(value, "__parameters__", ())
    if args and own == parameters:
        return value[args]
    is_held = any(each in given for each in own)
    return value[tuple(given.get(each, each) for each in own)] if is_held else value


def _rebuild(annotation: Any, above: tuple[Any, ...]) -> Any:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is None or origin is Literal:
        return annotation
    if origin is Annotated:
        inner = resolve_aliases(args[0], above)
        return annotation if inner is args[0] else Annotated[(inner, *args[1:])]
    made = tuple(resolve_aliases(arg, above) for arg in args)
    if all(new is old for new, old in zip(made, args, strict=True)):
        return annotation
    if origin in _UNIONS:
        return Union[made]  # noqa: UP007 - known at run time
    return origin[made[0] if len(made) == 1 else made]
