"""The error tree: everything that this package raises on purpose.

Each class builds its message from typed fields, so that a program can act on
the fields and a person can read the message. A message says what is wrong,
where, and what to write instead. It never holds the token, an account value or
an input value.

Source: the tree and the table of errors in ``docs/errors.md``.
"""

import builtins
import difflib
import heapq
import os
from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypedDict

from typing_extensions import override

from arbvantage_provider.text import escape

__all__ = [
    "ActionError",
    "ActionNotFoundError",
    "ActionTimeoutError",
    "AuthenticationError",
    "ConfigError",
    "ConnectionError",
    "DuplicateActionError",
    "HandlerSignatureError",
    "HubError",
    "InvalidPayloadError",
    "JournalError",
    "LifespanError",
    "ProtocolError",
    "ProviderError",
    "RateLimitUnavailableError",
    "RateLimitedError",
    "RegistrationError",
    "SchemaError",
    "Violation",
]


class Violation(TypedDict):
    """One place where a payload or an account does not fit its schema."""

    path: str
    """Where: ``user.addresses[0].zip``; account paths begin with ``account``."""
    type: str
    """What kind of error, in pydantic's terms: ``missing``, ``int_type``, …"""
    message: str
    """What was expected there; never the value that was found."""


class ProviderError(Exception):
    """The root of the tree: catches whatever this package raises on purpose."""


class _Quoting(Exception):  # noqa: N818 - no error of its own
    """One whose message quotes what others wrote: it is one line of text."""

    def __init__(self, *args: object) -> None:
        super().__init__(*(escape(x) if isinstance(x, str) else x for x in args))


class ConfigError(ProviderError, ValueError):
    """A setting is missing or cannot be used."""


class JournalError(_Quoting, ProviderError):
    """The file of a journal cannot be used.

    Attributes:
        path: of the file.
        problem: what is wrong with it.
    """

    def __init__(self, path: "os.PathLike[str] | str", problem: str) -> None:
        self.path: str = os.fspath(path)
        self.problem = problem
        super().__init__(f"journal {self.path!r} {problem}")


# --- raised while actions are declared ---------------------------------------


class RegistrationError(ProviderError):
    """A declaration is wrong; raised where the action is registered.

    Attributes:
        action: the name of the action that is being registered.
    """

    def __init__(self, action: str, problem: str) -> None:
        super().__init__(f"action {action!r}: {problem}")
        self.action = action


class SchemaError(RegistrationError):
    """A schema cannot be compiled.

    Attributes:
        path: where in the schema, such as ``payload_schema.user.tags``.
    """

    def __init__(self, action: str, path: str, problem: str) -> None:
        super().__init__(action, f"{path}: {problem}")
        self.path = path


class HandlerSignatureError(RegistrationError):
    """A handler cannot be called with what a task brings.

    Whether there is what it injects is seen when the provider starts.

    Attributes:
        parameter: the name of the handler's parameter, or ``""``.
    """

    def __init__(self, action: str, parameter: str, problem: str) -> None:
        where = f"parameter {parameter!r}: " if parameter else ""
        super().__init__(action, where + problem)
        self.parameter = parameter


class DuplicateActionError(RegistrationError):
    """Two actions of one provider have the same name."""

    def __init__(self, action: str) -> None:
        super().__init__(
            action, "this name is registered already; give each action its own name"
        )


# --- raised while a provider starts, or ends ---------------------------------


class LifespanError(_Quoting, ProviderError):
    """A lifespan cannot be used, or failed to open or to close.

    What it raised is the cause (``__cause__``) of this error.

    Attributes:
        lifespan: the name of the lifespan's function.
    """

    def __init__(self, lifespan: str, problem: str) -> None:
        super().__init__(f"lifespan {lifespan!r}: {problem}")
        self.lifespan = lifespan


# --- what a task may end with ------------------------------------------------


