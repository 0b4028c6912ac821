"""From a declaration and a handler to an ``Action``."""

import inspect
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args, get_origin

from arbvantage_provider.actions.action import Action
from arbvantage_provider.actions.result import compile_result
from arbvantage_provider.annotations import AliasError, resolve_aliases
from arbvantage_provider.exceptions import (
    HandlerSignatureError,
    RegistrationError,
    SchemaError,
)
from arbvantage_provider.executors.source import ExecutorSource, find_problem
from arbvantage_provider.handlers.defaults import open_default
from arbvantage_provider.handlers.docstring import Docstring, read_docstring
from arbvantage_provider.handlers.handler_inputs import NAMED
from arbvantage_provider.handlers.invoke import Invoke, make_invoke
from arbvantage_provider.handlers.options import (
    Option,
    expand_options,
    find_kwargs_problem,
)
from arbvantage_provider.handlers.plan import CallPlan, is_special, plan_call
from arbvantage_provider.handlers.retry import retry_async, retry_sync
from arbvantage_provider.handlers.signature import (
    Signature,
    read_signature,
    refuse_unbound,
)
from arbvantage_provider.handlers.types import (
    is_dict,
    is_model,
    is_typed_dict,
    is_unsaid,
    strip,
)
from arbvantage_provider.rate_limit import PerKey, RateLimitMonitor
from arbvantage_provider.rate_limit.check import find_monitor_problem
from arbvantage_provider.retry import Retry
from arbvantage_provider.schema.compiled_schema import (
    CompiledSchema,
    Role,
    any_object,
    compile_schema,
)
from arbvantage_provider.schema.dict_schema import Extra
from arbvantage_provider.schema.signature import compile_signature


def build_action(  # noqa: PLR0913 - each is an option of ``register``
    name: str,
    handler: Callable[..., Any],
    *,
    description: Any,
    payload_schema: Any,
    account_schema: Any,
    rate_limit_monitor: RateLimitMonitor | PerKey | None,
    max_wait: float | None = None,
    timeout: float | None,
    retry: Retry | None = None,
    max_concurrency: int | None = None,
    idempotent: bool = False,
    executor: ExecutorSource | None = None,
    extra: Extra = "ignore",
    takes: Any = None,
) -> Action:
    """Everything that can be decided about an action before a task comes.

    The arguments are those of ``Actions.register``; ``takes`` is the model that the
    first parameter must be, whatever its name.
    """
    _check_wait(name, max_wait)
    _check_options(name, timeout=timeout, monitor=rate_limit_monitor, extra=extra)
    _check_engine_options(name, retry=retry, max_concurrency=max_concurrency)
    _check_flag(name, idempotent)
    if problem := find_problem(executor):
        raise RegistrationError(name, problem)
    if description is not None and not isinstance(description, str):
        raise RegistrationError(name, f"description is {description!r}; give a text")
    signature = expand_options(name, read_signature(name, handler))
    payload_schema = _open_schema(name, "payload", payload_schema)
    account_schema = _open_schema(name, "account", account_schema)
    if takes is not None:
        signature = _fix_first(name, signature, payload_schema)
    signature = _open_defaults(name, signature, declared=payload_schema is not None)
    refuse_unbound(name, handler, signature, declared=payload_schema)
    doc = read_docstring(handler)
    payload = _compile_payload(name, payload_schema, signature, doc=doc, extra=extra)
    account = _compile_account(name, account_schema, signature, extra=extra)
    # Any dict may be empty; a schema of fields wants an account.
    account_required = account is not None and not _may_be_empty(account.type)
    plan = plan_call(
        name,
        signature,
        payload=payload,
        account=account,
        account_declared=account_required,
    )
    return Action(
        name=name,
        description=doc.summary if description is None else description,
        handler=handler,
        payload_schema=payload_schema,
        account_schema=account_schema,
        payload=payload,
        account=account,
        account_required=account_required,
        result=compile_result(name, signature.returns, is_async=signature.is_async),
        timeout=timeout,
        rate_limit_monitor=rate_limit_monitor,
        max_wait=max_wait,
        max_concurrency=max_concurrency,
        retry=retry,
        idempotent=idempotent,
        is_async=signature.is_async,
        needs_loop=signature.is_async or bool(plan.dependencies),
        plan=plan,
        invoke=_make_invoke(handler, plan, retry, is_async=signature.is_async),
        executor=executor,
    )


