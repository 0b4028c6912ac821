"""Where rate limits act: before a poll, before a handler runs, and inside of it.

The provider's monitor is looked at before a poll, so that no task is pulled that
may not run, and one permit is spent when a handler is about to run. An action's
own monitor lets the task wait in its slot, up to ``max_wait`` seconds and in at most
half of the slots; beyond that the task is answered with ``limit``.
"""

import asyncio
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final, cast

from pydantic_core import from_json

from arbvantage_provider.actions import Action, Actions
from arbvantage_provider.clock import Clock
from arbvantage_provider.context import TaskRateLimit
from arbvantage_provider.exceptions import ConfigError, RateLimitedError
from arbvantage_provider.rate_limit import (
    LimitedTask,
    NoRateLimitMonitor,
    PerKey,
    RateLimitMonitor,
)
from arbvantage_provider.rate_limit.check import find_monitor_problem
from arbvantage_provider.rate_limit.notices import LISTENER
from arbvantage_provider.worker.call import Call, TaskKeys
from arbvantage_provider.worker.limits.concurrency import WaitingRoom
from arbvantage_provider.worker.limits.limiter import Gate
from arbvantage_provider.worker.limits.notices import Notices
from arbvantage_provider.worker.limits.permit_acquirer import (
    LONGEST_WAIT,
    Source,
    count_free,
)
from arbvantage_provider.worker.limits.task_limit import LimitByHand
from arbvantage_provider.worker.limits.wait_queue import GRACE, Visit
from arbvantage_provider.worker.metrics.snapshot import LimitFigures
from arbvantage_provider.worker.runtime.backoff import Ending

SILENCE: Final = 1.0
"""Seconds that a task waits at least for a monitor of the provider that says nothing."""
MARGIN: Final = 0.05
"""Seconds before its deadline that a handler is told that it waits in vain, so that
it is answered for with ``limit``."""


def check_monitor(monitor: Any) -> RateLimitMonitor:
    """The monitor of a provider; one without limits where there is none.

    Raises:
        ConfigError: if it is no monitor.
    """
    if problem := find_monitor_problem(monitor, takes_keys=False):
        raise ConfigError(problem)
    return NoRateLimitMonitor() if monitor is None else monitor


