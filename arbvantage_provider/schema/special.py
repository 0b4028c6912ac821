"""What ``typing`` has names for and no payload has values for."""

import dataclasses
import typing
from collections.abc import Generator, Hashable
from typing import Any, Final, cast, get_args, get_origin

import typing_extensions

from arbvantage_provider.annotations import is_free
from arbvantage_provider.context import TaskContext

_QUALIFIERS: Final[tuple[tuple[Any, str], ...]] = (
    (typing.Final, "names that are set once"),
    (typing.ClassVar, "attributes of a class"),
    (dataclasses.InitVar, "arguments of a dataclass"),
    (typing.Required, "keys of a TypedDict"),
    (typing.NotRequired, "keys of a TypedDict"),
    (typing_extensions.ReadOnly, "keys of a TypedDict"),
)
_OF_TYPING: Final[Any] = typing  # checkers take what it has for no values
_LAZY: Final[Any] = Generator
_PARAMETERS: Final = "stands for parameters of a function; write the type of the value"
_NO_VALUE: Final = "has no values; leave it out, or write the type of what comes"
_INSTEAD: Final[tuple[tuple[Any, str], ...]] = (
    (_OF_TYPING.NoReturn, _NO_VALUE),
    (_OF_TYPING.Never, _NO_VALUE),
    (_OF_TYPING.Self, "is for methods of a class; write the class by its name"),
    (_OF_TYPING.LiteralString, "is for texts of a program; write str"),
    (_OF_TYPING.Concatenate, _PARAMETERS),
    (_LAZY, "runs code, and JSON has arrays; write list[…]"),
    (Hashable, "does not say what comes; write it, such as str | int"),
    (TaskContext, "is filled in; annotate a parameter of the handler with it"),
)
_VARIABLES: Final = (typing.ParamSpec, typing_extensions.TypeVarTuple)


def find_instead(declared: Any) -> str:
    """What is wrong with a type that is for other places; ``""``: it is none.

    A type variable that has a bound, constraints or a default stands for these.
    """
    kind = get_origin(declared) or declared
    if isinstance(declared, dataclasses.InitVar):
        kind = dataclasses.InitVar
    for qualifier, what in _QUALIFIERS:
        if kind is qualifier:
            inner = _write_inner(declared)
            none = " | None" if kind is typing.NotRequired else ""
            return f"{qualifier.__name__} is for {what}; write {inner}{none} here"
    for form, problem in _INSTEAD:
        if kind is form:
            return f"{form.__name__} {problem}"
    if isinstance(kind, _VARIABLES):
        return f"{kind.__name__} {_PARAMETERS}"
    if is_free(kind):
        name = kind.__name__
        return f"the type variable {name} may be anything; write Any, or what it is"
    return ""


def _write_inner(declared: Any) -> str:
    is_init = isinstance(declared, dataclasses.InitVar)
    args: tuple[Any, ...] = get_args(declared)
    if is_init:
        args = (cast("Any", declared).type,)
    if not args:
        return "the type itself"
    return args[0].__name__ if isinstance(args[0], type) else str(args[0])
