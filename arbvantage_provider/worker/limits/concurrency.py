"""How many tasks of one action run at once, and who waits for its turn."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias

from arbvantage_provider.clock import Clock
from arbvantage_provider.exceptions import RateLimitedError
from arbvantage_provider.worker.call import Call
from arbvantage_provider.worker.runtime.backoff import first_of

_SHORTEST_WAIT = 0.001


class WaiterBudget:
    """Room for the tasks that wait in their slots for something of their action.

    Args:
        slots: how many tasks may be in flight; at most half of them wait.
    """

    def __init__(self, slots: int) -> None:
        self._most = max(slots // 2, 1)
        self._waiting = 0

    @property
    def is_full(self) -> bool:
        """Whether no more may wait."""
        return self._waiting >= self._most

    def enter(self) -> bool:
        """Begin to wait; ``False``: it is full."""
        if self.is_full:
            return False
        self._waiting += 1
        return True

    def leave(self) -> None:
        """End waiting."""
        self._waiting -= 1


_Signal: TypeAlias = asyncio.Future[None]


@dataclass(slots=True)
class _Queue:
    running: set[Call] = field(default_factory=set[Call])
    waiting: dict[Call, _Signal] = field(default_factory=dict[Call, _Signal])


class ConcurrencyLimiter:
    """The limits of all actions that have a ``max_concurrency``.

    Args:
        clock: tells when another may run at the latest.
        ending: set when waiting is no longer worth it.
        budget: where tasks wait.
    """

    def __init__(
        self, *, clock: Clock, ending: asyncio.Event, budget: WaiterBudget
    ) -> None:
        self._clock = clock
        self._ending = ending
        self._budget = budget
        self._queues: dict[str, _Queue] = {}

    async def take(self, call: Call, on_wait: Callable[[], None]) -> None:
        """Let a call run, in the order of arrival.

        A task waits for as long as its handler may run.

        Args:
            call: what is about to run.
            on_wait: called if it has to wait.

        Raises:
            RateLimitedError: if too many tasks wait, or it waited in vain.
        """
        most = call.action.max_concurrency
        if most is None:
            return
        queue = self._queues.setdefault(call.action.name, _Queue())
        if len(queue.running) < most and not queue.waiting:
            queue.running.add(call)
            return
        if not self._budget.enter():
            raise self._refuse(call, queue)
        on_wait()
        signal = asyncio.get_running_loop().create_future()
        queue.waiting[call] = signal
        try:
            await self._wait(signal, call.timeout)
        except BaseException:
            self.free(call)
            raise
        finally:
            self._budget.leave()
            queue.waiting.pop(call, None)
        if not signal.done():
            raise self._refuse(call, queue)

    def free(self, call: Call) -> None:
        """A call has ended; the one that waits longest runs next."""
        if call.action.max_concurrency is not None:
            queue = self._queues[call.action.name]
            if call in queue.running:
                queue.running.remove(call)
                _pass_on(queue)

    async def _wait(self, signal: _Signal, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await first_of(signal, self._ending)

    def _refuse(self, call: Call, queue: _Queue) -> RateLimitedError:
        """At the latest when the first of the running ones times out, one is free."""
        deadline = min((other.deadline for other in queue.running), default=0.0)
        wait = max(deadline - self._clock.monotonic(), _SHORTEST_WAIT)
        most = call.action.max_concurrency
        problem = f"{most} of {call.action.name!r} run already, and no more may"
        return RateLimitedError(wait, f"{problem}; try again in {wait:.3g} s")


def _pass_on(queue: _Queue) -> None:
    """Hand on to the call that waits longest."""
    call = next(iter(queue.waiting), None)
    if call is not None:
        queue.running.add(call)
        queue.waiting.pop(call).set_result(None)
