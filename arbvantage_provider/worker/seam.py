"""What happens around each task: logging and counting, and a user's middleware.

All of it hangs here, on the same two moments: a task came, and it has an answer.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import suppress
from typing import Any, Final, TypeAlias, TypeVar

from arbvantage_provider.clock import Clock
from arbvantage_provider.hub.wire import Task
from arbvantage_provider.middleware import Middleware, Outcome, TaskInfo
from arbvantage_provider.worker.answers import Answer

Listener: TypeAlias = Callable[[Task, Answer], None]
"""Is told each answer; of this package alone, so it is trusted not to raise."""
LoggerOf: TypeAlias = Callable[[Task], Any]
Rest = TypeVar("Rest")
_Entered: TypeAlias = Generator[None, Outcome, object] | AsyncGenerator[None, Outcome]

PATIENCE: Final = 5.0
"""Seconds that an async middleware has, before a task and after it."""


class Seam:
    """What happens around the tasks of one provider.

    Args:
        provider: its name.
        clock: tells how long a task took.
        logger_of: gives a logger whose lines name a task.

    Attributes:
        middlewares: in the order in which they begin; the first is the outermost.
        listeners: are told each answer, before the middlewares are.
    """

    def __init__(self, provider: str, clock: Clock, logger_of: LoggerOf) -> None:
        self.middlewares: list[Middleware] = []
        self.listeners: list[Listener] = [make_log_listener(logger_of)]
        self._provider = provider
        self._clock = clock
        self._logger_of = logger_of

    async def around(
        self, task: Task, answer: Callable[[Task], Awaitable[tuple[Answer, Rest]]]
    ) -> tuple[Answer, Rest]:
        """What ``answer`` returns for ``task``, and whoever listens has been told."""
        if not self.middlewares:
            answered, rest = await answer(task)
            self.report(task, answered)
            return answered, rest
        began = self._clock.monotonic()
        entered = await self._enter(task)
        try:
            answered, rest = await answer(task)
        except BaseException:
            for generator in reversed(entered):
                await self._try(task, _close(generator))
            raise
        self.report(task, answered)
        outcome = _make_outcome(answered, self._clock.monotonic() - began)
        for generator in reversed(entered):
            await self._try(task, _send(generator, outcome))
        return answered, rest

    def report(self, task: Task, answer: Answer) -> None:
        """Tell the listeners."""
        for listener in self.listeners:
            listener(task, answer)

    async def _enter(self, task: Task) -> list[_Entered]:
        info = TaskInfo(
            id=task.id,
            action=task.action,
            provider=self._provider,
            payload=task.payload,
        )
        entered: list[_Entered] = []
        for middleware in tuple(self.middlewares):
            generator = await self._try(task, _begin(middleware, info))
            if generator is not None:
                entered.append(generator)
        return entered

    async def _try(self, task: Task, step: Awaitable[Rest]) -> Rest | None:
        """One step of a middleware; what goes wrong in it costs no task its answer."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await step
        except asyncio.CancelledError:
            raise
        except BaseException:  # noqa: BLE001 - SystemExit must not end the worker
            self._logger_of(task).exception("middleware failed")
            return None


async def _begin(middleware: Middleware, info: TaskInfo) -> _Entered | None:
    generator = middleware(info)
    with suppress(StopIteration, StopAsyncIteration):
        if isinstance(generator, AsyncGenerator):
            await anext(generator)
        else:
            next(generator)
        return generator
    return None


async def _send(generator: _Entered, outcome: Outcome) -> None:
    with suppress(StopIteration, StopAsyncIteration):
        if isinstance(generator, AsyncGenerator):
            await generator.asend(outcome)
        else:
            generator.send(outcome)
        await _close(generator)
        problem = "a middleware yields once, and this one yields again"
        raise RuntimeError(problem)


async def _close(generator: _Entered) -> None:
    if isinstance(generator, AsyncGenerator):
        await generator.aclose()
    else:
        generator.close()


def _make_outcome(answer: Answer, seconds: float) -> Outcome:
    return Outcome(
        status=answer.status,
        message=answer.message,
        error=answer.failure.error if answer.failure else None,
        seconds=seconds,
        result=answer.text,
    )


def make_log_listener(logger_of: LoggerOf) -> Listener:
    """The log lines about tasks that go wrong; nothing is logged about the others."""

    def log(task: Task, answer: Answer) -> None:
        failure = answer.failure
        if failure is None:
            return
        error = failure.error
        fields: dict[str, Any] = {}
        if failure.is_foreign:
            fields["exc_info"] = error
        elif error is not None:
            fields["reason"] = getattr(error, "message", "")
        write = getattr(logger_of(task), failure.level)
        write(failure.event, **fields)

    return log
