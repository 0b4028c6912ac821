"""The worker: slots that take a task, run it, and give its result back.

A slot is one coroutine. It takes a permit to poll, and once it has a task it keeps
it until the hub has its result; so nothing is pulled that cannot run, and results
that wait for the hub stop the polling by themselves.
"""

import asyncio
from collections import deque
from collections.abc import Collection
from functools import partial
from typing import Any, Final, Protocol, TypeAlias

from arbvantage_provider.clock import Clock
from arbvantage_provider.exceptions import (
    ActionError,
    ConfigError,
    ConnectionError,  # noqa: A004 - the name is the contract's
    HubError,
    RateLimitedError,
)
from arbvantage_provider.task import Oversized, Pause, Result, Task
from arbvantage_provider.worker.call import Call, EncodedResponse
from arbvantage_provider.worker.delivery.submitter import ResultTaker, Submitter
from arbvantage_provider.worker.delivery.tracker import TaskTracker, TrackedTask
from arbvantage_provider.worker.execution.dispatcher import Dispatcher
from arbvantage_provider.worker.execution.executors import Executors, NotBegunError
from arbvantage_provider.worker.execution.runner import Runner, Running
from arbvantage_provider.worker.limits.concurrency import ConcurrencyLimiter
from arbvantage_provider.worker.limits.limits import Limits
from arbvantage_provider.worker.metrics.counters import Counters
from arbvantage_provider.worker.metrics.snapshot import Snapshot
from arbvantage_provider.worker.polling import Poller
from arbvantage_provider.worker.runtime.backoff import Ending, first_of
from arbvantage_provider.worker.runtime.watchdog import Watchdog

POLL_GRACE: Final = 0.5
"""Seconds that polls under way get to return when the provider stops."""
ENDS: Final = (
    *(asyncio.CancelledError, GeneratorExit, KeyboardInterrupt),
    *(HubError, ConfigError),
)
"""What ends a slot; nothing else does."""
Slot: TypeAlias = asyncio.Task[Any]
JOURNAL_WAIT: Final = 0.25
"""Seconds between two looks at a journal that cannot be written."""
SUBMIT_RESERVE: Final = 1.0
"""Seconds of the grace that are kept for submitting what was interrupted."""
RUN_ON: Final = 0.5
"""Seconds that a slot goes on with tasks that come while the provider stops."""


class HubConnection(ResultTaker, Protocol):
    """What a worker asks of a hub; ``HubClient`` is one."""

    @property
    def gives_up(self) -> bool:
        """See ``HubClient``."""
        ...

    async def connect(self, seconds: float) -> None:
        """See ``HubClient.connect``."""
        ...

    async def get_task(self) -> Task | Pause | Oversized | None:
        """See ``HubClient.get_task``."""
        ...


