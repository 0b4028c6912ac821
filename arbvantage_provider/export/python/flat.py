"""Expressions on one line, spelled as ``ruff format`` spells them."""

import ast
from collections.abc import Iterable, Sequence


def parse(text: str) -> ast.expr:
    """The expression that ``text`` is."""
    return ast.parse(text, mode="eval").body


def flatten(node: ast.expr) -> str:
    """The expression on one line."""
    match node:
        case ast.Constant(value):
            text = spell_constant(value)
        case ast.Attribute(value, name):
            text = f"{flatten(value)}.{name}"
        case ast.BinOp(_, ast.BitOr(), _):
            text = " | ".join(map(flatten, split_union(node)))
        case ast.UnaryOp(ast.USub(), operand):
            text = f"-{flatten(operand)}"
        case ast.Subscript(value, index):
            text = f"{flatten(value)}[{_flatten_index(index)}]"
        case ast.Call(function, arguments, keywords):
            words = [*map(flatten, arguments), *map(_flatten_keyword, keywords)]
            text = f"{flatten(function)}({', '.join(words)})"
        case _:
            text = _flatten_display(node)
    return text


def split_union(node: ast.expr) -> list[ast.expr]:
    """``A | B | C`` as its three operands; anything else is one operand."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return [*split_union(node.left), node.right]
    return [node]


def spell_constant(value: object) -> str:
    """A literal of text, bytes or a number, or the name of a constant."""
    if isinstance(value, str):
        return _quote(value, [repr(char)[1:-1] for char in value])
    if isinstance(value, bytes):
        text = value.decode("latin-1")
        return "b" + _quote(text, [repr(bytes([byte]))[2:-1] for byte in value])
    if isinstance(value, float):
        return repr(value).replace("e+", "e")
    return "..." if value is Ellipsis else repr(value)


def _quote(text: str, escaped: Sequence[str]) -> str:
    """In double quotes, unless single ones need fewer backslashes."""
    mark = "'" if text.count('"') > text.count("'") else '"'
    body = ""
    for char, part in zip(text, escaped, strict=True):
        bare = char if char in "'\"" else part
        body += f"\\{mark}" if char == mark else bare
    return mark + body + mark


def _flatten_index(index: ast.expr) -> str:
    if isinstance(index, ast.Tuple) and len(index.elts) > 1:
        return _join(index.elts)
    return flatten(index)


def _flatten_keyword(word: ast.keyword) -> str:
    value = flatten(word.value)
    return f"{word.arg}={value}" if word.arg else f"**{value}"


def _flatten_display(node: ast.expr) -> str:
    match node:
        case ast.Dict(keys, values):
            pairs = zip(keys, values, strict=True)
            return "{" + ", ".join(_flatten_pair(*pair) for pair in pairs) + "}"
        case ast.List(elements):
            return f"[{_join(elements)}]"
        case ast.Set(elements):
            return "{" + _join(elements) + "}"
        case ast.Tuple(elements):
            comma = "," if len(elements) == 1 else ""
            return f"({_join(elements)}{comma})"
        case _:
            return ast.unparse(node)


def _flatten_pair(key: ast.expr | None, value: ast.expr) -> str:
    return f"{flatten(key)}: {flatten(value)}" if key else f"**{flatten(value)}"


def _join(elements: Iterable[ast.expr]) -> str:
    return ", ".join(map(flatten, elements))
