"""The registry: where handlers become actions, and tasks find them."""

import functools
import inspect
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Concatenate, ParamSpec, TypeVar

from typing_extensions import override

from arbvantage_provider.actions.action import Action
from arbvantage_provider.actions.build import build_action, check_limit
from arbvantage_provider.actions.picklable import check_picklable
from arbvantage_provider.exceptions import (
    ActionNotFoundError,
    DuplicateActionError,
    RegistrationError,
)
from arbvantage_provider.executors.source import ExecutorSource
from arbvantage_provider.rate_limit import PerKey, RateLimitMonitor
from arbvantage_provider.retry import Retry
from arbvantage_provider.schema.dict_schema import Extra

Handler = TypeVar("Handler", bound=Callable[..., Any])
Payload = TypeVar("Payload")
P = ParamSpec("P")
R = TypeVar("R")


class Actions:
    """Actions by name, in the order of registration.

    Each provider has one as ``provider.actions``. One of its own is a group that is
    declared in a module without any provider, and included where it is wanted.

    Args:
        executor: what sync handlers run in that name no executor of their own.

    Attributes:
        find: the action of a name, or ``None``; what a worker asks for each task.
    """

    def __init__(self, *, executor: ExecutorSource | None = None) -> None:
        self._executor = executor
        self._actions: dict[str, Action] = {}
        self._changing = threading.Lock()
        self._listeners: list[Callable[[str], object]] = []
        self.find: Callable[[str], Action | None] = self._actions.get

    def register(  # noqa: PLR0913, PLR0917 - options; the earlier SDK's are by position
        self,
        name: str | None = None,
        description: str | None = None,
        payload_schema: Any = None,
        account_schema: Any = None,
        *,
        rate_limit_monitor: RateLimitMonitor | PerKey | None = None,
        max_wait: float | None = None,
        timeout: float | None = None,
        max_concurrency: int | None = None,
        retry: Retry | None = None,
        idempotent: bool = False,
        executor: ExecutorSource | None = None,
        extra: Extra = "ignore",
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
            rate_limit_monitor: a limit of this action alone, or a ``PerKey`` for
                one limit per account, or whatever else a task names.
            max_wait: seconds, at least 0, that a task may wait for the limit in its
                slot; as long as the handler may run if left out.
            timeout: seconds that the handler has; the provider's
                ``execution_timeout`` if left out.
            max_concurrency: how many tasks of this action may run at once; as many
                as the provider has slots if left out.
            retry: when the handler is run again; never if left out.
            idempotent: whether running it twice does no more than once: then a task
                that the process died in is run again, where there is a journal.
            executor: what the handler runs in, instead of a thread: a
                ``concurrent.futures.Executor``, or a function that makes one.
            extra: ``"forbid"`` refuses keys that a dict schema, or the signature,
                does not know. A model of yours decides for itself.

        Raises:
            DuplicateActionError: if the name is taken.
            SchemaError: if a schema cannot be compiled.
            HandlerSignatureError: if the handler cannot be called with what a
                task brings.
            RegistrationError: if anything else about the declaration is wrong.
        """
        _refuse_bare(name)
        options: dict[str, Any] = {
            "description": description,
            "payload_schema": payload_schema,
            "account_schema": account_schema,
            "rate_limit_monitor": rate_limit_monitor,
            "max_wait": max_wait,
            "timeout": timeout,
            "max_concurrency": max_concurrency,
            "retry": retry,
            "idempotent": idempotent,
            "executor": executor,
            "extra": extra,
        }

        def decorate(handler: Handler) -> Handler:
            self._add(build_action(_choose_name(handler, name), handler, **options))
            return handler

        return decorate

    def handles(  # noqa: PLR0913 - options of ``register``
        self,
        payload: type[Payload],
        *,
        name: str | None = None,
        description: str | None = None,
        account_schema: Any = None,
        rate_limit_monitor: RateLimitMonitor | PerKey | None = None,
        max_wait: float | None = None,
        timeout: float | None = None,
        max_concurrency: int | None = None,
        retry: Retry | None = None,
        idempotent: bool = False,
        executor: ExecutorSource | None = None,
    ) -> Callable[
        [Callable[Concatenate[Payload, P], R]], Callable[Concatenate[Payload, P], R]
    ]:
        """A decorator for a handler whose first parameter is the payload's model.

        What ``register`` finds out when the program starts, a type checker then
        says in the editor: that the handler takes this model.

        Args:
            payload: the payload's schema: a ``BaseModel``, a dataclass or a
                ``TypedDict``.
            name: as ``register`` takes it, like those below.
            description: for people.
            account_schema: the account's schema.
            rate_limit_monitor: a limit of this action alone.
            max_wait: seconds that a task may wait for it.
            timeout: seconds that the handler has.
            max_concurrency: how many tasks of this action may run at once.
            retry: when the handler is run again.
            idempotent: whether it may be run again after the process died in it.
            executor: what the handler runs in.

        Raises:
            RegistrationError: as ``register`` does.
        """
        _refuse_handler(payload)

        def decorate(
            handler: Callable[Concatenate[Payload, P], R],
        ) -> Callable[Concatenate[Payload, P], R]:
            action = build_action(
                _choose_name(handler, name),
                handler,
                description=description,
                payload_schema=payload,
                account_schema=account_schema,
                rate_limit_monitor=rate_limit_monitor,
                max_wait=max_wait,
                timeout=timeout,
                max_concurrency=max_concurrency,
                retry=retry,
                idempotent=idempotent,
                executor=executor,
                takes=payload,
            )
            self._add(action)
            return handler

        return decorate

    def include(self, others: "Actions", *, prefix: str = "") -> None:
        """Add the actions of a group that was declared on its own.

        The group stays as it is, and may be included in other providers too. What
        is registered in it later is not added here.

        Args:
            others: the group.
            prefix: what each name begins with here, such as ``"crm."``.

        Raises:
            DuplicateActionError: if a name is taken; then none is added.
        """
        renamed = [
            action.rename(prefix + action.name) if prefix else action
            for action in others.get_actions().values()
        ]
        for action in renamed:
            self._refuse_taken(action.name)
        for action in renamed:
            self._add(action)

    def set_rate_limit(
        self,
        name: str,
        rate_limit_monitor: RateLimitMonitor | PerKey | None,
        *,
        max_wait: float | None = None,
    ) -> None:
        """Give an action another limit, or none; from any thread, at any time.

        It counts from the next task. Those that wait for the limit now wait for the
        new one, in the same order. What a handler closed is open again. A group that
        the action was included from keeps its own.

        Args:
            name: the action's name.
            rate_limit_monitor: the limit, as ``register`` takes it; ``None``: none.
            max_wait: seconds that a task may wait for it; as before if left out.

        Raises:
            ActionNotFoundError: if there is no such action; it names the nearest.
            RegistrationError: if it is no limit.
        """
        with self._changing:
            action = self.find(name)
            if action is None:
                raise ActionNotFoundError(name, self._actions)
            check_limit(name, monitor=rate_limit_monitor, max_wait=max_wait)
            wait = action.max_wait if max_wait is None else max_wait
            self._actions[name] = replace(
                action, rate_limit_monitor=rate_limit_monitor, max_wait=wait
            )
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener(name)

    def watch(self, listener: Callable[[str], object]) -> Callable[[], None]:
        """Have the names told of actions whose limit is set anew.

        Args:
            listener: is called with each, on whichever thread that happens.

        Returns:
            what ends it.
        """
        with self._changing:
            self._listeners.append(listener)

        def end() -> None:
            with self._changing:
                self._listeners.remove(listener)

        return end

    def _add(self, action: Action) -> None:
        self._refuse_taken(action.name)
        if action.executor is None and self._executor is not None:
            # An async handler has none: it runs on the loop all the same.
            executor = None if action.is_async else self._executor
            action = replace(action, executor=executor)
        if action.executor is not None:
            check_picklable(action)
        with self._changing:
            self._actions[action.name] = action

    def _refuse_taken(self, name: str) -> None:
        if name in self._actions:
            raise DuplicateActionError(name)

    def get_action(self, name: str) -> Action | None:
        """The action of this name, or ``None``."""
        return self.find(name)

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


def _refuse_bare(name: object) -> None:
    """``@actions.register`` without parentheses calls it with the handler."""
    if callable(name):
        problem = "write @actions.register() with parentheses"
        raise RegistrationError(getattr(name, "__name__", ""), problem)


def _refuse_handler(payload: object) -> None:
    """``@actions.handles`` without a model calls it with the handler."""
    if inspect.isroutine(payload):
        problem = "write @actions.handles(Model), with the payload's model"
        raise RegistrationError(getattr(payload, "__name__", ""), problem)


def _choose_name(handler: Any, name: str | None) -> str:
    """The name that was given, or the handler's own."""
    if name is not None:
        return name
    while isinstance(handler, functools.partial):
        handler = handler.func
    return getattr(handler, "__name__", "") or type(handler).__name__