class Limits:
    """The limits of one running provider.

    Args:
        monitor: the provider's own, or one without limits.
        actions: those that may have limits of their own, which may change.
        opens: whether tasks pass while a monitor fails.
        clock: tells when a wait is over.
        ending: set when waiting is no longer worth it.
        slots: how many tasks may be in flight.
        room: where tasks wait for the limit of their action.
        logger: told when a limit is reached, closed, or cannot be asked.
    """

    def __init__(  # noqa: PLR0913 - each is a part, or a setting, of its own
        self,
        *,
        monitor: RateLimitMonitor,
        actions: Actions,
        opens: bool,
        clock: Clock,
        ending: Ending,
        slots: int,
        room: WaitingRoom,
        logger: Any,
    ) -> None:
        self._actions = actions
        self._opens = opens
        self._clock = clock
        self._ending = ending
        self._closed = Ending()
        self._slots = slots
        self._room = room
        self._logger = logger
        self._gates: dict[str, Gate] = {}
        self._kept: dict[str, Action] = {}
        self._loop = asyncio.get_running_loop()
        self._end_watching: Callable[[], None] | None = None
        self._provider: Gate | None = None
        if type(monitor) is not NoRateLimitMonitor:
            self._provider = self._make_gate("the provider", monitor)
        notices = Notices(self._list_limits, clock=clock, logger=logger)
        # All tasks of this run, and their threads, begin with what is set here.
        self._listening = LISTENER.set(notices.note)

    def _list_limits(self) -> list[tuple[str, Source]]:
        actions = self._actions.get_actions().values()
        found: list[tuple[str, Source]] = [
            (action.name, action.rate_limit_monitor) for action in actions
        ]
        return (
            found
            if self._provider is None
            else [*found, ("the provider", self._provider.source)]
        )

    # --- before a poll -------------------------------------------------------

    @property
    def gates_polls(self) -> bool:
        """Whether a poll has to be looked at first."""
        return self._provider is not None

    @property
    def most_polls(self) -> int:
        """How many polls may be out at once, if each of them may begin.

        Where a monitor does not tell how many permits are free, it is one.
        """
        is_blind = self._provider is not None and not self._provider.counts
        return 1 if is_blind else self._slots

    async def look(self, polls: int) -> float:
        """Seconds until so many polls may be out at once; 0: they may now."""
        return 0.0 if self._provider is None else await self._provider.look(polls)

    # --- before a handler runs -----------------------------------------------

    def holds(self, action: Action) -> bool:
        """Whether a task of this action has to pass a limit."""
        return (
            self._provider is not None
            or action.rate_limit_monitor is not None
            or action.name in self._gates
        )

    async def spend(self, call: Call, on_wait: Callable[[], None]) -> None:
        """Spend what a handler needs before it runs; wait for it in the slot.

        Args:
            call: the task.
            on_wait: called if it has to wait for its action's limit.

        Raises:
            RateLimitedError: if that would take longer than it may, or the provider
                stops.
        """
        keys = _keys_of(call)
        gate, provider = self._find_gate(call.action), self._provider
        patience = self._find_patience(call)
        if provider is not None and provider.is_shut:
            await provider.wait_until_open(self._visit_provider(patience))
        if gate is not None and not gate.try_pass(keys):
            visit = Visit(
                patience=patience,
                silence=max(patience, GRACE),
                clock=self._clock,
                ending=self._ending,
                room=self._room,
                on_wait=on_wait,
            )
            await gate.enter(visit, keys)
        # A handler of this action may have shut it meanwhile.
        provider = self._provider
        if provider is not None and not provider.try_pass(keys):
            await provider.enter(self._visit_provider(patience), keys)

    def _visit_provider(self, patience: float) -> Visit:
        """A task that is here already waits as long as it takes.

        It does not wait so long for a monitor that gives no answer at all.
        """
        return Visit(
            patience=math.inf,
            silence=max(patience, SILENCE),
            clock=self._clock,
            ending=self._ending,
        )

    def _find_patience(self, call: Call) -> float:
        action = self._actions.find(call.action.name) or call.action
        return call.timeout if action.max_wait is None else action.max_wait

    # --- inside a handler ----------------------------------------------------

    def make_limit_of(self, call: Call) -> TaskRateLimit:
        """What a handler may spend by hand: of its action, or else of the provider."""
        return LimitByHand(partial(self._acquire, call), self._loop)

    async def _acquire(self, call: Call) -> None:
        gate = self._find_gate(call.action)
        if gate is None or not gate.holds:
            gate = self._provider
        keys = _keys_of(call)
        if gate is None or gate.try_pass(keys):
            return
        left = call.deadline - self._clock.monotonic()
        patience = left - MARGIN
        visit = Visit(
            patience=patience,
            silence=patience,
            clock=self._clock,
            ending=self._closed,
        )
        await gate.enter(visit, keys)

    def heed(self, call: Call, error: BaseException | None) -> None:
        """Shut what a handler said should be: the API behind it wants to be left alone."""
        closes, seconds = _read_closing(error)
        if closes is None:
            return
        if closes == "action":
            gate = self._find_gate(call.action) or self._make_gate_of(call.action)
        else:
            gate = self._provider = self._provider or self._make_gate(
                "the provider", None
            )
        gate.shut(seconds, _keys_of(call))

    # --- gates ---------------------------------------------------------------

    def _find_gate(self, action: Action) -> Gate | None:
        """The gate of an action, which keeps to the limit that it has now."""
        action = self._actions.find(action.name) or action
        gate = self._gates.get(action.name)
        if gate is None:
            has_limit = action.rate_limit_monitor is not None
            return self._make_gate_of(action) if has_limit else None
        if self._kept[action.name] is not action:
            self._kept[action.name] = action
            gate.replace(action.rate_limit_monitor)
        return gate

    def _make_gate_of(self, action: Action) -> Gate:
        if self._end_watching is None:
            self._end_watching = self._actions.watch(self._tell_change)
        gate = self._make_gate(action.name, action.rate_limit_monitor)
        self._kept[action.name] = action
        self._gates[action.name] = gate
        return gate

    def _make_gate(self, name: str, source: Source) -> Gate:
        return Gate(
            source,
            name=name,
            opens=self._opens,
            slots=self._slots,
            clock=self._clock,
            ending=self._ending,
            logger=self._logger,
        )

    def _tell_change(self, name: str) -> None:
        """An action has another limit; this may be any thread."""
        try:
            self._loop.call_soon_threadsafe(self._change, name)
        except RuntimeError:
            return  # the loop is closed: nobody waits any more

    def _change(self, name: str) -> None:
        if name in self._gates:
            self._find_gate(self._kept[name])

    def describe(self) -> Mapping[str, LimitFigures]:
        """The figures of all limits; from any thread. ``""``: the provider's own."""
        found = describe_unused(None, self._actions)
        gates = tuple(self._gates.items())
        found |= {name: gate.describe() for name, gate in gates if gate.tells}
        if self._provider is not None:
            found[""] = self._provider.describe()
        return found

    def nudge(self) -> None:
        """Let all that wait look again: now it is known when the waiting ends."""
        for gate in self._all_gates:
            gate.nudge()

    async def close(self) -> None:
        """End whatever waits, and let the threads end."""
        self._closed.set()
        with suppress(ValueError):  # another context
            LISTENER.reset(self._listening)
        if self._end_watching is not None:
            self._end_watching()
        await asyncio.gather(*(gate.close() for gate in self._all_gates))

    @property
    def _all_gates(self) -> list[Gate]:
        gates = list(self._gates.values())
        return gates if self._provider is None else [*gates, self._provider]


def _keys_of(call: Call) -> TaskKeys:
    """A task's keys, which hold to the end as they were before its handler ran."""
    if call.limit_keys is None:
        call.limit_keys = TaskKeys(partial(_describe, call))
    return call.limit_keys


def _describe(call: Call) -> LimitedTask:
    """A task, as a function is told of it that reads its key."""
    task, account = call.task, call.account
    if call.action.account is None:
        account = _read_object(task.account)
    return LimitedTask(
        id=task.id, action=call.action.name, payload=call.payload, account=account
    )


def _read_object(raw: bytes) -> Any:
    """An account that nobody declared, so that nobody validated it."""
    value: Any = None
    with suppress(ValueError):
        value = from_json(raw)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _read_closing(error: BaseException | None) -> tuple[str | None, float]:
    """Which limit a handler's error shuts, if any, and for how many seconds."""
    try:
        if isinstance(error, RateLimitedError):
            return error.closes, min(float(error.wait_time), LONGEST_WAIT)
    except BaseException:  # noqa: BLE001 - a class of the user's may raise anything
        return None, 0.0
    return None, 0.0


def describe_unused(
    monitor: RateLimitMonitor | None, actions: Actions
) -> dict[str, LimitFigures]:
    """The figures of the limits of a provider, and of its actions, before any task."""
    sources = {"": monitor} | {
        name: action.rate_limit_monitor
        for name, action in actions.get_actions().items()
    }
    return {
        name: LimitFigures(keys=source.keys)
        if isinstance(source, PerKey)
        else LimitFigures(free=count_free(source))
        for name, source in sources.items()
        if source is not None and type(source) is not NoRateLimitMonitor
    }
