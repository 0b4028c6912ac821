"""A provider's lifespans while it runs: opened once, and closed at the end."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from arbvantage_provider import (
    ConnectionError,  # noqa: A004 - the name is the contract's
    HandlerSignatureError,
    Inject,
    LifespanError,
    Provider,
)
from arbvantage_provider.testing import LocalHub, running


class Pool:
    """What handlers share; it knows whether it is open."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.is_open = True
        self.uses = 0


class OtherPool(Pool):
    """A kind of pool."""


class Nothing:
    """What nothing provides."""


@pytest.fixture
def events() -> list[str]:
    """What happened, in order."""
    return []


@pytest.fixture
def provider(events: list[str]) -> Provider:
    """A provider with a pool, and handlers that use it."""
    provider = Provider("living", execution_timeout=10, shutdown_timeout=5)

    @provider.lifespan
    async def pool() -> AsyncIterator[Pool]:
        events.append("open")
        pool = Pool()
        yield pool
        pool.is_open = False
        events.append("close")

    @provider.actions.register()
    async def use(pool: Inject[Pool]) -> dict[str, Any]:
        pool.uses += 1
        is_here = pool.loop is asyncio.get_running_loop()
        return {"uses": pool.uses, "here": is_here, "open": pool.is_open}

    @provider.actions.register()
    def use_sync(pool: Inject[Pool]) -> bool:
        done = asyncio.run_coroutine_threadsafe(asyncio.sleep(0, "done"), pool.loop)
        return done.result(10) == "done" and pool.is_open

    return provider


def start(provider: Provider, hub: LocalHub) -> None:
    """Run on this thread until something ends it."""
    provider.start(hub_url=hub.url, auth_token=str(hub.token))


# --- opening and closing -----------------------------------------------------


def test_it_is_opened_once_for_all_tasks(
    hub: LocalHub, provider: Provider, events: list[str]
) -> None:
    with running(provider, hub):
        handles = [hub.submit("use") for _ in range(100)]
        results = [handle.result(20).data for handle in handles]
        assert hub.submit("use_sync").result().data is True

    assert sorted(result["uses"] for result in results) == list(range(1, 101))
    assert all(result["here"] and result["open"] for result in results)
    assert events == ["open", "close"]


def test_each_run_opens_it_anew(
    hub: LocalHub, provider: Provider, events: list[str]
) -> None:
    for _ in range(2):
        with running(provider, hub):
            assert hub.submit("use").result().data["uses"] == 1
    assert events == ["open", "close"] * 2


def test_it_is_closed_after_the_last_result(
    hub: LocalHub, provider: Provider, events: list[str], gate: Any
) -> None:
    @provider.actions.register()
    def hold(pool: Inject[Pool]) -> bool:
        gate.pass_through()
        return pool.is_open

    @provider.lifespan
    def witness() -> Iterator[None]:
        yield
        events.append(f"{len(hub.submissions)} results")

    with running(provider, hub):
        handle = hub.submit("hold")
        gate.wait_for()
        provider.stop()
        gate.end.set()
        assert handle.result().data is True
    assert events == ["open", "1 results", "close"]


def test_they_are_closed_in_reverse(hub: LocalHub, events: list[str]) -> None:
    provider = Provider("living")

    def declare(name: str) -> None:
        @provider.lifespan
        async def declared() -> AsyncIterator[None]:
            events.append(f"open {name}")
            yield
            events.append(f"close {name}")

    for name in "abc":
        declare(name)
    with running(provider, hub):
        hub.wait_until(lambda: hub.polls > 0)
    assert events == [
        *(f"open {name}" for name in "abc"),
        *(f"close {name}" for name in "cba"),
    ]


def test_it_is_opened_before_the_hub_is_asked_and_closed_if_there_is_none(
    events: list[str],
) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        url = f"127.0.0.1:{unheard.getsockname()[1]}"
        quick = Provider("living", "token", url, connect_timeout=0.2)

        @quick.lifespan
        async def pool() -> AsyncIterator[None]:
            events.append("open")
            yield
            events.append("close")

        with pytest.raises(ConnectionError):
            quick.start()
    assert events == ["open", "close"]


def test_a_stop_before_the_start_opens_nothing(
    hub: LocalHub, provider: Provider, events: list[str]
) -> None:
    provider.stop()
    start(provider, hub)
    assert (events, hub.polls) == ([], 0)


