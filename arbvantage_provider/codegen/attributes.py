"""What the methods of a class give to ``self``."""

import ast
import builtins
import inspect
from collections.abc import Iterator, Mapping
from typing import Any, Final

from arbvantage_provider.codegen.ast_signatures import Function
from arbvantage_provider.codegen.inference import spell_contents
from arbvantage_provider.codegen.types import TypeFormatter

_DISPLAYS: Final[Mapping[type[ast.expr], type]] = {
    ast.List: list,
    ast.ListComp: list,
    ast.Dict: dict,
    ast.DictComp: dict,
    ast.Set: set,
    ast.SetComp: set,
    ast.JoinedStr: str,
}


def list_attributes(
    node: ast.ClassDef, names: Mapping[str, Any], formatter: TypeFormatter
) -> dict[str, str]:
    """The annotations of the attributes that methods set, as far as they show.

    Args:
        node: a class in a module's source.
        names: what the names of the module stand for.
        formatter: writes types for the module.
    """
    found: dict[str, str] = {}
    for method in node.body:
        if not isinstance(method, Function) or not method.args.args:
            continue
        parameters = _list_annotations(method)
        for name, annotation, value in _list_targets(method):
            spelled = annotation or _infer(value, parameters)
            spelled = spelled or _infer_class(value, names, formatter)
            found.setdefault(name, spelled or _spell_kind(value, formatter))
    return found


def _list_annotations(method: Function) -> dict[str, str]:
    arguments = [*method.args.args, *method.args.kwonlyargs]
    return {
        each.arg: ast.unparse(each.annotation) for each in arguments if each.annotation
    }


def _list_targets(method: Function) -> Iterator[tuple[str, str, ast.expr | None]]:
    """Each ``self.name`` that is set, with its annotation and value."""
    this = method.args.args[0].arg
    for node in ast.walk(method):
        match node:
            case ast.Assign(targets, value):
                annotation = ""
            case ast.AnnAssign(single, declared, value):
                targets, annotation = [single], ast.unparse(declared)
            case _:
                continue
        for target in targets:
            names = [
                each for each in ast.walk(target) if isinstance(each, ast.Attribute)
            ]
            for each in names:
                owner, is_whole = each.value, each is target
                if isinstance(owner, ast.Name) and owner.id == this:
                    yield each.attr, annotation, value if is_whole else None


def _infer(value: ast.expr | None, parameters: Mapping[str, str]) -> str:
    """The type of a parameter; else ``""``."""
    return parameters.get(value.id, "") if isinstance(value, ast.Name) else ""


def _infer_class(
    value: ast.expr | None, names: Mapping[str, Any], formatter: TypeFormatter
) -> str:
    """The class that is called, such as ``Queue[Any]``; else ``""``."""
    if not isinstance(value, ast.Call):
        return ""
    function = value.func
    is_whole = isinstance(function, ast.Subscript)
    kind = _find(
        function.value if isinstance(function, ast.Subscript) else function, names
    )
    if not inspect.isclass(kind):
        return ""
    spelled = ast.unparse(function)
    return spelled if is_whole else spelled + spell_contents(kind, formatter)


def _spell_kind(value: ast.expr | None, formatter: TypeFormatter) -> str:
    kind: Any = _DISPLAYS.get(type(value), Any) if value else Any
    if isinstance(value, ast.Constant) and value.value is not None:
        kind = type(value.value)
    return formatter.spell(kind)


def _find(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """What a dotted name stands for."""
    if isinstance(node, ast.Attribute):
        return getattr(_find(node.value, names), node.attr, None)
    if not isinstance(node, ast.Name):
        return None
    return names.get(node.id, getattr(builtins, node.id, None))
