"""Handlers that are sent: what runs them imports this module, and finds them here."""

import asyncio
import functools
import os
import signal
import stat
import tempfile
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from typing_extensions import override

from arbvantage_provider import ActionError, ProviderResponse, RateLimitedError


class Point(BaseModel):
    x: int
    y: int = 0


class NeedsMoreError(Exception):
    """Is written, and cannot be read: its __init__ asks for more than its message."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(f"{text} ({code})")


class Locked:
    """Cannot be pickled."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


class Adder:
    """Its methods can be sent, as it can."""

    def __init__(self, more: int, part: Any = None) -> None:
        self.more = more
        self.part = part

    def add(self, number: int) -> int:
        return number + self.more

    def __call__(self, number: int) -> int:
        return self.add(number)


class Unreadable:
    """Fails where it arrives."""

    @override
    def __reduce__(self) -> Any:
        return os.stat, ("/no/such/file",)


def leave_file(folder: str) -> str:
    """A new one each time that it runs."""
    _, file = tempfile.mkstemp(dir=folder)
    return Path(file).name


def add(a: int, b: int) -> int:
    return a + b


async def _add_soon(a: int, b: int) -> int:
    await asyncio.sleep(0)
    return a + b


def add_soon(a: int, b: int) -> Coroutine[Any, Any, int]:
    """Returns what is still to be awaited."""
    return _add_soon(a, b)


@functools.wraps(_add_soon)
def add_inside(*args: Any, **kwargs: Any) -> int:
    """Awaits it itself."""
    return asyncio.run(_add_soon(*args, **kwargs))


add_inside.__name__ = add_inside.__qualname__ = "add_inside"


def get_pid() -> int:
    return os.getpid()


def move(point: Point, account: dict[str, Any]) -> Point:
    return Point(x=point.x + 1, y=account["y"])


def tell_rest(text: str, **kwargs: Any) -> list[Any]:
    return [text, sorted(kwargs), kwargs["timezone"]]


def respond() -> ProviderResponse:
    return ProviderResponse("warning", "the last one", {"left": 1})


def fail(text: str) -> None:
    raise ValueError(text)


def fail_oddly() -> None:
    raise NeedsMoreError("it went wrong", 7)


def refuse() -> None:
    raise ActionError("sold out", {"left": 0})


def refuse_with_lock() -> None:
    raise ActionError("sold out", Locked())


def limit() -> None:
    raise RateLimitedError(30)


def leave() -> None:
    raise SystemExit(3)


def return_lock() -> Locked:
    return Locked()


def return_unreadable() -> list[Unreadable]:
    return [Unreadable()]


def die() -> None:
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


def die_held(folder: str, name: str) -> None:
    hold(folder, name)
    die()


def hold(folder: str, name: str) -> int:
    """Say by one file that it has begun, and wait for another one."""
    begun = Path(folder, f"{name}.begun")
    begun.with_suffix(".writing").write_text(str(os.getpid()))
    begun.with_suffix(".writing").rename(begun)
    while not Path(folder, f"{name}.end").exists():
        threading.Event().wait(0.005)
    return os.getpid()


def fail_times(folder: str, times: int) -> int:
    """Fails until it has run more often than that; counts its runs in a folder."""
    leave_file(folder)
    runs = sum(1 for name in Path(folder).iterdir() if name.name.startswith("tmp"))
    if runs <= times:
        raise OSError(f"run {runs}")
    return runs


# --- what misbehaves where it is pickled, or read --------------------------------


class SlowToRead(dict[str, int]):
    """Takes long where it arrives."""

    @override
    def __reduce__(self) -> Any:
        return wait_long, ()


class LeavesWhereRead(dict[str, int]):
    """Ends the process that reads it."""

    @override
    def __reduce__(self) -> Any:
        return os._exit, (5,)


def wait_long() -> dict[str, int]:
    threading.Event().wait(30)
    return {}


class SlowToReadError(Exception):
    """The same, and only where the provider is."""

    @override
    def __reduce__(self) -> Any:
        return wait_elsewhere, (os.getpid(),)


def wait_elsewhere(pid: int) -> Exception:
    if os.getpid() != pid:
        threading.Event().wait(3)
    return SlowToReadError()


class LeavingError(Exception):
    """Ends the process that reads it."""

    @override
    def __reduce__(self) -> Any:
        return os._exit, (6,)


class SlowToPickle(BaseModel):
    """Takes long to be sent."""

    x: int

    @override
    def __reduce__(self) -> Any:
        threading.Event().wait(3)
        return SlowToPickle, ()


def return_slow() -> dict[str, int]:
    return SlowToRead(a=1)


def return_leaving() -> dict[str, int]:
    return LeavesWhereRead(a=1)


def fail_slowly() -> None:
    raise SlowToReadError


def fail_leaving() -> None:
    raise LeavingError


def take_slow(payload: SlowToPickle) -> int:
    return payload.x


def promise(x: int) -> Point:
    found: Any = {"x": x} if x else {"y": "?"}
    return found  # type: ignore[no-any-return]


def write_garbage(kind: str) -> None:
    """Say something else than an outcome by the pipe to the provider, and end."""
    data = {
        "garbage": b"\0\0\0\5hello",
        "negative length": b"\xff\xff\xff\xf0",
        "endless": b"\xff\xff\xff\xff\x7f" + b"\xff" * 7 + b"rest",
        "half": b"\0\0\1\0half",
    }[kind]
    for descriptor in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                os.write(descriptor, data)
        except OSError:
            continue
    os._exit(7)


def give_many(megabytes: int) -> str:
    return "x" * (megabytes * 1_000_000)
