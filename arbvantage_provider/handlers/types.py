"""One-question helpers about annotations."""

import dataclasses
import inspect
import types
from collections.abc import Mapping
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
)

from pydantic import BaseModel
from typing_extensions import ReadOnly, is_typeddict

from arbvantage_provider.annotations import find_alias, read_alias

UNIONS = (Union, types.UnionType)
_WRAPPERS = (Annotated, Required, NotRequired, ReadOnly, Final)


def strip(annotation: Any, _above: tuple[Any, ...] = ()) -> Any:
    """The type inside ``Annotated``, ``Optional``, ``NewType`` and aliases."""
    inner = _open(annotation)
    if inner is annotation or inner in _above:
        return inner
    return strip(inner, (*_above, annotation))


def _open(annotation: Any) -> Any:
    if find_alias(annotation) is not None:
        return read_alias(annotation)
    if get_origin(annotation) in _WRAPPERS:
        return get_args(annotation)[0]
    if get_origin(annotation) in UNIONS:
        members = [arg for arg in get_args(annotation) if arg is not type(None)]
        return members[0] if len(members) == 1 else annotation
    return getattr(annotation, "__supertype__", annotation)


def list_parts(annotation: Any) -> list[Any]:
    """The type and all that stands inside it, each once and without its wrappers."""
    parts: list[Any] = []
    below = [annotation]
    while below:
        part = strip(below.pop())
        if part not in parts:
            parts.append(part)
            below += get_args(part)
    return parts


def is_unsaid(annotation: Any) -> bool:
    """Whether the annotation says nothing about the value."""
    return annotation in (inspect.Parameter.empty, Any, object)


def is_dict(annotation: Any) -> bool:
    """Whether the annotation asks for a dict, such as ``Mapping[str, Any]``."""
    kind = _runtime_class(strip(annotation))
    return kind is not None and issubclass(kind, Mapping)


def holds_model(annotation: Any) -> bool:
    """Whether a model or dataclass stands anywhere in the annotation."""
    return any(map(is_model, list_parts(annotation)))


def is_model(annotation: Any) -> bool:
    """Whether it is a ``BaseModel`` or a dataclass, or one such as ``Data[int]``."""
    kind: Any = get_origin(annotation) or annotation
    return inspect.isclass(kind) and (
        issubclass(kind, BaseModel) or dataclasses.is_dataclass(kind)
    )


def is_typed_dict(annotation: Any) -> bool:
    """Whether it is a ``TypedDict``, or one such as ``Data[int]``."""
    return is_typeddict(get_origin(annotation) or annotation)


def contradicts(annotation: Any, declared: Any) -> bool:
    """Whether no value of the ``declared`` type can be of the annotated one.

    Only plain cases are judged: type variables and the like pass, and so does what is
    declared as a union.
    """
    annotation, declared = strip(annotation), strip(declared)
    if get_origin(annotation) in UNIONS:
        return all(contradicts(each, declared) for each in get_args(annotation))
    wanted = _runtime_class(annotation)
    given = _runtime_class(declared)
    if wanted is None or given is None or (wanted is float and given is int):
        return False
    if is_model(given) and issubclass(wanted, Mapping):
        return False
    try:
        return not issubclass(given, wanted)
    except TypeError:
        return False


def _runtime_class(annotation: Any) -> type[Any] | None:
    """The class that a value of this type is an instance of, where there is one."""
    if is_typed_dict(annotation):
        return dict
    origin = get_origin(annotation)
    if origin is Literal:
        kinds: set[type[Any]] = {type(value) for value in get_args(annotation)}
        return kinds.pop() if len(kinds) == 1 else None
    kind = None if origin in UNIONS else origin or annotation
    if not inspect.isclass(kind) or kind is object:
        return None
    return kind
