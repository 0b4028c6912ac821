"""A provider in a process of its own, which a test looks into and kills.

Its one argument is JSON: ``provider``, the arguments of ``Provider``; ``hub_url``;
``runs``, a file where each run of a handler leaves a line that outlives a
``kill -9``; and what is in ``provider_process.Surroundings``. Commands come on
stdin, and answers leave on stdout, a line of JSON each.
"""

import asyncio
import dataclasses
import datetime as dt
import itertools
import json
import multiprocessing
import os
import re
import resource
import select
import signal
import sys
import threading
from typing import Any, NoReturn

from arbvantage_provider import (
    ActionError,
    JournalError,
    Provider,
    ProviderError,
    TaskContext,
)
from arbvantage_provider.clock import SystemClock
from arbvantage_provider.hub import channel_pool

SETTINGS: dict[str, Any] = json.loads(sys.argv[1])
GATE = threading.Event()
RUNS = os.open(SETTINGS["runs"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
NUMBERS = itertools.count(1)
_TIMES = re.compile("keepalive|ping_timeout")

provider = Provider(**SETTINGS["provider"])
register = provider.actions.register


def note(context: TaskContext) -> None:
    """Leave a line for the run of a handler; the kernel keeps it."""
    os.write(RUNS, f"{context.action}\t{context.id}\n".encode())


def make_result(context: TaskContext) -> dict[str, str]:
    """What no other run returns."""
    return {"id": context.id, "run": f"{os.getpid()}-{next(NUMBERS)}"}


@register()
async def quick(context: TaskContext) -> dict[str, str]:
    """Be done at once."""
    note(context)
    return make_result(context)


@register()
def sync(context: TaskContext) -> dict[str, str]:
    """Be done at once, on a thread."""
    note(context)
    return make_result(context)


@register()
async def slow(context: TaskContext, seconds: float) -> dict[str, str]:
    """Take a while."""
    note(context)
    await asyncio.sleep(seconds)
    return make_result(context)


@register()
def slow_sync(context: TaskContext, seconds: float) -> dict[str, str]:
    """Take a while, on a thread."""
    note(context)
    threading.Event().wait(seconds)
    return make_result(context)


@register()
async def hold(context: TaskContext) -> dict[str, str]:
    """Wait until the test opens the gate."""
    note(context)
    while not GATE.is_set():  # noqa: ASYNC110 - it is set on a thread
        await asyncio.sleep(0.01)
    return make_result(context)


@register()
def hold_sync(context: TaskContext) -> dict[str, str]:
    """Wait until the test opens the gate, on a thread."""
    note(context)
    GATE.wait()
    return make_result(context)


@register(max_concurrency=1)
def hold_alone(context: TaskContext) -> dict[str, str]:
    """The same, one at a time: others have come and wait."""
    note(context)
    GATE.wait()
    return make_result(context)


@register(timeout=0.05)
async def too_slow(context: TaskContext) -> None:
    """Pass the deadline."""
    note(context)
    await asyncio.sleep(60)


@register(timeout=0.05)
def too_slow_sync(context: TaskContext) -> None:
    """Pass the deadline, on a thread."""
    note(context)
    threading.Event().wait(0.2)


@register()
def fail(context: TaskContext) -> NoReturn:
    """Break."""
    note(context)
    raise ZeroDivisionError


@register()
async def refuse(context: TaskContext) -> NoReturn:
    """Say no."""
    note(context)
    problem = "sold out"
    raise ActionError(problem)


@register()
def grow(context: TaskContext, size: int) -> str:
    """Return a long text."""
    note(context)
    return "x" * size


@register()
def say(context: TaskContext, logger: Any, size: int) -> int:
    """Log a long text, and what is not JSON."""
    note(context)
    logger.info("x" * size, odd=object(), more={1, float("nan")})
    return size


def square(pipe: Any, number: int) -> None:
    """What a process of a handler does."""
    pipe.send(number * number)
    pipe.close()


@register()
def start_process(context: TaskContext, method: str) -> int:
    """Let a process of its own do the work."""
    note(context)
    processes: Any = multiprocessing.get_context(method)
    ours, theirs = processes.Pipe(duplex=False)
    child = processes.Process(target=square, args=(theirs, 7))
    child.start()
    theirs.close()
    number: int = ours.recv()
    child.join()
    return number


@register()
def leave_process(context: TaskContext) -> int:
    """Leave a process behind that outlives this one for a while."""
    note(context)
    child = os.fork()
    if not child:
        select.select([], [], [], 5)
        os._exit(0)
    return child


@register()
def start_in_fork(context: TaskContext) -> str:
    """Start the same provider once more, in a fork."""
    note(context)
    ours, theirs = os.pipe()
    if not os.fork():
        try:
            provider.start()
        except ProviderError as error:
            os.write(theirs, str(error).encode())
        finally:
            os._exit(0)
    os.close(theirs)
    os.wait()
    with os.fdopen(ours) as pipe:
        return pipe.read()


if "journal" in SETTINGS["provider"]:
    options: dict[str, Any] = {"idempotent": True}

    @register(**options)
    async def again(context: TaskContext, seconds: float) -> dict[str, str]:
        """Take a while; what was interrupted may run again."""
        note(context)
        await asyncio.sleep(seconds)
        return make_result(context)

    @register(**options)
    def hold_again(context: TaskContext) -> dict[str, str]:
        """Wait until the test opens the gate; the same."""
        note(context)
        GATE.wait()
        return make_result(context)


def answer(command: str) -> Any:
    """Do what the test asks for."""
    if command == "open":
        GATE.set()
    elif command == "stop":
        provider.stop()
    elif command == "snapshot":
        return show()
    elif command == "open journal":
        return open_journal()
    elif command.startswith("room "):
        set_room(int(command.removeprefix("room ")))
    return None


def show() -> dict[str, Any]:
    """The snapshot as JSON."""
    return dataclasses.asdict(provider.snapshot())


def move_clock(seconds: float) -> None:
    """Let the wall clock be wrong."""
    now = SystemClock.now

    def wrong(self: SystemClock, timezone: dt.tzinfo) -> dt.datetime:
        return now(self, timezone) + dt.timedelta(seconds=seconds)

    SystemClock.now = wrong  # type: ignore[method-assign]


def set_room(size: int) -> None:
    """Let no file grow beyond so many bytes, as on a full disk; -1: no bound."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))


def open_journal() -> str:
    """Start a second provider on the journal, and return why that is refused."""
    try:
        Provider(**SETTINGS["provider"]).start(hub_url=SETTINGS["hub_url"])
    except JournalError as error:
        return error.problem
    return "it was open twice"


def set_keepalive(seconds: float) -> None:
    """Shorten what takes a minute and more in service, each option in proportion."""
    options: dict[str, int] = dict(channel_pool.OPTIONS)
    share = seconds * 1000 / options["grpc.keepalive_time_ms"]
    changed = tuple(
        (name, int(value * share) if _TIMES.search(name) else value)
        for name, value in options.items()
    )
    setattr(channel_pool, "OPTIONS", changed)  # noqa: B010 - it is final


def obey() -> None:
    """Answer commands until the test goes away."""
    rest = b""
    # A reader of Python's own would hold a lock that the interpreter's end wants.
    while data := os.read(0, 4096):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            tell(answer(line.decode()))


def tell(value: Any) -> None:
    """Write a line for the test."""
    os.write(1, json.dumps(value).encode() + b"\n")


def main() -> None:
    """Run until stopped."""
    # A disk without room is an error, and not the end of the process.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    threading.Thread(target=obey, daemon=True).start()
    if keepalive := SETTINGS["keepalive"]:
        set_keepalive(keepalive)
    if shift := SETTINGS["shift"]:
        move_clock(shift)
    if room := SETTINGS["room"]:
        set_room(room)
    provider.start(hub_url=SETTINGS["hub_url"])


if __name__ == "__main__":
    main()
