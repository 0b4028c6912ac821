"""A module's definitions as a stub has them: names and types, no bodies."""

import ast
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from arbvantage_provider.export.python.attributes import list_attributes
from arbvantage_provider.export.python.flat import flatten
from arbvantage_provider.export.python.heads import (
    Function,
    find_first_line,
    format_type_parameters,
    list_parameters,
    registers,
)
from arbvantage_provider.export.python.inference import is_alias, spell_type_of
from arbvantage_provider.export.python.layout import (
    STEP,
    format_assignment,
    format_definition,
    format_function,
    format_import,
)
from arbvantage_provider.export.python.spelling import Speller

_ACCESSORS: Final = (".setter", ".getter", ".deleter")
"""Decorators of functions that stand beside others of the same name."""

_WITH_VALUE: Final = ("Final", "TypeAlias")
"""Annotations that leave the type to the value."""

_CHECKED: Final = ("sys.version_info", "sys.platform")
"""Conditions that type checkers understand."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Handler:
    """What is known of a handler's types.

    Attributes:
        parameters: the annotations of those parameters that dict schemas fill.
        returns: the annotation of what it returns; ``""``: as it is written.
    """

    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    returns: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Definitions:
    """Writes the definitions of a module, or of a class in it.

    Attributes:
        names: what the names of the module stand for.
        handlers: the handlers, by the lines that their definitions begin on.
        speller: writes types for the module.
        indent: columns before each line.
        is_class: whether they are those of a class.
        seen: the names that were written so far.
    """

    names: Mapping[str, Any]
    handlers: Mapping[int, Handler]
    speller: Speller
    indent: int = 0
    is_class: bool = False
    seen: set[str] = field(default_factory=set[str])

    def write(self, body: Sequence[ast.stmt]) -> list[str]:
        """What the statements define, one text each."""
        replaced = _list_replaced(body)
        return [
            text
            for statement in body
            if statement not in replaced
            for text in self._write_statement(statement)
        ]

    def write_rest(self) -> list[str]:
        """The names of the module that no statement shows, such as a loop's."""
        return [
            f"{name}: {spell_type_of(value, self.speller)}"
            for name, value in self.names.items()
            if not name.startswith("_") and name not in self.seen
        ]

    def _write_statement(self, statement: ast.stmt) -> Iterator[str]:
        match statement:
            case ast.Import() | ast.ImportFrom():
                yield from self._write_imports(statement)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield self._write_function(statement)
            case ast.ClassDef():
                yield self._write_class(statement)
            case ast.AnnAssign(ast.Name(name)):
                yield self._write_annotated(name, statement)
            case ast.Assign():
                yield from self._write_assigned(statement)
            case _:
                yield from self._write_other(statement)

    def _write_other(self, statement: ast.stmt) -> Iterator[str]:
        if isinstance(statement, ast.If):
            yield from self._write_if(statement)
        elif isinstance(statement, ast.Try):
            yield from self.write(statement.body)
        elif isinstance(statement, ast.AugAssign):
            target, value = flatten(statement.target), flatten(statement.value)
            if target == "__all__":
                yield f"__all__ += {value}"
        elif type(statement).__name__ == "TypeAlias":
            yield " " * self.indent + ast.unparse(statement)

    def _write_imports(self, statement: ast.Import | ast.ImportFrom) -> Iterator[str]:
        """Imports whose names others see: ``import x as x``, in a stub."""
        names = [alias.asname or alias.name for alias in statement.names]
        self.seen.update(name.partition(".")[0] for name in names)
        texts = list(map(_show_import, statement.names))
        if isinstance(statement, ast.Import):
            yield from (f"{' ' * self.indent}import {text}" for text in texts)
        elif statement.module != "__future__":
            module = "." * statement.level + (statement.module or "")
            yield format_import(module, texts, indent=self.indent)

    def _write_function(self, function: Function) -> str:
        self.seen.add(function.name)
        handler = self.handlers.get(find_first_line(function))
        decorators = [
            f"{' ' * self.indent}@{flatten(each)}\n"
            for each in function.decorator_list
            if not (handler and registers(each))
        ]
        known = handler or Handler()
        returns = flatten(function.returns) if function.returns else ""
        if function.name == "__init__":
            returns = "None"
        word = "async def" if isinstance(function, ast.AsyncFunctionDef) else "def"
        head = format_function(
            f"{word} {function.name}{format_type_parameters(function)}",
            list_parameters(function.args, known.parameters),
            known.returns or returns,
            indent=self.indent,
        )
        return "".join([*decorators, head])

    def _write_class(self, node: ast.ClassDef) -> str:
        self.seen.add(node.name)
        margin = " " * self.indent
        lines = [f"{margin}@{flatten(each)}" for each in node.decorator_list]
        bases = [*map(flatten, node.bases)]
        bases += [f"{word.arg}={flatten(word.value)}" for word in node.keywords]
        head = f"{margin}class {node.name}{format_type_parameters(node)}"
        head += f"({', '.join(bases)}):" if bases else ":"
        inside = replace(
            self, indent=self.indent + STEP, is_class=True, seen=set[str]()
        )
        members = inside.write(node.body)
        attributes = list_attributes(node, self.names, self.speller)
        new = {
            name: each for name, each in attributes.items() if name not in inside.seen
        }
        members[:0] = [
            format_assignment(name, each, indent=inside.indent)
            for name, each in new.items()
        ]
        if not members:
            return "\n".join([*lines, f"{head} ..."])
        return "\n".join([*lines, head, join_definitions(members, _CLASSES)])

    def _write_annotated(self, name: str, statement: ast.AnnAssign) -> str:
        self.seen.add(name)
        annotation = flatten(statement.annotation)
        is_kept = self.is_class or any(word in annotation for word in _WITH_VALUE)
        value = flatten(statement.value) if statement.value and is_kept else ""
        return format_assignment(name, annotation, value, indent=self.indent)

    def _write_assigned(self, statement: ast.Assign) -> Iterator[str]:
        """In a class the value stays, as an enum or a model reads it."""
        for name in _list_names(statement.targets):
            self.seen.add(name)
            value = self.names.get(name)
            if self.is_class or name == "__all__" or is_alias(value):
                text = flatten(statement.value)
                yield format_definition(name, text, indent=self.indent)
            else:
                yield f"{' ' * self.indent}{name}: {spell_type_of(value, self.speller)}"

    def _write_if(self, statement: ast.If) -> Iterator[str]:
        test = flatten(statement.test)
        if not test.startswith(_CHECKED):
            if "__name__" not in test:
                yield from self.write(statement.body)
            return
        inside = replace(self, indent=self.indent + STEP)
        branches = {f"if {test}:": statement.body, "else:": statement.orelse}
        for word, branch in branches.items():
            if lines := inside.write(branch):
                yield "\n".join([" " * self.indent + word, *lines])


