"""The types of the values that a module holds."""

import inspect
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Final, ParamSpec, TypeVar, get_origin

from arbvantage_provider.codegen.imports import UnspeakableError, locate
from arbvantage_provider.codegen.types import TypeFormatter

_INHERITING: Final = frozenset({"collections", "weakref"})
"""Modules whose classes are generic, and have that from others."""


def spell_type_of(value: Any, formatter: TypeFormatter) -> str:
    """The type of a value, as far as it can be imported; else ``Any``."""
    if inspect.isroutine(value):
        return formatter.spell(Callable[..., Any])
    if isinstance(value, ModuleType):
        return formatter.scope.refer("types", "ModuleType")
    kind = value.__class__
    try:
        if hasattr(value, "__orig_class__"):
            return formatter.spell(value.__orig_class__)
        is_hidden = (
            kind is not type(None)
            and locate(kind, formatter.scope.module)[0].split(".")[-1][:1] == "_"
        )
        spelled = formatter.spell(Any if is_hidden else kind)
        is_whole = is_hidden or spelled.endswith("]")
        return spelled if is_whole else spelled + spell_contents(kind, formatter)
    except UnspeakableError:
        return formatter.spell(Any)


def spell_contents(kind: type, formatter: TypeFormatter) -> str:
    """What a generic class holds, such as ``[Any]``; ``""``: it is not generic."""
    of_model = getattr(kind, "__pydantic_generic_metadata__", {})
    own = of_model.get("parameters") or vars(kind).get("__parameters__")
    # It may be a descriptor.
    known: list[Any] = [*own] if isinstance(own, tuple) else []
    anything = formatter.spell(Any)
    parts = [_fill(each, anything) for each in known]
    if not parts and _is_generic(kind):
        has_keys = issubclass(kind, Mapping) and not issubclass(kind, Counter)
        parts = [anything] * (2 if has_keys else 1)
        parts += ["..."] if kind is tuple else []
    return f"[{', '.join(parts)}]" if parts else ""


def _fill(parameter: Any, anything: str) -> str:
    if isinstance(parameter, TypeVar):
        return anything
    return "..." if isinstance(parameter, ParamSpec) else f"*tuple[{anything}, ...]"


def _is_generic(kind: type) -> bool:
    """Whether a class of Python's own takes types, which another may inherit."""
    if kind.__module__.partition(".")[0] not in sys.stdlib_module_names:
        return False
    is_own = "__class_getitem__" in vars(kind) or kind.__module__ in _INHERITING
    return is_own and hasattr(kind, "__class_getitem__")


def is_alias(value: Any) -> bool:
    """Whether a value may stand in an annotation, so that its definition matters."""
    is_variable = type(value).__module__ in ("typing", "typing_extensions")
    return inspect.isclass(value) or get_origin(value) is not None or is_variable
