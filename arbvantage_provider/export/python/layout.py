"""Statements broken into lines as ``ruff format`` breaks them.

Only what generated code is made of is known: annotated assignments, function
heads and imports, and in them names, literals, subscripts, unions and calls.
Expressions are given as text and parsed, so how they were spelled is forgotten.
"""

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from arbvantage_provider.export.python.flat import flatten, parse, split_union

WIDTH: Final = 88
"""Columns of a line, ruff's default."""

STEP: Final = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """One parameter of a function, as it is written.

    Attributes:
        name: with its stars; ``*`` and ``/`` alone are parameters, too.
        annotation: an expression, or ``""``.
        default: an expression, or ``""``.
    """

    name: str
    annotation: str = ""
    default: str = ""


def format_assignment(
    target: str, annotation: str, value: str = "", *, indent: int = 0
) -> str:
    """``target: annotation = value``; the value may be ``""``."""
    start = f"{' ' * indent}{target}: "
    declared = parse(annotation)
    head = start + flatten(declared)
    if not value:
        fits = len(head) <= WIDTH
        return head if fits else start + _fill_alone(declared, indent, len(start))
    head += " = "
    given = parse(value)
    if len(head) + len(flatten(given)) <= WIDTH:
        return head + flatten(given)
    can_break = _is_breakable(declared)
    if can_break and not _can_follow(given, len(head)):
        head = f"{start}{_fill_annotation(declared, indent)} = "
    used = len(head.rpartition("\n")[2])
    return head + _fill_value(given, indent, used, stays_long=not can_break)


def format_definition(target: str, value: str, *, indent: int = 0) -> str:
    """``target = value``."""
    head = f"{' ' * indent}{target} = "
    return head + _fill(parse(value), _Room(indent, len(head), 0))


def format_function(
    head: str, parameters: Sequence[Parameter], returns: str, *, indent: int = 0
) -> str:
    """A function with ``...`` for a body.

    Args:
        head: such as ``async def create_user``.
        parameters: in order.
        returns: the annotation of what it returns, or ``""``.
        indent: columns before it.
    """
    margin = " " * indent
    result = f" -> {flatten(parse(returns))}" if returns else ""
    line = ", ".join(_fill_parameter(each, 0, 0) for each in parameters)
    whole = f"{margin}{head}({line}){result}: ..."
    if len(whole) <= WIDTH or not parameters:
        return whole
    inner = indent + STEP
    if inner + len(line) <= WIDTH and len(parameters) > 1:
        body = f"{' ' * inner}{line}\n"
    else:
        lines = [_fill_parameter(each, inner, WIDTH) for each in parameters]
        body = "".join(f"{' ' * inner}{line},\n" for line in lines)
    return f"{margin}{head}(\n{body}{margin}){result}: ..."


def format_import(module: str, names: Sequence[str], *, indent: int = 0) -> str:
    """``from module import names``; a name may be ``X as Y``."""
    margin = " " * indent
    whole = f"{margin}from {module} import {', '.join(names)}"
    if len(whole) <= WIDTH:
        return whole
    lines = [f"{margin}{' ' * STEP}{name},\n" for name in names]
    return f"{margin}from {module} import (\n{''.join(lines)}{margin})"


class _Room(NamedTuple):
    """The columns that an expression has.

    Attributes:
        indent: of the line that it begins on.
        used: before it, on that line.
        tail: taken by what follows it.
    """

    indent: int
    used: int
    tail: int


class _Brackets(NamedTuple):
    """What stands in brackets; a display is a list, set, tuple or dict."""

    opening: str
    items: list[tuple[str, ast.expr]]
    closing: str
    is_display: bool = False


def _fill(node: ast.expr, room: _Room) -> str:
    """The expression, on one line if there is room."""
    flat = flatten(node)
    if room.used + len(flat) + room.tail <= WIDTH:
        return flat
    operands = split_union(node)
    if len(operands) > 1:
        return _fill_union(operands, room)
    brackets = _find_brackets(node)
    return _fill_brackets(brackets, room.indent) if brackets else flat


def _fill_union(operands: Sequence[ast.expr], room: _Room) -> str:
    margin = " " * room.indent
    lines = [_fill(operands[0], _Room(room.indent, room.used, 0))]
    for operand in operands[1:]:
        tail = room.tail if operand is operands[-1] else 0
        below = _Room(room.indent, room.indent + len("| "), tail)
        lines.append(f"{margin}| {_fill(operand, below)}")
    return "\n".join(lines)