def test_a_task_group_lives_in_a_lifespan(hub: LocalHub, events: list[str]) -> None:
    provider = Provider("living")

    @provider.lifespan
    async def ticker() -> AsyncIterator[asyncio.TaskGroup]:
        async with asyncio.TaskGroup() as group, asyncio.timeout(60):
            task = group.create_task(asyncio.Event().wait())
            yield group
            events.append("cancel")
            task.cancel()

    @provider.actions.register()
    async def spawn(group: Inject[asyncio.TaskGroup]) -> str:
        return await group.create_task(asyncio.sleep(0, "spawned"))

    with running(provider, hub):
        assert hub.submit("spawn").result().data == "spawned"
    assert events == ["cancel"]


def test_a_lifespan_whose_own_task_fails_ends_the_provider(
    hub: LocalHub, provider: Provider, events: list[str]
) -> None:
    @provider.lifespan
    async def ticker() -> AsyncIterator[asyncio.TaskGroup]:
        async with asyncio.TaskGroup() as group:
            yield group

    async def fail() -> None:
        raise OSError("the ticker broke")

    @provider.actions.register()
    async def break_it(
        group: Inject[asyncio.TaskGroup], pool: Inject[Pool]
    ) -> dict[str, bool]:
        group.create_task(fail())
        await asyncio.sleep(0.05)
        return {"open": pool.is_open}

    handle = hub.submit("break_it")
    with pytest.raises(LifespanError, match=r"'ticker': failed to close: .*Group"):
        start(provider, hub)
    assert handle.result().data == {"open": True}
    assert events == ["open", "close"]


# --- what goes wrong at the start --------------------------------------------


def test_what_is_missing_is_said_before_anything_is_opened(
    hub: LocalHub, provider: Provider, events: list[str]
) -> None:
    @provider.actions.register()
    def lacking(nothing: Inject[Nothing]) -> None:
        del nothing

    with pytest.raises(HandlerSignatureError) as caught:
        start(provider, hub)

    assert str(caught.value) == (
        "action 'lacking': parameter 'nothing': "
        f"nothing provides {__name__}.Nothing; "
        f"there is {__name__}.Pool (lifespan 'pool'); "
        "write a @provider.lifespan that is annotated to yield it, or call "
        f"provider.provide({__name__}.Nothing, value)"
    )
    assert caught.value.parameter == "nothing"
    assert (events, hub.polls) == ([], 0)


def test_two_that_fit_are_refused_before_anything_is_opened(
    hub: LocalHub, provider: Provider, events: list[str]
) -> None:
    @provider.lifespan
    async def second() -> AsyncIterator[Pool]:
        yield Pool()

    with pytest.raises(HandlerSignatureError) as caught:
        start(provider, hub)

    assert str(caught.value) == (
        "action 'use': parameter 'pool': "
        f"2 provide {__name__}.Pool: {__name__}.Pool (lifespan 'pool'), "
        f"{__name__}.Pool (lifespan 'second'); "
        "ask for one of them by its own type, or give each a NewType"
    )
    assert events == []


def test_what_a_lifespan_lacks_is_said_before_anything_is_opened(
    hub: LocalHub, provider: Provider, events: list[str]
) -> None:
    @provider.lifespan
    async def lacking(nothing: Inject[Nothing]) -> AsyncIterator[None]:
        del nothing
        yield

    with pytest.raises(LifespanError, match="'lacking': parameter 'nothing': nothing"):
        start(provider, hub)
    assert events == []


def test_what_no_annotation_tells_is_checked_when_all_are_open(
    hub: LocalHub, provider: Provider, events: list[str]
) -> None:
    @provider.lifespan
    async def untold():
        yield OtherPool()

    @provider.actions.register()
    def lacking(nothing: Inject[Nothing]) -> None:
        del nothing

    with pytest.raises(HandlerSignatureError, match=r"OtherPool \(lifespan 'untold'\)"):
        start(provider, hub)
    assert (events, hub.polls) == (["open", "close"], 0)


def test_a_value_that_is_none_provides_nothing(hub: LocalHub) -> None:
    provider = Provider("living")

    @provider.lifespan
    async def pool() -> AsyncIterator[Pool | None]:
        yield None

    @provider.actions.register()
    def use(pool: Inject[Pool]) -> None:
        del pool

    with pytest.raises(HandlerSignatureError, match="there is nothing to inject"):
        start(provider, hub)


def raise_(error: BaseException) -> Callable[[], Iterator[None]]:
    """A lifespan that fails to open."""

    def failing() -> Iterator[None]:
        raise error
        yield

    return failing


