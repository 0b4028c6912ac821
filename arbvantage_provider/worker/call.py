"""One task on its way: the call of its handler, and the encoded response."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from typing import Any, Literal, NamedTuple, Protocol

from typing_extensions import override

from arbvantage_provider.actions import Action
from arbvantage_provider.clock import Clock
from arbvantage_provider.context import (
    Profile,
    TaskContext,
    TaskRateLimit,
)
from arbvantage_provider.exceptions import (
    ActionTimeoutError,
)
from arbvantage_provider.logger import Logger
from arbvantage_provider.rate_limit import LimitedTask, PerKey
from arbvantage_provider.responses import (
    Response,
)
from arbvantage_provider.settings import ProviderSettings
from arbvantage_provider.task import Task
from arbvantage_provider.variables import name_setting
from arbvantage_provider.worker.runtime.awaiting import (
    Outcome,
    discard,
    run_here,
    start_on,
    wait_for,
)


class EncodedResponse(NamedTuple):
    """How a task ended, as it goes to the hub.

    Attributes:
        status: ``success``, ``error``, ``warning`` or ``limit``.
        text: the JSON text of the response, in UTF-8.
        message: of the response.
        failure: why the handler's own response is not the task's, where it is not.
    """

    status: str
    text: bytes
    message: str = ""
    failure: "TaskFailure | None" = None

    @override
    def __repr__(self) -> str:
        # asyncio shows results of tasks; a result may hold anything.
        return f"<{type(self).__name__} {self.status}>"


class TaskFailure(NamedTuple):
    """Something went wrong with a task, and people should be told.

    Attributes:
        event: what, as a log line says it.
        level: of the line: ``warning``, or ``error`` where a program is at fault.
        error: what was raised, or what the task was refused with, if anything.
        is_foreign: whether the error's traceback says something to its author.
    """

    event: str
    level: Literal["warning", "error"]
    error: BaseException | None = None
    is_foreign: bool = False

    @override
    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.event}>"


class TaskKeys:
    """The keys of one task, each read once, as a handler may change its payload.

    Args:
        describe: tells what they are read from; asked only where there are keys.
    """

    __slots__ = ("_describe", "_found")

    def __init__(self, describe: Callable[[], LimitedTask]) -> None:
        self._describe = describe
        self._found: dict[PerKey, str] = {}

    def find(self, limit: PerKey) -> str:
        """The hash of the task's key.

        Raises:
            UnfitKeyError: if it is no key.
            BaseException: whatever the user's function raises.
        """
        if limit not in self._found:
            self._found[limit] = limit.find_key(self._describe())
        return self._found[limit]


class CallServices(Protocol):
    """What a call needs from those above; the dispatcher is one.

    Attributes:
        profile: what handlers may know of the provider.
        timeout: seconds that a handler has where its action does not say.
        longest: how many bytes a payload, or an account, may have.
        clock: tells when they are over.
        monotonic: its seconds.
        injected: what handlers share, by the types that they ask for.
        limit_of: makes the limit that a task's handler may ask for.
    """

    profile: Profile
    timeout: float
    longest: int
    clock: Clock
    monotonic: Callable[[], float]
    injected: Mapping[Any, Any]
    limit_of: "Callable[[Call], TaskRateLimit]"

    def logger_of(self, task: Task) -> Logger:
        """A logger whose lines name the task."""
        ...

    def describe(self, error: BaseException, account: bytes) -> Response:
        """What a handler raised, as a response without secrets."""
        ...


class Call:
    """One task under way: its payload fits, and its handler will run, or runs.

    It is what a handler's arguments are read from. The context is made when it is
    asked for, as most handlers never do.

    Attributes:
        task: the task.
        action: its action.
        payload: the payload, as its schema gives it.
        account: the account, as its schema gives it, or ``None``.
        timeout: seconds that the handler has.
        deadline: when they are over, on the provider's clock.
        cancelled: whether nobody waits for the result any more.
        attempt: 1 for the first run of the handler.
        limit_keys: which limits it counts for, once that was asked.
        loop: where a thread's handler has awaited what it returns; ``None``: nowhere.
        settling: what is awaited there, if anything.
    """

    __slots__ = (
        "_dispatcher",
        "account",
        "action",
        "attempt",
        "cancelled",
        "deadline",
        "limit_keys",
        "loop",
        "payload",
        "settling",
        "task",
        "timeout",
    )

    def __init__(  # noqa: PLR0917 - keywords cost, and one is made for each task
        self,
        dispatcher: CallServices,
        task: Task,
        action: Action,
        payload: Any,
        account: Any,
    ) -> None:
        self._dispatcher = dispatcher
        self.task: Task = task
        self.action: Action = action
        self.payload: Any = payload
        self.account: Any = account
        self.timeout: float = action.timeout or dispatcher.timeout
        self.deadline: float = dispatcher.monotonic() + self.timeout
        self.cancelled: bool = False
        self.attempt: int = 1
        self.limit_keys: TaskKeys | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.settling: Future[Outcome] | None = None

    @property
    def profile(self) -> Profile:
        """What the handler may know of the provider."""
        return self._dispatcher.profile

    def try_again(self, error: Exception, wait: float) -> bool:
        """Begin another try, unless it would begin after the deadline.

        The payload is validated anew, as the last try may have changed it.
        """
        dispatcher = self._dispatcher
        if self.cancelled or dispatcher.monotonic() + wait >= self.deadline:
            return False
        logger = dispatcher.logger_of(self.task)
        reason = dispatcher.describe(error, self.task.account).message
        logger.warning(
            "trying again", attempt=self.attempt, wait=round(wait, 3), reason=reason
        )
        self.attempt += 1
        self.payload = self.action.payload.validate(
            self.task.payload, dispatcher.longest
        )
        self.account = self.action.read_account(self.task.account, dispatcher.longest)
        return True

    @property
    def is_over(self) -> bool:
        """Whether nobody waits for the result any more, or the deadline has passed."""
        return self.cancelled or self._dispatcher.monotonic() >= self.deadline

    def sleep(self, seconds: float) -> None:
        """Wait on this thread."""
        self._dispatcher.clock.sleep(seconds)

    def settle(self, value: Awaitable[Any]) -> Any:
        """What a sync handler returned, awaited on the loop, at most to the deadline.

        Raises:
            ActionTimeoutError: if it passes.
            BaseException: what it raises.
        """
        seconds = self.deadline - self._dispatcher.monotonic()
        outcome: Outcome | None = None
        if self.is_over:
            discard(value)
        elif self.loop is None:
            outcome = run_here(value, seconds, self._dispatcher.logger_of(self.task))
        else:
            self.settling = start_on(self.loop, value)
            outcome = wait_for(self.settling, seconds)
        if outcome is None:
            raise describe_timeout(self)
        return outcome()

    async def wait(self, seconds: float) -> None:
        """Wait on the running loop."""
        await self._dispatcher.clock.wait(asyncio.Event(), seconds)

    @property
    def injected(self) -> Mapping[Any, Any]:
        """What the lifespans made, by the types that parameters ask for."""
        return self._dispatcher.injected

    @property
    def account_text(self) -> str:
        """The account's JSON text, as the hub sent it; ``""``: there is none."""
        return self.task.account.decode("utf-8", "replace")

    @property
    def context(self) -> TaskContext:
        """What the handler may ask for about its task."""
        dispatcher = self._dispatcher
        return TaskContext(
            id=self.task.id,
            action=self.action.name,
            provider=self.profile.name,
            attempt=self.attempt,
            timeout=self.timeout,
            deadline=self.deadline,
            monotonic=dispatcher.monotonic,
            make_logger=lambda: dispatcher.logger_of(self.task),
            is_cancelled=lambda: self.cancelled,
            make_rate_limit=lambda: dispatcher.limit_of(self),
        )


def describe_timeout(call: Call) -> ActionTimeoutError:
    """The default deadline is short, and most who meet it have not heard of it."""
    default: float = ProviderSettings.model_fields["execution_timeout"].default
    advice = ""
    if call.action.timeout is None and call.timeout == default:
        setting = name_setting("execution_timeout")
        advice = (
            f"for more time set {setting} of the provider, or timeout= of the action"
        )
    return ActionTimeoutError(call.action.name, call.timeout, advice)
