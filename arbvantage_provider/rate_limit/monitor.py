"""What a rate limit monitor is: three methods, and one more for local ones.

Looking never spends. Spending takes one permit and happens in
``make_safe_request``, which waits for as long as it must.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypedDict, TypeVar

from typing_extensions import override

from arbvantage_provider.clock import Clock, SystemClock

P = ParamSpec("P")
R = TypeVar("R")

_SYSTEM_CLOCK = SystemClock()


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
