"""What a middleware is told: the task before its handler runs, and how it ended.

A middleware is a generator function, sync or async, with one ``yield``: what stands
before it runs before the task, and the ``yield`` gives the outcome.
"""

from collections.abc import AsyncGenerator, Callable, Generator
from dataclasses import dataclass, field
from inspect import isasyncgenfunction, isgeneratorfunction, signature
from typing import Any, TypeAlias

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
    """Refuse what is no generator function, or cannot be called with a task alone.

    Raises:
        ConfigError: if it is none, or cannot.
    """
    function: Any = middleware
    code = getattr(middleware, "__call__", None)  # noqa: B004 - of an object, too
    kinds = (isgeneratorfunction, isasyncgenfunction)
    if not any(is_one(each) for is_one in kinds for each in (function, code)):
        problem = f"{middleware!r} is no generator function"
        raise ConfigError(f"middleware: {problem}; write `outcome = yield` in it once")
    try:
        signature(function).bind(None)
    except TypeError as error:
        problem = f"{middleware!r} cannot be called with the task alone: {error}"
        remedy = "give it one parameter; a method needs its instance"
        raise ConfigError(f"middleware: {problem}; {remedy}") from None
