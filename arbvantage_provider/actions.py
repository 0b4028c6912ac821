"""Actions, and the registry that a provider looks them up in."""

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, get_origin

from typing_extensions import override

from arbvantage_provider.exceptions import (
    DuplicateActionError,
    HandlerSignatureError,
    InvalidPayloadError,
    RegistrationError,
    Violation,
)
from arbvantage_provider.handlers.invoke import Invoke, make_invoke
from arbvantage_provider.handlers.plan import CallPlan, is_special, plan_call
from arbvantage_provider.handlers.readers import NAMED
from arbvantage_provider.handlers.signature import Signature, read_signature
from arbvantage_provider.handlers.types import is_dict, is_unsaid, strip
from arbvantage_provider.rate_limit import RateLimitMonitor
from arbvantage_provider.schema.declared import (
    Role,
    Schema,
    any_object,
    compile_schema,
)
from arbvantage_provider.schema.signature import compile_signature

Handler = TypeVar("Handler", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True, eq=False)
class Action:
    """One action: what it is called, what it takes, and what runs it.

    Attributes:
        name: what tasks call it.
        description: one sentence for people.
        handler: the function that was registered.
        payload_schema: as declared; ``None`` where the signature is the schema.
        account_schema: as declared; ``None`` where the action needs no account.
        payload: the compiled payload schema.
        account: the compiled account schema; ``None`` where nobody reads it.
        account_required: whether a task without account is refused.
        timeout: seconds that the handler has; ``None``: the provider's.
        rate_limit_monitor: a limit of this action alone, or ``None``.
        is_async: whether the handler is awaited.
        plan: where each argument comes from.
        invoke: calls the handler by the plan.
    """

    name: str
    description: str
    handler: Callable[..., Any]
    payload_schema: Any
    account_schema: Any
    payload: Schema
    account: Schema | None
    account_required: bool
    timeout: float | None
    rate_limit_monitor: RateLimitMonitor | None
    is_async: bool
    plan: CallPlan
    invoke: Invoke

    def validate(self, payload: bytes, account: bytes) -> tuple[Any, Any]:
        """The payload and the account as values of their schemas.

        An account that the action did not declare is not looked at, unless the
        handler asks for it; it then is any object, and ``{}`` where there is none.

        Raises:
            InvalidPayloadError: if one of them does not fit.
        """
        value = self.payload.validate(payload)
        if self.account is None:
            return value, None
        if account:
            return value, self.account.validate(account)
        if not self.account_required:
            return value, {}
        problem = f"{self.name!r} needs an account, and the task has none"
        missing = Violation(path="account", type="missing", message="Field required")
        raise InvalidPayloadError(problem, [missing])


class Actions:
    """The actions of a provider, by name, in the order of registration."""

    def __init__(self) -> None:
        self._actions: dict[str, Action] = {}

    def register(  # noqa: PLR0917 - programs of the earlier SDK pass four by position
        self,
        name: str | None = None,
        description: str | None = None,
        payload_schema: Any = None,
        account_schema: Any = None,
        *,
        rate_limit_monitor: RateLimitMonitor | None = None,
        timeout: float | None = None,
    ) -> Callable[[Handler], Handler]:
        """A decorator that registers a handler and returns it unchanged.

        Args:
            name: what tasks call the action; the function's name if left out.
            description: one sentence for people; the first paragraph of the
                docstring if left out.
            payload_schema: a dict such as ``{"name": str}``, a ``BaseModel``, a
                dataclass or a ``TypedDict``; if left out, the signature is the
                schema.
            account_schema: the same for the account; if left out, the action
                needs none.
            rate_limit_monitor: a limit of this action alone.
            timeout: seconds that the handler has; the provider's
                ``execution_timeout`` if left out.

        Raises:
            DuplicateActionError: if the name is taken.
            SchemaError: if a schema cannot be compiled.
            HandlerSignatureError: if the handler cannot be called with what a
                task brings.
            RegistrationError: if anything else about the declaration is wrong.
        """
        _refuse_bare(name)

        def decorate(handler: Handler) -> Handler:
            action = build_action(
                _find_name(handler) if name is None else name,
                handler,
                description=description,
                payload_schema=payload_schema,
                account_schema=account_schema,
                rate_limit_monitor=rate_limit_monitor,
                timeout=timeout,
            )
            if action.name in self._actions:
                raise DuplicateActionError(action.name)
            self._actions[action.name] = action
            return handler

        return decorate

    def get_action(self, name: str) -> Action | None:
        """The action of this name, or ``None``."""
        return self._actions.get(name)

    def get_actions(self) -> dict[str, Action]:
        """All actions by name; a dict of its own."""
        return dict(self._actions)

    def __getitem__(self, name: str) -> Action:
        return self._actions[name]

    def __contains__(self, name: object) -> bool:
        return name in self._actions

    def __iter__(self) -> Iterator[str]:
        return iter(self._actions)

    def __len__(self) -> int:
        return len(self._actions)

    @override
    def __repr__(self) -> str:
        return f"<Actions {', '.join(self._actions) or 'none'}>"


