"""Whether any JSON fits what pydantic built, and where none does."""

import enum
from collections.abc import Iterable, Iterator, Mapping
from inspect import unwrap
from typing import Any, Final, TypeAlias, cast

from pydantic_core import CoreSchema

from arbvantage_provider.schema.constraints import find_unfit
from arbvantage_provider.schema.parts import list_choices
from arbvantage_provider.schema.scalars import read_check

_Node: TypeAlias = Mapping[str, Any]

_PYTHON_ONLY: Final = frozenset({"callable", "is-instance", "is-subclass", "ellipsis"})
Misfit: TypeAlias = tuple[str, str]
"""A path, and what is wrong there."""


def find_misfit(schema: CoreSchema) -> Misfit | None:
    """The path to a part that no JSON can be, and what is wrong with it.

    What need not be there, and a union with another member, has JSON that fits.

    Args:
        schema: a complete one, as a ``TypeAdapter`` has it.
    """
    root: _Node = {**schema}
    definitions = {each["ref"]: each for each in root.get("definitions", ())}
    return _Search(definitions).find(root)


_NO_JSON: Final = (
    "no JSON value fits this type; write one that JSON has, such as str, int or a model"
)
_IMPORTS: Final = "ImportString imports what a payload names; write str"


class _Search:
    """One walk through a schema; what is looked at already fits, or is found there."""

    def __init__(self, definitions: Mapping[str, _Node]) -> None:
        self.definitions = definitions
        self.seen: set[str] = set()

    def find(self, node: _Node) -> Misfit | None:
        kind = node["type"]
        members = _list_members(node)
        if (
            problem := _IMPORTS
            if _imports(node)
            else _find_unsayable(node) or find_unfit(node, self.definitions)
        ):
            return "", problem
        if kind in _PYTHON_ONLY or members:
            return None if any(map(_is_json, members)) else ("", _NO_JSON)
        if kind in {"union", "tagged-union"}:
            found = [self.find(choice) for choice in list_choices(node)]
            return found[0] if all(found) else _find_mistake(found)
        if kind in {"nullable", "default"}:
            return _find_mistake([self.find(node["schema"])])
        return self._follow(node) if kind == "definition-ref" else self._find_in(node)

    def _follow(self, node: _Node) -> Misfit | None:
        reference = node["schema_ref"]
        if reference in self.seen:
            return None
        self.seen.add(reference)
        return self.find(self.definitions[reference])

    def _find_in(self, node: _Node) -> Misfit | None:
        for step, part, is_needed in _list_parts(node):
            found = self.find(part)
            found = found if is_needed else _find_mistake([found])
            if found is not None:
                return step + found[0], found[1]
        return None


def _find_mistake(found: Iterable[Misfit | None]) -> Misfit | None:
    """What is refused even where something else fits."""
    return next((each for each in found if each and each[1] != _NO_JSON), None)


def _imports(node: _Node) -> bool:
    function = _read_function(node)
    name = getattr(function, "__name__", "")
    return name == "import_string" and function.__module__.startswith("pydantic.")


def _find_unsayable(node: _Node) -> str:
    """What is wrong with a literal, one member of which no payload can give."""
    checked = read_check(_read_function(node))
    is_literal = node["type"] == "literal" or checked.get("kind") == "literal_error"
    member = next(
        (each for each in _list_members(node) if is_literal and not _is_json(each)),
        None,
    )
    if member is None:
        return ""
    own = member.value if isinstance(member, enum.Enum) else member
    write = f"its value, Literal[{own!r}]" if _is_json(own) else "one that JSON has"
    return f"no JSON value is {member!s}; write {write}"


def _list_members(node: _Node) -> list[Any]:
    """What an enum or literal, or a check of its members, compares the value with."""
    checked = read_check(_read_function(node))
    if node["type"] == "enum" and node.get("missing") is None:
        return [each.value for each in node["members"]]
    return [*checked.get("plain", node.get("expected", ()))]


def _is_json(member: object) -> bool:
    return isinstance(member, str | int | float | None)


def _read_function(node: _Node) -> Any:
    given: Any = node.get("function")
    # Of a call, such as older releases make a named tuple by, it is the class itself.
    is_known = isinstance(given, dict)
    function: Any = cast("_Node", given)["function"] if is_known else len
    return unwrap(function)


def _list_parts(node: _Node) -> Iterator[tuple[str, _Node, bool]]:
    """What must fit for the node to fit: the step to it, and whether it is needed."""
    if node["type"] == "chain":
        yield "", node["steps"][0], True
    for word, step in _STEPS.items():
        part: Any = node.get(word)
        several: list[Any] = [*part] if type(part) is list else []
        if isinstance(part, dict):
            yield step, cast("_Node", part), True
        for each in several:  # the items of a tuple, or arguments
            yield step, each.get("schema", each) if "name" in each else each, True
    fields: Any = node.get("fields", ()) if node["type"] in _WITH_FIELDS else ()
    if isinstance(fields, Mapping):
        members = cast("Mapping[str, _Node]", fields)
        fields = [{"name": name, **field} for name, field in members.items()]
    for field in fields:
        is_needed = field.get("required", node.get("total", True))
        yield f".{field['name']}", field["schema"], is_needed


_WITH_FIELDS: Final = frozenset(
    {"typed-dict", "model-fields", "dataclass-args", "named-tuple"}
)
_STEPS: Final = {
    **dict.fromkeys(("schema", "json_schema", "lax_schema", "arguments_schema"), ""),
    **dict.fromkeys(("keys_schema", "extras_schema"), ""),
    "items_schema": "[]",
    "values_schema": ".*",
}
"""Where a node has the one that must fit, too."""