def _make_invoke(
    handler: Callable[..., Any], plan: CallPlan, retry: Retry | None, *, is_async: bool
) -> Invoke:
    invoke = make_invoke(handler, plan)
    if retry is None:
        return invoke
    return (retry_async if is_async else retry_sync)(invoke, retry)


def _check_engine_options(name: str, *, retry: Any, max_concurrency: Any) -> None:
    if retry is not None and not isinstance(retry, Retry):
        problem = (
            f"retry is {retry!r}; give a Retry, such as Retry(on=OSError, tries=3)"
        )
        raise RegistrationError(name, problem)
    is_whole = type(max_concurrency) is int and max_concurrency >= 1
    if max_concurrency is not None and not is_whole:
        problem = f"max_concurrency is {max_concurrency!r}; give a whole number"
        raise RegistrationError(name, f"{problem} of at least 1")


def _check_flag(name: str, idempotent: Any) -> None:
    if type(idempotent) is not bool:
        problem = f"idempotent is {idempotent!r}; give True or False"
        raise RegistrationError(name, problem)


def _check_options(name: Any, *, timeout: Any, monitor: Any, extra: Any) -> None:
    if not isinstance(name, str) or not name:
        raise RegistrationError(
            str(name), "give the action a name that is no empty text"
        )
    if extra not in get_args(Extra):
        raise RegistrationError(name, f"extra is {extra!r}; give 'ignore' or 'forbid'")
    if name == "<lambda>":
        raise RegistrationError(name, 'a lambda has no name; write register("name")')
    is_number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    if timeout is not None and not (is_number and 0 < timeout <= sys.float_info.max):
        problem = f"timeout is {timeout!r}; give seconds greater than 0"
        raise RegistrationError(name, problem)
    _check_monitor(name, monitor)


def check_limit(name: str, *, monitor: Any, max_wait: Any) -> None:
    """Refuse a limit that an action cannot keep to.

    Raises:
        RegistrationError: if it is none, or ``max_wait`` is no number of seconds.
    """
    _check_monitor(name, monitor)
    _check_wait(name, max_wait)


def _check_monitor(name: str, monitor: Any) -> None:
    if problem := find_monitor_problem(monitor, takes_keys=True):
        raise RegistrationError(name, problem)


def _check_wait(name: str, max_wait: Any) -> None:
    is_number = isinstance(max_wait, int | float) and not isinstance(max_wait, bool)
    if max_wait is not None and not (is_number and 0 <= max_wait <= sys.float_info.max):
        problem = f"max_wait is {max_wait!r}; give seconds, at least 0"
        raise RegistrationError(name, problem)


def _open_schema(name: str, role: Role, declared: Any) -> Any:
    """What a schema is that is declared by an alias, or a ``NewType``."""
    try:
        opened = resolve_aliases(declared)
    except AliasError as error:
        raise SchemaError(name, f"{role}_schema", str(error)) from error
    if hasattr(opened, "__supertype__"):
        return _open_schema(name, role, opened.__supertype__)
    return opened


def _fix_first(name: str, signature: Signature, takes: Any) -> Signature:
    """The signature whose first parameter is ``takes``, whatever it is called."""
    if not inspect.isclass(get_origin(takes) or takes):
        problem = f"{takes!r} is no class; write handles(Model), or register(…)"
        raise HandlerSignatureError(name, "", problem)
    if not signature.parameters:
        problem = f"it takes no parameter; the first one must be {takes.__name__}"
        raise HandlerSignatureError(name, "", problem)
    first, *others = signature.parameters
    if not is_unsaid(first.annotation) and strip(first.annotation) != takes:
        problem = f"the first parameter must be annotated with {takes.__name__}"
        raise HandlerSignatureError(name, first.name, problem)
    parameters = (first.replace(annotation=takes), *others)
    return replace(signature, parameters=parameters)


