"""Lifespans, opened one after the other and closed in the reverse order.

All of it happens in one task of its own: a task group, or a timeout, that a lifespan
enters before its ``yield`` must be left in the same task. Whatever ends the provider,
each lifespan goes on after its ``yield`` as if all were well, so that what it opened
is closed without a ``try`` too.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

from arbvantage_provider.exceptions import LifespanError
from arbvantage_provider.handlers.defaults import EMPTY
from arbvantage_provider.worker.lifespan.lifespan import Lifespan
from arbvantage_provider.worker.lifespan.resolver import Candidate, fill
from arbvantage_provider.worker.runtime.backoff import first_of

LAST_GRACE: Final = 1.0
"""Seconds that are left for closing once it was cut off."""


@asynccontextmanager
async def open_lifespans(
    lifespans: Sequence[Lifespan],
    ready: Sequence[Candidate],
    *,
    stopping: asyncio.Event,
    grace: float,
    logger: Any,
) -> AsyncGenerator[Sequence[Candidate] | None]:
    """The block runs while the lifespans are open.

    Args:
        lifespans: in the order in which they are opened.
        ready: what is there without them.
        stopping: ends the opening; it is set when a lifespan ends by itself.
        grace: seconds that closing may take.
        logger: is told of each lifespan that fails, with the traceback.

    Yields:
        all that there is then; ``None`` if ``stopping`` came first.

    Raises:
        LifespanError: if one failed to open, or to close; the others are closed.
    """
    if stopping.is_set() or not lifespans:
        yield None if stopping.is_set() else ready
        return
    runner = _LifespanRunner(lifespans, ready, stopping=stopping, logger=logger)
    task = asyncio.create_task(runner.run(), name="lifespans")
    task.add_done_callback(lambda _: stopping.set())
    try:
        await first_of(runner.opened, stopping)
        runner.raise_error()
        yield runner.candidates if runner.opened.done() else None
    finally:
        await _end(runner, task, grace)
    runner.raise_error()


async def _end(
    runner: "_LifespanRunner", task: "asyncio.Task[None]", grace: float
) -> None:
    """Close all; what is not closed after ``grace`` is cut off."""
    runner.closing.set()
    if not runner.opened.done():
        task.cancel()
    try:
        await asyncio.wait({task}, timeout=grace)
        runner.cut = f"it was cut off after {grace:g} s"
    finally:
        # Also if this was cancelled: then whoever waits has waited enough.
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=LAST_GRACE)
        if not task.done():
            runner.give_up()


class _LifespanRunner:
    """What the task does, and how it stands.

    Attributes:
        opened: done when all are open.
        closing: set when they are to be closed.
        cut: why it is cancelled, once it took too long.
        candidates: what is there by now.
    """

    def __init__(
        self,
        lifespans: Sequence[Lifespan],
        ready: Sequence[Candidate],
        *,
        stopping: asyncio.Event,
        logger: Any,
    ) -> None:
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.closing = asyncio.Event()
        self.cut = ""
        self.candidates = [*ready]
        self._lifespans = lifespans
        self._stopping = stopping
        self._logger = logger
        self._busy = lifespans[0]
        self._open: list[tuple[Lifespan, AbstractAsyncContextManager[Any]]] = []
        self._error: BaseException | None = None

    async def run(self) -> None:
        if await self._open_all():
            self.opened.set_result(None)
            await self._wait()
        while self._open:
            await self._close(*self._open.pop())

    def raise_error(self) -> None:
        """Raise what went wrong first."""
        if self._error is not None:
            raise self._error

    def give_up(self) -> None:
        """Say which one does not even end when it is cancelled."""
        name = self._busy.name
        self._logger.error("lifespan does not end", lifespan=name)
        if self._error is None:
            problem = "it does not end, not even when it is cancelled"
            self._error = LifespanError(name, problem)

    async def _open_all(self) -> bool:
        for lifespan in self._lifespans:
            try:
                await self._open_one(lifespan)
            except BaseException as error:  # noqa: BLE001 - users' code may raise anything
                is_stop = isinstance(error, asyncio.CancelledError)
                if not (is_stop and self.closing.is_set()):
                    self._note(lifespan, "lifespan failed to open", error)
                return False
        return True

    async def _open_one(self, lifespan: Lifespan) -> None:
        self._busy = lifespan
        self._logger.debug("opening", lifespan=lifespan.name)
        manager = lifespan.make(fill(lifespan, self.candidates))
        value = await manager.__aenter__()
        self._open.append((lifespan, manager))
        if value is not None:
            self.candidates.append(_provide(lifespan, value))

    async def _wait(self) -> None:
        """Until it is time to close; a lifespan's own tasks may fail before."""
        while not self.closing.is_set():
            try:
                await self.closing.wait()
            except asyncio.CancelledError:
                # Handlers need the others while the provider drains.
                self._logger.warning("a lifespan ended by itself; stopping")
                self._stopping.set()

    async def _close(
        self, lifespan: Lifespan, manager: AbstractAsyncContextManager[Any]
    ) -> None:
        self._busy = lifespan
        self._logger.debug("closing", lifespan=lifespan.name)
        try:
            await manager.__aexit__(None, None, None)
        except BaseException as error:  # noqa: BLE001 - users' code may raise anything
            self._note(lifespan, "lifespan failed to close", error)

    def _note(self, lifespan: Lifespan, event: str, error: BaseException) -> None:
        self._logger.error(event, lifespan=lifespan.name, exc_info=error)
        if self._error is None:
            self._error = self._name(lifespan, event, error)

    def _name(
        self, lifespan: Lifespan, event: str, error: BaseException
    ) -> BaseException:
        if isinstance(error, KeyboardInterrupt | SystemExit | LifespanError):
            return error
        is_cut = self.cut and isinstance(error, asyncio.CancelledError)
        reason = self.cut if is_cut else _describe(error)
        problem = f"{event.removeprefix('lifespan ')}: {reason}"
        named = LifespanError(lifespan.name, problem)
        named.__cause__ = error
        return named


def _provide(lifespan: Lifespan, value: object) -> Candidate:
    """The value under the type that was promised, or else under its own class."""
    kind = type(value) if lifespan.kind is EMPTY else lifespan.kind
    return Candidate(kind=kind, lifespan=lifespan, value=value)


def _describe(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
