"""One task to one encoded response; the one place that catches what handlers raise.

The steps are ``prepare`` (find the action, validate; the deadline starts), ``begin``
(it starts anew, where the task waited), and ``run`` or ``run_async`` (bind the
arguments, call the handler, respond, encode). Whatever happens in them, the task gets
a response.
"""

import asyncio
import inspect
from collections.abc import Callable, Mapping
from copy import copy
from types import CoroutineType
from typing import Any, Final, TypeAlias

from arbvantage_provider.actions import Action, Actions
from arbvantage_provider.actions.remote import Written, describe_misfit
from arbvantage_provider.actions.result import validate_result
from arbvantage_provider.clock import Clock
from arbvantage_provider.context import (
    NoTaskRateLimit,
    Profile,
    TaskRateLimit,
)
from arbvantage_provider.exceptions import (
    ActionError,
    ActionNotFoundError,
)
from arbvantage_provider.logger import Logger
from arbvantage_provider.observe.logs import bind_task
from arbvantage_provider.observe.redaction import AccountSecrets, Redactor
from arbvantage_provider.responses import (
    Response,
    respond,
)
from arbvantage_provider.task import Task
from arbvantage_provider.worker.call import (
    Call,
    EncodedResponse,
    TaskFailure,
    describe_timeout,
)
from arbvantage_provider.worker.execution.encoder import ResponseEncoder
from arbvantage_provider.worker.execution.errors import describe_error
from arbvantage_provider.worker.execution.middleware import MiddlewareChain
from arbvantage_provider.worker.lifespan.manager import LifespanManager

ErrorHook: TypeAlias = Callable[[BaseException, Task], object]
"""Turns what a handler raised into a response, or a dict that is already one."""


_OWN_FILES: Final = (__file__, Call.settle.__code__.co_filename)


