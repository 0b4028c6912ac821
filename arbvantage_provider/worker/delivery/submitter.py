"""Giving results to the hub: again and again, until each is taken or refused for good.

What is sent again is the same in every field; the handler is not run again. While
results wait, their slots do, so polling stops by itself. One result that the hub
will not take while it takes others is deferred: it is sent again more rarely, and its
slot is free.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol

from pydantic_core import to_json

from arbvantage_provider.clock import Clock
from arbvantage_provider.exceptions import (
    ConfigError,
    ConnectionError,  # noqa: A004 - the name is the contract's
    HubError,
)
from arbvantage_provider.task import Accepted, Refused, Result, Task
from arbvantage_provider.worker.delivery.tracker import TaskTracker, TrackedTask
from arbvantage_provider.worker.metrics.counters import Counters
from arbvantage_provider.worker.runtime.backoff import Backoff

FIRST_WAIT: Final = 0.1
LONGEST_WAIT: Final = 10.0
ECHO_LIMIT: Final = 1_000
"""Bytes of the payload that are echoed where the whole is too large."""
LONGEST_WORDS: Final = 500
"""Characters of a name or a reason that others gave, in an error that is to be short."""
CUT: Final = b"... (cut: too large to send)"
PATIENCE: Final = 5
"""How often in a row a result is not taken, before it may be deferred."""
FIRST_DEFERRED_WAIT: Final = 5.0
LONGEST_DEFERRED_WAIT: Final = 60.0
MOST_DEFERRED: Final = 1_000
MOST_DEFERRED_BYTES: Final = 64_000_000
LAST_TRY: Final = 1.0
"""Seconds that the deferred have for a last try when the provider stops."""


class ResultTaker(Protocol):
    """What takes results: the hub's client.

    Attributes:
        max_send_bytes: how long a result may be, with what it echoes of its task.
    """

    max_send_bytes: int

    def describe_excess(self, size: int) -> str:
        """See ``HubClient.describe_excess``."""
        ...

    async def submit_result(self, result: Result) -> Accepted | Refused:
        """See ``HubClient.submit_result``."""
        ...


class PendingResult:
    """One result on its way.

    Attributes:
        tracked: the task.
        result: what is sent; a shorter one, once that proved too large.
        size: bytes that it holds in memory, as long as it is not shrunk.
        failures: how often in a row it was not taken.
        answered: how many results the hub had taken when it was sent first.
        is_cut: whether its echo was cut, as the whole proved too large.
        is_shrunk: whether its text was replaced for that, or may not be.
    """

    def __init__(self, tracked: TrackedTask, result: Result, answered: int) -> None:
        self.tracked: TrackedTask = tracked
        self.result: Result = result
        self.failures: int = 0
        self.answered: int = answered
        self.is_cut: bool = False
        self.is_shrunk: bool = False
        task = result.task
        self.size: int = len(result.text) + len(task.payload) + len(task.account)


class Submitter:
    """Gives the results of one worker to its hub.

    Args:
        hub: takes them.
        tracker: is told what became of them.
        clock: tells when a wait is over.
        stopping: set when the provider stops.
        logger_of: gives a logger whose lines name a task.
        counters: counts them.
        on_wait: told the seconds of each wait while the hub takes no result.
        hand_out: is given a task that came with the answer to a deferred result, or
            was delivered once more while it was in flight.

    Attributes:
        brings_tasks: whether the hub's last answer to a result was the next task.
    """

    def __init__(  # noqa: PLR0913 - each is a part of its own
        self,
        *,
        hub: ResultTaker,
        tracker: TaskTracker,
        clock: Clock,
        stopping: asyncio.Event,
        logger_of: Callable[[Task], Any],
        counters: Counters,
        on_wait: Callable[[float], None],
        hand_out: Callable[[Task], None],
    ) -> None:
        self._hub = hub
        self._tracker = tracker
        self._clock = clock
        self._stopping = stopping
        self._logger_of = logger_of
        self._counters = counters
        self._on_wait = on_wait
        self._hand_out = hand_out
        self.brings_tasks: bool = False
        self._deferred: dict[asyncio.Task[None], PendingResult] = {}
        self._deferred_bytes = 0
        self._last_try_ends: float | None = None

    def fit(self, result: Result) -> Result:
        """The result, or a short error where it is certainly too large to send.

        It is looked at before the journal has it, which may have no room for it.
        """
        task = result.task
        size = len(result.text) + len(task.payload) + len(task.account)
        if size <= self._hub.max_send_bytes:
            return result
        reason = self._hub.describe_excess(size)
        self._log_excess(result, reason)
        return shrink(result, reason)

    async def submit(
        self, tracked: TrackedTask, result: Result, *, was_sent: bool = False
    ) -> Task | None:
        """Send a result until the hub has it, will never take it, or it is deferred.

        Args:
            tracked: the task.
            result: its result.
            was_sent: whether the hub may have it already, from this process.

        Returns:
            The next task, where the hub's answer was one.

        Raises:
            AuthenticationError: if the token is refused.
        """
        pending = PendingResult(tracked, result, self._counters.answered)
        pending.failures = int(was_sent)
        self._counters.submitting += 1
        backoff: Backoff | None = None
        is_deferred = False
        try:
            while (reply := await self._send(pending)) is None:
                is_deferred = self._defer(pending)
                if is_deferred:
                    return None
                backoff = backoff or Backoff(FIRST_WAIT, LONGEST_WAIT)
                await self._wait(pending, backoff.next_wait())
            return reply.next_task
        finally:
            if not is_deferred:
                self._counters.submitting -= 1

    async def _wait(self, pending: PendingResult, wait: float) -> None:
        if self._counters.answered == pending.answered:
            self._on_wait(wait)
        await self._clock.wait(asyncio.Event(), wait)

    async def _send(self, pending: PendingResult) -> Accepted | None:
        """Send it once; ``None``: it is to be sent again."""
        tracked, logger = (
            pending.tracked,
            partial(self._logger_of, pending.tracked.task),
        )
        reply = await self._send_once(pending)
        if reply is None:
            return None
        if isinstance(reply, Refused) and reply.too_large and not pending.is_shrunk:
            await self._shrink(pending, reply)
            return await self._send(pending)
        if isinstance(reply, Accepted):
            self._counters.answered += 1
            if reply.oversized is not None:
                self._counters.note_oversized(reply.oversized)
            self.brings_tasks = bool(reply.next_task or reply.oversized)
        elif reply.is_known and (tracked.is_repeated or pending.failures):
            self._counters.answered += 1
            logger().info("the hub had the result already", reason=reply.reason)
        else:
            self._counters.refused += 1
            logger().error("result refused for good", reason=reply.reason)
        again = self._tracker.finish(tracked, pending.result)
        if again is not None:
            self._hand_out(again)
        return reply if isinstance(reply, Accepted) else Accepted()

    async def _send_once(self, pending: PendingResult) -> Accepted | Refused | None:
        """What the hub says to it; ``None``: it cannot be reached, or not now."""
        reason = "there is no memory left to send it"
        try:
            reply = await self._hub.submit_result(pending.result)
        except ConnectionError as error:
            reason = str(error)
        except MemoryError:
            # What the hub may have already has to stay as it is.
            is_new = not (pending.failures or pending.tracked.is_repeated)
            if is_new and not pending.is_shrunk:
                return Refused(reason=reason, too_large=True)
        except (HubError, ConfigError):
            raise
        except Exception as error:  # noqa: BLE001 - it is kept, whatever this is
            reason = f"it could not be sent: {type(error).__name__}"
        else:
            self._counters.note_contact()
            return reply
        pending.failures += 1
        logger = self._logger_of(pending.tracked.task)
        logger.warning("result not taken yet", reason=reason, tries=pending.failures)
        return None

    def _log_excess(self, result: Result, reason: str) -> None:
        logger = self._logger_of(result.task)
        logger.error("result too large", bytes=len(result.text), reason=reason)

    async def _shrink(self, pending: PendingResult, reply: Refused) -> None:
        result = pending.result
        self._log_excess(result, reply.reason)
        if pending.tracked.is_repeated and not pending.is_cut:
            # Its text was sent before, and has to stay as it was; but one from the
            # journal that is too large without its echo, too, was never taken.
            pending.is_cut = True
            pending.is_shrunk = not pending.tracked.is_recovered
            pending.result = result._replace(task=cut_echo(result.task))
        else:
            pending.is_shrunk = True
            pending.result = shrink(result, reply.reason)
            await self._tracker.note_result(pending.tracked, pending.result)

    # --- deferring -------------------------------------------------------------

    def _defer(self, pending: PendingResult) -> bool:
        """Free the slot of a result that the hub does not take, if it is the result.

        It is, where others were taken since. Where none was, one is deferred to find
        out, as there may be a single slot.
        """
        is_alone = self._counters.answered > pending.answered or not self._deferred
        if pending.failures < PATIENCE or not is_alone or self._stopping.is_set():
            return False
        if len(self._deferred) >= MOST_DEFERRED:
            return False
        if self._deferred_bytes + pending.size > MOST_DEFERRED_BYTES:
            return False
        logger = self._logger_of(pending.tracked.task)
        logger.error("result parked", tries=pending.failures)
        deferred = asyncio.create_task(self._send_deferred(pending))
        self._deferred[deferred] = pending
        self._deferred_bytes += pending.size
        self._counters.deferred += 1
        deferred.add_done_callback(self._undefer)
        return True

    async def _send_deferred(self, pending: PendingResult) -> None:
        backoff = Backoff(FIRST_DEFERRED_WAIT, LONGEST_DEFERRED_WAIT)
        reply, is_last = None, False
        while reply is None and not is_last:
            is_last = await self._clock.wait(self._stopping, backoff.next_wait())
            reply = await self._try_parked(pending)
        if reply is not None and reply.next_task is not None:
            self._hand_out(reply.next_task)

    async def _try_parked(self, pending: PendingResult) -> Accepted | None:
        """Send a deferred result once; ``None``: it stays deferred."""
        try:
            return await self._send(pending)
        except (HubError, ConfigError):
            return None  # those that poll end the provider for this
        except (Exception, SystemExit) as error:  # noqa: BLE001 - nobody else would notice
            self._counters.note_problem(error, pending.tracked.task)
            pending.failures += 1  # the hub may have it
            return None if self._tracker.is_open(pending.tracked) else Accepted()

    def _undefer(self, deferred: asyncio.Task[None]) -> None:
        pending = self._deferred.pop(deferred)
        self._deferred_bytes -= pending.size
        self._counters.deferred -= 1
        self._counters.submitting -= 1
        if not deferred.cancelled() and (error := deferred.exception()):
            self._counters.note_problem(error, pending.tracked.task)

    async def wait_for_deferred(self) -> None:
        """Let the deferred have a last try, which begins when the provider stops."""
        if not (self._deferred and self._stopping.is_set()):
            return
        now = self._clock.monotonic()
        if self._last_try_ends is None:
            self._last_try_ends = now + LAST_TRY
        left = max(self._last_try_ends - now, 0.0)
        await asyncio.wait(self._deferred, timeout=left)

    async def close(self) -> None:
        """End what is deferred, after its last try."""
        await self.wait_for_deferred()
        for deferred in tuple(self._deferred):
            deferred.cancel()


def shrink(result: Result, reason: str) -> Result:
    """A short error in place of a result that is too large to send."""
    task = result.task
    message = (
        f"the result of {task.action[:LONGEST_WORDS]!r} is too large to send: "
        f"{len(result.text)} bytes, and the payload echoes {len(task.payload)} "
        f"({reason[:LONGEST_WORDS]})"
    )
    response = {"status": "error", "message": message, "data": None}
    return Result(task=cut_echo(task), status="error", text=to_json(response))


def cut_echo(task: Task) -> Task:
    """The task with less to echo, as that counts too; what is cut is marked.

    The account is left out whole: half of a credential is of no use to anyone.
    """
    payload, account = task.payload, task.account
    if len(payload) > ECHO_LIMIT:
        payload = payload[:ECHO_LIMIT] + CUT
    if len(account) > ECHO_LIMIT:
        account = CUT
    return task._replace(payload=payload, account=account)
