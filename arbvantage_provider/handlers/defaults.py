"""What a parameter's default means: a value, pydantic's ``Field(…)``, or a mistake."""

import copy
import dataclasses
import inspect
from array import array
from collections import ChainMap, UserDict, UserList, deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Annotated, Any, Final, TypeAlias, get_args, get_origin

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo, ModelPrivateAttr
from pydantic_core import PydanticUndefined

EMPTY: Final[Any] = inspect.Parameter.empty
_COPIED: Final = (
    *(list, dict, set, deque, bytearray, tuple, BaseModel),
    *(UserList, UserDict, ChainMap, array, SimpleNamespace),
)
_OF_CLASSES: Final[tuple[Any, ...]] = (ModelPrivateAttr, dataclasses.Field)
_FOREIGN: Final = frozenset(
    {"Depends", "Security", "TaskiqDepends", "Provide", "OptionInfo", "ArgumentInfo"}
)
"""Classes by which other frameworks are told how to fill a parameter."""
Make: TypeAlias = Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Factory:
    """Stands for a default that ``default_factory`` makes anew for each call."""

    make: Make


def find_maker(default: Any) -> Make | None:
    """What makes a default for each call; ``None``: it may be the same one always.

    Containers, models and dataclasses are copied, as a handler may change them. What
    cannot be copied, and any other object, is shared.
    """
    if isinstance(default, Factory):
        return default.make
    is_data = dataclasses.is_dataclass(default) and not isinstance(default, type)
    if not (is_data or isinstance(default, _COPIED)):
        return None
    make = partial(copy.deepcopy, default)
    try:
        return None if make() is default else make
    except Exception:  # noqa: BLE001 - a class says how it is copied
        return None


def open_default(parameter: inspect.Parameter, *, is_field: bool) -> inspect.Parameter:
    """The parameter with what ``= Field(…)`` says where it has its meaning.

    Args:
        parameter: any.
        is_field: whether it is a field of a schema that the signature stands for.
            Else ``Field`` may only give a default.

    Raises:
        TypeError: if the default is a mistake.
    """
    default, annotation = parameter.default, parameter.annotation
    inner, *metadata = get_args(annotation) if _is_annotated(annotation) else [None]
    if problem := _find_problem([default, *metadata]):
        raise TypeError(problem)
    if not isinstance(default, FieldInfo):
        infos = [each for each in metadata if isinstance(each, FieldInfo)]
        has_two = default is not EMPTY and any(not i.is_required() for i in infos)
        if not (is_field and has_two):
            return parameter
        default = Field(default)  # of two defaults the one outside counts
    if _takes_data(default.default_factory):
        raise TypeError("its default_factory takes no argument here; leave that out")
    if is_field:
        inner = Any if annotation is EMPTY else annotation
        return parameter.replace(annotation=Annotated[inner, default], default=EMPTY)
    if default.metadata or default.validation_alias or default.description:
        problem = (
            "Field(…) may only give a default here, as this is no field of a schema "
            "that the signature stands for; say the rest in the schema"
        )
        raise TypeError(problem)
    return parameter.replace(default=_read_default(default))


def _is_annotated(annotation: Any) -> bool:
    return get_origin(annotation) is Annotated


def _read_default(info: FieldInfo) -> Any:
    if info.default_factory is not None:
        make: Any = info.default_factory
        return Factory(make)
    is_given = info.default is not PydanticUndefined and info.default is not Ellipsis
    return info.default if is_given else EMPTY


def _takes_data(factory: Any) -> bool:
    """Whether pydantic would hand the other fields to it, as it does since 2.10."""
    try:
        parameters = [*inspect.signature(factory).parameters.values()]
    except (TypeError, ValueError):  # none, or a class of C without a signature
        return False
    kinds = {
        *(inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    }
    return [each.kind in kinds and each.default is EMPTY for each in parameters] == [
        True
    ]


def _find_problem(given: list[Any]) -> str:
    for each in given:
        if isinstance(each, _OF_CLASSES):
            return (
                f"{each.__class__.__name__} is for the fields of a class; write a plain default, "
                "or Field(…) of pydantic"
            )
        kinds = {kind.__name__ for kind in type(each).__mro__}
        is_foreign = isinstance(each, FieldInfo) and _is_of(each, "fastapi")
        if is_foreign or kinds & _FOREIGN:
            return (
                f"{type(each).__name__}(…) of {type(each).__module__} means nothing "
                "here; write Inject[T] for what a lifespan makes, or a plain default"
            )
    return ""


def _is_of(value: object, package: str) -> bool:
    return type(value).__module__.partition(".")[0] == package
