"""Handlers' signatures with the types of what the handlers receive."""

import functools
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from arbvantage_provider.actions import Action
from arbvantage_provider.codegen.formatter import Parameter
from arbvantage_provider.codegen.generated import list_schemas
from arbvantage_provider.codegen.imports import UnspeakableError
from arbvantage_provider.codegen.types import TypeFormatter
from arbvantage_provider.context import TaskContext
from arbvantage_provider.handlers.inject import is_injected, read_kind
from arbvantage_provider.handlers.plan import is_special
from arbvantage_provider.handlers.signature import read_signature
from arbvantage_provider.schema.dict_schema import takes_none

_Kind = inspect.Parameter
_STARS: Final[Mapping[Any, str]] = {_Kind.VAR_POSITIONAL: "*", _Kind.VAR_KEYWORD: "**"}
_NAMED: Final[Mapping[str, Any]] = {
    "provider": dict[str, Any],
    "timezone": str,
    "now": str,
    "now_utc": str,
    "context": TaskContext,
}
"""What a parameter without annotation receives, by its name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HandlerTypes:
    """A handler as its definition would be written.

    Attributes:
        name: the function's name, or ``""`` where it has none.
        is_async: whether it is ``async def``.
        parameters: in order.
        returns: the annotation of what it returns.
    """

    name: str
    is_async: bool
    parameters: tuple[Parameter, ...]
    returns: str


def find_handler(action: Action) -> Any:
    """The function that was written for an action, below partials and wrappers."""
    handler: Any = action.handler
    while isinstance(handler, functools.partial):
        handler = handler.func
    handler = inspect.unwrap(handler)
    if not inspect.isroutine(handler) and not inspect.isclass(handler):
        handler = inspect.unwrap(type(handler).__call__)
    return handler.__func__ if inspect.ismethod(handler) else handler


def type_parameter(action: Action, parameter: _Kind, formatter: TypeFormatter) -> str:
    """What a parameter receives from a dict schema; ``""`` where it is none of that."""
    if parameter.kind in _STARS or is_special(parameter):
        return ""
    schemas = dict(list_schemas(action))
    if "payload" in schemas and parameter.name in action.payload.fields:
        return formatter.spell(action.payload.fields[parameter.name].type)
    whole = next((s for role, s in schemas.items() if role == parameter.name), None)
    return formatter.spell(whole.type) if whole else ""


def type_unsaid(parameter: _Kind, formatter: TypeFormatter) -> str:
    """What a parameter without annotation receives; ``""`` where it has one."""
    is_said = parameter.annotation is not _Kind.empty
    return "" if is_said else formatter.spell(_NAMED.get(parameter.name, Any))


def type_handler(
    action: Action, formatter: TypeFormatter, fields: Mapping[str, str]
) -> HandlerTypes:
    """A handler's signature, typed.

    Args:
        action: whose handler it is.
        formatter: knows the names of the generated classes.
        fields: what the payload's keys are called in its model.
    """
    signature = read_signature(action.name, action.handler)
    written = [_type(action, each, formatter) for each in signature.parameters]
    named = [replace(each, name=fields.get(each.name, each.name)) for each in written]
    name = getattr(find_handler(action), "__name__", "")
    returns = signature.returns
    return HandlerTypes(
        name=name if name.isidentifier() and not name.startswith("__") else "",
        is_async=signature.is_async,
        parameters=tuple(_mark_kinds(signature.parameters, named)),
        returns=_spell(Any if returns is _Kind.empty else returns, formatter),
    )


def _type(action: Action, parameter: _Kind, formatter: TypeFormatter) -> Parameter:
    name = _STARS.get(parameter.kind, "") + parameter.name
    received = type_parameter(action, parameter, formatter)
    if received:
        default = _spell_default(action, parameter, formatter)
        return Parameter(name=name, annotation=received, default=default)
    declared = parameter.annotation
    annotation = type_unsaid(parameter, formatter) or _spell(declared, formatter)
    type_ = _NAMED.get(parameter.name, Any) if declared is _Kind.empty else declared
    if parameter.default is None and type_ is not Any and not takes_none(type_):
        annotation += " | None"
    default = _spell_default(action, parameter, formatter)
    return Parameter(name=name, annotation=annotation, default=default)


def _spell(type_: Any, formatter: TypeFormatter) -> str:
    """A type that the handler's author wrote; ``Any`` if it cannot be imported."""
    if is_injected(type_):
        inject = formatter.scope.refer("arbvantage_provider", "Inject", formatter.avoid)
        tail = " | None" if takes_none(type_) else ""
        return f"{inject}[{_spell(read_kind(type_), formatter)}]{tail}"
    try:
        return formatter.spell(type_)
    except UnspeakableError:
        return formatter.spell(Any)


def _spell_default(action: Action, parameter: _Kind, formatter: TypeFormatter) -> str:
    """A default; ``...`` where it is never used, or cannot be written."""
    if parameter.default is _Kind.empty:
        return ""
    field = action.payload.fields.get(parameter.name)
    if field is not None and field.required:
        return "..."
    try:
        return formatter.values.spell(parameter.default)
    except UnspeakableError:
        return "..."


def _mark_kinds(
    parameters: tuple[_Kind, ...], written: list[Parameter]
) -> Iterator[Parameter]:
    """The parameters with ``/`` and ``*`` between them."""
    kinds = [parameter.kind for parameter in parameters]
    positional = kinds.count(_Kind.POSITIONAL_ONLY)
    needs_star = _Kind.KEYWORD_ONLY in kinds and _Kind.VAR_POSITIONAL not in kinds
    first = kinds.index(_Kind.KEYWORD_ONLY) if needs_star else -1
    for index, each in enumerate(written):
        if index == first:
            yield Parameter(name="*")
        yield each
        if index + 1 == positional:
            yield Parameter(name="/")
