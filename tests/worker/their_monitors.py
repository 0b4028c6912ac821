"""Monitors as users write them, for the tests of where limits act."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from arbvantage_provider.rate_limit import (
    RateLimitMonitor,
    Reservation,
    ReservingRateLimitMonitor,
)


class ThreeMethods(RateLimitMonitor):
    """Knows only the three methods, blocks, and grants ``most`` permits in all."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.spent = 0
        self.looks = 0
        self.threads: set[str] = set()
        self.lock = threading.Lock()

    def check_rate_limits(self) -> dict[str, Any] | None:
        with self.lock:
            self.looks += 1
            self.threads.add(threading.current_thread().name)
            if self.spent >= self.most:
                return {"rate_limited": True, "wait_time": 0.02}
        return None

    def handle_throttling(self, wait_time: float = 60) -> None:
        threading.Event().wait(wait_time)

    def make_safe_request(self, request_func: Any, *args: Any, **kwargs: Any) -> Any:
        with self.lock:
            self.threads.add(threading.current_thread().name)
            self.spent += 1
        return request_func(*args, **kwargs)


class Stubborn(ThreeMethods):
    """Hangs where it is told to, until the test lets it go on."""

    def __init__(self, *, looking: bool = False, spending: bool = False) -> None:
        super().__init__(most=10_000)
        self.looking, self.spending = looking, spending
        self.asked = threading.Event()
        self.release = threading.Event()

    def check_rate_limits(self) -> dict[str, Any] | None:
        if self.looking:
            self._hang()
        return super().check_rate_limits()

    def make_safe_request(self, request_func: Any, *args: Any, **kwargs: Any) -> Any:
        if self.spending:
            self._hang()
        return super().make_safe_request(request_func, *args, **kwargs)

    def _hang(self) -> None:
        self.asked.set()
        assert self.release.wait(60)


class Moody(ThreeMethods):
    """Raises a few times, then is as good as any."""

    def __init__(self, raised: BaseException, times: int, *, spends: bool) -> None:
        super().__init__(most=10_000)
        self.raised, self.times, self.spends = raised, times, spends

    def check_rate_limits(self) -> dict[str, Any] | None:
        if not self.spends:
            self._complain()
        return super().check_rate_limits()

    def make_safe_request(self, request_func: Any, *args: Any, **kwargs: Any) -> Any:
        if self.spends:
            self._complain()
        return super().make_safe_request(request_func, *args, **kwargs)

    def _complain(self) -> None:
        if self.times > 0:
            self.times -= 1
            raise self.raised


class Reserving(ReservingRateLimitMonitor):
    """Reserves by a function of the test's; answers late, and the first ones latest."""

    def __init__(self, reserve: Callable[[float, str | None], Reservation]) -> None:
        self.reserve = reserve
        self.calls = 0
        self.given_back: list[Reservation] = []
        self.closed = 0

    def check_rate_limits(self) -> None:
        return None

    def make_safe_request(self, request_func: Any, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    async def reserve_async(
        self, patience: float, key: str | None = None
    ) -> Reservation:
        self.calls += 1
        found = self.reserve(patience, key)
        await asyncio.sleep(max(0.05 - self.calls / 100, 0))
        return found

    async def release_async(
        self, reservation: Reservation, key: str | None = None
    ) -> None:
        self.given_back.append(reservation)

    async def close_async(self) -> None:
        self.closed += 1