def _compile_payload(
    name: str, declared: Any, signature: Signature, *, doc: Docstring, extra: Extra
) -> CompiledSchema:
    if declared is not None:
        return compile_schema(name, "payload", declared, extra=extra)
    for parameter in signature.parameters:
        if _is_whole(parameter):
            return _compile_whole(name, "payload", parameter)
    for parameter in signature.parameters:
        if parameter.name in NAMED and not _is_variadic(parameter):
            _refuse_ambiguous(name, parameter)
    fields = [p for p in signature.parameters if _is_field(p)]
    if fields and (problem := find_kwargs_problem(signature)):
        raise HandlerSignatureError(name, "", problem)
    takes_all = any(p.kind is p.VAR_KEYWORD for p in signature.parameters)
    if takes_all and not fields:
        return any_object(name, "payload")
    return compile_signature(name, fields, descriptions=doc.parameters, extra=extra)


def _compile_whole(
    name: str, role: Role, parameter: inspect.Parameter
) -> CompiledSchema:
    """The schema that a parameter for the whole payload or account stands for."""
    annotation = strip(parameter.annotation)
    if is_unsaid(annotation):
        return any_object(name, role)
    if is_dict(annotation) and not is_typed_dict(annotation):
        values = get_args(annotation)
        return any_object(name, role, annotation if values else None)
    if is_model(annotation) or is_typed_dict(annotation):
        return compile_schema(name, role, annotation)
    problem = "annotate it with dict, a BaseModel, a dataclass or a TypedDict"
    raise HandlerSignatureError(name, parameter.name, problem)


def _may_be_empty(type_: Any) -> bool:
    return is_dict(type_) and not is_typed_dict(type_)


def _is_named(parameter: inspect.Parameter, name: str) -> bool:
    """``*payload`` and ``**payload`` are other things of the same name."""
    return parameter.name == name and not _is_variadic(parameter)


def _open_defaults(name: str, signature: Signature, *, declared: bool) -> Signature:
    """The signature with what ``= Field(…)`` says, where it has its meaning."""
    has_whole = declared or any(_is_whole(p) for p in signature.parameters)
    opened: list[inspect.Parameter] = []
    for each in signature.parameters:
        is_other = _is_variadic(each) or is_special(each) or _is_named(each, "account")
        is_field = not has_whole and (not is_other or _is_annotated(each.annotation))
        is_field = is_field and not isinstance(each, Option)  # its key says it all
        try:
            opened.append(open_default(each, is_field=is_field))
        except TypeError as error:
            raise HandlerSignatureError(name, each.name, str(error)) from error
    return replace(signature, parameters=tuple(opened))


def _refuse_ambiguous(name: str, parameter: inspect.Parameter) -> None:
    """A name that is filled in, with an annotation that a payload could have."""
    is_plain = not (is_special(parameter) or is_unsaid(parameter.annotation))
    if not is_plain or isinstance(parameter, Option):
        return
    if _is_annotated(parameter.annotation):
        return
    own = parameter.name
    ways = {"context": "context: TaskContext", "logger": "logger: logging.Logger"}
    other = ways.get(own, f"{own} without an annotation")
    problem = (
        "it may be a field of the payload, or what the provider fills in; write "
        f"`{own}: Annotated[…, Field()]`, such as Annotated[str, Field()], for the "
        f"field, or `{other}` for the other (`context: TaskContext` has the task's own)"
    )
    raise HandlerSignatureError(name, own, problem)


def _is_whole(parameter: inspect.Parameter) -> bool:
    is_key = isinstance(parameter, Option)
    return _is_named(parameter, "payload") and not is_key and not is_special(parameter)


def _is_variadic(parameter: inspect.Parameter) -> bool:
    return parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)


def _is_field(parameter: inspect.Parameter) -> bool:
    """Whether a parameter is a field of the payload that a signature stands for."""
    if _is_variadic(parameter) or is_special(parameter):
        return False
    if isinstance(parameter, Option):
        return True
    reserved = parameter.name == "account" or parameter.name in NAMED
    return not reserved or _is_annotated(parameter.annotation)


def _is_annotated(annotation: Any) -> bool:
    return hasattr(annotation, "__metadata__")


def _compile_account(
    name: str, declared: Any, signature: Signature, *, extra: Extra
) -> CompiledSchema | None:
    if declared is not None:
        return compile_schema(name, "account", declared, extra=extra)
    for parameter in signature.parameters:
        if is_special(parameter) or _is_annotated(parameter.annotation):
            continue
        if isinstance(parameter, Option):
            continue
        if _is_named(parameter, "account"):
            if strip(parameter.annotation) is str:
                return None  # its text is not read, only handed on
            return _compile_whole(name, "account", parameter)
    return None
