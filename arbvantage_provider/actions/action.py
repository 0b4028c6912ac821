"""One action: everything about it that is decided before a task comes."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter

from arbvantage_provider.exceptions import InvalidPayloadError, Violation
from arbvantage_provider.executors.source import ExecutorSource
from arbvantage_provider.handlers.invoke import Invoke
from arbvantage_provider.handlers.plan import CallPlan
from arbvantage_provider.rate_limit import PerKey, RateLimitMonitor
from arbvantage_provider.retry import Retry
from arbvantage_provider.schema.compiled_schema import CompiledSchema
from arbvantage_provider.schema.strict_json import LONGEST


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
        result: checks a success's ``data``, and describes it, where the return
            annotation is a model, a dataclass or a ``TypedDict``; else ``None``.
        timeout: seconds that the handler has; ``None``: the provider's.
        rate_limit_monitor: a limit of this action alone, or one for each key, or
            ``None``.
        max_wait: seconds that a task may wait for the limit; ``None``: as long as
            its handler may run.
        max_concurrency: how many of its tasks may run at once; ``None``: all.
        retry: when its handler is run again, or ``None``.
        idempotent: whether a task that was interrupted by the death of the process
            may be run again.
        is_async: whether the handler is awaited.
        needs_loop: whether one task of it, run on its own, needs an event loop: it is
            awaited, or something is injected into it.
        executor: what the handler runs in; ``None``: the loop, or a thread.
        plan: where each argument comes from.
        invoke: calls the handler by the plan.
    """

    name: str
    description: str
    handler: Callable[..., Any]
    payload_schema: Any
    account_schema: Any
    payload: CompiledSchema
    account: CompiledSchema | None
    account_required: bool
    result: TypeAdapter[Any] | None
    timeout: float | None
    rate_limit_monitor: RateLimitMonitor | PerKey | None
    max_wait: float | None
    max_concurrency: int | None
    retry: Retry | None
    idempotent: bool
    is_async: bool
    needs_loop: bool
    plan: CallPlan
    invoke: Invoke
    executor: ExecutorSource | None = None

    def read_account(self, account: bytes, longest: int = LONGEST) -> Any:
        """The account as a value of its schema; ``None`` where nobody reads it.

        An account that the action did not declare is any object, and ``{}`` where
        there is none.

        Raises:
            InvalidPayloadError: if it does not fit, or is missing.
        """
        if self.account is None:
            return None
        if account:
            return self.account.validate(account, longest)
        if not self.account_required:
            return {}
        problem = f"{self.name!r} needs an account, and the task has none"
        missing = Violation(path="account", type="missing", message="Field required")
        raise InvalidPayloadError(problem, [missing])

    def rename(self, name: str) -> "Action":
        """The same action under another name."""
        account = self.account and replace(self.account, action=name)
        payload = replace(self.payload, action=name)
        return replace(self, name=name, payload=payload, account=account)
