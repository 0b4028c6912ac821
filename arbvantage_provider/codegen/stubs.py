"""A stub for a module whose handlers take dicts, so that editors know the keys.

A stub stands in for its module: type checkers read nothing else. So it holds
everything that the module shows, and only the handlers differ: what they receive
from dict schemas is a ``TypedDict`` there.
"""

import ast
import inspect
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from arbvantage_provider.actions import Action, Actions
from arbvantage_provider.codegen.definitions import Definitions, Handler
from arbvantage_provider.codegen.formatter import format_source
from arbvantage_provider.codegen.generated import list_generated, list_schemas
from arbvantage_provider.codegen.imports import UnspeakableError
from arbvantage_provider.codegen.names import Scope
from arbvantage_provider.codegen.signatures import (
    find_handler,
    type_parameter,
    type_unsaid,
)
from arbvantage_provider.codegen.typed_dicts import format_typed_dict
from arbvantage_provider.codegen.types import TypeFormatter
from arbvantage_provider.handlers.signature import read_signature
from arbvantage_provider.handlers.types import holds_model, is_unsaid

_HEAD = "# What the handlers receive; written by arbvantage codegen --stubs."


@dataclass(frozen=True, kw_only=True, slots=True)
class Home:
    """Where a handler is defined.

    Attributes:
        module: the module's name.
        name: the handler's dotted name in it; ``<locals>`` is a part of it where
            the handler is defined inside a function.
    """

    module: str
    name: str

    @property
    def is_in_reach(self) -> bool:
        """Whether a stub of the module can hold the handler."""
        return "<" not in self.name


def find_homes(actions: Actions) -> dict[str, Home]:
    """Where the handlers are defined that dict schemas are for, by action."""
    found: dict[str, Home] = {}
    for action in actions.get_actions().values():
        if any(list_schemas(action)):
            handler = find_handler(action)
            name = getattr(handler, "__qualname__", f"<{type(handler).__name__}>")
            found[action.name] = Home(module=handler.__module__, name=name)
    return found


def export_stub(actions: Actions, module: ModuleType) -> str:
    """The ``.pyi`` of a module, with types for the handlers that take dicts.

    Args:
        actions: a provider's actions.
        module: the module to write it for.

    Returns:
        The stub, or ``""`` where no handler of the module takes a dict.

    Raises:
        OSError: if the module's source cannot be read.
        UnspeakableError: if a type in a schema cannot be imported.
    """
    homes = find_homes(actions)
    typed = [
        actions[name]
        for name, home in homes.items()
        if home.module == module.__name__ and home.is_in_reach
    ]
    return _write(typed, actions, module) if typed else ""


def _write(typed: list[Action], actions: Actions, module: ModuleType) -> str:
    body, names = _parse(module).body, vars(module)
    scope = Scope(
        module=module.__name__,
        defined={**dict.fromkeys(_list_bound(body), object()), **names},
    )
    generated = list_generated(typed, scope.defined)
    scope.defined.update((each.name, each.type) for each in generated)
    formatter = TypeFormatter(
        scope=scope,
        classes={id(each.type): each.name for each in generated},
        with_constraints=False,
    )
    handlers = _read_handlers(actions, module, typed, formatter=formatter)
    writer = Definitions(names=names, handlers=handlers, formatter=formatter)
    theirs = writer.write([each for each in body if _imports(each)])
    types = [format_typed_dict(each, formatter) for each in generated]
    rest = writer.write([each for each in body if not _imports(each)])
    rest += writer.write_rest()
    imports = [scope.format_imports(), _unparse(theirs)]
    parts = [_HEAD, "\n".join(filter(None, imports)), *types, _unparse(rest)]
    return format_source("\n\n".join(filter(None, parts)) + "\n", is_stub=True)


def _unparse(body: list[ast.stmt]) -> str:
    module = ast.Module(body=body, type_ignores=[])
    return ast.unparse(ast.fix_missing_locations(module))


def _imports(statement: ast.stmt) -> bool:
    """Whether the statement only imports, whatever the condition."""
    if isinstance(statement, ast.If):
        return all(map(_imports, [*statement.body, *statement.orelse]))
    if isinstance(statement, ast.Try):
        return all(map(_imports, statement.body))
    return isinstance(statement, ast.Import | ast.ImportFrom)


def _parse(module: ModuleType) -> ast.Module:
    file = inspect.getsourcefile(module)
    if file is None:
        problem = f"the source of {module.__name__} is not there"
        raise OSError(problem)
    with tokenize.open(file) as source:
        return ast.parse(source.read())


def _list_bound(body: Iterable[ast.stmt]) -> Iterator[str]:
    """Names that a module may have: those of type checking alone are not there."""
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.alias):
                yield (node.asname or node.name).partition(".")[0]


def _read_handlers(
    actions: Actions,
    module: ModuleType,
    typed: list[Action],
    *,
    formatter: TypeFormatter,
) -> Mapping[int, Handler]:
    found: dict[int, Handler] = {}
    for action in actions.get_actions().values():
        handler = find_handler(action)
        if inspect.isfunction(handler) and handler.__module__ == module.__name__:
            line = handler.__code__.co_firstlineno
            known = found.setdefault(line, Handler())
            if action in typed:
                found[line] = _merge(known, _read_handler(action, formatter))
    return found


def _read_handler(action: Action, formatter: TypeFormatter) -> Handler:
    signature = read_signature(action.name, action.handler)
    types = {
        each.name: _type_dict(action, each, formatter)
        or type_parameter(action, each, formatter)
        or type_unsaid(each, formatter)
        for each in signature.parameters
    }
    returns = signature.returns
    try:
        spelled = formatter.spell(
            Any if returns is inspect.Signature.empty else returns
        )
    except UnspeakableError:
        spelled = ""
    parameters = {name: type_ for name, type_ in types.items() if type_}
    return Handler(parameters=parameters, returns=spelled)


def _type_dict(
    action: Action, parameter: inspect.Parameter, formatter: TypeFormatter
) -> str:
    """The annotation of a handler that asks for dicts where the schema has a model."""
    field, declared = action.payload.fields.get(parameter.name), parameter.annotation
    if field is None or is_unsaid(declared) or holds_model(declared):
        return ""
    return formatter.spell(declared) if holds_model(field.type) else ""


def _merge(one: Handler, other: Handler) -> Handler:
    """A handler of several actions receives what any of them has."""
    merged = dict(one.parameters)
    for name, type_ in other.parameters.items():
        known = merged.get(name, type_)
        merged[name] = known if known == type_ else f"{known} | {type_}"
    return Handler(parameters=merged, returns=other.returns)
