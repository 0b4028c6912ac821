"""The worker: slots that take a task, run it, and give its result back.

A slot is one coroutine. It takes a turn to poll, and once it has a task it keeps
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
from arbvantage_provider.worker.call import Answer, Call
from arbvantage_provider.worker.delivery.submitter import ResultTaker, Submitter
from arbvantage_provider.worker.delivery.tracker import Entry, Ledger
from arbvantage_provider.worker.execution.dispatcher import Dispatcher
from arbvantage_provider.worker.execution.executors import Executors, NotBegunError
from arbvantage_provider.worker.execution.runner import Runner, Running
from arbvantage_provider.worker.limits.concurrency import Places
from arbvantage_provider.worker.limits.limits import Limits
from arbvantage_provider.worker.metrics.counters import Figures
from arbvantage_provider.worker.metrics.snapshot import Snapshot
from arbvantage_provider.worker.polling import Pace
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


class Hub(ResultTaker, Protocol):
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
        dispatcher: turns a task into an answer.
        executors: run the handlers of actions that name one.
        ledger: knows what became of each task.
        limits: says when a poll, or a handler, may begin.
        places: says when an action has room for one more task.
        pace: says when the next poll may begin.
        clock: tells when a wait is over.
        logger: the provider's.
        stopping: set by ``stop``.
        ending: set here, when tasks that wait for a place or a limit are given up.
        slots: how many tasks may be in flight.
        connect_timeout: seconds to wait for the hub at the start.
        shutdown_timeout: seconds that running tasks have at the end.
    """

    def __init__(  # noqa: PLR0913 - each is a part, or a setting, of its own
        self,
        *,
        hub: Hub,
        dispatcher: Dispatcher,
        executors: Executors,
        ledger: Ledger,
        limits: Limits,
        places: Places,
        pace: Pace,
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
        self._ledger = ledger
        self._limits = limits
        self._places = places
        self._pace = pace
        self._clock = clock
        self._logger = logger
        self._stopping = stopping
        self._waiting_ends = ending
        self._slots = slots
        self._connect_timeout = connect_timeout
        self._shutdown_timeout = shutdown_timeout
        self._runner = Runner(dispatcher, slots)
        self._figures = Figures(clock=clock, slots=slots, logger=logger)
        self._watchdog = Watchdog(
            clock=clock,
            logger=logger,
            find_logger=self._runner.find_logger,
            is_busy=lambda: bool(self._unanswered or self._figures.stuck),
        )
        self._seam = dispatcher.seam.also_tell(self._figures.note_answer)
        self._submitter = Submitter(
            hub=hub,
            ledger=ledger,
            clock=clock,
            stopping=stopping,
            logger_of=dispatcher.logger_of,
            figures=self._figures,
            on_wait=pace.slow_down,
            hand_out=self._hand_out,
        )
        self._handed: deque[Entry] = deque()
        self._polling: set[asyncio.Task[Any]] = set()
        self._keeping_turn: set[asyncio.Task[Any]] = set()
        self._handling: set[asyncio.Task[Any]] = set()
        self._unanswered: dict[asyncio.Task[Any], Entry] = {}
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
        self._figures.state = "connecting"
        self._watchdog.start()
        try:
            if await self._connect():
                self._figures.note_contact()
                self._figures.state = "running"
                await self._work()
        finally:
            self._figures.state = "stopped"
            self._watchdog.close()
            self._runner.close()
            await self._limits.close()
            await self._executors.close()
            await self._ledger.close()

    def snapshot(self) -> Snapshot:
        """The figures of this moment."""
        return self._figures.snapshot(
            len(self._unanswered),
            is_blocked=self._watchdog.is_blocked,
            ledger=self._ledger,
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
        self._handed.extend(self._ledger.open())
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
        left = self._ledger.list_left()
        kept = [entry.task.id[:200] for entry in left if self._ledger.keeps(entry)]
        lost = [entry.task.id[:200] for entry in left if not self._ledger.keeps(entry)]
        if kept:
            self._logger.warning("tasks kept in the journal", ids=kept)
        if lost:
            self._logger.error("tasks left unanswered", ids=lost)
        return lost

    async def _drain(self, slots: set[asyncio.Task[None]]) -> None:
        """Once stopped: let running tasks end, then interrupt, then give up."""
        await self._stopping.wait()
        end = self._clock.monotonic() + self._shutdown_timeout
        self._figures.state = "stopping"
        self._logger.info("stopping", tasks=len(self._unanswered))
        # What the last process left can wait in the journal for the next one.
        self._handed = deque(w for w in self._handed if not w.is_recovered)
        reserve = min(SUBMIT_RESERVE, self._shutdown_timeout / 5)
        self._waiting_ends.until = end - reserve
        if self._ledger.is_lasting:
            self._waiting_ends.set()
            self._executors.withdraw()
            self._ledger.hurry()
        self._limits.nudge()
        self._pace.close()
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
        work: Task | Entry | None = None
        while work := work or await self._take(slot):
            entry = None
            try:
                entry = self._ledger.take(work)
                if entry is None or entry.repeats > 1:
                    # Nothing but what is known: the hub has no more than an idle one.
                    self._end_turn(slot, is_new=False)
                elif not self._limits.gates_polls:
                    self._end_turn(slot)
                work = None if entry is None else await self._handle(slot, entry)
            except ENDS:
                raise
            except BaseException as error:  # noqa: BLE001 - it must not cost a slot
                work = await self._rescue(slot, entry, error)
            # One that is in flight is answered by who handles it, this delivery too.
            self._end_turn(slot)

    async def _rescue(
        self, slot: Slot, entry: Entry | None, error: BaseException
    ) -> Task | None:
        """Answer a task for which something went wrong that nothing else caught.

        Where that fails too, it is answered when it is delivered once more.
        """
        try:
            self._figures.note_problem(error, None if entry is None else entry.task)
            self._figures.oversized += entry is None
            if entry is None or not self._ledger.is_open(entry):
                return None
            result, was_sent = entry.result, entry.result is not None
            if result is None:
                answer = self._dispatcher.fail(entry.task, error)
                result = Result(entry.task, answer.status, answer.text)
            await self._ledger.answer(entry, result)
            return await self._submitter.submit(entry, result, was_sent=was_sent)
        except ENDS:
            raise
        except BaseException:  # noqa: BLE001 - the same
            if entry is not None:
                self._ledger.release(entry)
            return None
        finally:
            self._unanswered.pop(slot, None)

    async def _take(self, slot: Slot) -> Task | Entry | None:
        """The next task for this slot; ``None`` when there will be no more."""
        while True:
            if self._handed:
                return self._handed.popleft()
            if self._stopping.is_set():
                # What comes with the answers to the parked is run, too.
                await self._submitter.wait_for_parked()
                if not self._handed:
                    return None
            elif await self._pace.take_turn() and (task := await self._poll(slot)):
                return task

    async def _poll(self, slot: Slot) -> Task | None:
        """Use a turn: ask the hub for one task, if a limit lets it run."""
        self._polling.add(slot)
        try:
            if self._ledger.failing:
                self._pace.pause(JOURNAL_WAIT)
                return None
            if self._limits.gates_polls:
                wait = await self._limits.look(self._pace.out)
                if wait > 0:
                    self._pace.hold_back(wait)
                    return None
            return await self._get_task(slot)
        except asyncio.CancelledError:
            self._pace.give_back()
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
            self._pace.give_back()
            return None
        began = self._clock.monotonic()
        try:
            reply = await self._hub.get_task()
        except ConnectionError as error:
            if self._hub.gives_up:
                raise
            self._figures.note_failure(error)
            self._pace.failed()
            return None
        self._figures.note_contact()
        if isinstance(reply, Task):
            # Under a limit no other poll may begin before this task has spent.
            self._keeping_turn.add(slot)
            return reply
        if isinstance(reply, Pause):
            self._logger.info("the hub asks for a pause", seconds=reply.seconds)
            self._pace.pause(reply.seconds)
        else:
            self._figures.note_oversized(reply)
            self._pace.found_nothing(self._clock.monotonic() - began)
        return None

    async def _handle(self, slot: Slot, entry: Entry) -> Task | None:
        """Run a task and give its result back; the next task if that came with it."""
        self._figures.taken += 1
        if self._stopping.is_set() and self._leaves(slot, entry):
            await self._ledger.flush()
            return None
        self._unanswered[slot] = entry
        result, running = entry.result, None
        if result is None:
            answered = await self._answer_through_seam(slot, entry)
            if answered is None:
                await self._ledger.flush()
                del self._unanswered[slot]
                return None
            answer, running = answered
            result = Result(task=entry.task, status=answer.status, text=answer.text)
            result = self._submitter.fit(result)
            if not entry.runs or answer.status == "limit":
                await self._hold_refusal(entry)
            await self._ledger.answer(entry, result)
        else:
            self._end_turn(slot)
            if not entry.is_repeated:  # nobody could send it, when it was here last
                await self._ledger.answer(entry, result)
            await self._pace.hold_repeat(entry.repeats)
        if self._stopping.is_set():
            await self._hold_back()
        next_task = await self._submitter.submit(entry, result)
        del self._unanswered[slot]
        if running is None:
            return next_task
        await self._wait_for_handler(running, next_task)
        return None

    async def _hold_refusal(self, entry: Entry) -> None:
        """Wait, where the hub hands a task out again and again that is refused."""
        repeats, since = self._ledger.refusals.count(entry.digest)
        await self._pace.hold_repeat(repeats, since)
        self._ledger.refusals.note(entry.digest)

    async def _answer_through_seam(
        self, slot: Slot, entry: Entry
    ) -> tuple[Answer, Running | None] | None:
        """The same as ``_answer``, whatever goes wrong on the way.

        ``None``: its handler was not called, and it is not answered.
        """
        self._handling.add(slot)
        self._none_handling.clear()
        task, inside = entry.task, partial(self._answer, slot, entry)
        try:
            return await self._seam.around(task, inside)
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

    def _give_up(self, task: Task, error: BaseException) -> Answer:
        """The answer where something went wrong that nothing else caught."""
        answer = self._dispatcher.fail(task, error)
        self._seam.report(task, answer)
        return answer

    async def _answer(
        self, slot: Slot, entry: Entry, task: Task
    ) -> tuple[Answer, Running | None]:
        """The task's answer, and its handler if that runs on past its deadline."""
        too_late = self._interrupting
        if too_late:
            return self._interrupt(entry, task), None
        try:
            call = await self._admit(slot, entry, task)
            if isinstance(call, Answer):
                return call, None
            return await self._run(entry, call)
        except asyncio.CancelledError:
            if self._ending or not self._interrupting:
                raise
            return self._interrupt(entry, task), None

    def _interrupt(self, entry: Entry, task: Task) -> Answer:
        """The answer to a task when the grace is over.

        Raises:
            NotBegunError: if its handler was not called.
        """
        if not entry.runs:
            raise NotBegunError
        return self._dispatcher.interrupt(task)

    def _keep_if_stopping(self) -> None:
        """While the provider stops, leave a task to the journal, if there is one.

        Raises:
            NotBegunError: if there is.
        """
        if self._stopping.is_set() and self._ledger.is_lasting:
            raise NotBegunError

    async def _run(self, entry: Entry, call: Call) -> tuple[Answer, Running | None]:
        """Run the handler; its place is free when it has ended."""
        running = None
        try:
            self._keep_if_stopping()
            if not await self._ledger.begin(entry):
                raise NotBegunError
            call.attempt = entry.runs
            self._dispatcher.begin(call)
            if call.action.executor is None:
                answer, running = await self._runner.run(call)
            else:
                answer, running = await self._run_elsewhere(entry, call)
        finally:
            if running is None:
                self._places.free(call)
            else:
                running.add_done_callback(lambda _: self._places.free(call))
        if answer.failure is not None:
            self._limits.heed(call, answer.failure.error)
        return answer, running

    async def _run_elsewhere(
        self, entry: Entry, call: Call
    ) -> tuple[Answer, Running | None]:
        try:
            return await self._executors.run(call)
        except NotBegunError:
            self._ledger.withdraw(entry)
            raise

    async def _admit(self, slot: Slot, entry: Entry, task: Task) -> Call | Answer:
        """Validate, and wait for a place and the limits."""
        try:
            if problem := self._find_problem(entry):
                error = ActionError(f"{task.action!r} {problem}")
                return self._dispatcher.refuse(task, error, "task interrupted")
            call = self._dispatcher.prepare(task)
            if isinstance(call, Answer):
                return call
            await self._wait_for_room(slot, call)
        except RateLimitedError as error:
            self._keep_if_stopping()
            return self._dispatcher.refuse(task, error, "task limited")
        finally:
            self._end_turn(slot)
        return call

    def _find_problem(self, entry: Entry) -> str | None:
        """Why a task from the journal is not run; ``None``: it is."""
        if not entry.is_recovered:
            return None
        action = self._dispatcher.find(entry.task.action)
        return self._ledger.judge(
            entry, idempotent=action is not None and action.idempotent
        )

    async def _wait_for_room(self, slot: Slot, call: Call) -> None:
        action = call.action
        # Who has to wait for its own action does not keep others from polling.
        end_turn = partial(self._end_turn, slot)
        if action.max_concurrency is not None:
            await self._places.take(call, end_turn)
        if not self._limits.holds(action):
            return
        try:
            await self._limits.spend(call, end_turn)
        except BaseException:
            self._places.free(call)
            raise

    async def _wait_for_handler(self, running: Running, next_task: Task | None) -> None:
        """Keep the slot until a handler that is past its deadline is back."""
        if next_task is not None:
            self._hand_out(next_task)
        figures = self._figures
        figures.stuck += 1
        self._logger.warning("a handler is past its deadline", stuck=figures.stuck)
        if figures.stuck == self._slots:
            self._logger.error("all slots are stuck; no task is taken")
        try:
            await first_of(running, self._stopping)
        finally:
            figures.stuck -= 1

    def _hand_out(self, task: Task) -> None:
        """Let whichever slot is free next run a task that nobody polled for.

        That may take a while, so it is written down now.
        """
        entry = self._ledger.take(task)
        if entry is not None:
            self._handed.append(entry)
            self._pace.wake(1)

    # --- while the provider stops --------------------------------------------

    def _leaves(self, slot: Slot, entry: Entry) -> bool:
        """Whether a task that came just now is not begun, and not answered.

        With a journal, the next start runs it. Without one it is run; but a hub that
        gives a task for each result is never done, and there is an end to it.
        """
        now = self._clock.monotonic()
        until = self._running_on.setdefault(slot, now + RUN_ON)
        is_kept = self._ledger.is_lasting and entry.result is None
        return is_kept or self._interrupting or now > until

    async def _hold_back(self) -> None:
        """Keep a result while handlers run, if it would bring one more task to run."""
        if self._ledger.is_lasting:
            return
        self._figures.submitting += 1
        try:
            while self._handling and self._submitter.brings_tasks:
                await self._none_handling.wait()
                if self._interrupting:
                    return
        finally:
            self._figures.submitting -= 1

    def _end_turn(self, slot: Slot, *, is_new: bool = True) -> None:
        if slot in self._keeping_turn:
            self._keeping_turn.discard(slot)
            if is_new:
                self._pace.found_task()
            else:
                self._pace.found_nothing(0.0)


def _cancel(slots: Collection[asyncio.Task[Any]]) -> None:
    for slot in slots:
        slot.cancel()


def _this_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    if task is None:
        problem = "a slot runs in a task of its own"
        raise RuntimeError(problem)
    return task
