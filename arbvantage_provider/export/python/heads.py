"""Functions and classes in a module's source: what stands before their bodies."""

import ast
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from arbvantage_provider.export.python.flat import flatten
from arbvantage_provider.export.python.layout import Parameter

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

_REGISTER: Final = frozenset({"register", "handles"})


def find_first_line(function: Function) -> int:
    """The line that a function's code object begins on: its first decorator's."""
    return min(node.lineno for node in (function, *function.decorator_list))


def registers(decorator: ast.expr) -> bool:
    """Whether a handler's decorator is the one that registers it."""
    if not isinstance(decorator, ast.Call):
        return False
    function = decorator.func
    return isinstance(function, ast.Attribute) and function.attr in _REGISTER


def format_type_parameters(node: Function | ast.ClassDef) -> str:
    """``[T]`` of ``def f[T](…)``, which Python has since 3.12."""
    found: list[ast.AST] = getattr(node, "type_params", [])
    return f"[{', '.join(map(ast.unparse, found))}]" if found else ""


def list_parameters(
    arguments: ast.arguments, types: Mapping[str, str]
) -> list[Parameter]:
    """The parameters of a function.

    Args:
        arguments: as they are in the source.
        types: annotations that are known better.
    """
    return list(_iterate_parameters(arguments, types))


def _iterate_parameters(
    arguments: ast.arguments, types: Mapping[str, str]
) -> Iterator[Parameter]:
    positional = [*arguments.posonlyargs, *arguments.args]
    missing = len(positional) - len(arguments.defaults)
    defaults = [None] * missing + arguments.defaults
    for index, (each, default) in enumerate(zip(positional, defaults, strict=True)):
        yield _make(each, default, types)
        if index + 1 == len(arguments.posonlyargs):
            yield Parameter(name="/")
    if arguments.vararg:
        yield _make(arguments.vararg, None, types, stars="*")
    elif arguments.kwonlyargs:
        yield Parameter(name="*")
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    for each, default in pairs:
        yield _make(each, default, types)
    if arguments.kwarg:
        yield _make(arguments.kwarg, None, types, stars="**")


def _make(
    argument: ast.arg,
    default: ast.expr | None,
    types: Mapping[str, str],
    *,
    stars: str = "",
) -> Parameter:
    declared = flatten(argument.annotation) if argument.annotation else ""
    annotation = types.get(argument.arg, declared)
    given = _spell_default(default) if default else ""
    # Of a field that is required, a default is never used.
    is_unfit = given == "None" and argument.arg in types and "None" not in annotation
    return Parameter(
        name=stars + argument.arg,
        annotation=annotation,
        default="..." if is_unfit else given,
    )


def _spell_default(default: ast.expr) -> str:
    """A short constant as it is; of anything else, that it is there."""
    text = flatten(default)
    is_constant = isinstance(default, ast.Constant | ast.UnaryOp)
    return text if is_constant and len(text) <= _LONGEST else "..."


_LONGEST: Final = 40
