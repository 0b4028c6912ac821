"""Handlers that misbehave, at the top of a module: processes find them here, too."""

import asyncio
import ctypes
import datetime as dt
import os
import signal
import sys
import uuid
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, field_serializer
from typing_extensions import override

SECRET = "value-that-nobody-may-see"


class UnspeakableError(Exception):
    """Neither its text nor its repr can be had."""

    @override
    def __str__(self) -> str:
        raise ValueError(SECRET)

    __repr__ = __str__


class ExitingTextError(Exception):
    """Whoever asks for its text exits."""

    @override
    def __str__(self) -> str:
        raise SystemExit(SECRET)

    __repr__ = __str__


class StickyError(Exception):
    """Does not let its traceback be changed, nor itself be pickled."""

    @override
    def with_traceback(self, tb: Any, /) -> Any:
        raise SystemExit(SECRET)

    @override
    def __reduce__(self) -> Any:
        raise KeyboardInterrupt


class NotedError(Exception):
    """Has notes that cannot be read."""

    @property
    def __notes__(self) -> list[str]:  # pyright: ignore[reportIncompatibleVariableOverride]
        raise SystemExit(SECRET)


def exit_if_asked(_: object) -> Any:
    raise SystemExit(SECRET)


class ClasslessError(Exception):
    """Whoever asks for its class exits."""

    __class__: Any = property(exit_if_asked)


class FramelessError(Exception):
    """Whoever asks for its traceback exits."""

    __traceback__: Any = property(exit_if_asked)


class NamelessClass(type):
    """Whoever asks for the name of its classes exits."""

    __name__: Any = property(exit_if_asked)


class NamelessError(Exception, metaclass=NamelessClass):
    """Has no name."""


BROKEN: dict[str, Callable[[], BaseException]] = {
    "no class": ClasslessError,
    "no traceback": FramelessError,
    "no name": NamelessError,
}
"""What is raised, and cannot be read."""

ERRORS: dict[str, Callable[[], BaseException]] = {
    "SystemExit: 3": lambda: SystemExit(3),
    "SystemExit: bye": lambda: SystemExit("bye"),
    "KeyboardInterrupt": KeyboardInterrupt,
    "GeneratorExit": GeneratorExit,
    "TimeoutError: of its own": lambda: TimeoutError("of its own"),
    "CancelledError": asyncio.CancelledError,
    "ValueError": ValueError,
    "UnspeakableError: its message cannot be read": UnspeakableError,
    "ExitingTextError: its message cannot be read": ExitingTextError,
    "StickyError: glue": lambda: StickyError("glue"),
    "NotedError: see below": lambda: NotedError("see below"),
    "ExceptionGroup: some (1 sub-exception)": lambda: ExceptionGroup(
        "some", [ExceptionGroup("more", [KeyError("a")])]
    ),
    "BaseExceptionGroup: some (2 sub-exceptions)": lambda: BaseExceptionGroup(
        "some", [SystemExit(4), ValueError("a")]
    ),
    "RecursionError: deep": lambda: RecursionError("deep"),
    "MemoryError": MemoryError,
}
"""What the hub is told, and what is raised."""


def make_error(case: str) -> BaseException:
    return {**ERRORS, **BROKEN}[case]()


def fail(case: str) -> None:
    raise make_error(case)


async def fail_async(case: str) -> None:
    await asyncio.sleep(0)
    raise make_error(case)


def recurse() -> Any:
    return recurse()


def take_all_memory() -> int:
    return len(bytearray(sys.maxsize))


async def fail_in_subtask(case: str, way: str) -> str:
    """What a task of its own raises comes back, or goes nowhere."""

    async def fail_now() -> None:
        raise make_error(case)

    if way == "awaited":
        await asyncio.create_task(fail_now())
    elif way == "in a group":
        async with asyncio.TaskGroup() as group:
            group.create_task(fail_now())
            group.create_task(asyncio.Event().wait())
    elif way == "gathered":
        await asyncio.gather(fail_now(), asyncio.sleep(0))
    elif way == "left alone":
        left = asyncio.create_task(fail_now())
        await asyncio.wait({left})
    return "went on"