class ActionError(ProviderError):
    """Raised by a handler: the task fails with this message and data.

    Args:
        message: what the hub is told, word for word.
        data: any JSON value for the response's ``data``.

    Attributes:
        message: as given.
        data: as given.
    """

    # For a subclass whose own __init__ does not call this one.
    message: str = ""
    data: Any = None

    def __init__(self, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.message = str(message)
        self.data = data

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it as it is, whatever the ``__init__`` of its class asks for."""
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(
    kind: type[ActionError], args: tuple[Any, ...], state: dict[str, Any]
) -> ActionError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class ActionNotFoundError(ActionError, LookupError):
    """A task names an action that the provider does not have.

    Attributes:
        action: the name that was asked for, cut to 200 characters.
        actions: the names that there are, sorted.
        nearest: the name that is most like it, or ``None``.
    """

    def __init__(self, action: str, actions: Iterable[str] = ()) -> None:
        self.action: str = _shorten(action)
        self.actions: list[str] = sorted(actions)
        self.nearest: str | None = nearest_name(self.action, self.actions)
        hint = f"; did you mean {self.nearest!r}?" if self.nearest else ""
        super().__init__(
            f"no action {self.action!r}{hint}",
            {"actions": self.actions, "nearest": self.nearest},
        )


class InvalidPayloadError(ActionError, ValueError):
    """A payload or an account does not fit what the action declares.

    Attributes:
        errors: the violations; paths, kinds and messages, never input values.
    """

    def __init__(self, message: str, errors: Sequence[Violation] = ()) -> None:
        self.errors: list[Violation] = list(errors)
        super().__init__(message, {"errors": self.errors})


class ActionTimeoutError(ActionError, builtins.TimeoutError):
    """A handler was not done at its deadline.

    Args:
        advice: what helps, for the message.

    Attributes:
        action: the action's name.
        timeout: the deadline, in seconds from the handler's start.
    """

    def __init__(self, action: str, timeout: float, advice: str = "") -> None:
        self.action = action
        self.timeout = timeout
        problem = f"{action!r} was not done within {timeout:g} s"
        super().__init__(
            f"{problem}; {advice}" if advice else problem, {"timeout": timeout}
        )


class RateLimitedError(ActionError):
    """A limit is reached; the task is answered with status ``limit``.

    A handler may raise it, when the API behind it says so (HTTP 429).

    Args:
        wait_time: seconds until it is worth trying again; finite, not negative.
        message: what the hub is told.
        closes: what else waits so long: ``"action"``, the tasks of this action (of
            this key, where its limit has keys); ``"provider"``, all tasks: none is
            taken from the hub; ``None``: nothing.

    Attributes:
        wait_time: as given, in seconds.
        is_worded: whether a message was given.
        closes: as given.

    Raises:
        ValueError: if ``wait_time`` is negative or not finite, or ``closes`` is none
            of those.
    """

    # For a subclass whose own __init__ does not call this one.
    closes: Literal["action", "provider"] | None = None

    def __init__(
        self,
        wait_time: float,
        message: str = "",
        *,
        closes: Literal["action", "provider"] | None = None,
    ) -> None:
        if not 0 <= wait_time < float("inf"):
            problem = f"wait_time is {wait_time!r}; give finite seconds, at least 0"
            raise ValueError(problem)
        if closes not in (None, "action", "provider"):
            problem = f"closes is {closes!r}; give 'action', 'provider' or None"
            raise ValueError(problem)
        self.closes = closes
        self.wait_time: float = float(wait_time)
        self.is_worded: bool = bool(message)
        super().__init__(
            message or f"limit reached; try again in {self.wait_time:.3g} s",
            {"wait_time": self.wait_time},
        )


class RateLimitUnavailableError(_Quoting, ProviderError):
    """What keeps a limit for several processes does not answer, or refuses to.

    A provider never answers a task with it: it waits, or goes on without the limit.
    """


# --- between the provider and its hub ----------------------------------------


class HubError(_Quoting, ProviderError):
    """Something between this provider and its hub is wrong."""


class ConnectionError(HubError, builtins.ConnectionError):  # noqa: A001 - the name is the contract's
    """No hub answers; also the builtin ``ConnectionError``."""


class AuthenticationError(HubError):
    """The hub refuses the token, or there is none to show."""


class ProtocolError(HubError):
    """What answers is no hub, or speaks another protocol."""


_LIKE = 0.6
_MOST_COMPARED = 64


def nearest_name(name: str, names: Iterable[str]) -> str | None:
    """The one of ``names`` that is most like ``name``, or ``None`` if none is.

    As ``difflib.get_close_matches`` has it; but how like they are is only found out
    of those that have the most letters in common, as that takes long.
    """
    matcher = difflib.SequenceMatcher(b=name)
    alike: list[tuple[float, str]] = []
    for other in names:
        matcher.set_seq1(other)
        if matcher.real_quick_ratio() >= _LIKE:
            alike.append((matcher.quick_ratio(), other))
    best = (_LIKE, "")
    for most, other in heapq.nlargest(_MOST_COMPARED, alike):
        if most < best[0]:
            break
        matcher.set_seq1(other)
        best = max(best, (matcher.ratio(), other))
    return best[1] or None


def _shorten(name: str, length: int = 200) -> str:
    """A hostile name must not flood messages and logs."""
    return name if len(name) <= length else name[: length - 1] + "…"