class Dispatcher:
    """Runs the actions of one provider.

    Args:
        actions: looked up by name at each task.
        profile: what handlers may know of the provider.
        timeout: seconds that a handler has where its action does not say.
        clock: tells when they are over.
        encoder: writes responses.
        redactor: cuts the token out of messages.
        logger: the provider's.
        lifespans: make what handlers share, for one task or for a whole run.
        longest: how many bytes a payload, or an account, may have.
        on_error: a user's own response to what handlers raise, if any.

    Attributes:
        find: the action of a name, or ``None``.
        injected: what they made, by the types that parameters ask for; empty while
            they are not open.
        chain: where logging, counting and middleware hang.
        limit_of: makes the limit that a task's handler may ask for.
    """

    def __init__(  # noqa: PLR0913 - each is another part's
        self,
        *,
        actions: Actions,
        profile: Profile,
        timeout: float,
        clock: Clock,
        encoder: ResponseEncoder,
        redactor: Redactor,
        logger: Logger,
        lifespans: LifespanManager,
        longest: int,
        on_error: ErrorHook | None = None,
    ) -> None:
        self.injected: Mapping[Any, Any] = {}
        self.lifespans = lifespans
        self.profile: Profile = profile
        self.timeout: float = timeout
        self.longest = longest
        self.clock = clock
        self.monotonic: Callable[[], float] = clock.monotonic
        self.limit_of: Callable[[Call], TaskRateLimit] = _make_no_limit
        self.chain: MiddlewareChain = MiddlewareChain(
            profile.name, clock, self.logger_of
        )
        self.find: Callable[[str], Action | None] = actions.find
        self._actions = actions
        self._encoder = encoder
        self._redactor = redactor
        self._logger = logger
        self._on_error = on_error

    def inject(self, values: Mapping[Any, Any]) -> "Dispatcher":
        """One that is the same, whose handlers receive these values."""
        twin = copy(self)
        twin.injected = values
        return twin

    def reconfigure(self, *, encoder: ResponseEncoder, timeout: float) -> None:
        """Answer the next tasks with other settings."""
        self._encoder = encoder
        self.profile = encoder.profile
        self.timeout = timeout

    def prepare(self, task: Task) -> Call | EncodedResponse:
        """Find the action and validate; a response if the task cannot be run."""
        action = self.find(task.action)
        if action is None:
            return self.refuse(task, ActionNotFoundError(task.action, self._actions))
        try:
            payload = action.payload.validate(task.payload, self.longest)
            account = action.account and action.read_account(task.account, self.longest)
        except ActionError as error:
            return self.refuse(task, error)
        except BaseException as error:  # noqa: BLE001 - a user's own validator may raise anything
            return self.fail(task, error)
        return Call(self, task, action, payload, account)

    def take_over(self, call: Call) -> Call:
        """What another dispatcher prepared; its deadline starts anew."""
        return Call(self, call.task, call.action, call.payload, call.account)

    def begin(self, call: Call) -> None:
        """Start the deadline anew, for a task that waited until now."""
        call.deadline = self.monotonic() + call.timeout

    def run(self, call: Call) -> EncodedResponse:
        """Call a sync handler on this thread; what it returns may have to be awaited.

        It cannot be interrupted: what it returns after its deadline is thrown
        away, and the response is the same as if it had not returned.
        """
        try:
            value = call.action.invoke(call)
            if value.__class__ is not dict and hasattr(value.__class__, "__await__"):
                value = call.settle(value)
        except BaseException as error:  # noqa: BLE001 - SystemExit must not end the worker
            if self.monotonic() < call.deadline:
                return self.fail(call.task, error)
        else:
            if self.monotonic() < call.deadline:
                return self._finish(call, value)
        return self.time_out(call)

    def conclude(self, call: Call, result: Written) -> EncodedResponse:
        """The response for what a handler returned that ran elsewhere."""
        status, message, problem, data = result
        encoded = self._encoder.frame(status, message, data, call.task.action)
        if problem:
            encoded = encoded._replace(failure=TaskFailure(problem, "error"))
        return encoded

    async def run_async(self, call: Call) -> EncodedResponse:
        """Await an async handler; whoever waits for this cancels it in time.

        Raises:
            asyncio.CancelledError: if it was cancelled because ``call`` was.
        """
        try:
            value = call.action.invoke(call)
            if inspect.isawaitable(value):
                value = await value
        except asyncio.CancelledError as error:
            if call.cancelled:
                raise
            # Nobody here cancelled it: the handler did that itself.
            return self.fail(call.task, error)
        except BaseException as error:  # noqa: BLE001 - SystemExit must not end the worker
            if self.monotonic() < call.deadline:
                return self.fail(call.task, error)
        else:
            if self.monotonic() < call.deadline:
                return self._finish(call, value)
        return self.time_out(call)

    def time_out(self, call: Call) -> EncodedResponse:
        """The response to a task whose handler was not done at its deadline."""
        error = describe_timeout(call)
        call.cancelled = True
        return self.refuse(call.task, error, "task timed out")

    def interrupt(self, task: Task) -> EncodedResponse:
        """The response to a task that was not done when the provider stopped."""
        problem = f"{task.action!r} was interrupted: the provider stopped"
        return self.refuse(task, ActionError(problem), "task interrupted")

    def refuse(
        self, task: Task, error: ActionError, event: str = "task refused"
    ) -> EncodedResponse:
        """The response to a task that ends with an error of this package."""
        encoded = self._encode(task, describe_error(error))
        return encoded._replace(failure=TaskFailure(event, "warning", error))

    def _finish(self, call: Call, value: Any) -> EncodedResponse:
        """What a handler returned, as a response."""
        task = call.task
        try:
            # What most handlers return is a dict that says nothing of how it went.
            if (
                value.__class__ is dict
                and "status" not in value
                and call.action.result is None
            ):
                return self._encoder.succeed(value, task.action)
            _close(value)
            response = respond(value)
            if call.action.result is not None:
                response = validate_result(call.action.result, response)
            return self._encoder.encode(response, task.action)
        except BaseException as error:  # noqa: BLE001 - a model's serialiser may raise anything
            problem, errors = describe_misfit(task.action, error)
        encoded = self._encode(task, Response("error", problem, errors))
        return encoded._replace(failure=TaskFailure(problem, "error"))

    def fail(self, task: Task, error: BaseException) -> EncodedResponse:
        """What a handler raised, as a response."""
        try:
            return self._fail(task, error)
        except BaseException as broken:  # noqa: BLE001 - a broken exception may raise anything
            kind = type(broken)
        try:
            problem = "the class of what was raised does not let itself be read"
            return self._fail(task, RuntimeError(problem))
        except BaseException:  # noqa: BLE001 - there may be no memory to look for secrets
            problem = f"the task failed, and its error cannot be told: {kind.__name__}"
            encoded = self._encoder.encode(Response("error", problem), task.action)
            return encoded._replace(failure=TaskFailure(problem, "error"))

    def _fail(self, task: Task, error: BaseException) -> EncodedResponse:
        if isinstance(error, ActionError):
            failure = TaskFailure("task failed", "warning", error)
        else:
            error = _skip_own_frames(error)
            failure = TaskFailure("handler raised", "error", error, is_foreign=True)
        return self._describe(task, error)._replace(failure=failure)

    def _describe(self, task: Task, error: BaseException) -> EncodedResponse:
        """The response to an exception, in the words of the user's hook or in ours."""
        if self._on_error is not None:
            try:
                value = self._on_error(error, task)
                _close(value)
                return self._encoder.take(value, task.action)
            except BaseException:  # noqa: BLE001 - SystemExit must not end the worker
                self.logger_of(task).exception("handle_task_exception raised")
        return self._encode(task, self.describe(error, task.account))

    def describe(self, error: BaseException, account: bytes) -> Response:
        """What a handler raised, as a response without the token or the account."""
        secrets = AccountSecrets(account)
        return describe_error(
            error, lambda text: self._redactor.redact(text, secrets.values)
        )

    def _encode(self, task: Task, response: Response) -> EncodedResponse:
        """Write a response whose data may be what a user put into an error."""
        try:
            return self._encoder.encode(response, task.action)
        except BaseException:  # noqa: BLE001 - a model's serialiser may raise anything
            return self._encoder.encode(response._replace(data=None), task.action)

    def logger_of(self, task: Task) -> Logger:
        """A logger whose lines name the task."""
        return bind_task(
            self._logger,
            task=task.id,
            action=task.action,
            secrets=AccountSecrets(task.account),
        )


def _make_no_limit(_: Call) -> TaskRateLimit:
    return NoTaskRateLimit()


def _close(value: object) -> None:
    """A coroutine that nobody will await must not be complained of later."""
    if isinstance(value, CoroutineType):
        value.close()


def _skip_own_frames(error: BaseException) -> BaseException:
    """The error, its traceback beginning with the handler's own frame."""
    frame = error.__traceback__
    while frame is not None and frame.tb_frame.f_code.co_filename in _OWN_FILES:
        frame = frame.tb_next
    return error if frame is None else BaseException.with_traceback(error, frame)
