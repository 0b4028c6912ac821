"""Handlers that run in an executor: sent, waited for, and given up at the deadline."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from contextlib import suppress
from functools import partial
from typing import Any, Final, cast

from arbvantage_provider.actions import Action, Actions
from arbvantage_provider.actions.picklable import check_found, find_module
from arbvantage_provider.actions.remote import (
    Written,
    is_result,
    pack_handler,
    read_error,
    read_result,
    run_handler,
)
from arbvantage_provider.exceptions import ActionError, ConfigError
from arbvantage_provider.executors.calls import UnsendableError, describe
from arbvantage_provider.executors.pool import ProcessPool, count_cores
from arbvantage_provider.executors.process import ProcessDiedError
from arbvantage_provider.executors.source import ExecutorSource
from arbvantage_provider.handlers.invoke import read_arguments
from arbvantage_provider.worker.call import Call, EncodedResponse
from arbvantage_provider.worker.execution.dispatcher import Dispatcher
from arbvantage_provider.worker.runtime.deadlines import set_done
from arbvantage_provider.worker.runtime.threads import ThreadPool

_QUICK: Final[frozenset[Any]] = frozenset(
    kind.submit for kind in (ProcessPool, ProcessPoolExecutor, ThreadPoolExecutor)
)
"""What gives a call to an executor and never waits; that of others may."""
_CANCEL: Final[Any] = Future[Any].cancel
_PATIENCE: Final = 1.0
"""Seconds that executors have to end; nothing waits for them any longer."""


class ManagedExecutor:
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


class NotBegunError(Exception):
    """A handler was not called, as the provider stops; its task is not answered."""


class Executors:
    """Runs the handlers of actions that name an executor.

    Args:
        actions: those that there are when it starts have their executors made then.
        dispatcher: turns what a handler returned into a response.
        logger: told when an executor is made anew.
        slots: how many tasks may be in flight.
    """

    def __init__(
        self, *, actions: Actions, dispatcher: Dispatcher, logger: Any, slots: int
    ) -> None:
        self._actions = actions
        self._dispatcher = dispatcher
        self._logger = logger
        self._slots = slots
        self._managed: dict[int, ManagedExecutor] = {}
        self._waiting: set[Future[Any]] = set()
        self._withdraws = False
        self._threads = ThreadPool(slots, "executor")

    async def start(self) -> None:
        """Check that all handlers can be sent, and make their executors.

        Raises:
            RegistrationError: if a handler cannot be sent.
            ConfigError: if an executor cannot be made.
        """
        there = self._actions.get_actions().values()
        actions = [action for action in there if action.executor is not None]
        for action in actions:
            check_found(action)
        modules = {find_module(action) for action in actions} - {""}
        for managed in {
            id(managed): managed for managed in map(self._manage, actions)
        }.values():
            await managed.start(modules)

    async def run(
        self, call: Call
    ) -> tuple[EncodedResponse, "asyncio.Future[Any] | None"]:
        """Run a handler in its executor.

        Returns:
            The response; and what is done when the handler is, if it is past its
            deadline and cannot be ended.

        Raises:
            asyncio.CancelledError: if the caller is cancelled.
            NotBegunError: if it was withdrawn.
        """
        retry = call.action.retry
        backoff = iter(()) if retry is None else retry.draw_waits()
        first = call.attempt
        while True:
            encoded, late = await self._try(
                call, backoff, is_first=call.attempt == first
            )
            if isinstance(encoded, EncodedResponse):
                return encoded, late
            await call.wait(encoded)

    async def _try(
        self, call: Call, backoff: Iterator[float], *, is_first: bool
    ) -> tuple[EncodedResponse | float, "asyncio.Future[Any] | None"]:
        """One run of the handler; the seconds until the next, if there is one."""
        action = call.action
        managed = self._manage(action)
        sending = asyncio.create_task(self._send(call, managed))
        try:
            is_sent = await self._wait(call, sending)
        finally:
            if not sending.done():  # nobody waits for it when it is sent at last
                sending.add_done_callback(partial(_abandon_late, managed))
        if not is_sent:
            return self._dispatcher.time_out(call), sending
        future = sending.result()
        if isinstance(future, BaseException):
            return self._dispatcher.fail(call.task, _explain(action, future)), None
        over = _watch(future)
        try:
            # The time that a call waits for a process of ours is not the handler's.
            begun = _watch(getattr(future, "begun", None))
            if is_first:
                await self._wait_for_process(future, begun, over)
                self._dispatcher.begin(call)
            is_over = await self._wait(call, over)
        except asyncio.CancelledError:
            call.cancelled = True
            managed.abandon(future)
            raise
        if is_over:
            return await self._read(call, future, backoff)
        return self._dispatcher.time_out(call), await _leave(managed, future, over)

    async def _send(
        self, call: Call, managed: ManagedExecutor
    ) -> Future[bytes] | BaseException:
        """The future of a call, or what was raised instead."""
        try:
            # Classes of the user's say how they are pickled, and may take any time.
            packed = await self._threads.run(partial(_pack, call))
            return CancelledError() if call.cancelled else await managed.submit(packed)
        except BaseException as error:  # noqa: BLE001 - an executor may raise anything
            return error

    async def _wait_for_process(
        self,
        job: Future[Any],
        begun: "asyncio.Future[None]",
        over: "asyncio.Future[None]",
    ) -> None:
        if begun.done():
            return
        if self._withdraws:
            job.cancel()
        self._waiting.add(job)
        try:
            await asyncio.wait({begun, over}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            if not job.cancelled():
                raise
        finally:
            self._waiting.discard(job)
        if job.cancelled():
            raise NotBegunError

    def withdraw(self) -> None:
        """Take calls back that wait for a process of a ``ProcessPool``.

        So are those that come to wait for one later. Other executors do not tell which
        calls they have begun.
        """
        self._withdraws = True
        for job in tuple(self._waiting):
            job.cancel()

    async def _wait(self, call: Call, done: "asyncio.Future[Any]") -> bool:
        """Whether it is done before the deadline.

        Raises:
            asyncio.CancelledError: if the caller is cancelled.
        """
        # Nobody may ask for what it raises, once the task has its response.
        done.add_done_callback(_look)
        try:
            left = call.deadline - self._dispatcher.monotonic()
            await asyncio.wait({done}, timeout=max(left, 0.0))
        except asyncio.CancelledError:
            call.cancelled = True
            raise
        return done.done()

    async def _read(
        self, call: Call, future: Future[bytes], backoff: Iterator[float]
    ) -> tuple[EncodedResponse | float, "asyncio.Future[Any] | None"]:
        """The response for what came of a call; the seconds until it is made again."""
        outcome = _take(future)
        if isinstance(outcome, Written):
            return self._dispatcher.conclude(call, outcome), None
        # What was raised is of any class, and reading it may take any time.
        reading = self._threads.run(partial(self._fail, call, outcome, backoff))
        if await self._wait(call, reading):
            return reading.result(), None
        return self._dispatcher.time_out(call), reading

    def _fail(
        self, call: Call, outcome: bytes | BaseException, backoff: Iterator[float]
    ) -> EncodedResponse | float:
        """The response to what was raised, or the seconds until it is tried again."""
        error = read_error(outcome) if isinstance(outcome, bytes) else outcome
        error = _explain(call.action, error)
        wait = _find_wait(call, error, backoff)
        if wait is not None:
            return wait
        # The way here says nothing; its cause is the traceback from there.
        return self._dispatcher.fail(
            call.task, BaseException.with_traceback(error, None)
        )

    async def close(self) -> None:
        """End the executors that were made here, whatever they still run."""
        ending = {self._threads.run(managed.end) for managed in self._managed.values()}
        if ending:
            await asyncio.wait(ending, timeout=_PATIENCE)
        self._threads.close()

    def _manage(self, action: Action) -> ManagedExecutor:
        source = cast("ExecutorSource", action.executor)
        managed = self._managed.get(id(source))
        if managed is None:
            managed = ManagedExecutor(
                source, slots=self._slots, threads=self._threads, logger=self._logger
            )
            self._managed[id(source)] = managed
        return managed


def _abandon_late(
    managed: ManagedExecutor, sending: "asyncio.Task[Future[bytes] | BaseException]"
) -> None:
    future = None if sending.cancelled() else sending.result()
    if isinstance(future, Future):
        managed.abandon(future)


async def _leave(
    managed: ManagedExecutor, future: Future[bytes], over: "asyncio.Future[None]"
) -> "asyncio.Future[Any] | None":
    """Give a call up; what is done when its handler is, if it cannot be ended."""
    leaving = managed.abandon(future)
    await asyncio.wait({leaving}, timeout=_PATIENCE)
    if leaving.done():
        return None if leaving.result() else over
    return asyncio.gather(leaving, over, return_exceptions=True)


def _look(done: "asyncio.Future[Any]") -> None:
    if not done.cancelled():
        done.exception()


def _find_wait(
    call: Call, error: BaseException, backoff: Iterator[float]
) -> float | None:
    """Seconds until a handler that raised is run again; ``None``: it is not."""
    if call.action.retry is None:
        return None
    try:
        raise error  # noqa: TRY301 - its class is looked at
    except call.action.retry.on as found:
        wait = next(backoff, None)
        # A validator of the user's may refuse the payload the second time.
        with suppress(BaseException):
            if wait is not None and call.try_again(found, wait):
                return wait
        return None
    except BaseException:  # noqa: BLE001 - whatever it is, it is not tried again
        return None


def _pack(call: Call) -> bytes:
    """The call of a task's handler.

    Raises:
        UnsendableError: if the arguments cannot be read or pickled.
    """
    action = call.action
    try:
        arguments = read_arguments(action.plan, call)
    except BaseException as error:
        # A model's own attributes may raise anything; SystemExit would end the loop.
        raise UnsendableError("arguments", describe(error)) from error
    return pack_handler(action, *arguments)


def _watch(future: Future[Any] | None) -> "asyncio.Future[None]":
    """Done when ``future`` is, or when there is none; tells nothing of its result."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def notify(_: object) -> None:
        try:
            loop.call_soon_threadsafe(set_done, done)
        except RuntimeError:
            return  # the loop is closed: nobody waits any more

    if future is None:
        set_done(done)
    else:
        future.add_done_callback(notify)
    return done


def _take(future: Future[bytes]) -> Written | bytes | BaseException:
    """What a handler returned; bytes: what it raised; or what an executor raised."""
    try:
        outcome = future.result()
        return read_result(outcome) if is_result(outcome) else outcome
    except BaseException as error:  # noqa: BLE001 - an executor may raise anything
        return error


def _explain(action: Action, error: BaseException) -> BaseException:
    """What an executor raised, in words that name the action."""
    name = action.name
    match error:
        case UnsendableError():
            return UnsendableError(f"{error.part} of {name!r}", error.reason)
        case ProcessDiedError():
            return ActionError(f"the process of {name!r} {error.how}")
        case BrokenExecutor():
            return ActionError(f"the executor of {name!r} broke: {error}")
        case CancelledError():
            return ActionError(f"the executor of {name!r} dropped the task")
        case _:
            return error