def _fill_brackets(brackets: _Brackets, indent: int) -> str:
    """The items on one line of their own, or else each on its own."""
    inner, items = indent + STEP, brackets.items
    margin = " " * inner
    line = ", ".join(prefix + flatten(value) for prefix, value in items)
    if not brackets.is_display and inner + len(line) <= WIDTH:
        return f"{brackets.opening}\n{margin}{line}\n{' ' * indent}{brackets.closing}"
    comma = "," if brackets.is_display or len(items) > 1 else ""
    lines = [
        f"{margin}{prefix}"
        f"{_fill(value, _Room(inner, inner + len(prefix), len(comma)))}{comma}\n"
        for prefix, value in items
    ]
    return f"{brackets.opening}\n{''.join(lines)}{' ' * indent}{brackets.closing}"


def _find_brackets(node: ast.expr) -> _Brackets | None:
    """The brackets that the expression ends with, if there is anything in them."""
    found: _Brackets | None = None
    match node:
        case ast.Subscript(value, ast.Tuple(elements)):
            found = _Brackets(f"{flatten(value)}[", _bare(elements), "]")
        case ast.Subscript(value, index):
            found = _Brackets(f"{flatten(value)}[", [("", index)], "]")
        case ast.Call(function, arguments, keywords):
            named = [(f"{word.arg}=", word.value) for word in keywords]
            items = _bare(arguments) + named
            found = _Brackets(f"{flatten(function)}(", items, ")")
        case ast.List(elements):
            found = _Brackets("[", _bare(elements), "]", is_display=True)
        case ast.Tuple(elements):
            found = _Brackets("(", _bare(elements), ")", is_display=True)
        case ast.Dict(keys, values):
            pairs = zip(keys, values, strict=True)
            items = [(f"{flatten(key)}: ", value) for key, value in pairs if key]
            found = _Brackets("{", items, "}", is_display=True)
        case _:
            pass
    return found if found and found.items else None


def _bare(elements: Sequence[ast.expr]) -> list[tuple[str, ast.expr]]:
    return [("", element) for element in elements]


def _is_breakable(node: ast.expr) -> bool:
    return len(split_union(node)) > 1 or _find_brackets(node) is not None


def _can_follow(value: ast.expr, used: int) -> bool:
    """Whether a value that is too long can begin on the line of its target."""
    return used + len("(") <= WIDTH and not isinstance(value, ast.UnaryOp)


def _fill_value(value: ast.expr, indent: int, used: int, *, stays_long: bool) -> str:
    """A value behind its target, or in parentheses below it.

    Where ``stays_long``, those parentheses are spared if they do not help.
    """
    flat, inner = flatten(value), indent + STEP
    if used + len(flat) <= WIDTH:
        return flat
    brackets = _find_brackets(value)
    if used + len("(") > WIDTH or (brackets and used + len(brackets.opening) <= WIDTH):
        return _fill_brackets(brackets, indent) if brackets else flat
    if stays_long and not brackets and inner + len(flat) > WIDTH:
        return flat
    below = _fill(value, _Room(inner, inner, 0))
    return f"(\n{' ' * inner}{below}\n{' ' * indent})"


def _fill_annotation(node: ast.expr, indent: int) -> str:
    """An annotation on several lines, in parentheses where it has no brackets."""
    brackets = _find_brackets(node)
    if brackets:
        return _fill_brackets(brackets, indent)
    inner = indent + STEP
    below = _fill(node, _Room(inner, inner, 0))
    return f"(\n{' ' * inner}{below}\n{' ' * indent})"


def _fill_alone(node: ast.expr, indent: int, used: int) -> str:
    """An annotation without a value; parentheses spare it its brackets' lines."""
    flat, brackets = flatten(node), _find_brackets(node)
    room = used + len(brackets.opening if brackets else "(")
    is_whole_below = indent + STEP + len(flatten(node)) <= WIDTH
    if len(split_union(node)) == 1 and not is_whole_below and not brackets:
        return flat
    if brackets and (room <= WIDTH or not is_whole_below):
        return _fill_brackets(brackets, indent)
    below = _fill(node, _Room(indent + STEP, indent + STEP, 0))
    return f"(\n{' ' * (indent + STEP)}{below}\n{' ' * indent})"


def _fill_parameter(parameter: Parameter, indent: int, width: int) -> str:
    """A parameter; where ``width`` is 0, on one line whatever its length."""
    name, default = parameter.name, ""
    if parameter.default:
        equals = " = " if parameter.annotation else "="
        default = equals + flatten(parse(parameter.default))
    if not parameter.annotation:
        return name + default
    node = parse(parameter.annotation)
    if not width:
        return f"{name}: {flatten(node)}{default}"
    room = _Room(indent, indent + len(name) + 2, len(default) + len(","))
    return f"{name}: {_fill(node, room)}{default}"