def _list_replaced(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """Functions that others of the same name stand for, as when it is defined."""
    groups: dict[str, list[Function]] = defaultdict(list)
    for statement in body:
        if isinstance(statement, Function):
            groups[statement.name].append(statement)
    return [each for group in groups.values() for each in _find_replaced(group)]


def _find_replaced(group: Sequence[Function]) -> Iterator[Function]:
    overloads = [each for each in group if _is_decorated(each, ("overload",))]
    if overloads:
        yield from (each for each in group if each not in overloads)
    elif not any(_is_decorated(each, _ACCESSORS) for each in group):
        yield from group[:-1]


def _is_decorated(function: Function, names: tuple[str, ...]) -> bool:
    return any(flatten(each).endswith(names) for each in function.decorator_list)


def _show_import(alias: ast.alias) -> str:
    local = alias.asname or alias.name
    is_shown = local.isidentifier() and not local.startswith("_")
    return f"{alias.name} as {local}" if alias.asname or is_shown else alias.name


def _list_names(targets: Sequence[ast.expr]) -> Iterator[str]:
    for target in targets:
        for node in ast.walk(target):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id


_CLASSES: Final = frozenset({"class", "short class"})
_APART: Final = _CLASSES | {"def", "import"}


def join_definitions(texts: Iterable[str], apart: Collection[str] = _APART) -> str:
    """Definitions as a stub has them, those of unlike kinds parted by a blank line.

    Args:
        texts: the definitions.
        apart: the kinds that are parted from others.
    """
    joined, above = "", ""
    for text in texts:
        kind = _find_kind(text)
        is_apart = kind != above and not {kind, above}.isdisjoint(apart)
        gap = "\n\n" if is_apart or kind == above == "class" else "\n"
        joined, above = joined + (gap if joined else "") + text, kind
    return joined


def _find_kind(text: str) -> str:
    """What a definition is; a class without a body is as short as a variable."""
    lines = [line.strip() for line in text.split("\n")]
    lines = [line for line in lines if not line.startswith("@")]
    word = lines[0].partition(" ")[0]
    if word == "class":
        return "class" if len(lines) > 1 else "short class"
    kinds = {"async": "def", "def": "def", "from": "import", "import": "import"}
    return kinds.get(word, "variable")
