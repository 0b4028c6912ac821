"""One limit for each account, customer or whatever else a task names.

The keys are kept as hashes: a limit per account must not make its values readable
somewhere else.
"""

import inspect
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final, TypeAlias, cast
from uuid import UUID

from typing_extensions import override

from arbvantage_provider.clock import Clock, SystemClock
from arbvantage_provider.exceptions import ConfigError
from arbvantage_provider.rate_limit.monitor import (
    RateLimitMonitor,
    ReservingRateLimitMonitor,
    find_async_problem,
)
from arbvantage_provider.rate_limit.validation import check_count

_SYSTEM_CLOCK: Final = SystemClock()
_SETTLED: Final = 1.0
"""Seconds that a monitor is kept at least: who asked for it is about to spend."""
_LOOKS: Final = 16
"""How many monitors are looked at for one that may be dropped, when there is no room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitedTask:
    """A task, as the function is told of it that says which limit it counts for.

    Attributes:
        id: the task's id.
        action: the name of the action.
        payload: the payload, validated: a model, a dataclass, or a dict of the fields
            that the task brought.
        account: the account, the same way; where the action declares none, a dict
            of what the task brought, ``{}`` for nothing.
    """

    id: str
    action: str
    payload: Any = field(repr=False)
    account: Any = field(repr=False)


Key: TypeAlias = "str | int | bytes | UUID | tuple[Key, ...] | None"
"""What names a limit. ``None`` is a key as any other."""
MakeMonitor: TypeAlias = (
    Callable[[], RateLimitMonitor] | Callable[[str], RateLimitMonitor]
)


class UnfitKeyError(TypeError):
    """A function returned what is no key; the value is not shown."""


@dataclass(slots=True)
class _Kept:
    monitor: RateLimitMonitor
    free: int | None
    used: float


class PerKey:
    """A limit for each key, all with the same settings.

    It is given to an action (``register(rate_limit_monitor=…)``), and may be given
    to several, which then share the limits.

    A monitor is dropped when it is as good as a new one: all its permits are free.
    One that cannot say so (``count_free``) is dropped when nobody asked for it for
    ``forget_after`` seconds. While ``max_keys`` are kept and none of them may be
    dropped, a task with a new key waits as at a limit. So no key is ever granted
    more than its monitor allows, and memory stays bounded.

    Args:
        monitor: a function, or a class, that makes the monitor for one key. If it
            takes an argument, it is given the key's hash, a text of 32 characters.
            Or one monitor that knows keys itself, such as a limit in Redis.
        key: says which key a task counts for; it must not block.
        max_keys: how many monitors are kept at most.
        forget_after: seconds, at least 0; see above.
        clock: tells when a monitor was last asked for.

    Attributes:
        max_keys: as given.
        one: the monitor that knows keys itself, if one was given.

    Raises:
        ConfigError: if one of them cannot be used.
    """

    def __init__(
        self,
        monitor: MakeMonitor | ReservingRateLimitMonitor,
        key: Callable[[LimitedTask], Key],
        *,
        max_keys: int = 10_000,
        forget_after: float = 3600.0,
        clock: Clock = _SYSTEM_CLOCK,
    ) -> None:
        self.max_keys: int = check_count("max_keys", max_keys)
        self._forget_after = _check_forget_after(forget_after)
        if not callable(key):
            raise ConfigError(f"key is {key!r}; give a function that takes a task")
        self._find_key = key
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._keys: dict[int, str] = {}
        self._lock = threading.Lock()
        self.one: ReservingRateLimitMonitor | None = None
        if isinstance(monitor, ReservingRateLimitMonitor):
            self.one = monitor
        else:
            self._make = _read_maker(monitor)

    @property
    def keys(self) -> int:
        """How many monitors are kept; 0 where one monitor knows the keys itself."""
        return len(self._kept)

    def find_key(self, task: LimitedTask) -> str:
        """The hash of the key that a task counts for.

        Raises:
            UnfitKeyError: if the function returned what is no key.
            BaseException: whatever the function raises.
        """
        return hash_key(self._find_key(task))

    def find_monitor(self, key: str) -> RateLimitMonitor | None:
        """The monitor for a key's hash; ``None``: there is no room for one more.

        Raises:
            TypeError: if what was made is no monitor.
            BaseException: whatever the function raises that makes it.
        """
        if self.one is not None:
            return self.one
        now = self._clock.monotonic()
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                kept.used = now
                self._kept.move_to_end(key)
                return kept.monitor
            if not self._make_room(now):
                return None
        # Outside the lock: it is not ours.
        monitor = self._make(key)
        made = _Kept(monitor, monitor.count_free(), now)
        with self._lock:
            kept = self._kept.setdefault(key, made)
            self._keys[id(kept.monitor)] = key
            return kept.monitor

    def find_key_of(self, monitor: object) -> str | None:
        """The hash of the key that a monitor was made for, while it is kept."""
        return self._keys.get(id(monitor))

    def _make_room(self, now: float) -> bool:
        """Look at those that were not asked for longest; whether one more has room.

        Two are looked at for each new one, so that those in use are what is kept.
        """
        is_full = len(self._kept) >= self.max_keys
        for _ in range(min(_LOOKS if is_full else 2, len(self._kept))):
            key = next(iter(self._kept))
            if self._may_go(self._kept[key], now):
                self._keys.pop(id(self._kept.pop(key).monitor), None)
            else:
                self._kept.move_to_end(key)
        return len(self._kept) < self.max_keys

    def _may_go(self, kept: _Kept, now: float) -> bool:
        unused = now - kept.used
        if unused < _SETTLED:
            return False
        if kept.free is None:
            return unused >= self._forget_after
        return kept.monitor.count_free() == kept.free

    @override
    def __repr__(self) -> str:
        kind = f"of {self.one!r}" if self.one else f"with {len(self._kept)} keys"
        return f"<{type(self).__name__} {kind}>"


def hash_key(key: object) -> str:
    """A key as 32 characters, the same in each process.

    Raises:
        UnfitKeyError: if it is no key.
    """
    return blake2b(_spell(key), digest_size=16).hexdigest()


def _spell(key: object) -> bytes:
    """A key as bytes that no other key has; ``True`` is 1, as in a dict."""
    match key:
        case str():
            kind, raw = b"s", key.encode("utf-8", "surrogatepass")
        case int():
            kind, raw = b"i", b"%x" % key
        case bytes():
            kind, raw = b"b", key
        case UUID():
            kind, raw = b"u", key.bytes
        case None:
            kind, raw = b"n", b""
        case tuple():
            parts = cast("tuple[object, ...]", key)
            kind, raw = b"t", b"".join(map(_spell, parts))
        case _:
            allowed = "a str, int, bytes, UUID, None, or a tuple of them"
            raise UnfitKeyError(f"a key is {allowed}, and no {type(key).__name__}")
    return b"%b%d:%b" % (kind, len(raw), raw)


def _check_forget_after(value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and 0 <= value < float("inf"):
        return float(value)
    raise ConfigError(f"forget_after is {value!r}; give finite seconds, at least 0")


def _read_maker(make: object) -> Callable[[str], RateLimitMonitor]:
    """A function that makes the monitor for a key's hash.

    One that takes no argument is tried at once, so that wrong settings are found.
    """
    if isinstance(make, RateLimitMonitor):
        problem = f"{make!r} has one limit for all keys; give a function that makes one"
        raise ConfigError(f"monitor: {problem}")
    takes = _count_arguments(make)
    if takes is None:
        problem = f"{make!r} cannot be called with a key, or with nothing"
        raise ConfigError(f"monitor: {problem}; give a function that makes a monitor")
    call = cast("Callable[..., object]", make)
    if takes:
        return lambda key: _check_made(call(key))
    try:
        _check_made(call())
    except TypeError as error:
        raise ConfigError(f"monitor: {error}") from error
    return lambda _: _check_made(call())


def _count_arguments(make: object) -> int | None:
    if not callable(make):
        return None
    try:
        signature = inspect.signature(make)
    except (TypeError, ValueError):
        return None
    for arguments in ((), ("key",)):
        try:
            signature.bind(*arguments)
        except TypeError:
            continue
        return len(arguments)
    return None


def _check_made(made: object) -> RateLimitMonitor:
    if isinstance(made, ReservingRateLimitMonitor):
        problem = f"{made!r} knows keys itself; give it in place of a function"
        raise TypeError(problem)
    if not isinstance(made, RateLimitMonitor):
        problem = f"a {type(made).__name__} was made, which is no RateLimitMonitor"
        raise TypeError(problem)
    if problem := find_async_problem(made):
        raise TypeError(problem)
    return made
