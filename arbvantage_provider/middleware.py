"""What a middleware is told: the task before its handler runs, and how it ended.

A middleware is a generator function, sync or async, with one ``yield``: what stands
before it runs before the task, and the ``yield`` gives the outcome.
"""

from collections.abc import AsyncGenerator, Callable, Generator
from dataclasses import dataclass, field
from inspect import isasyncgenfunction, isgeneratorfunction
from typing import TypeAlias

from arbvantage_provider.exceptions import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskInfo:
    """A task as a middleware sees it; never its account.

    Attributes:
        id: the task's id; ``""`` when a task is run without a hub.
        action: the name of the action, which the provider may not have.
        provider: the name of the provider.
        payload: the payload's bytes, as received (``Task.payload`` in
            ``proto/hub.proto``).
    """

    id: str
    action: str
    provider: str
    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a task ended.

    Attributes:
        status: ``success``, ``error``, ``warning`` or ``limit``.
        message: of the response, without secrets.
        error: what was raised, or what this package refused the task with;
            ``None`` where the handler returned. Its text may hold secrets.
        seconds: from the task's arrival to its answer; waiting for a limit counts.
        result: the JSON text of the response, in UTF-8.
    """

    status: str
    message: str
    error: BaseException | None
    seconds: float
    result: bytes = field(repr=False)


Middleware: TypeAlias = Callable[
    [TaskInfo], Generator[None, Outcome, object] | AsyncGenerator[None, Outcome]
]
"""A generator function; ``outcome = yield`` is where the task runs."""


def check_middleware(middleware: object) -> None:
    """Refuse what is no generator function.

    Raises:
        ConfigError: if it is none.
    """
    code = getattr(middleware, "__call__", None)  # noqa: B004 - of an object, too
    for candidate in (middleware, code):
        if isgeneratorfunction(candidate) or isasyncgenfunction(candidate):
            return
    problem = f"{middleware!r} is no generator function"
    raise ConfigError(f"middleware: {problem}; write `outcome = yield` in it once")
