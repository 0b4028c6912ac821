"""One executor of a run: made, given calls, made anew when it breaks, ended."""

import asyncio
import inspect
from collections.abc import Callable
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from functools import partial
from typing import Any, Final, cast

from arbvantage_provider.actions.remote import run_handler
from arbvantage_provider.exceptions import ConfigError
from arbvantage_provider.executors.calls import describe
from arbvantage_provider.executors.pool import ProcessPool, count_cores
from arbvantage_provider.executors.source import ExecutorSource
from arbvantage_provider.worker.runtime.threads import ThreadPool

_QUICK: Final[frozenset[Any]] = frozenset(
    kind.submit for kind in (ProcessPool, ProcessPoolExecutor, ThreadPoolExecutor)
)
"""What gives a call to an executor and never waits; that of others may."""
_CANCEL: Final[Any] = Future[Any].cancel


class Held:
    """One executor of this run.

    Args:
        source: the executor, or what makes it.
        slots: how many tasks may be in flight.
        threads: where it is made and ended, as both may wait for others.
        logger: told when it is made anew.
    """

    def __init__(
        self,
        source: ExecutorSource,
        *,
        slots: int,
        threads: ThreadPool,
        logger: Any,
    ) -> None:
        self._source = source
        self._slots = slots
        self._threads = threads
        self._logger = logger
        self._executor = source if isinstance(source, Executor) else None
        self._is_ours = self._executor is None
        self._making = asyncio.Lock()
        self._running: set[Future[Any]] = set()
        self._modules: set[str] = set()
        self._ended = False

    async def start(self, modules: set[str]) -> None:
        """Make it, and let processes of ours import these before the first call."""
        self._modules = modules
        executor = await self._get()
        if isinstance(executor, ProcessPool):
            await self._threads.run(partial(self._start_pool, executor))

    def _start_pool(self, pool: ProcessPool) -> None:
        self._logger.info("processes start", processes=pool.size)
        try:
            pool.start({*self._modules, run_handler.__module__})
        except Exception as error:
            raise ConfigError(f"executor: {error}") from error

    async def submit(self, packed: bytes) -> Future[bytes]:
        """Give it a call; to a new one, where this one is broken and was made here.

        Raises:
            Exception: whatever it raises; ``BrokenExecutor`` among them.
        """
        executor = await self._get()
        try:
            future = await self._submit(executor, packed)
        except BrokenExecutor as error:
            if not self._is_ours:
                raise
            executor = await self._renew(executor, error)
            future = await self._submit(executor, packed)
        self._running.add(future)
        future.add_done_callback(self._running.discard)
        return future

    async def _submit(self, executor: Executor, packed: bytes) -> Future[bytes]:
        if type(executor).submit in _QUICK:
            return executor.submit(run_handler, packed)
        return await self._threads.run(lambda: executor.submit(run_handler, packed))

    def abandon(self, future: Future[Any]) -> "asyncio.Future[bool]":
        """Let a call not begin, or end it; whether one of them came about."""
        if type(future).cancel is not _CANCEL:
            return self._threads.run(partial(self._abandon, future))
        done = asyncio.get_running_loop().create_future()
        done.set_result(self._abandon(future))
        return done

    def _abandon(self, future: Future[Any]) -> bool:
        try:
            if future.cancel():
                return True
        except BaseException as error:  # noqa: BLE001 - a user's future may raise anything
            self._logger.warning("call not cancelled", reason=describe(error))
        executor = self._executor
        return isinstance(executor, ProcessPool) and executor.kill(future)

    async def _get(self) -> Executor:
        async with self._making:
            if self._executor is None:
                return await self._threads.run(self._make)
            return self._executor

    async def _renew(self, broken: Executor, error: BrokenExecutor) -> Executor:
        async with self._making:
            if self._executor is broken:
                self._logger.warning("executor made anew", reason=describe(error))
                self._threads.run(partial(self._end, broken, is_busy=True))
                return await self._threads.run(self._make)
        return await self._get()

    def _make(self) -> Executor:
        make = cast("Callable[[], Any]", self._source)
        try:
            executor = self._make_pool() if make is ProcessPool else make()
        except BaseException as error:
            # A SystemExit must not end the loop that waits for this.
            raise ConfigError(f"executor: {make!r} raised {describe(error)}") from error
        if not isinstance(executor, Executor):
            problem = f"executor: {make!r} returned {executor!r}, which is no Executor"
            raise ConfigError(problem)
        # Nobody may wait for it any more; then ``end`` did not see it, or will.
        self._executor = executor
        if self._ended:
            self._end(executor, is_busy=False)
        return executor

    def _make_pool(self) -> ProcessPool:
        return ProcessPool(min(self._slots, count_cores()))

    def end(self) -> None:
        """End it, if it was made here."""
        self._ended = True
        if self._is_ours and self._executor is not None:
            self._end(self._executor, is_busy=bool(self._running))

    def _end(self, executor: Executor, *, is_busy: bool) -> None:
        try:
            end_executor(executor, is_busy=is_busy)
        except BaseException as error:  # noqa: BLE001 - a user's executor may raise anything
            self._logger.warning("executor not ended", reason=describe(error))


def end_executor(executor: Executor, *, is_busy: bool) -> None:
    """Shut an executor down without waiting for what it runs.

    Args:
        executor: of any kind.
        is_busy: whether it runs something, which nobody waits for any more.
    """
    # Python waits at its exit for these processes, so one that hangs has to go.
    processes: Any = getattr(executor, "_processes", None) if is_busy else None
    running: list[Any] = list(processes.values()) if _is_dict(processes) else []
    options = {"cancel_futures": True, "kill_workers": is_busy}
    known = inspect.signature(executor.shutdown).parameters
    executor.shutdown(
        wait=False, **{name: options[name] for name in options if name in known}
    )
    for process in running:
        process.kill()


def _is_dict(value: Any) -> bool:
    return isinstance(value, dict)
