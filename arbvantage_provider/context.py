"""What a handler may ask for about the task it runs."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from arbvantage_provider.logger import Logger


class TaskRateLimit(Protocol):
    """The limit of a task's action, or else of its provider, for use in a handler.

    Each block spends one permit when it begins, and waits for it, at most until the
    deadline. Nothing is given back at its end. A task that is run without a hub has
    no limit.

    Raises:
        RateLimitedError: if no permit will be free in time; the task is then
            answered with ``limit``.
    """

    async def __aenter__(self) -> None:
        """For an async handler."""
        ...

    async def __aexit__(self, *_: object) -> None:
        """Nothing is given back."""
        ...

    def __enter__(self) -> None:
        """For a sync handler; it blocks the handler's thread."""
        ...

    def __exit__(self, *_: object) -> None:
        """Nothing is given back."""
        ...


class NoTaskRateLimit:
    """The limit where there is none."""

    async def __aenter__(self) -> None:
        """Nothing to wait for."""

    async def __aexit__(self, *_: object) -> None:
        """Nothing to give back."""

    def __enter__(self) -> None:
        """Nothing to wait for."""

    def __exit__(self, *_: object) -> None:
        """Nothing to give back."""


@dataclass(frozen=True, kw_only=True)
class TaskContext:
    """The task that a handler runs, and how it stands.

    A handler receives it by annotating a parameter with this class, or by
    naming a parameter ``context``.

    Attributes:
        id: the task's id; ``""`` when a task is run without a hub.
        action: the name of the action.
        provider: the name of the provider.
        attempt: 1 for the first run.
        timeout: seconds that the handler has, from its start.
        deadline: when they are over, in seconds of ``monotonic``.
        monotonic: the provider's clock, in seconds.
        make_logger: makes ``logger`` when it is asked for.
        is_cancelled: tells ``cancelled``.
        make_rate_limit: makes ``rate_limit`` when it is asked for.
    """

    id: str
    action: str
    provider: str
    attempt: int = 1
    timeout: float
    deadline: float
    monotonic: Callable[[], float] = field(repr=False)
    make_logger: Callable[[], Logger] = field(repr=False)
    is_cancelled: Callable[[], bool] = field(repr=False)
    make_rate_limit: Callable[[], TaskRateLimit] = field(
        default=NoTaskRateLimit, repr=False
    )

    @cached_property
    def logger(self) -> Logger:
        """A logger that adds the task's id and action to each line."""
        return self.make_logger()

    @cached_property
    def rate_limit(self) -> TaskRateLimit:
        """The limit of the action, or else of the provider, to spend by hand.

        ``async with context.rate_limit:`` in an async handler, ``with`` in a sync
        one, for each call but the first: that one was paid for when the handler
        began.
        """
        return self.make_rate_limit()

    @property
    def remaining(self) -> float:
        """Seconds until the deadline, at least 0."""
        return max(self.deadline - self.monotonic(), 0.0)

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the result any more.

        An async handler is cancelled instead; a handler in a thread cannot be,
        and should look at this between two steps.
        """
        return self.is_cancelled()


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What a handler may know of the provider that runs it; never the token.

    Attributes:
        name: the provider's name.
        settings: its settings without the token, by their names.
        timezone: its time zone.
        now: tells the date and time in a time zone.
    """

    name: str
    settings: Mapping[str, Any]
    timezone: dt.tzinfo
    now: Callable[[dt.tzinfo], dt.datetime] = field(repr=False)
