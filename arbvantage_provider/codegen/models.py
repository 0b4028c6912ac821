"""Dict schemas as the models that a person would have written.

Each dict of a schema becomes a class of its own, and the handlers are shown as
they read with these classes. The code imports, passes the type checkers, and its
models take what the dicts took.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ConfigDict, Field

from arbvantage_provider.actions import Action, Actions
from arbvantage_provider.codegen.constraints import read_constraints, sort_words
from arbvantage_provider.codegen.docstrings import format_docstring
from arbvantage_provider.codegen.formatter import (
    STEP,
    format_function,
    format_source,
)
from arbvantage_provider.codegen.generated import (
    Generated,
    Member,
    list_generated,
    list_schemas,
)
from arbvantage_provider.codegen.imports import UnspeakableError
from arbvantage_provider.codegen.names import (
    Scope,
    name_fields,
    name_function,
    rank_module,
)
from arbvantage_provider.codegen.signatures import HandlerTypes, type_handler
from arbvantage_provider.codegen.types import TypeFormatter
from arbvantage_provider.schema.dict_schema import takes_none
from arbvantage_provider.schema.strict import StrictModel

_HOUSE = "arbvantage_provider"
_HANDLERS = """\
    # The handlers, as they are with these models. Take over their signatures, give
    # register(...) the schemas that stand above them, and delete this block."""


def export_models(actions: Actions, *, name: str) -> str:
    """The code of a module that holds the models of all dict schemas.

    Actions that have none are left out. The code is laid out by ``ruff format``,
    where ruff is installed, and is the same for equal declarations.

    Args:
        actions: a provider's actions.
        name: the provider's name, for the module's docstring.

    Returns:
        Python source, or ``""`` where no action has a dict schema.

    Raises:
        UnspeakableError: if a type or a default in a schema cannot be imported or
            written; the message names it.
    """
    declared = [each for each in actions.get_actions().values() if _has_dict(each)]
    generated = list_generated(declared)
    if not generated:
        return ""
    module = _Module(generated)
    classes = [module.format_class(each) for each in generated]
    needed = set(module.scope.imported)
    handlers = module.format_handlers(declared)
    title = f"The models of the provider {name!r}, written by arbvantage codegen."
    head = [format_docstring(title), *module.format_head(needed)]
    code = "\n\n\n".join(["\n\n".join(head), *classes, handlers]) + "\n"
    return format_source(code)


def _has_dict(action: Action) -> bool:
    return any(list_schemas(action))


@dataclass(frozen=True, slots=True)
class _Module:
    """The module while it is written."""

    generated: Collection[Generated]
    scope: Scope = field(default_factory=Scope)

    def __post_init__(self) -> None:
        self.scope.defined.update((each.name, each.type) for each in self.generated)

    @property
    def formatter(self) -> TypeFormatter:
        classes = {id(each.type): each.name for each in self.generated}
        return TypeFormatter(scope=self.scope, classes=classes)

    def format_head(self, needed: Collection[tuple[str, str]]) -> Iterator[str]:
        """The imports; what only the signatures need is for type checkers only."""
        self.scope.refer("typing", "TYPE_CHECKING")
        typing_only = {
            (module, name)
            for module, name in self.scope.imported
            if (module, name) not in needed and rank_module(module) > 0
        }
        yield self.scope.format_imports(set(self.scope.imported) - typing_only)
        if typing_only:
            imports = self.scope.format_imports(typing_only, indent=STEP)
            yield f"if TYPE_CHECKING:\n{imports}"

    def format_class(self, generated: Generated) -> str:
        """One dict as a class."""
        base = self.scope.refer(_HOUSE, "StrictModel")
        fields = self._name_fields(generated)
        formatter = self.formatter.inside({*fields.values(), "model_config"})
        lines = list(self._format_config(generated, formatter))
        for key, member in generated.members.items():
            try:
                line = _format_field(key, fields[key], member, formatter=formatter)
            except UnspeakableError as error:
                problem = f"{generated.name}[{key!r}]: {error}"
                raise UnspeakableError(problem) from error
            lines.append(line)
        body = "\n".join(lines)
        if generated.action:
            text = _describe(generated.action, generated.role)
            body = "\n\n".join(filter(None, [format_docstring(text, STEP), body]))
        return f"class {generated.name}({base}):\n{body or '    pass'}"

    def format_handlers(self, actions: Collection[Action]) -> str:
        """The handlers, for type checkers only, as they have no bodies."""
        formatter = replace(self.formatter, with_constraints=False)
        by_type = {id(each.type): self._name_fields(each) for each in self.generated}
        signatures = [
            type_handler(action, formatter, by_type.get(id(action.payload.type), {}))
            for action in actions
        ]
        taken = {*self.scope.defined, "TYPE_CHECKING"}.union(
            *self.scope.imported.values()
        )
        blocks = ["if TYPE_CHECKING:\n" + _HANDLERS]
        for action, signature in zip(actions, signatures, strict=True):
            name = name_function(signature.name or action.name, taken)
            taken.add(name)
            blocks.append(_format_handler(action, name, signature, formatter=formatter))
        return "\n\n".join(blocks)

    def _name_fields(self, generated: Generated) -> dict[str, str]:
        return name_fields(list(generated.members), self.scope.defined)

    def _format_config(
        self, generated: Generated, formatter: TypeFormatter
    ) -> Iterator[str]:
        """What the dict's configuration says beyond strictness."""
        config: Mapping[str, Any] = generated.type.__pydantic_config__
        known: Mapping[str, Any] = StrictModel.model_config
        words = {word: v for word, v in config.items() if v != known.get(word)}
        if words:
            yield f"    model_config = {formatter.values.call(ConfigDict, words)}\n"


def _describe(action: Action, role: str) -> str:
    if role == "payload" and action.description:
        return action.description
    return f"The {role} of the action {action.name!r}."


def _format_field(
    key: str, name: str, member: Member, *, formatter: TypeFormatter
) -> str:
    words, rest = read_constraints(member.metadata)
    has_default = "default" in words or "default_factory" in words
    if member.may_be_absent and not has_default:
        words["default"] = None
    if name != key and not {"alias", "validation_alias"} & words.keys():
        words["alias"] = key
    words = sort_words(words)
    default = words.get("default", ...)
    # A checker refuses `x: int = Field(default=None)`, and pydantic does not.
    if default is None and not takes_none(member.type) and member.type is not Any:
        rest, words = [*rest, Field(**words)], {}
    annotation = formatter.annotate(member.type, tuple(rest))
    if words.keys() == {"default"}:
        value = formatter.values.spell(default)
    else:
        value = formatter.values.call(Field, words) if words else ""
    return f"{STEP}{name}: {annotation}" + (f" = {value}" if value else "")


def _format_handler(
    action: Action, name: str, signature: HandlerTypes, *, formatter: TypeFormatter
) -> str:
    schemas = ", ".join(
        f"{role}_schema={formatter.spell(schema.type)}"
        for role, schema in list_schemas(action)
    )
    head = f"{'async ' if signature.is_async else ''}def {name}"
    function = format_function(
        head, signature.parameters, signature.returns, indent=STEP
    )
    return f"    # {schemas}\n{function}"