async def exit_in_callback() -> str:
    asyncio.get_running_loop().call_soon(sys.exit, SECRET)
    asyncio.get_running_loop().call_later(0, sys.exit, SECRET)
    await asyncio.sleep(0.01)
    return "went on"


async def stop_loop() -> str:
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0)
    return "went on"


async def exit_later() -> None:
    """Leave a task that exits when it is cancelled, at the end of the loop."""

    async def hold() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            sys.exit(5)

    async def count() -> AsyncGenerator[int]:
        try:
            yield 1
        finally:
            sys.exit(6)

    LEFT.append(asyncio.create_task(hold()))
    counting = count()
    LEFT.append(counting)
    await anext(counting)


LEFT: list[Any] = []
"""What would be collected otherwise."""


# --- what they return ----------------------------------------------------------


class Broken(BaseModel):
    """Its serialiser fails."""

    name: str = SECRET

    @field_serializer("name")
    def write(self, name: str) -> str:
        raise ValueError(name)


class Leaving(BaseModel):
    """Its serialiser exits."""

    name: str = SECRET

    @field_serializer("name")
    def write(self, name: str) -> str:
        raise SystemExit(name)


class LeavingMapping(dict[str, Any]):
    """Whoever looks into it exits."""

    @override
    def __contains__(self, key: object) -> bool:
        raise SystemExit(SECRET)


def count_up() -> Generator[int]:
    yield 1


async def count_up_async() -> AsyncGenerator[int]:
    yield 1


def make_coroutine() -> Coroutine[Any, Any, int]:
    async def count() -> int:
        return 1

    return count()


def make_cycle() -> list[Any]:
    parts: list[Any] = []
    parts.append({"whole": parts})
    return parts


RETURNED: dict[str, tuple[Callable[[], Any], str]] = {
    "a coroutine in a list": (
        lambda: [make_coroutine()],
        "data[0] is of type 'coroutine', which",
    ),
    "a generator": (count_up, "success"),
    "an async generator": (count_up_async, "data is of type 'async_generator', which"),
    "a function": (
        lambda: print,
        "data is of type 'builtin_function_or_method', which",
    ),
    "a cycle": (make_cycle, "data[0].whole holds itself"),
    "NaN": (lambda: {"a": [float("nan")]}, "data.a[0] is nan, which JSON"),
    "bytes that are no text": (lambda: {"raw": b"\xff"}, "data.raw is bytes"),
    "half a surrogate pair": (lambda: ["\ud800"], "data[0] holds half"),
    "a key that is no text": (lambda: {(1, object()): 1}, "has a key that"),
    "a model that fails": (Broken, "data is of type 'Broken', which cannot"),
    "a model that exits": (Leaving, "data is of type 'Leaving', which cannot"),
    "a mapping that exits": (LeavingMapping, "fails to be written: SystemExit"),
    "bytes": (lambda: b"text", "success"),
    "a set": (lambda: {1}, "success"),
    "a datetime": (lambda: dt.datetime(2026, 1, 31, tzinfo=dt.UTC), "success"),
    "a Decimal": (lambda: Decimal("0.1"), "success"),
    "a UUID": (lambda: uuid.UUID(int=1), "success"),
    "a deep list": (lambda: nest(100_000), "nested too deeply"),
}
"""What is returned, and what the hub is told: a part of the message, or the status."""


def nest(levels: int) -> list[Any]:
    parts: list[Any] = []
    for _ in range(levels):
        parts = [parts]
    return parts


def give(case: str) -> Any:
    return RETURNED[case][0]()


async def give_async(case: str) -> Any:
    return RETURNED[case][0]()


def give_much(megabytes: int) -> str:
    return "x" * (megabytes * 1_000_000)


# --- what becomes of their process -----------------------------------------------


def crash() -> None:
    """A segmentation fault."""
    ctypes.string_at(0)


def leave_at_once() -> None:
    os._exit(7)


def kill_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def greet(name: str) -> str:
    return f"hello {name}"


def close_all() -> None:
    """Its pipe to the provider, too."""
    os.closerange(0, 256)


def fork_and_return() -> int:
    """The copy of the process returns, too."""
    child = os.fork()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) if child else 0
