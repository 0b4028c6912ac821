"""One task to one answer; the one place that catches what handlers raise.

The steps are ``prepare`` (find the action, validate), ``begin`` (the deadline
starts), and ``run`` or ``run_async`` (bind the arguments, call the handler,
respond, encode). Whatever happens in them, the task gets an answer.
"""

import asyncio
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from arbvantage_provider.actions import Action, Actions
from arbvantage_provider.clock import Clock
from arbvantage_provider.context import Profile, TaskContext
from arbvantage_provider.exceptions import (
    ActionError,
    ActionNotFoundError,
    ActionTimeoutError,
)
from arbvantage_provider.hub.wire import Task
from arbvantage_provider.observe.logs import bind_task
from arbvantage_provider.observe.redaction import AccountSecrets, Redactor
from arbvantage_provider.responses import NotJSONError, ProviderResponse, respond
from arbvantage_provider.worker.answers import Answer, Format
from arbvantage_provider.worker.failures import describe_failure

ErrorHook: TypeAlias = Callable[[BaseException, Task], object]
"""Turns what a handler raised into a response, or a dict that is already one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A task whose action is found and whose payload fits; nothing has run."""

    task: Task
    action: Action
    payload: Any
    account: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A task whose deadline has begun."""

    ready: Ready
    context: TaskContext

    @property
    def task(self) -> Task:
        """The task."""
        return self.ready.task

    @property
    def action(self) -> Action:
        """Its action."""
        return self.ready.action


class Dispatcher:
    """Runs the actions of one provider.

    Args:
        actions: looked up by name at each task.
        profile: what handlers may know of the provider.
        timeout: seconds that a handler has where its action does not say.
        clock: tells when they are over.
        formatter: writes responses.
        redactor: cuts the token out of messages.
        logger: the provider's.
        on_error: a user's own answer to what handlers raise, if any.
    """

    def __init__(  # noqa: PLR0913 - each is another room's part
        self,
        *,
        actions: Actions,
        profile: Profile,
        timeout: float,
        clock: Clock,
        formatter: Format,
        redactor: Redactor,
        logger: Any,
        on_error: ErrorHook | None = None,
    ) -> None:
        self._actions = actions
        self._profile = profile
        self._timeout = timeout
        self._clock = clock
        self._format = formatter
        self._redactor = redactor
        self._logger = logger
        self._on_error = on_error

    def prepare(self, task: Task) -> Ready | Answer:
        """Find the action and validate; an answer if the task cannot be run."""
        action = self._actions.get_action(task.action)
        if action is None:
            return self.refuse(task, ActionNotFoundError(task.action, self._actions))
        try:
            payload, account = action.validate(task.payload, task.account)
        except ActionError as error:
            return self.refuse(task, error)
        except BaseException as error:  # noqa: BLE001 - a user's own validator may raise anything
            return self._fail(task, error)
        return Ready(task=task, action=action, payload=payload, account=account)

    def begin(self, ready: Ready) -> Call:
        """Start the deadline."""
        timeout = self.timeout_of(ready)
        context = TaskContext(
            id=ready.task.id,
            action=ready.action.name,
            provider=self._profile.name,
            timeout=timeout,
            deadline=self._clock.monotonic() + timeout,
            monotonic=self._clock.monotonic,
            make_logger=lambda _: self.logger_of(ready.task),
        )
        return Call(ready=ready, context=context)

    def timeout_of(self, ready: Ready) -> float:
        """Seconds that the handler has."""
        return ready.action.timeout or self._timeout

    def run(self, call: Call) -> Answer:
        """Call a sync handler on this thread.

        It cannot be interrupted: what it returns after its deadline is thrown
        away, and the answer is the same as if it had not returned.
        """
        try:
            value = self._call(call)
        except BaseException as error:  # noqa: BLE001 - SystemExit must not end the worker
            if self._in_time(call):
                return self._fail(call.task, error)
        else:
            if self._in_time(call):
                return self._finish(call.task, value)
        return self.time_out(call)

    async def run_async(self, call: Call) -> Answer:
        """Await an async handler; at its deadline it is cancelled.

        Raises:
            asyncio.CancelledError: if the caller is cancelled.
        """
        scope = asyncio.timeout(call.context.timeout)
        try:
            async with scope:
                value = self._call(call)
                if inspect.isawaitable(value):
                    value = await value
        except asyncio.CancelledError as error:
            if _is_being_cancelled():
                raise
            return self._fail(call.task, error)
        except BaseException as error:  # noqa: BLE001 - SystemExit must not end the worker
            if not scope.expired():
                return self._fail(call.task, error)
        else:
            if not scope.expired():
                return self._finish(call.task, value)
        return self.time_out(call)

    def _in_time(self, call: Call) -> bool:
        return call.context.remaining > 0

    def _call(self, call: Call) -> Any:
        ready = call.ready
        args, kwargs = ready.action.bind(
            ready.payload,
            ready.account,
            context=call.context,
            profile=self._profile,
        )
        return ready.action.handler(*args, **kwargs)

    def time_out(self, call: Call) -> Answer:
        """The answer to a task whose handler was not done at its deadline."""
        error = ActionTimeoutError(call.action.name, call.context.timeout)
        if call.context.cancelled:
            # A thread came back late; its task was answered at the deadline.
            return self._encode(call.task, describe_failure(error))
        call.context.cancel()
        return self.refuse(call.task, error)

    def interrupt(self, task: Task) -> Answer:
        """The answer to a task that was not done when the provider stopped."""
        problem = f"{task.action!r} was interrupted: the provider stopped"
        return self.refuse(task, ActionError(problem))

    def refuse(self, task: Task, error: ActionError) -> Answer:
        """The answer to a task that ends with an error of this package."""
        self.logger_of(task).warning("task refused", reason=error.message)
        return self._encode(task, describe_failure(error))

    def _finish(self, task: Task, value: object) -> Answer:
        """What a handler returned, as an answer."""
        if inspect.iscoroutine(value):
            value.close()
        try:
            return self._format.encode(respond(value), task.action)
        except NotJSONError as error:
            problem = f"the result of {task.action!r} cannot be JSON: {error}"
        except BaseException as error:  # noqa: BLE001 - a model's serialiser may raise anything
            problem = f"the result of {task.action!r} fails to be written: {type(error).__name__}"
        self.logger_of(task).error(problem)
        return self._encode(task, ProviderResponse(status="error", message=problem))

    def _fail(self, task: Task, error: BaseException) -> Answer:
        """What a handler raised, as an answer."""
        logger = self.logger_of(task)
        if isinstance(error, ActionError):
            logger.warning("task failed", reason=error.message)
        else:
            logger.error("handler raised", exc_info=_skip_own_frames(error))
        if self._on_error is not None:
            try:
                return self._format.take(self._on_error(error, task), task.action)
            except BaseException:
                logger.exception("handle_task_exception raised")
        return self._encode(task, self.describe(error, task.account))

    def describe(self, error: BaseException, account: bytes) -> ProviderResponse:
        """What a handler raised, as a response without the token or the account."""
        secrets = AccountSecrets(account)
        return describe_failure(
            error, lambda text: self._redactor.redact(text, secrets.values)
        )

    def _encode(self, task: Task, response: ProviderResponse) -> Answer:
        """Write a response whose data may be what a user put into an error."""
        try:
            return self._format.encode(response, task.action)
        except BaseException:  # noqa: BLE001 - a model's serialiser may raise anything
            bare = response.model_copy(update={"data": None})
            return self._format.encode(bare, task.action)

    def logger_of(self, task: Task) -> Any:
        """A logger whose lines name the task."""
        return bind_task(
            self._logger,
            task=task.id,
            action=task.action,
            secrets=AccountSecrets(task.account),
        )


def _is_being_cancelled() -> bool:
    """Whether this coroutine's task is asked to end, and not the handler alone."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _skip_own_frames(error: BaseException) -> BaseException:
    """The error, its traceback beginning with the handler's own frame."""
    frame = error.__traceback__
    while frame is not None and frame.tb_frame.f_code.co_filename == __file__:
        frame = frame.tb_next
    return error if frame is None else error.with_traceback(frame)