def test_a_lifespan_that_fails_to_open_ends_the_provider(
    hub: LocalHub,
    provider: Provider,
    events: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    refused = OSError("the database refuses")
    provider.lifespan(raise_(refused))
    provider.lifespan(raise_(AssertionError("it is not reached")))

    with pytest.raises(LifespanError) as caught:
        start(provider, hub)

    problem = "failed to open: OSError: the database refuses"
    assert str(caught.value) == f"lifespan 'failing': {problem}"
    assert caught.value.__cause__ is refused
    assert caught.value.lifespan == "failing"
    logged = capsys.readouterr().err
    assert "lifespan failed to open" in logged
    assert "Traceback" in logged
    assert (events, hub.polls) == (["open", "close"], 0)


def test_a_lifespan_may_end_the_process(
    hub: LocalHub, provider: Provider, events: list[str]
) -> None:
    provider.lifespan(raise_(SystemExit(7)))
    with pytest.raises(SystemExit) as caught:
        start(provider, hub)
    assert caught.value.code == 7
    assert events == ["open", "close"]


@pytest.mark.parametrize("kind", ["async", "sync"])
def test_a_stop_ends_a_slow_opening(
    hub: LocalHub, provider: Provider, events: list[str], gate: Any, kind: str
) -> None:
    async def slow() -> AsyncIterator[None]:
        gate.begun.release()
        await asyncio.Event().wait()
        yield

    def slow_sync() -> Iterator[None]:
        gate.pass_through()
        yield
        events.append("closed late")
        gate.begun.release()

    provider.lifespan(slow if kind == "async" else slow_sync)
    with running(provider, hub):
        gate.wait_for()
        provider.stop()
    assert (events, hub.polls) == (["open", "close"], 0)

    gate.end.set()
    if kind == "sync":
        gate.wait_for()
        assert events[2:] == ["closed late"]


# --- what goes wrong at the end ----------------------------------------------


def test_all_are_closed_even_if_some_fail(
    hub: LocalHub,
    provider: Provider,
    events: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    def declare(name: str) -> None:
        def lifespan() -> Iterator[None]:
            yield
            raise OSError(f"{name} is lost")

        lifespan.__name__ = name
        provider.lifespan(lifespan)

    declare("first")
    declare("second")
    handle = hub.submit("use")
    with (
        pytest.raises(LifespanError, match="'second': failed to close: OSError: sec"),
        running(provider, hub),
    ):
        assert handle.result().status == "success"

    assert events == ["open", "close"]
    logged = capsys.readouterr().err
    assert "OSError: first is lost" in logged
    assert "OSError: second is lost" in logged


def test_a_closing_that_hangs_is_cut_off(hub: LocalHub, events: list[str]) -> None:
    provider = Provider("living", shutdown_timeout=0)

    @provider.lifespan
    async def pool() -> AsyncIterator[None]:
        yield
        events.append("close")

    @provider.lifespan
    async def hanging() -> AsyncIterator[None]:
        yield
        await asyncio.Event().wait()

    with (
        pytest.raises(
            LifespanError, match="'hanging': failed to close: it was cut off after 1 s"
        ),
        running(provider, hub),
    ):
        hub.wait_until(lambda: hub.polls > 0)
    assert events == ["close"]


def test_a_closing_that_does_not_even_end_when_cut_off_is_an_error(
    hub: LocalHub,
) -> None:
    provider = Provider("living", shutdown_timeout=0)

    @provider.lifespan
    async def stubborn() -> AsyncIterator[None]:
        yield
        for _ in range(2):
            try:
                await asyncio.sleep(1.5)
            except asyncio.CancelledError:
                continue

    with (
        pytest.raises(LifespanError, match="'stubborn': it does not end, not even"),
        running(provider, hub),
    ):
        hub.wait_until(lambda: hub.polls > 0)


def test_serve_that_is_cancelled_closes(
    hub: LocalHub, provider: Provider, events: list[str]
) -> None:
    async def program() -> None:
        serve = provider.serve(hub_url=hub.url, auth_token=str(hub.token))
        serving = asyncio.create_task(serve)
        await asyncio.to_thread(hub.submit("use").result)
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving

    asyncio.run(program())
    assert events == ["open", "close"]


# --- fakes, and tasks in process ---------------------------------------------


def test_a_fake_stands_in_for_a_lifespan(
    hub: LocalHub, provider: Provider, events: list[str]
) -> None:
    async def program() -> Any:
        provider.provide(Pool, OtherPool())
        with running(provider, hub):
            handle = hub.submit("use")
            return await asyncio.to_thread(handle.result)

    assert asyncio.run(program()).data == {"uses": 1, "here": False, "open": True}
    assert events == []


def test_a_task_in_process_has_its_own_while_the_provider_runs(
    hub: LocalHub, provider: Provider, events: list[str]
) -> None:
    with running(provider, hub):
        assert hub.submit("use").result().data["uses"] == 1
        inside = provider.process_task("use", {})["data"]
        assert inside == {"uses": 1, "here": True, "open": True}
        assert hub.submit("use").result().data["uses"] == 2
    assert events == ["open", "open", "close", "close"]


# --- in a program ------------------------------------------------------------

PROGRAM = """
    import asyncio, sys
    from arbvantage_provider import Provider

    provider = Provider("living", "token", sys.argv[1], log_level="CRITICAL")

    @provider.lifespan
    async def first():
        print("open", flush=True)
        yield
        print("close", flush=True)

    @provider.lifespan
    async def second():
        print("opening", flush=True)
        if sys.argv[2] == "fails":
            raise OSError("the database refuses")
        await asyncio.sleep(600)
        yield

    provider.start()
    print("ended", flush=True)
"""


@pytest.fixture
def program(tmp_path: Path, hub: LocalHub) -> Iterator[Any]:
    """Runs a provider in a process of its own."""
    script = tmp_path / "program.py"
    script.write_text(textwrap.dedent(PROGRAM))
    started: list[subprocess.Popen[str]] = []

    def run(how: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, str(script), hub.url, how],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def test_a_program_whose_lifespan_fails_ends_with_1_and_the_traceback(
    program: Any,
) -> None:
    process = program("fails")
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output) == (1, "open\nopening\nclose\n")
    assert "OSError: the database refuses" in errors
    assert "LifespanError: lifespan 'second': failed to open" in errors


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_slow_opening(program: Any, signum: signal.Signals) -> None:
    process = program("waits")
    assert [process.stdout.readline() for _ in range(2)] == ["open\n", "opening\n"]
    process.send_signal(signum)
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output, errors) == (0, "close\nended\n", "")


