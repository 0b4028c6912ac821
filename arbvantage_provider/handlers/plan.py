"""A handler's signature and its schemas to a call plan, made once.

At run time only what was planned is called: each parameter has one reader. The
order in which a parameter's source is looked for is the numbered list in
``docs/handlers.md``.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from arbvantage_provider.context import TaskContext
from arbvantage_provider.exceptions import HandlerSignatureError
from arbvantage_provider.handlers.handler_inputs import (
    LOCAL,
    NAMED,
    Reader,
    Source,
    find_given,
    read_account_text,
    read_context,
    read_default,
    read_field,
    read_logger,
    read_named,
    read_whole,
)
from arbvantage_provider.handlers.inject import (
    Dependency,
    find_dependency,
    find_misuse,
    is_injected,
    read_injected,
)
from arbvantage_provider.handlers.loggers import asks_for_logger, find_wrap
from arbvantage_provider.handlers.options import ABSENT
from arbvantage_provider.handlers.signature import Signature
from arbvantage_provider.handlers.types import (
    contradicts,
    is_dict,
    is_model,
    is_unsaid,
    strip,
)

_Kind = inspect.Parameter
_VARIADIC = (_Kind.VAR_POSITIONAL, _Kind.VAR_KEYWORD)


@dataclass(frozen=True, kw_only=True, slots=True)
class CallPlan:
    """Where each argument of a handler comes from.

    Attributes:
        positional: readers of the parameters that are passed by position.
        keyword: readers of the others, by name.
        optional: readers of those that are passed only where they are not ``ABSENT``.
        dependencies: what the lifespans must have made.
        local: the parameters whose values cannot leave this process.
    """

    positional: tuple[Reader, ...]
    keyword: Mapping[str, Reader]
    optional: Mapping[str, Reader]
    dependencies: tuple[Dependency, ...]
    local: tuple[str, ...] = ()


def plan_call(
    action: str,
    signature: Signature,
    *,
    payload: Source,
    account: Source | None,
    account_declared: bool,
) -> CallPlan:
    """The plan for a handler.

    Raises:
        HandlerSignatureError: if nothing can fill a parameter, or an annotation
            contradicts the schema.
    """
    planner = _Planner(action, payload, account)
    positional: list[Reader] = []
    keyword: dict[str, Reader] = {}
    optional: dict[str, Reader] = {}
    dependencies: list[Dependency] = []
    local: list[str] = []
    for parameter in signature.parameters:
        if parameter.kind in _VARIADIC:
            continue
        dependency = planner.find_dependency(parameter)
        dependencies += [dependency] if dependency else []
        reader = (
            read_injected(dependency) if dependency else planner.find_reader(parameter)
        )
        if (
            dependency
            or reader in LOCAL
            or asks_for_logger(strip(parameter.annotation))
        ):
            local.append(parameter.name)
        if parameter.default is ABSENT:
            optional[parameter.name] = reader
        elif _goes_by_name(parameter, signature):
            keyword[parameter.name] = reader
        else:
            positional.append(reader)
    if any(p.kind is _Kind.VAR_KEYWORD for p in signature.parameters):
        taken = {p.name for p in signature.parameters if p.kind not in _VARIADIC}
        rest = _read_rest(payload, account if account_declared else None)
        keyword |= {name: read for name, read in rest.items() if name not in taken}
    return CallPlan(
        positional=tuple(positional),
        keyword=keyword,
        optional=optional,
        dependencies=tuple(dependencies),
        local=tuple(local),
    )


def _goes_by_name(parameter: inspect.Parameter, signature: Signature) -> bool:
    if parameter.kind is _Kind.POSITIONAL_ONLY:
        return False
    return parameter.kind is _Kind.KEYWORD_ONLY or signature.is_wrapped


def is_special(parameter: inspect.Parameter) -> bool:
    """Whether the annotation or name asks for something other than the payload."""
    if is_injected(parameter.annotation):
        return True
    annotation = strip(parameter.annotation)
    return asks_for_logger(annotation) or annotation is TaskContext


@dataclass(frozen=True, slots=True)
class _Planner:
    """Looks for a parameter's source, line by line of the documented order."""

    action: str
    payload: Source
    account: Source | None

    def find_dependency(self, parameter: inspect.Parameter) -> Dependency | None:
        dependency = find_dependency(parameter)
        misuse = find_misuse(dependency.kind) if dependency else ""
        if misuse:
            raise HandlerSignatureError(self.action, parameter.name, misuse)
        return dependency

    def find_reader(self, parameter: inspect.Parameter) -> Reader:
        reader = self._find_by_annotation(parameter) or self._find_by_name(parameter)
        if reader is not None:
            return reader
        if parameter.default is not _Kind.empty:
            return read_default(parameter.default)
        known = sorted({*self.payload.fields, "payload", "account", *NAMED})
        problem = (
            "nothing can fill it; rename it to one of "
            f"{', '.join(known)}, give it a default, or add it to the payload schema"
        )
        raise HandlerSignatureError(self.action, parameter.name, problem)

    def _find_by_annotation(self, parameter: inspect.Parameter) -> Reader | None:
        annotation = strip(parameter.annotation)
        if annotation is TaskContext:
            return read_context
        if asks_for_logger(annotation):
            return self._read_logger(parameter, annotation)
        sources = [s for s in (self.payload, self.account) if s is not None]
        # Two of one model are told apart by name; else the payload comes first.
        sources.sort(key=lambda source: source.role != parameter.name)
        for source in sources:
            if annotation == source.type:
                return read_whole(source, annotation)
        return None

    def _read_logger(self, parameter: inspect.Parameter, annotation: Any) -> Reader:
        try:
            wrap = find_wrap(annotation)
        except TypeError:
            problem = f"the task's logger is no {_show(annotation)}; annotate it with "
            problem += "logging.Logger, and make what you need of it in the handler"
            raise HandlerSignatureError(self.action, parameter.name, problem) from None
        return (lambda inputs: wrap(read_logger(inputs))) if wrap else read_logger

    def _find_by_name(self, parameter: inspect.Parameter) -> Reader | None:
        name = parameter.name
        if name in self.payload.fields:
            self._check_field(parameter)
            default = parameter.default
            return read_field(self.payload, name, parameter.annotation, default=default)
        for source in (self.payload, self.account):
            if source is not None and name == source.role:
                self._check_whole(parameter, source)
                return read_whole(source, parameter.annotation)
        if name == "account" and strip(parameter.annotation) is str:
            return read_account_text(parameter.default)
        if name in NAMED:
            self._check_named(parameter)
            return read_named(name, parameter.annotation)
        return None

    def _check_named(self, parameter: inspect.Parameter) -> None:
        annotation = parameter.annotation
        given = find_given(parameter.name, annotation)
        # A dict may be asked for in place of a dataclass, but not of the context.
        is_lost = parameter.name == "context" and is_dict(annotation)
        agrees = any(not contradicts(annotation, each) for each in given)
        if is_unsaid(annotation) or (agrees and not is_lost):
            return
        problem = (
            f"its annotation {_show(parameter.annotation)} is not what a parameter of "
            f"this name is filled with, {' or '.join(map(_show, given))}; annotate it "
            "with that, rename it, or add it to the payload schema"
        )
        raise HandlerSignatureError(self.action, parameter.name, problem)

    def _check_field(self, parameter: inspect.Parameter) -> None:
        annotation = parameter.annotation
        declared = self.payload.fields[parameter.name].type
        if not is_unsaid(annotation) and contradicts(annotation, declared):
            problem = (
                f"its annotation {_show(annotation)} contradicts the schema, where "
                f"the field is {_show(declared)}; make them the same"
            )
            raise HandlerSignatureError(self.action, parameter.name, problem)

    def _check_whole(self, parameter: inspect.Parameter, source: Source) -> None:
        annotation = strip(parameter.annotation)
        if is_unsaid(annotation) or is_dict(annotation):
            return
        if not contradicts(annotation, source.type):
            return
        problem = (
            f"its annotation {_show(annotation)} is not what the {source.role} "
            "schema gives; annotate it with dict"
        )
        if is_model(annotation):
            problem += f", or write {source.role}_schema={_show(annotation)}"
        raise HandlerSignatureError(self.action, parameter.name, problem)


def _read_rest(payload: Source, account: Source | None) -> dict[str, Reader]:
    """All that ``**kwargs`` takes."""
    rest: dict[str, Reader] = dict(NAMED)
    for source in (payload, account):
        if source is not None:
            rest[source.role] = read_whole(source, _Kind.empty)
    return rest | {name: read_field(payload, name) for name in payload.fields}


def _show(annotation: Any) -> str:
    annotation = strip(annotation)
    return annotation.__name__ if inspect.isclass(annotation) else str(annotation)
