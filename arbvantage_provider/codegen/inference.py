"""The types of the values that a module holds."""

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any, get_origin

from arbvantage_provider.codegen.imports import UnspeakableError, locate
from arbvantage_provider.codegen.types import TypeFormatter


def spell_type_of(value: Any, formatter: TypeFormatter) -> str:
    """The type of a value, as far as it can be imported; else ``Any``."""
    if inspect.isroutine(value):
        return formatter.spell(Callable[..., Any])
    if isinstance(value, ModuleType):
        return formatter.scope.refer("types", "ModuleType")
    kind = value.__class__
    try:
        is_hidden = (
            kind is not type(None)
            and locate(kind, formatter.scope.module)[0].split(".")[-1][:1] == "_"
        )
        return formatter.spell(Any if is_hidden else kind)
    except UnspeakableError:
        return formatter.spell(Any)


def is_alias(value: Any) -> bool:
    """Whether a value may stand in an annotation, so that its definition matters."""
    is_variable = type(value).__module__ in ("typing", "typing_extensions")
    return inspect.isclass(value) or get_origin(value) is not None or is_variable
