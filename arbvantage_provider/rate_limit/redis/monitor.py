"""A limit that any number of processes and machines share, kept in Redis."""

import asyncio
import hashlib
import math
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, ParamSpec, TypeVar

from typing_extensions import override

from arbvantage_provider.clock import Clock, SystemClock
from arbvantage_provider.exceptions import ConfigError, RateLimitUnavailableError
from arbvantage_provider.rate_limit.monitor import (
    RateLimits,
    Reservation,
    ReservingRateLimitMonitor,
)
from arbvantage_provider.rate_limit.redis.circuit_breaker import RedisCircuitBreaker
from arbvantage_provider.rate_limit.redis.client import RedisAddress, RedisClient, Reply
from arbvantage_provider.rate_limit.redis.limit_state import LimitState
from arbvantage_provider.rate_limit.validation import (
    LONGEST,
    check_burst,
    check_count,
    check_interval,
    check_part,
    check_seconds,
)

P = ParamSpec("P")
R = TypeVar("R")

_TRUSTED: Final = 1.0
"""Seconds for which a look believes that a permit is free, without asking again."""
_LONGEST_KEY: Final = 200
"""Characters of a task's key; one that is longer is kept as its hash."""
_SYSTEM_CLOCK: Final = SystemClock()


class RedisRateLimitMonitor(ReservingRateLimitMonitor):
    """A token bucket in Redis or Valkey: a burst at once, then a steady rate.

    All that give the same server, key and settings share one limit: any window of
    ``w`` seconds holds at most ``burst_size + requests_per_minute * w / 60`` permits.
    Time is the server's alone.

    A permit costs one call, however many compete for it: it is reserved for the next
    moment that is free, in the order of asking, and that moment is waited for here.

    While the server does not answer, what asks it raises a
    ``RateLimitUnavailableError``; with ``fallback_share``, that share of the limit
    holds in this process instead.

    Args:
        url: ``redis://user:password@host:6379/0``, ``rediss://`` for TLS; also
            ``valkey://``, ``valkeys://`` and ``unix://``. Options of redis-py may
            follow a ``?``.
        key: the limit's name, without braces; the server has it as
            ``rate_limit:{key}``.
        requests_per_minute: the steady rate, above 0, at most 600,000. The interval
            between two permits is rounded up to a whole microsecond.
        burst_size: how many permits at once after a rest, at least 1.
        fallback_share: above 0, at most 1: the share that this process keeps to by
            itself while the server is away, such as 0.25 in each of four processes.
        connect_timeout: seconds that opening a connection may take.
        command_timeout: seconds that an answer may take.
        max_connections: how many there are at most, for all threads that block, and
            for each event loop.
        clock: what tells how long waits and outages last, and sleeps.

    Raises:
        ConfigError: for a setting that cannot be used, or where redis-py is missing:
            ``pip install "arbvantage_provider[redis]"``.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - the first four are what a limit is
        self,
        url: str,
        key: str,
        requests_per_minute: float,
        burst_size: int = 1,
        *,
        fallback_share: float | None = None,
        connect_timeout: float = 0.5,
        command_timeout: float = 0.5,
        max_connections: int = 16,
        clock: Clock = _SYSTEM_CLOCK,
    ) -> None:
        self._key = _check_key(key)
        self._interval = check_interval("requests_per_minute", requests_per_minute)
        self._burst = check_burst("burst_size", burst_size, self._interval)
        self._share = fallback_share
        if fallback_share is not None:
            self._share = check_part("fallback_share", fallback_share)
        self._clock = clock
        self._address = RedisAddress(url)
        self._client = RedisClient(
            self._address,
            connect_timeout=check_seconds("connect_timeout", connect_timeout),
            command_timeout=check_seconds("command_timeout", command_timeout),
            max_connections=check_count("max_connections", max_connections),
        )
        self._breaker = RedisCircuitBreaker(clock)
        self._state = LimitState(self._interval, self._burst)
        rate = f"requests_per_minute={requests_per_minute!r}, burst_size={burst_size!r}"
        self._shown = f"{self._address!r}, key={key!r}, {rate}"

    # For callers that await.

    @override
    async def reserve_async(
        self, patience: float, key: str | None = None
    ) -> Reservation:
        """Take the next permit if its moment is within ``patience`` seconds.

        Args:
            patience: how many seconds the caller would wait; ``math.inf`` for as
                long as it takes, 0 for a permit that is free now.
            key: which of any number of limits with these settings; ``None`` is the
                monitor's own.

        Returns:
            The permit and the seconds to wait for it; or, with nothing taken, how
            long it would have been.

        Raises:
            RateLimitUnavailableError: the server does not answer, and there is no
                ``fallback_share``.
        """
        name = self._spell(key)
        try:
            reply = await self._ask_async(name, "reserve", _to_micros(patience))
        except RateLimitUnavailableError as error:
            return self._lend(name, patience, error)
        return self._note(name, reply)

    @override
    async def release_async(
        self, reservation: Reservation, key: str | None = None
    ) -> None:
        """Give a permit back that was granted and is not going to be used.

        It is free again if nobody took one after it, and the server answers; else it
        is lost.
        """
        if reservation.granted and reservation.mark:
            name, mark = self._spell(key), int(reservation.mark)
            try:
                await self._ask_async(name, "release", mark)
            except RateLimitUnavailableError:
                return
            self._state.take_back(name, mark)

    @override
    async def check_rate_limits_async(
        self, key: str | None = None
    ) -> RateLimits | None:
        """Look whether a permit is free; never spend one.

        The last answer is believed until the moment that it named, and for a second,
        so that looking often costs no calls.

        Args:
            key: which of any number of limits with these settings; ``None`` is the
                monitor's own.

        Returns:
            ``None`` when a permit is free, as far as is known, else how long it will
            be until one is.

        Raises:
            RateLimitUnavailableError: the server does not answer, and there is no
                ``fallback_share``.
        """
        name = self._spell(key)
        wait = self._recall(name)
        if wait is None:
            try:
                reply = await self._ask_async(name, "look")
            except RateLimitUnavailableError as error:
                wait = self._lend(name, -1.0, error).wait
            else:
                wait = self._note(name, reply).wait
        return self._describe(wait)

    async def make_safe_request_async(
        self,
        request_func: Callable[P, Awaitable[R]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Wait for a permit, spend it, then await ``request_func``.

        Who is cancelled while waiting gives the permit back.

        Raises:
            RateLimitUnavailableError: the server does not answer, and there is no
                ``fallback_share``; ``request_func`` was not called.
        """
        while True:
            reservation = await self.reserve_async(math.inf)
            try:
                if reservation.wait > 0:
                    await self._clock.wait(asyncio.Event(), reservation.wait)
            except BaseException:
                await self.release_async(reservation)
                raise
            if reservation.granted:
                return await request_func(*args, **kwargs)

    @override
    async def close_async(self) -> None:
        """Close what is idle on this event loop; the next call opens new ones."""
        await self._client.close_async()

    # For callers that block.

    def reserve(self, patience: float, key: str | None = None) -> Reservation:
        """``reserve_async``, for a thread: it blocks until the server answers."""
        name = self._spell(key)
        try:
            reply = self._ask(name, "reserve", _to_micros(patience))
        except RateLimitUnavailableError as error:
            return self._lend(name, patience, error)
        return self._note(name, reply)

    def release(self, reservation: Reservation, key: str | None = None) -> None:
        """``release_async``, for a thread: it blocks until the server answers."""
        if reservation.granted and reservation.mark:
            name, mark = self._spell(key), int(reservation.mark)
            try:
                self._ask(name, "release", mark)
            except RateLimitUnavailableError:
                return
            self._state.take_back(name, mark)

    @override
    def check_rate_limits(self) -> RateLimits | None:
        """Ask the server whether a permit is free; never spend one.

        Returns:
            ``None`` when a permit is free, else how long it will be until one is.

        Raises:
            RateLimitUnavailableError: the server does not answer, and there is no
                ``fallback_share``.
        """
        name = self._spell(None)
        try:
            reply = self._ask(name, "look")
        except RateLimitUnavailableError as error:
            return self._describe(self._lend(name, -1.0, error).wait)
        return self._describe(self._note(name, reply).wait)

    @override
    def handle_throttling(self, wait_time: float = 60) -> None:
        """Block the calling thread for ``wait_time`` seconds of the clock."""
        self._clock.sleep(wait_time)

    @override
    def make_safe_request(
        self, request_func: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Wait for a permit, spend it, then call ``request_func``.

        Raises:
            RateLimitUnavailableError: the server does not answer, and there is no
                ``fallback_share``; ``request_func`` was not called.
        """
        while True:
            reservation = self.reserve(math.inf)
            try:
                if reservation.wait > 0:
                    self.handle_throttling(reservation.wait)
            except BaseException:
                self.release(reservation)
                raise
            if reservation.granted:
                return request_func(*args, **kwargs)

    def close(self) -> None:
        """Close what is idle of all threads; the next call opens new ones."""
        self._client.close()

    # What is known without asking.

    @override
    def count_free(self, key: str | None = None) -> int | None:
        """How many permits are free now by the last answer; nobody is asked.

        Args:
            key: which of any number of limits with these settings; ``None`` is the
                monitor's own.

        Returns:
            The number; ``None`` if there was no answer lately.
        """
        known = self._state.find(self._spell(key))
        now = self._clock.monotonic()
        if known is None or now > max(known.full, known.asked) + _TRUSTED:
            return None
        used = math.ceil((known.full - now) * 1e6 / self._interval)
        return min(max(self._burst - used, 0), self._burst)

    def _recall(self, name: bytes) -> float | None:
        """The wait by the last answer; ``None`` if that says nothing anymore."""
        known = self._state.find(name)
        if known is None:
            return None
        now = self._clock.monotonic()
        free = known.full - (self._burst - 1) * self._interval / 1e6
        if now > max(free, known.asked) + _TRUSTED:
            return None
        return max(free - now, 0.0)

    def _describe(self, wait: float) -> RateLimits | None:
        if wait <= 0:
            return None
        return {
            "rate_limited": True,
            "wait_time": wait,
            "current_count": self._burst,
            "limit": self._burst,
        }

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._shown})"

    # Asking.

    def _spell(self, key: str | None) -> bytes:
        """The key of the server; the part in braces chooses a cluster's node."""
        if key is None:
            return f"rate_limit:{{{self._key}}}".encode()
        raw = key.encode("utf-8", "surrogatepass")
        if len(raw) > _LONGEST_KEY:
            raw = hashlib.sha256(raw).hexdigest().encode()
        return b"rate_limit:%b:{%b}" % (self._key.encode(), raw)

    def _ask(self, name: bytes, what: str, amount: int = 0) -> Reply:
        self._breaker.check()
        words = self._word(name, what, amount)
        try:
            reply = self._client.call(name, words)
        except RateLimitUnavailableError as error:
            self._note_failure(error)
            raise
        self._breaker.note_answer(self)
        return reply

    async def _ask_async(self, name: bytes, what: str, amount: int = 0) -> Reply:
        self._breaker.check()
        words = self._word(name, what, amount)
        asked = self._client.begin(name, words)
        undo = partial(self._undo, name, what)
        try:
            await asyncio.wait([asked], timeout=self._client.timeout)
        except asyncio.CancelledError:
            asked.add_done_callback(undo)
            raise
        try:
            if not asked.done():
                asked.add_done_callback(undo)
                raise self._client.explain(TimeoutError())
            reply = asked.result()
        except RateLimitUnavailableError as error:
            self._note_failure(error)
            raise
        self._breaker.note_answer(self)
        return reply

    def _undo(self, name: bytes, what: str, asked: asyncio.Task[Reply]) -> None:
        """Give a permit back that comes when who asked for it has gone."""
        if what != "reserve" or asked.cancelled() or asked.exception():
            return
        reply = asked.result()
        if reply.done:
            self._client.begin(name, self._word(name, "release", reply.mark))

    def _word(self, name: bytes, what: str, amount: int) -> list[str | int]:
        """The arguments of the script."""
        tolerance = (self._burst - 1) * self._interval
        # What is given back was the last word: there is nothing to heal with it.
        known = (0, 0)
        if what != "release":
            known = self._state.claim(name, self._clock.monotonic())
        return [what, self._interval, tolerance, amount, *known]

    def _note(self, name: bytes, reply: Reply) -> Reservation:
        self._state.note(
            name,
            mark=reply.mark,
            ahead=reply.ahead / 1e6,
            now=self._clock.monotonic(),
            owned=reply.done,
        )
        return Reservation(
            granted=reply.done,
            wait=reply.wait / 1e6,
            mark=reply.mark if reply.done else 0,
        )

    def _note_failure(self, error: RateLimitUnavailableError) -> None:
        instead = "trying on"
        if self._share is not None:
            instead = f"until it can, this process has {self._share:g} of the limit"
        self._breaker.note_failure(error, self, instead)

    def _lend(
        self, name: bytes, patience: float, error: RateLimitUnavailableError
    ) -> Reservation:
        """A permit of this process's own share, while the server is away."""
        if self._share is None:
            raise error
        now = self._clock.monotonic()
        granted, wait = self._state.lend(
            name, share=self._share, patience=patience, now=now
        )
        return Reservation(granted=granted, wait=wait)


def _to_micros(patience: float) -> int:
    """At most a year; nobody waits for a time that is none."""
    return int(min(patience, LONGEST) * 1e6) if patience > 0 else 0


def _check_key(key: object) -> str:
    if not isinstance(key, str) or not key or "{" in key or "}" in key:
        allowed = "the limit's name: a text that is not empty, without braces"
        raise ConfigError(f"key is {key!r}; give {allowed}")
    return key
