"""What a rate limit monitor is: three methods, and more for those that know more.

Looking never spends. Spending takes one permit and happens in
``make_safe_request``, which waits for as long as it must. Reserving takes the next
permit that will be free, and tells how long to wait for it.
"""

import asyncio
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, ParamSpec, TypedDict, TypeVar

from typing_extensions import override

from arbvantage_provider.clock import Clock, SystemClock

P = ParamSpec("P")
R = TypeVar("R")

_SYSTEM_CLOCK = SystemClock()
_PLAIN: Final = (
    "check_rate_limits",
    "handle_throttling",
    "make_safe_request",
    "try_spend",
)


class RateLimits(TypedDict):
    """What a monitor answers while no permit is free."""

    rate_limited: bool
    """Whether a caller has to wait; always true from a built-in monitor."""
    wait_time: float
    """Seconds until it is worth trying again, above zero."""
    current_count: int
    """How many permits of the limit are in use."""
    limit: int
    """How many permits that limit has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """A permit for a moment, or the word that there is none soon enough.

    Attributes:
        granted: whether a permit was taken.
        wait: seconds. Where granted, until the moment that the permit is for, 0.0
            for one that is free now: wait so long, then go on; it is spent. Where
            not granted, nothing was taken, and it is how long it will be until it
            is worth trying, above 0.
        mark: what the monitor knows the permit by, to take it back.
    """

    granted: bool
    wait: float
    mark: float = 0


class RateLimitMonitor(ABC):
    """A limit; subclass it for one that the built-in monitors do not know.

    A subclass writes ``check_rate_limits`` and ``make_safe_request``; it need
    not call ``super().__init__()``. Its methods may block, and may be called
    from several threads at once.
    """

    @abstractmethod
    def check_rate_limits(self) -> Mapping[str, Any] | None:
        """Look whether a permit is free; never spend one.

        Returns:
            ``None`` when a permit is free, else the fields of ``RateLimits``.
        """

    def handle_throttling(self, wait_time: float = 60) -> None:
        """Block the calling thread for ``wait_time`` seconds."""
        _SYSTEM_CLOCK.sleep(wait_time)

    @abstractmethod
    def make_safe_request(
        self, request_func: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Wait for a permit, spend it, then call ``request_func``.

        There is no default: what spends a permit is known to the subclass only,
        and one that spent nothing would limit nothing.

        Returns:
            What ``request_func(*args, **kwargs)`` returns; what it raises is
            raised, and the permit stays spent.
        """

    def count_free(self, key: str | None = None) -> int | None:  # noqa: ARG002 - for those that know
        """How many permits are free now, as far as is known without waiting.

        Args:
            key: one of several limits that are alike; ``None`` is the monitor's own.

        Returns:
            The number; ``None`` from a monitor that does not know.
        """
        return None


class ReservingRateLimitMonitor(RateLimitMonitor):
    """A limit that is kept elsewhere, and hands out permits ahead of their moment.

    Who reserves asks once, waits by itself, and asks nobody again, so a permit costs
    one call however many compete for it. All methods may be called on any event
    loop, and none blocks it.

    A ``key`` asks for one of any number of limits with the same settings, each
    counted for itself; ``None`` is the monitor's own.
    """

    @abstractmethod
    async def reserve_async(
        self, patience: float, key: str | None = None
    ) -> Reservation:
        """Take the next permit if its moment is within ``patience`` seconds.

        Args:
            patience: how many seconds the caller would wait; ``math.inf`` for as
                long as it takes, 0 for a permit that is free now.
            key: which limit.

        Returns:
            The permit and the seconds to wait for it; or, with nothing taken, how
            long it would have been.

        Raises:
            RateLimitUnavailableError: what keeps the limit does not answer.
        """

    async def release_async(
        self, reservation: Reservation, key: str | None = None
    ) -> None:
        """Give a permit back that was granted and is not going to be used.

        It is free again if none was taken after it, else it is lost: those after it
        have been told their moments. Never raises for a limit that cannot be
        reached; the permit is lost then, too.
        """

    async def check_rate_limits_async(
        self,
        key: str | None = None,  # noqa: ARG002 - for those that keep several
    ) -> Mapping[str, Any] | None:
        """Look whether a permit is free; never spend one.

        Returns:
            ``None`` when a permit is free, as far as is known, else the fields of
            ``RateLimits``.

        Raises:
            RateLimitUnavailableError: what keeps the limit does not answer.
        """
        return await asyncio.to_thread(self.check_rate_limits)

    async def close_async(self) -> None:
        """Close what is open on this event loop; the next use opens it again."""


class LocalRateLimitMonitor(RateLimitMonitor):
    """A limit that is kept in this process: looking and spending never block.

    A subclass writes ``check_rate_limits`` and ``try_spend``, both thread-safe,
    neither of them waiting; it need not call ``super().__init__()``.
    """

    _clock: Clock = _SYSTEM_CLOCK

    @abstractmethod
    def try_spend(self) -> float:
        """Spend one permit if one is free, in one atomic step; never wait.

        Returns:
            0.0 when one permit was spent; else nothing was spent, and it is the
            number of seconds until it is worth trying again.
        """

    def reserve(self, patience: float, key: str | None = None) -> Reservation:  # noqa: ARG002 - as below
        """Take the next permit if its moment is within ``patience`` seconds.

        Unless a subclass knows better, that is one that is free now: it does not
        look ahead, and has one limit for all keys.

        Args:
            patience: how many seconds the caller would wait; ``math.inf`` for as
                long as it takes, 0 for a permit that is free now.
            key: one of several limits that are alike; ``None`` is the monitor's own.

        Returns:
            The permit and the seconds to wait for it; or, with nothing taken, how
            long it will be until it is worth trying.
        """
        wait = self.try_spend()
        return Reservation(granted=wait == 0, wait=wait)

    def release(self, reservation: Reservation, key: str | None = None) -> None:
        """Give a permit back that was granted and is not going to be used.

        It is free again if none was taken after it, and the monitor can; else it is
        lost.
        """

    @override
    def handle_throttling(self, wait_time: float = 60) -> None:
        """Block the calling thread for ``wait_time`` seconds of the clock."""
        self._clock.sleep(wait_time)

    @override
    def make_safe_request(
        self, request_func: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Wait as long as it takes, spend one permit, then call ``request_func``.

        The call holds no lock. Threads that wait are not served in the order of
        their arrival.

        Returns:
            What ``request_func(*args, **kwargs)`` returns; what it raises is
            raised, and the permit stays spent.
        """
        while wait_time := self.try_spend():
            self.handle_throttling(wait_time)
        return request_func(*args, **kwargs)


class NoRateLimitMonitor(LocalRateLimitMonitor):
    """No limit at all: a permit is always free."""

    @override
    def check_rate_limits(self) -> RateLimits | None:
        """Nothing to report: ``None``."""
        return None

    @override
    def handle_throttling(self, wait_time: float = 60) -> None:
        """Return at once: without a limit there is nothing to wait for."""

    @override
    def try_spend(self) -> float:
        """Nothing to wait for: 0.0."""
        return 0.0

    @override
    def __repr__(self) -> str:
        return "NoRateLimitMonitor()"


def find_async_problem(monitor: RateLimitMonitor) -> str:
    """Which method is async that would be called and never awaited; ``""``: none."""
    for name in _PLAIN:
        if inspect.iscoroutinefunction(getattr(monitor, name, None)):
            return f"{type(monitor).__name__}.{name} is async; write it with def"
    return ""