class Worker:
    """Runs tasks from one hub until it is stopped.

    Args:
        hub: hands out tasks and takes results.
        dispatcher: turns a task into an encoded response.
        executors: run the handlers of actions that name one.
        tracker: knows what became of each task.
        limits: says when a poll, or a handler, may begin.
        concurrency: says when an action has room for one more task.
        poller: says when the next poll may begin.
        clock: tells when a wait is over.
        logger: the provider's.
        stopping: set by ``stop``.
        ending: set here, when tasks that wait for its concurrency or a limit are given up.
        slots: how many tasks may be in flight.
        connect_timeout: seconds to wait for the hub at the start.
        shutdown_timeout: seconds that running tasks have at the end.
    """

    def __init__(  # noqa: PLR0913 - each is a part, or a setting, of its own
        self,
        *,
        hub: HubConnection,
        dispatcher: Dispatcher,
        executors: Executors,
        tracker: TaskTracker,
        limits: Limits,
        concurrency: ConcurrencyLimiter,
        poller: Poller,
        clock: Clock,
        logger: Any,
        stopping: asyncio.Event,
        ending: Ending,
        slots: int,
        connect_timeout: float,
        shutdown_timeout: float,
    ) -> None:
        self._hub = hub
        self._dispatcher = dispatcher
        self._executors = executors
        self._tracker = tracker
        self._limits = limits
        self._concurrency = concurrency
        self._poller = poller
        self._clock = clock
        self._logger = logger
        self._stopping = stopping
        self._waiting_ends = ending
        self._slots = slots
        self._connect_timeout = connect_timeout
        self._shutdown_timeout = shutdown_timeout
        self._runner = Runner(dispatcher, slots)
        self._counters = Counters(clock=clock, slots=slots, logger=logger)
        self._watchdog = Watchdog(
            clock=clock,
            logger=logger,
            find_logger=self._runner.find_logger,
            is_busy=lambda: bool(self._unanswered or self._counters.stuck),
        )
        self._chain = dispatcher.chain.also_notify(self._counters.count_response)
        self._submitter = Submitter(
            hub=hub,
            tracker=tracker,
            clock=clock,
            stopping=stopping,
            logger_of=dispatcher.logger_of,
            counters=self._counters,
            on_wait=poller.slow_down,
            hand_out=self._hand_out,
        )
        self._handed: deque[TrackedTask] = deque()
        self._polling: set[asyncio.Task[Any]] = set()
        self._holding_permit: set[asyncio.Task[Any]] = set()
        self._handling: set[asyncio.Task[Any]] = set()
        self._unanswered: dict[asyncio.Task[Any], TrackedTask] = {}
        self._running_on: dict[Slot, float] = {}
        self._polls_done = asyncio.Event()
        self._none_handling = asyncio.Event()
        self._interrupting = self._ending = False

    async def run(self) -> None:
        """Work until stopped, then drain.

        Raises:
            ConnectionError: if no hub answers within ``connect_timeout``.
            AuthenticationError: if the hub refuses the token.
            ProtocolError: if what answers is no hub.
            JournalError: if the journal cannot be used.
            ConfigError: if an executor cannot be made.
            RegistrationError: if a handler cannot be sent to its executor.
            HubError: if tasks were left unanswered at the end; they are logged.
        """
        self._counters.state = "connecting"
        self._watchdog.start()
        try:
            if await self._connect():
                self._counters.note_contact()
                self._counters.state = "running"
                await self._work()
        finally:
            self._counters.state = "stopped"
            self._watchdog.close()
            self._runner.close()
            await self._limits.close()
            await self._executors.close()
            await self._tracker.close()

    def snapshot(self) -> Snapshot:
        """The counters of this moment."""
        return self._counters.snapshot(
            len(self._unanswered),
            is_blocked=self._watchdog.is_blocked,
            is_failing=self._tracker.failing,
            redelivered=self._tracker.redelivered,
            limits=self._limits.describe(),
        )

    async def _connect(self) -> bool:
        """Whether there is a hub, and nobody asked to stop before it answered."""
        connecting = asyncio.create_task(self._start())
        try:
            await first_of(connecting, self._stopping)
            if connecting.done():
                connecting.result()
            return connecting.done()
        finally:
            connecting.cancel()

    async def _start(self) -> None:
        self._handed.extend(self._tracker.open())
        if self._handed:
            self._logger.info("tasks found in the journal", tasks=len(self._handed))
        await self._executors.start()
        await self._hub.connect(self._connect_timeout)

    async def _work(self) -> None:
        slots = {asyncio.create_task(self._run_slot()) for _ in range(self._slots)}
        drain = asyncio.create_task(self._drain(slots))
        wait = asyncio.wait(slots, return_when=asyncio.FIRST_EXCEPTION)
        over = asyncio.create_task(wait)
        try:
            # A slot that cannot be cancelled does not outlive the drain.
            await asyncio.wait({over, drain}, return_when=asyncio.FIRST_COMPLETED)
            done = {slot for slot in slots if slot.done()}
        finally:
            self._ending = True
            _cancel({over, drain, *slots})
            try:
                await asyncio.wait({drain, *slots}, timeout=SUBMIT_RESERVE)
                await self._submitter.close()
            finally:
                # Also if this is cancelled once more.
                lost = self._report_left()
        for slot in done:
            if not slot.cancelled():
                slot.result()
        if lost:
            problem = f"{len(lost)} left unanswered: {', '.join(lost[:20])}"
            raise HubError(problem)

    def _report_left(self) -> list[str]:
        """Log the tasks that the hub waits for; the ids of those that are lost."""
        left = self._tracker.list_left()
        kept = [
            tracked.task.id[:200] for tracked in left if self._tracker.keeps(tracked)
        ]
        lost = [
            tracked.task.id[:200]
            for tracked in left
            if not self._tracker.keeps(tracked)
        ]
        if kept:
            self._logger.warning("tasks kept in the journal", ids=kept)
        if lost:
            self._logger.error("tasks left unanswered", ids=lost)
        return lost

    async def _drain(self, slots: set[asyncio.Task[None]]) -> None:
        """Once stopped: let running tasks end, then interrupt, then give up."""
        await self._stopping.wait()
        end = self._clock.monotonic() + self._shutdown_timeout
        self._counters.state = "stopping"
        self._logger.info("stopping", tasks=len(self._unanswered))
        # What the last process left can wait in the journal for the next one.
        self._handed = deque(w for w in self._handed if not w.is_recovered)
        reserve = min(SUBMIT_RESERVE, self._shutdown_timeout / 5)
        self._waiting_ends.until = end - reserve
        if self._tracker.is_lasting:
            self._waiting_ends.set()
            self._executors.withdraw()
            self._tracker.hurry()
        self._limits.wake()
        self._poller.close()
        if self._polling:
            self._polls_done.clear()
            await self._clock.wait(self._polls_done, POLL_GRACE)
        _cancel(self._polling)
        await self._wait_until(slots, end - reserve)
        self._runner.clean_up = reserve / 2
        self._interrupting = True
        self._waiting_ends.set()
        self._executors.withdraw()
        self._none_handling.set()
        _cancel(self._handling)
        await self._wait_until(slots, end)
        self._ending = True
        _cancel(slots)

    async def _wait_until(self, slots: set[asyncio.Task[None]], moment: float) -> None:
        await asyncio.wait(slots, timeout=max(moment - self._clock.monotonic(), 0))

    # --- one slot ------------------------------------------------------------

    async def _run_slot(self) -> None:
        slot = _this_task()
        work: Task | TrackedTask | None = None
        while work := work or await self._take(slot):
            tracked = None
            try:
                tracked = self._tracker.take(work)
                if tracked is None or tracked.repeats > 1:
                    # Nothing but what is known: the hub has no more than an idle one.
                    self._release_permit(slot, is_new=False)
                elif not self._limits.limits_polls:
                    self._release_permit(slot)
                work = None if tracked is None else await self._handle(slot, tracked)
            except ENDS:
                raise
            except BaseException as error:  # noqa: BLE001 - it must not cost a slot
                work = await self._rescue(slot, tracked, error)
            # One that is in flight is answered by who handles it, this delivery too.
            self._release_permit(slot)

    async def _rescue(
        self, slot: Slot, tracked: TrackedTask | None, error: BaseException
    ) -> Task | None:
        """Answer a task for which something went wrong that nothing else caught.

        Where that fails too, it is answered when it is delivered once more.
        """
        try:
            self._counters.note_problem(
                error, None if tracked is None else tracked.task
            )
            self._counters.oversized += tracked is None
            if tracked is None or not self._tracker.is_open(tracked):
                return None
            result, was_sent = tracked.result, tracked.result is not None
            if result is None:
                encoded = self._dispatcher.fail(tracked.task, error)
                result = Result(tracked.task, encoded.status, encoded.text)
            await self._tracker.note_result(tracked, result)
            return await self._submitter.submit(tracked, result, was_sent=was_sent)
        except ENDS:
            raise
        except BaseException:  # noqa: BLE001 - the same
            if tracked is not None:
                self._tracker.release(tracked)
            return None
        finally:
            self._unanswered.pop(slot, None)

    async def _take(self, slot: Slot) -> Task | TrackedTask | None:
        """The next task for this slot; ``None`` when there will be no more."""
        while True:
            if self._handed:
                return self._handed.popleft()
            if self._stopping.is_set():
                # What comes with the answers to the deferred is run, too.
                await self._submitter.wait_for_deferred()
                if not self._handed:
                    return None
            elif await self._poller.take_permit() and (task := await self._poll(slot)):
                return task

    async def _poll(self, slot: Slot) -> Task | None:
        """Use a permit: ask the hub for one task, if a limit lets it run."""
        self._polling.add(slot)
        try:
            if self._tracker.failing:
                self._poller.pause(JOURNAL_WAIT)
                return None
            if self._limits.limits_polls:
                wait = await self._limits.look(self._poller.out)
                if wait > 0:
                    self._poller.hold_back(wait)
                    return None
            return await self._get_task(slot)
        except asyncio.CancelledError:
            self._poller.return_permit()
            if not self._stopping.is_set():
                raise
            slot.uncancel()
            return None
        finally:
            self._polling.discard(slot)
            if not self._polling:
                self._polls_done.set()

    async def _get_task(self, slot: Slot) -> Task | None:
        if self._stopping.is_set():
            self._poller.return_permit()
            return None
        began = self._clock.monotonic()
        try:
            reply = await self._hub.get_task()
        except ConnectionError as error:
            if self._hub.gives_up:
                raise
            self._counters.note_failure(error)
            self._poller.failed()
            return None
        self._counters.note_contact()
        if isinstance(reply, Task):
            # Under a limit no other poll may begin before this task has spent.
            self._holding_permit.add(slot)
            return reply
        if isinstance(reply, Pause):
            self._logger.info("the hub asks for a pause", seconds=reply.seconds)
            self._poller.pause(reply.seconds)
        else:
            self._counters.note_oversized(reply)
            self._poller.found_nothing(self._clock.monotonic() - began)
        return None

    async def _handle(self, slot: Slot, tracked: TrackedTask) -> Task | None:
        """Run a task and give its result back; the next task if that came with it."""
        self._counters.taken += 1
        if self._stopping.is_set() and self._leaves(slot, tracked):
            await self._tracker.flush()
            return None
        self._unanswered[slot] = tracked
        result, running = tracked.result, None
        if result is None:
            responded = await self._respond_through_chain(slot, tracked)
            if responded is None:
                await self._tracker.flush()
                del self._unanswered[slot]
                return None
            encoded, running = responded
            result = Result(task=tracked.task, status=encoded.status, text=encoded.text)
            result = self._submitter.fit(result)
            if not tracked.runs or encoded.status == "limit":
                await self._hold_refusal(tracked)
            await self._tracker.note_result(tracked, result)
        else:
            self._release_permit(slot)
            if not tracked.is_repeated:  # nobody could send it, when it was here last
                await self._tracker.note_result(tracked, result)
            await self._poller.hold_repeat(tracked.repeats)
        if self._stopping.is_set():
            await self._hold_back()
        next_task = await self._submitter.submit(tracked, result)
        del self._unanswered[slot]
        if running is None:
            return next_task
        await self._wait_for_handler(running, next_task)
        return None

    async def _hold_refusal(self, tracked: TrackedTask) -> None:
        """Wait, where the hub hands a task out again and again that is refused."""
        repeats, since = self._tracker.refusals.count(tracked.digest)
        await self._poller.hold_repeat(repeats, since)
        self._tracker.refusals.note(tracked.digest)

    async def _respond_through_chain(
        self, slot: Slot, tracked: TrackedTask
    ) -> tuple[EncodedResponse, Running | None] | None:
        """The same as ``_respond``, whatever goes wrong on the way.

        ``None``: its handler was not called, and it is not answered.
        """
        self._handling.add(slot)
        self._none_handling.clear()
        task, inside = tracked.task, partial(self._respond, slot, tracked)
        try:
            return await self._chain.run(task, inside)
        except NotBegunError:
            return None
        except asyncio.CancelledError as error:
            if self._ending:
                raise
            return self._give_up(task, error), None
        except (GeneratorExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001 - a bug of ours must not cost a slot
            return self._give_up(task, error), None
        finally:
            self._handling.discard(slot)
            if not self._handling:
                self._none_handling.set()
            while slot.cancelling() and not self._ending:
                slot.uncancel()

    def _give_up(self, task: Task, error: BaseException) -> EncodedResponse:
        """The response where something went wrong that nothing else caught."""
        encoded = self._dispatcher.fail(task, error)
        self._chain.report(task, encoded)
        return encoded

    async def _respond(
        self, slot: Slot, tracked: TrackedTask, task: Task
    ) -> tuple[EncodedResponse, Running | None]:
        """The task's response, and its handler if that runs on past its deadline."""
        too_late = self._interrupting
        if too_late:
            return self._interrupt(tracked, task), None
        try:
            call = await self._admit(slot, tracked, task)
            if isinstance(call, EncodedResponse):
                return call, None
            return await self._run(tracked, call)
        except asyncio.CancelledError:
            if self._ending or not self._interrupting:
                raise
            return self._interrupt(tracked, task), None

    def _interrupt(self, tracked: TrackedTask, task: Task) -> EncodedResponse:
        """The response to a task when the grace is over.

        Raises:
            NotBegunError: if its handler was not called.
        """
        if not tracked.runs:
            raise NotBegunError
        return self._dispatcher.interrupt(task)

    def _keep_if_stopping(self) -> None:
        """While the provider stops, leave a task to the journal, if there is one.

        Raises:
            NotBegunError: if there is.
        """
        if self._stopping.is_set() and self._tracker.is_lasting:
            raise NotBegunError

    async def _run(
        self, tracked: TrackedTask, call: Call
    ) -> tuple[EncodedResponse, Running | None]:
        """Run the handler; another may take its place when it has ended."""
        running = None
        try:
            if self._stopping.is_set():
                self._keep_if_stopping()
            if not await self._tracker.begin(tracked):
                raise NotBegunError
            call.attempt = tracked.runs
            if call.action.executor is None:
                encoded, running = await self._runner.run(call)
            else:
                encoded, running = await self._run_elsewhere(tracked, call)
        finally:
            if running is None:
                self._concurrency.free(call)
            else:
                running.add_done_callback(lambda _: self._concurrency.free(call))
        if encoded.failure is not None:
            self._limits.heed(call, encoded.failure.error)
        return encoded, running

    async def _run_elsewhere(
        self, tracked: TrackedTask, call: Call
    ) -> tuple[EncodedResponse, Running | None]:
        self._dispatcher.begin(call)
        try:
            return await self._executors.run(call)
        except NotBegunError:
            self._tracker.withdraw(tracked)
            raise

    async def _admit(
        self, slot: Slot, tracked: TrackedTask, task: Task
    ) -> Call | EncodedResponse:
        """Validate, and wait for its concurrency and the limits."""
        try:
            if tracked.is_recovered and (problem := self._find_problem(tracked)):
                error = ActionError(f"{task.action!r} {problem}")
                return self._dispatcher.refuse(task, error, "task interrupted")
            call = self._dispatcher.prepare(task)
            if isinstance(call, EncodedResponse):
                return call
            action = call.action
            if action.max_concurrency is not None or self._limits.holds(action):
                await self._wait_for_permits(slot, call)
        except RateLimitedError as error:
            self._keep_if_stopping()
            return self._dispatcher.refuse(task, error, "task limited")
        finally:
            self._release_permit(slot)
        return call

    def _find_problem(self, tracked: TrackedTask) -> str | None:
        """Why a task from the journal is not run; ``None``: it is."""
        action = self._dispatcher.find(tracked.task.action)
        return self._tracker.judge(
            tracked, idempotent=action is not None and action.idempotent
        )

    async def _wait_for_permits(self, slot: Slot, call: Call) -> None:
        action = call.action
        # Who has to wait for its own action does not keep others from polling.
        release_permit = partial(self._release_permit, slot)
        if action.max_concurrency is not None:
            await self._concurrency.take(call, release_permit)
        if not self._limits.holds(action):
            return
        try:
            await self._limits.spend(call, release_permit)
        except BaseException:
            self._concurrency.free(call)
            raise

    async def _wait_for_handler(self, running: Running, next_task: Task | None) -> None:
        """Keep the slot until a handler that is past its deadline is back."""
        if next_task is not None:
            self._hand_out(next_task)
        counters = self._counters
        counters.stuck += 1
        self._logger.warning("a handler is past its deadline", stuck=counters.stuck)
        if counters.stuck == self._slots:
            self._logger.error("all slots are stuck; no task is taken")
        try:
            await first_of(running, self._stopping)
        finally:
            counters.stuck -= 1

    def _hand_out(self, task: Task) -> None:
        """Let whichever slot is free next run a task that nobody polled for.

        That may take a while, so it is written down now.
        """
        tracked = self._tracker.take(task)
        if tracked is not None:
            self._handed.append(tracked)
            self._poller.wake(1)

    # --- while the provider stops --------------------------------------------

    def _leaves(self, slot: Slot, tracked: TrackedTask) -> bool:
        """Whether a task that came just now is not begun, and not answered.

        With a journal, the next start runs it. Without one it is run; but a hub that
        gives a task for each result is never done, and there is an end to it.
        """
        now = self._clock.monotonic()
        until = self._running_on.setdefault(slot, now + RUN_ON)
        is_kept = self._tracker.is_lasting and tracked.result is None
        return is_kept or self._interrupting or now > until

    async def _hold_back(self) -> None:
        """Keep a result while handlers run, if it would bring one more task to run."""
        if self._tracker.is_lasting:
            return
        self._counters.submitting += 1
        try:
            while self._handling and self._submitter.brings_tasks:
                await self._none_handling.wait()
                if self._interrupting:
                    return
        finally:
            self._counters.submitting -= 1

    def _release_permit(self, slot: Slot, *, is_new: bool = True) -> None:
        if slot in self._holding_permit:
            self._holding_permit.discard(slot)
            if is_new:
                self._poller.found_task()
            else:
                self._poller.found_nothing(0.0)


def _cancel(slots: Collection[asyncio.Task[Any]]) -> None:
    for slot in slots:
        slot.cancel()


def _this_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    if task is None:
        problem = "a slot runs in a task of its own"
        raise RuntimeError(problem)
    return task
