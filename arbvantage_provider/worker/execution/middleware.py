"""What happens around each task: logging and counting, and a user's middleware.

All of it hangs here, on the same two moments: a task came, and it has a response.
"""

import asyncio
import contextvars
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
)
from contextlib import suppress
from copy import copy
from typing import Any, Final, TypeAlias, TypeVar

from arbvantage_provider.clock import Clock
from arbvantage_provider.exceptions import ActionError
from arbvantage_provider.middleware import Middleware, Outcome, TaskInfo
from arbvantage_provider.observe.redaction import CURRENT_ACCOUNT
from arbvantage_provider.task import Task
from arbvantage_provider.worker.call import EncodedResponse
from arbvantage_provider.worker.execution.errors import read_message

Listener: TypeAlias = Callable[[Task, EncodedResponse], None]
"""Is told each response; of this package alone, so it is trusted not to raise."""
LoggerOf: TypeAlias = Callable[[Task], Any]
Rest = TypeVar("Rest")
_Entered: TypeAlias = Generator[None, Outcome, object] | AsyncGenerator[None, Outcome]

PATIENCE: Final = 5.0
"""Seconds that an async middleware has, before a task and after it."""


class MiddlewareChain:
    """What happens around the tasks of one provider.

    Args:
        provider: its name.
        clock: tells how long a task took.
        logger_of: gives a logger whose lines name a task.

    Attributes:
        middlewares: in the order in which they begin; the first is the outermost.
        listeners: are told each response, before the middlewares are.
    """

    def __init__(self, provider: str, clock: Clock, logger_of: LoggerOf) -> None:
        self.middlewares: list[Middleware] = []
        self.listeners: list[Listener] = [make_log_listener(logger_of)]
        self._provider = provider
        self._clock = clock
        self._logger_of = logger_of

    async def run(
        self,
        task: Task,
        handle: Callable[[Task], Awaitable[tuple[EncodedResponse, Rest]]],
    ) -> tuple[EncodedResponse, Rest]:
        """What ``handle`` returns for ``task``, and whoever listens has been told."""
        CURRENT_ACCOUNT.set(task.account)
        if not self.middlewares:
            encoded, rest = await handle(task)
            self.report(task, encoded)
            return encoded, rest
        # What a middleware sets in the context is for this task alone.
        context = contextvars.copy_context()
        inside = self._run_inside(task, handle, context)
        return await asyncio.get_running_loop().create_task(inside, context=context)

    async def _run_inside(
        self,
        task: Task,
        handle: Callable[[Task], Awaitable[tuple[EncodedResponse, Rest]]],
        context: contextvars.Context,
    ) -> tuple[EncodedResponse, Rest]:
        steps = _Steps(context, self._logger_of(task))
        began = self._clock.monotonic()
        entered = await self._enter(task, steps)
        try:
            encoded, rest = await handle(task)
        except BaseException:
            for generator in reversed(entered):
                await steps.take(generator, _close(generator))
            raise
        self.report(task, encoded)
        outcome = _make_outcome(encoded, self._clock.monotonic() - began)
        for generator in reversed(entered):
            await steps.take(generator, _send(generator, outcome))
        return encoded, rest

    def report(self, task: Task, encoded: EncodedResponse) -> None:
        """Tell the listeners."""
        for listener in self.listeners:
            listener(task, encoded)

    def also_notify(self, listener: Listener) -> "MiddlewareChain":
        """One that is the same, and tells one more listener."""
        twin = copy(self)
        twin.listeners = [*self.listeners, listener]
        return twin

    async def _enter(self, task: Task, steps: "_Steps") -> list[_Entered]:
        info = TaskInfo(
            id=task.id,
            action=task.action,
            provider=self._provider,
            payload=task.payload,
        )
        entered: list[_Entered] = []
        for middleware in tuple(self.middlewares):
            generator = await steps.enter(middleware, info)
            if generator is not None:
                entered.append(generator)
        return entered


class _Steps:
    """The steps of middlewares around one task; what goes wrong in one is logged."""

    def __init__(self, context: contextvars.Context, logger: Any) -> None:
        self._context = context
        self._logger = logger

    async def enter(self, middleware: Middleware, info: TaskInfo) -> _Entered | None:
        """Run what stands before the ``yield``."""
        try:
            generator = middleware(info)
        except BaseException as error:  # noqa: BLE001 - SystemExit must not end the worker
            self._log(error)
            return None
        return generator if await self.take(generator, _begin(generator)) else None

    async def take(self, generator: _Entered, step: Coroutine[Any, Any, bool]) -> bool:
        """Whether a step went well.

        An async one has a task of its own, and is left behind if it takes too long,
        or when the worker can wait no longer.
        """
        try:
            if isinstance(generator, AsyncGenerator):
                return await self._take_async(step)
            return await step
        except BaseException as error:  # noqa: BLE001 - the same
            self._log(error)
            return False

    async def _take_async(self, step: Coroutine[Any, Any, bool]) -> bool:
        loop = asyncio.get_running_loop()
        running = loop.create_task(step, context=self._context)
        try:
            await asyncio.wait({running}, timeout=PATIENCE)
        except asyncio.CancelledError:
            _uncancel()
        if running.done():
            return running.result()
        running.cancel()
        problem = "it takes too long, and is left behind"
        raise TimeoutError(problem)

    def _log(self, error: BaseException) -> None:
        self._logger.error("middleware failed", exc_info=error)


def _uncancel() -> None:
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()


async def _begin(generator: _Entered) -> bool:
    with suppress(StopIteration, StopAsyncIteration):
        if isinstance(generator, AsyncGenerator):
            await anext(generator)
        else:
            next(generator)
        return True
    return False


async def _send(generator: _Entered, outcome: Outcome) -> bool:
    with suppress(StopIteration, StopAsyncIteration):
        if isinstance(generator, AsyncGenerator):
            await generator.asend(outcome)
        else:
            generator.send(outcome)
        await _close(generator)
        problem = "a middleware yields once, and this one yields again"
        raise RuntimeError(problem)
    return True


async def _close(generator: _Entered) -> bool:
    if isinstance(generator, AsyncGenerator):
        await generator.aclose()
    else:
        generator.close()
    return True


def _make_outcome(encoded: EncodedResponse, seconds: float) -> Outcome:
    return Outcome(
        status=encoded.status,
        message=encoded.message,
        error=encoded.failure.error if encoded.failure else None,
        seconds=seconds,
        result=encoded.text,
    )


def make_log_listener(logger_of: LoggerOf) -> Listener:
    """The log lines about tasks that go wrong; nothing is logged about the others."""

    def log(task: Task, encoded: EncodedResponse) -> None:
        failure = encoded.failure
        if failure is None:
            return
        error = failure.error
        fields: dict[str, Any] = {}
        if failure.is_foreign:
            fields["exc_info"] = error
        elif isinstance(error, ActionError):
            fields["reason"] = read_message(error)
        write = getattr(logger_of(task), failure.level)
        write(failure.event, **fields)

    return log
