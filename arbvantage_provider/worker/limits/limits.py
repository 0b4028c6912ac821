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
from arbvantage_provider.worker.limits.concurrency import WaiterBudget
from arbvantage_provider.worker.limits.limiter import Limiter
from arbvantage_provider.worker.limits.notices import Notices
from arbvantage_provider.worker.limits.permit_acquirer import (
    LONGEST_WAIT,
    Source,
    count_free,
)
from arbvantage_provider.worker.limits.task_limit import HandlerRateLimit
from arbvantage_provider.worker.limits.wait_queue import GRACE, Waiter
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
        budget: where tasks wait for the limit of their action.
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
        budget: WaiterBudget,
        logger: Any,
    ) -> None:
        self._actions = actions
        self._opens = opens
        self._clock = clock
        self._ending = ending
        self._closed = Ending()
        self._slots = slots
        self._budget = budget
        self._logger = logger
        self._limiters: dict[str, Limiter] = {}
        self._kept: dict[str, Action] = {}
        self._loop = asyncio.get_running_loop()
        self._end_watching: Callable[[], None] | None = None
        self._provider: Limiter | None = None
        if type(monitor) is not NoRateLimitMonitor:
            self._provider = self._make_limiter("the provider", monitor)
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
    def limits_polls(self) -> bool:
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
            or action.name in self._limiters
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
        auth, provider = self._find_limiter(call.action), self._provider
        patience = self._find_patience(call)
        if provider is not None and provider.is_shut:
            await provider.wait_until_open(self._make_provider_waiter(patience))
        if auth is not None and not auth.try_acquire(keys):
            waiter = Waiter(
                patience=patience,
                silence=max(patience, GRACE),
                clock=self._clock,
                ending=self._ending,
                budget=self._budget,
                on_wait=on_wait,
            )
            await auth.enter(waiter, keys)
        # A handler of this action may have shut it meanwhile.
        provider = self._provider
        if provider is not None and not provider.try_acquire(keys):
            await provider.enter(self._make_provider_waiter(patience), keys)

    def _make_provider_waiter(self, patience: float) -> Waiter:
        """A task that is here already waits as long as it takes.

        It does not wait so long for a monitor that gives no answer at all.
        """
        return Waiter(
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
        """What a handler may spend itself: of its action, or else of the provider."""
        return HandlerRateLimit(partial(self._acquire, call), self._loop)

    async def _acquire(self, call: Call) -> None:
        auth = self._find_limiter(call.action)
        if auth is None or not auth.holds:
            auth = self._provider
        keys = _keys_of(call)
        if auth is None or auth.try_acquire(keys):
            return
        left = call.deadline - self._clock.monotonic()
        patience = left - MARGIN
        waiter = Waiter(
            patience=patience,
            silence=patience,
            clock=self._clock,
            ending=self._closed,
        )
        await auth.enter(waiter, keys)

    def heed(self, call: Call, error: BaseException | None) -> None:
        """Shut what a handler said should be: the API behind it wants to be left alone."""
        closes, seconds = _read_closing(error)
        if closes is None:
            return
        if closes == "action":
            auth = self._find_limiter(call.action) or self._make_limiter_of(call.action)
        else:
            auth = self._provider = self._provider or self._make_limiter(
                "the provider", None
            )
        auth.shut(seconds, _keys_of(call))

    # --- limiters ---------------------------------------------------------------

    def _find_limiter(self, action: Action) -> Limiter | None:
        """The limiter of an action, which keeps to the limit that it has now."""
        action = self._actions.find(action.name) or action
        auth = self._limiters.get(action.name)
        if auth is None:
            has_limit = action.rate_limit_monitor is not None
            return self._make_limiter_of(action) if has_limit else None
        if self._kept[action.name] is not action:
            self._kept[action.name] = action
            auth.replace(action.rate_limit_monitor)
        return auth

    def _make_limiter_of(self, action: Action) -> Limiter:
        if self._end_watching is None:
            self._end_watching = self._actions.watch(self._notify_change)
        auth = self._make_limiter(action.name, action.rate_limit_monitor)
        self._kept[action.name] = action
        self._limiters[action.name] = auth
        return auth

    def _make_limiter(self, name: str, source: Source) -> Limiter:
        return Limiter(
            source,
            name=name,
            opens=self._opens,
            slots=self._slots,
            clock=self._clock,
            ending=self._ending,
            logger=self._logger,
        )

    def _notify_change(self, name: str) -> None:
        """An action has another limit; this may be any thread."""
        try:
            self._loop.call_soon_threadsafe(self._change, name)
        except RuntimeError:
            return  # the loop is closed: nobody waits any more

    def _change(self, name: str) -> None:
        if name in self._limiters:
            self._find_limiter(self._kept[name])

    def describe(self) -> Mapping[str, LimitFigures]:
        """The counters of all limits; from any thread. ``""``: the provider's own."""
        found = describe_unused(None, self._actions)
        limiters = tuple(self._limiters.items())
        found |= {
            name: auth.describe() for name, auth in limiters if auth.is_worth_showing
        }
        if self._provider is not None:
            found[""] = self._provider.describe()
        return found

    def wake(self) -> None:
        """Let all that wait look again: now it is known when the waiting ends."""
        for auth in self._all_limiters:
            auth.wake()

    async def close(self) -> None:
        """End whatever waits, and let the threads end."""
        self._closed.set()
        with suppress(ValueError):  # another context
            LISTENER.reset(self._listening)
        if self._end_watching is not None:
            self._end_watching()
        await asyncio.gather(*(auth.close() for auth in self._all_limiters))

    @property
    def _all_limiters(self) -> list[Limiter]:
        limiters = list(self._limiters.values())
        return limiters if self._provider is None else [*limiters, self._provider]


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
    """The counters of the limits of a provider, and of its actions, before any task."""
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