def test_threads_of_lifespans_end_with_them(hub: LocalHub, provider: Provider) -> None:
    before = set(threading.enumerate())

    @provider.lifespan
    def blocking() -> Iterator[None]:
        yield

    with running(provider, hub):
        hub.submit("use").result()
        names = {thread.name for thread in set(threading.enumerate()) - before}
        assert "lifespan blocking-1" in names
    for thread in set(threading.enumerate()) - before:
        if thread.name.startswith("lifespan"):
            thread.join(10)
            assert not thread.is_alive()


def test_a_task_of_a_lifespan_that_exits_ends_the_process_after_the_drain(
    hub: LocalHub,
) -> None:
    provider = Provider("leaving", log_level="CRITICAL", shutdown_timeout=5)
    begun = asyncio.Event()

    async def leave() -> None:
        await begun.wait()
        raise SystemExit(7)

    @provider.lifespan
    async def background() -> AsyncIterator[int]:
        async with asyncio.TaskGroup() as group:
            group.create_task(leave())
            yield 1

    @provider.actions.register()
    async def begin() -> str:
        begun.set()
        await asyncio.sleep(0.05)
        return "done"

    handle = hub.submit("begin")
    with pytest.raises(SystemExit) as caught, running(provider, hub):
        handle.result()
    assert caught.value.code == 7
    assert handle.results[0].data == "done"


@pytest.mark.parametrize("kind", ["async", "sync"])
def test_an_action_that_comes_too_late_for_its_value_says_so(
    hub: LocalHub, kind: str
) -> None:
    provider = Provider("late", log_level="CRITICAL")

    async def use(pool: Inject[Pool]) -> None:
        """Use it."""

    def use_sync(pool: Inject[Pool]) -> None:
        """Use it."""

    def use_default(pool: Inject[Pool] | None) -> bool:
        return pool is None

    with running(provider, hub):
        hub.wait_until(lambda: hub.polls >= 1)
        provider.actions.register("use")(use if kind == "async" else use_sync)
        provider.actions.register("use_default")(use_default)
        refused = hub.submit("use").result()
        assert hub.submit("use_default").result().data is True

    assert refused.status == "error"
    assert refused.message.startswith(
        "HandlerSignatureError: action 'use': parameter 'pool': there is no "
    )
    assert refused.message.endswith(
        "Pool: the action was registered while the provider runs; register it before "
        "start()"
    )