def build_action(  # noqa: PLR0913 - each is an option of ``register``
    name: str,
    handler: Callable[..., Any],
    *,
    description: Any,
    payload_schema: Any,
    account_schema: Any,
    rate_limit_monitor: RateLimitMonitor | None,
    timeout: float | None,
) -> Action:
    """Everything that can be decided about an action before a task comes."""
    _check_options(name, timeout, rate_limit_monitor)
    if description is not None and not isinstance(description, str):
        raise RegistrationError(name, f"description is {description!r}; give a text")
    signature = read_signature(name, handler)
    payload = _compile_payload(name, payload_schema, signature)
    account = _compile_account(name, account_schema, signature)
    account_required = account is not None and not account.takes_anything
    plan = plan_call(
        name,
        signature,
        payload=payload,
        account=account,
        account_declared=account_required,
    )
    return Action(
        name=name,
        description=_describe(handler) if description is None else description,
        handler=handler,
        payload_schema=payload_schema,
        account_schema=account_schema,
        payload=payload,
        account=account,
        account_required=account_required,
        timeout=timeout,
        rate_limit_monitor=rate_limit_monitor,
        is_async=signature.is_async,
        plan=plan,
        invoke=make_invoke(handler, plan),
    )


def _refuse_bare(name: object) -> None:
    """``@actions.register`` without parentheses calls it with the handler."""
    if callable(name):
        problem = "write @actions.register() with parentheses"
        raise RegistrationError(getattr(name, "__name__", ""), problem)


def _check_options(name: Any, timeout: Any, monitor: Any) -> None:
    if not isinstance(name, str) or not name:
        raise RegistrationError(
            str(name), "give the action a name that is no empty text"
        )
    if name == "<lambda>":
        raise RegistrationError(name, 'a lambda has no name; write register("name")')
    is_number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    if timeout is not None and not (is_number and 0 < timeout <= sys.float_info.max):
        problem = f"timeout is {timeout!r}; give seconds greater than 0"
        raise RegistrationError(name, problem)
    if monitor is not None and not isinstance(monitor, RateLimitMonitor):
        problem = (
            f"rate_limit_monitor is {monitor!r}; give an instance of a RateLimitMonitor"
        )
        raise RegistrationError(name, problem)


def _compile_payload(name: str, declared: Any, signature: Signature) -> Schema:
    if declared is not None:
        return compile_schema(name, "payload", declared)
    for parameter in signature.parameters:
        if _is_named(parameter, "payload") and not is_special(parameter):
            return _compile_whole(name, "payload", parameter)
    fields = [p for p in signature.parameters if _is_field(p)]
    takes_all = any(p.kind is p.VAR_KEYWORD for p in signature.parameters)
    if takes_all and not fields:
        return any_object(name, "payload")
    return compile_signature(name, fields)


def _compile_whole(name: str, role: Role, parameter: inspect.Parameter) -> Schema:
    """The schema that a parameter for the whole payload or account stands for."""
    annotation = strip(parameter.annotation)
    is_class = inspect.isclass(annotation) and get_origin(annotation) is None
    if is_unsaid(annotation) or annotation is dict or not is_class:
        if not (is_unsaid(annotation) or is_dict(annotation)):
            problem = "annotate it with dict, a BaseModel, a dataclass or a TypedDict"
            raise HandlerSignatureError(name, parameter.name, problem)
        return any_object(name, role)
    return compile_schema(name, role, annotation)


def _is_named(parameter: inspect.Parameter, name: str) -> bool:
    """``*payload`` and ``**payload`` are other things of the same name."""
    return parameter.name == name and not _is_variadic(parameter)


def _is_variadic(parameter: inspect.Parameter) -> bool:
    return parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)


def _is_field(parameter: inspect.Parameter) -> bool:
    """Whether a parameter is a field of the payload that a signature stands for."""
    if _is_variadic(parameter) or is_special(parameter):
        return False
    reserved = parameter.name == "account" or parameter.name in NAMED
    return not reserved or _is_annotated(parameter.annotation)


def _is_annotated(annotation: Any) -> bool:
    return hasattr(annotation, "__metadata__")


def _compile_account(name: str, declared: Any, signature: Signature) -> Schema | None:
    if declared is not None:
        return compile_schema(name, "account", declared)
    for parameter in signature.parameters:
        if _is_named(parameter, "account") and not _is_annotated(parameter.annotation):
            return _compile_whole(name, "account", parameter)
    return None


def _find_name(handler: Any) -> str:
    function = _unwrap_partial(handler)
    return getattr(function, "__name__", "") or type(function).__name__


def _describe(handler: Any) -> str:
    """The first paragraph of the docstring, in one line."""
    paragraph = (inspect.getdoc(_unwrap_partial(handler)) or "").split("\n\n", 1)[0]
    return " ".join(paragraph.split())


def _unwrap_partial(handler: Any) -> Any:
    while isinstance(handler, functools.partial):
        handler = handler.func
    return handler
