"""Functions in a module's source: what stands before their bodies."""

import ast
import copy
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

_REGISTER: Final = frozenset({"register", "handles"})
_LONGEST: Final = 40
"""Characters of a default that is shown."""


def parse(text: str) -> ast.expr:
    """The expression that ``text`` is."""
    return ast.parse(text, mode="eval").body


def find_first_line(function: Function) -> int:
    """The line that a function's code object begins on: its first decorator's."""
    return min(node.lineno for node in (function, *function.decorator_list))


def registers(decorator: ast.expr) -> bool:
    """Whether a handler's decorator is the one that registers it."""
    if not isinstance(decorator, ast.Call):
        return False
    function = decorator.func
    return isinstance(function, ast.Attribute) and function.attr in _REGISTER


def is_generator(function: Function) -> bool:
    """Whether the function itself yields, and not one that is defined inside it."""
    waiting: list[ast.AST] = [*function.body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, Function | ast.ClassDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return False


def type_arguments(
    arguments: ast.arguments, types: Mapping[str, str], rest: str
) -> ast.arguments:
    """The parameters of a function, each with an annotation.

    Args:
        arguments: as they are in the source.
        types: annotations that are known better; ``""``: there is to be none.
        rest: the annotation of those that have none.
    """
    typed = copy.deepcopy(arguments)
    for each in _iterate(typed):
        if each.arg in types:
            each.annotation = parse(types[each.arg]) if types[each.arg] else None
        elif each.annotation is None:
            each.annotation = parse(rest)
    positional = [*typed.posonlyargs, *typed.args]
    given = positional[len(positional) - len(typed.defaults) :]
    typed.defaults = [
        _show_default(each, default, types)
        for each, default in zip(given, typed.defaults, strict=True)
    ]
    typed.kw_defaults = [
        default and _show_default(each, default, types)
        for each, default in zip(typed.kwonlyargs, typed.kw_defaults, strict=True)
    ]
    return typed


def _iterate(arguments: ast.arguments) -> Iterator[ast.arg]:
    yield from (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    yield from filter(None, (arguments.vararg, arguments.kwarg))


def _show_default(
    argument: ast.arg, default: ast.expr, types: Mapping[str, str]
) -> ast.expr:
    """A short constant as it is; of anything else, that it is there."""
    text = ast.unparse(default)
    # Of a field that is required, a default is never used.
    is_unfit = text == "None" and "None" not in types.get(argument.arg, text)
    is_constant = isinstance(default, ast.Constant | ast.UnaryOp)
    is_shown = is_constant and len(text) <= _LONGEST and not is_unfit
    return default if is_shown else ast.Constant(...)
