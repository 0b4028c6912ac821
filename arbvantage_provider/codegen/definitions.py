"""A module's definitions as a stub has them: names and types, no bodies."""

import ast
import copy
import importlib.util
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from arbvantage_provider.codegen.ast_signatures import (
    Function,
    find_first_line,
    is_generator,
    parse,
    registers,
    type_arguments,
)
from arbvantage_provider.codegen.attributes import list_attributes
from arbvantage_provider.codegen.inference import (
    is_alias,
    spell_contents,
    spell_type_of,
)
from arbvantage_provider.codegen.types import TypeFormatter

_ACCESSORS: Final = (".setter", ".getter", ".deleter")
"""Decorators of functions that stand beside others of the same name."""

_WITH_VALUE: Final = ("Final", "TypeAlias")
"""Annotations that leave the type to the value."""

_EMPTY: Final[Mapping[str, type]] = {
    "[]": list,
    "list()": list,
    "{}": dict,
    "dict()": dict,
    "set()": set,
}
"""Values that leave open what they hold."""

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
        formatter: writes types for the module.
        is_class: whether they are those of a class.
        seen: the names that were written so far.
    """

    names: Mapping[str, Any]
    handlers: Mapping[int, Handler]
    formatter: TypeFormatter
    is_class: bool = False
    seen: set[str] = field(default_factory=set[str])

    def write(self, body: Sequence[ast.stmt]) -> list[ast.stmt]:
        """What the statements define."""
        replaced = _list_replaced(body)
        return [
            written
            for statement in body
            if statement not in replaced
            for written in self._write_statement(statement)
        ]

    def write_rest(self) -> list[ast.stmt]:
        """The names of the module that no statement shows, such as a loop's."""
        return [
            _make(f"{name}: {spell_type_of(value, self.formatter)}")
            for name, value in self.names.items()
            if not name.startswith("_") and name not in self.seen
        ]

    def _write_statement(self, statement: ast.stmt) -> Iterator[ast.stmt]:
        match statement:
            case ast.Import() | ast.ImportFrom():
                yield from self._write_import(statement)
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

    def _write_other(self, statement: ast.stmt) -> Iterator[ast.stmt]:
        if isinstance(statement, ast.If):
            yield from self._write_if(statement)
        elif isinstance(statement, ast.Try):
            yield from self.write(statement.body)
        elif isinstance(statement, ast.AugAssign):
            if ast.unparse(statement.target) == "__all__":
                yield statement
        elif type(statement).__name__ == "TypeAlias":
            self.seen.update(_list_names([statement]))
            yield statement

    def _write_import(
        self, statement: ast.Import | ast.ImportFrom
    ) -> Iterator[ast.stmt]:
        """An import whose names others see: ``import x as x``, in a stub."""
        names = [alias.asname or alias.name for alias in statement.names]
        self.seen.update(name.partition(".")[0] for name in names)
        if isinstance(statement, ast.ImportFrom):
            if statement.module == "__future__":
                return
            if names == ["*"]:
                self.seen.update(_list_starred(statement, self.formatter.scope.module))
        written = copy.copy(statement)
        written.names = [_show(alias) for alias in statement.names]
        yield written

    def _write_function(self, function: Function) -> ast.stmt:
        self.seen.add(function.name)
        handler = self.handlers.get(find_first_line(function))
        known = handler or Handler()
        written = copy.copy(function)
        if isinstance(function, ast.AsyncFunctionDef) and is_generator(function):
            # Without a body, "async def" would say that it is awaited first.
            fields = {name: getattr(function, name) for name in function._fields}
            written = ast.FunctionDef(**fields)
        written.decorator_list = [
            each
            for each in function.decorator_list
            if not (handler and registers(each))
        ]
        types = {**self._find_owner(function), **known.parameters}
        anything = self.formatter.spell(Any)
        written.args = type_arguments(function.args, types, anything)
        if function.name in ("__init__", "__init_subclass__"):
            written.returns = ast.Constant(None)
        elif known.returns or function.returns is None:
            written.returns = parse(known.returns or anything)
        written.body = [_ELLIPSIS]
        return written

    def _find_owner(self, function: Function) -> dict[str, str]:
        """``self`` or ``cls``, which has no annotation."""
        first = [*function.args.posonlyargs, *function.args.args][:1]
        is_method = self.is_class and not _is_decorated(function, ("staticmethod",))
        is_said = any(each.annotation for each in first)
        return {each.arg: "" for each in first if is_method and not is_said}

    def _write_class(self, node: ast.ClassDef) -> ast.stmt:
        self.seen.add(node.name)
        inside = replace(self, is_class=True, seen=set[str]())
        members = inside.write(node.body)
        attributes = list_attributes(node, self.names, self.formatter)
        new = [
            _make(f"{name}: {annotation}")
            for name, annotation in attributes.items()
            if name not in inside.seen
        ]
        written = copy.copy(node)
        written.body = [*new, *members] or [_ELLIPSIS]
        return written

    def _write_annotated(self, name: str, statement: ast.AnnAssign) -> ast.stmt:
        self.seen.add(name)
        annotation = ast.unparse(statement.annotation)
        is_kept = self.is_class or any(word in annotation for word in _WITH_VALUE)
        written = copy.copy(statement)
        written.value = statement.value if is_kept else None
        return written

    def _write_assigned(self, statement: ast.Assign) -> Iterator[ast.stmt]:
        """In a class the value stays, as an enum or a model reads it."""
        names = [*_list_names(statement.targets)]
        self.seen.update(names)
        if self.is_class:
            contents = self._spell_empty(statement.value)
            written = copy.copy(statement)
            written.value = parse(contents) if contents else statement.value
            yield written
            return
        for name in names:
            value = self.names.get(name)
            if name == "__all__" or is_alias(value):
                yield _make(f"{name} = {ast.unparse(statement.value)}")
            else:
                yield _make(f"{name}: {spell_type_of(value, self.formatter)}")

    def _spell_empty(self, value: ast.expr) -> str:
        """An empty container with the types that no checker finds: ``list[Any]()``."""
        kind = _EMPTY.get(ast.unparse(value))
        if kind is None:
            return ""
        return f"{kind.__name__}{spell_contents(kind, self.formatter)}()"

    def _write_if(self, statement: ast.If) -> Iterator[ast.stmt]:
        test = ast.unparse(statement.test)
        if not test.startswith(_CHECKED):
            if "__name__" not in test:
                yield from self.write(statement.body)
            return
        written = copy.copy(statement)
        written.body = self.write(statement.body) or [_ELLIPSIS]
        written.orelse = self.write(statement.orelse)
        yield written


_ELLIPSIS: Final = ast.Expr(ast.Constant(...))


def _make(text: str) -> ast.stmt:
    return ast.parse(text).body[0]


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
    return any(ast.unparse(each).endswith(names) for each in function.decorator_list)


def _show(alias: ast.alias) -> ast.alias:
    local = alias.asname or alias.name
    is_shown = local.isidentifier() and not local.startswith("_")
    return ast.alias(alias.name, local if alias.asname or is_shown else None)


def _list_starred(statement: ast.ImportFrom, home: str) -> Iterator[str]:
    """The names that ``from module import *`` brings into the module ``home``."""
    name = "." * statement.level + (statement.module or "")
    package = getattr(sys.modules.get(home), "__package__", None)
    module = sys.modules[importlib.util.resolve_name(name, package)]
    public = (each for each in vars(module) if not each.startswith("_"))
    yield from getattr(module, "__all__", public)


def _list_names(targets: Sequence[ast.AST]) -> Iterator[str]:
    for target in targets:
        for node in ast.walk(target):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id
