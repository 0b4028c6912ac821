"""A provider's life: start, concurrency, deadlines, stop."""

import asyncio
import contextlib
import contextvars
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, model_validator
from typing_extensions import override

from arbvantage_provider import (
    ActionError,
    AuthenticationError,
    ConnectionError,  # noqa: A004 - the name is the contract's
    HubError,
    Provider,
    ProviderError,
    Retry,
    TaskContext,
)
from arbvantage_provider.testing import LocalHub, running

Make = Callable[..., Provider]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


# --- starting ----------------------------------------------------------------


def test_no_hub_within_the_connect_timeout_is_an_error(make_provider: Make) -> None:
    provider = make_provider(
        auth_token="t-12345", hub_url=f"127.0.0.1:{free_port()}", connect_timeout=0.3
    )

    with pytest.raises(ConnectionError, match="HUB_GRPC_URL") as caught:
        provider.start()

    assert isinstance(caught.value, OSError)
    assert provider.snapshot().state == "stopped"


def test_a_provider_without_token_does_not_start(make_provider: Make) -> None:
    with pytest.raises(AuthenticationError, match="PROVIDER_AUTH_TOKEN"):
        make_provider().start()


def test_a_hub_that_comes_late_is_waited_for(
    hub: LocalHub, make_provider: Make
) -> None:
    hub.stop()
    provider = make_provider()
    with running(provider, hub):
        handle = hub.submit("echo", {"text": "late"})
        hub.start()
        assert handle.result(20).data == {"text": "late"}


def test_serve_runs_inside_another_program(hub: LocalHub, make_provider: Make) -> None:
    async def program() -> dict[str, Any]:
        provider = make_provider(auth_token=hub.token, hub_url=hub.url)
        serving = asyncio.create_task(provider.serve())
        handle = hub.submit("echo", {"text": "inside"})
        result = await asyncio.to_thread(handle.result)
        provider.stop()
        await serving
        return result.response

    assert asyncio.run(program())["data"] == {"text": "inside"}


def test_a_program_that_cancels_it_twice_is_told_what_is_left(
    hub: LocalHub, make_provider: Make, tmp_path: Path
) -> None:
    log = tmp_path / "log"

    async def program() -> None:
        begun, cancelled, end = asyncio.Event(), asyncio.Event(), asyncio.Event()
        settings = {"auth_token": hub.token, "hub_url": hub.url}
        provider = make_provider(**settings, log_file=str(log))

        @provider.actions.register()
        async def swallow() -> None:
            begun.set()
            while not end.is_set():
                try:
                    await end.wait()
                except asyncio.CancelledError:
                    cancelled.set()

        serving = asyncio.create_task(provider.serve())
        hub.submit("swallow", id="left")
        for moment in (begun, cancelled):
            await moment.wait()
            serving.cancel()
        await asyncio.wait({serving})
        end.set()

    asyncio.run(program())
    assert '"ids": ["left"], "event": "tasks left unanswered"' in log.read_text()


def test_start_inside_a_loop_says_what_to_write(make_provider: Make) -> None:
    async def program() -> None:
        make_provider().start()

    with pytest.raises(ProviderError, match=r"await serve\(\)"):
        asyncio.run(program())


def test_a_provider_runs_once_at_a_time(hub: LocalHub, make_provider: Make) -> None:
    provider = make_provider()
    with running(provider, hub):
        hub.submit("echo").result()
        with pytest.raises(ProviderError, match="running already"):
            provider.start(hub_url=hub.url, auth_token=str(hub.token))


def test_a_provider_may_be_started_again(hub: LocalHub, make_provider: Make) -> None:
    provider = make_provider()
    for text in ("first", "second"):
        with running(provider, hub):
            assert hub.submit("echo", {"text": text}).result().data["text"] == text


def test_a_stop_before_the_start_ends_it_at_once(
    hub: LocalHub, make_provider: Make
) -> None:
    provider = make_provider()
    provider.stop()
    provider.start(hub_url=hub.url, auth_token=str(hub.token))

    assert provider.snapshot().tasks_taken == 0


def test_two_providers_share_a_process(make_provider: Make) -> None:
    with LocalHub() as one, LocalHub() as two:
        first, second = make_provider(), make_provider()
        with running(first, one), running(second, two):
            handles = [
                hub.submit(name, {"text": "x"})
                for hub in (one, two)
                for name in ("echo", "echo_sync") * 50
            ]
            assert {handle.result(30).status for handle in handles} == {"success"}


# --- concurrency and deadlines -----------------------------------------------


@pytest.mark.parametrize("action", ["hold", "hold_sync"])
def test_as_many_tasks_run_at_once_as_there_are_slots(
    hub: LocalHub, make_provider: Make, gate: Any, action: str
) -> None:
    provider = make_provider(max_concurrency=4)
    with running(provider, hub):
        for _ in range(6):
            hub.submit(action)
        gate.wait_for(4)
        taken = provider.snapshot().slots_taken
        extra = gate.begun.acquire(timeout=0.2)
        handed_out = provider.snapshot().tasks_taken
        gate.end.set()
        hub.join(timeout=20)

    assert (taken, extra, handed_out) == (4, False, 4)


def test_a_sync_handler_sees_its_own_context_variables(hub: LocalHub) -> None:
    provider = Provider("tested")
    variable = contextvars.ContextVar("variable", default="unset")

    @provider.actions.register()
    def change() -> dict[str, str]:
        before = variable.get()
        variable.set("changed")
        return {"before": before, "after": variable.get()}

    with running(provider, hub):
        results = [hub.submit("change").result().data for _ in range(3)]

    assert results == [{"before": "unset", "after": "changed"}] * 3


def test_a_thread_past_its_deadline_keeps_its_slot_and_is_counted(
    hub: LocalHub, make_provider: Make, gate: Any, eventually: Any
) -> None:
    provider = make_provider(max_concurrency=2)
    with running(provider, hub):
        assert hub.submit("too_slow_sync").result().status == "error"
        eventually(lambda: provider.snapshot().slots_stuck == 1)
        assert hub.submit("echo").result().status == "success"
        gate.end.set()
        hub.submit("echo").result()
        eventually(lambda: provider.snapshot().slots_stuck == 0)


def test_a_handler_may_see_that_nobody_waits_for_it(hub: LocalHub) -> None:
    provider = Provider("tested", execution_timeout=0.05)
    seen = threading.Event()

    @provider.actions.register()
    def work(context: Any) -> None:
        while not context.cancelled:
            threading.Event().wait(0.005)
        seen.set()

    with running(provider, hub):
        assert hub.submit("work").result().status == "error"
        assert seen.wait(10)


# --- stopping ----------------------------------------------------------------


def test_a_handler_may_stop_its_provider(hub: LocalHub) -> None:
    provider = Provider("tested")

    @provider.actions.register()
    def quit_now() -> dict[str, bool]:
        provider.stop()
        return {"stopped": True}

    handle = hub.submit("quit_now")
    provider.start(hub_url=hub.url, auth_token=str(hub.token))

    assert handle.result().data == {"stopped": True}


@pytest.mark.parametrize("action", ["hold", "hold_sync"])
def test_stopping_lets_running_tasks_end(
    hub: LocalHub, make_provider: Make, gate: Any, eventually: Any, action: str
) -> None:
    provider = make_provider(max_concurrency=2)
    with running(provider, hub):
        handles = [hub.submit(action) for _ in range(3)]
        gate.wait_for(2)
        provider.stop()
        eventually(lambda: provider.snapshot().state == "stopping")
        gate.end.set()
        for handle in handles[:2]:
            assert handle.result(20).data == {"held": True}

    assert handles[2].handed_out == 0


@pytest.mark.parametrize("action", ["hold", "hold_sync"])
def test_a_task_that_outlives_the_grace_is_interrupted_and_answered(
    hub: LocalHub, make_provider: Make, gate: Any, action: str
) -> None:
    provider = make_provider(shutdown_timeout=0.5)
    with running(provider, hub):
        handle = hub.submit(action)
        gate.wait_for()
        provider.stop()
        result = handle.result(20)

    assert result.response == {
        "status": "error",
        "message": f"{action!r} was interrupted: the provider stopped",
        "data": None,
    }


def test_a_result_that_no_hub_took_by_the_end_is_an_error(
    hub: LocalHub, make_provider: Make, gate: Any
) -> None:
    provider = make_provider(shutdown_timeout=0.5)
    with pytest.raises(HubError, match="task-1"), running(provider, hub):
        hub.submit("hold")
        gate.wait_for()
        hub.stop()
        gate.end.set()
        provider.stop()


def test_a_held_poll_does_not_delay_the_end(hub: LocalHub, make_provider: Make) -> None:
    hub.idle, hub.long_poll = "long_poll", 60
    provider = make_provider(shutdown_timeout=30)
    thread = threading.Thread(
        target=lambda: provider.start(hub_url=hub.url, auth_token=str(hub.token))
    )
    thread.start()
    hub.wait_until(lambda: hub.polls >= 1)
    provider.stop()
    thread.join(20)

    assert not thread.is_alive()


PROGRAM = """
    import asyncio, sys, threading, time
    from arbvantage_provider import Provider

    provider = Provider(
        "tested", "token", sys.argv[1], execution_timeout=60,
        shutdown_timeout=float(sys.argv[2]),
    )

    @provider.actions.register()
    def finish():
        print("begun", flush=True)
        time.sleep(0.3)

    @provider.actions.register()
    def hang():
        print("begun", flush=True)
        time.sleep(600)

    @provider.actions.register()
    async def swallow():
        print("begun", flush=True)
        while True:
            try:
                await asyncio.sleep(600)
            except asyncio.CancelledError:
                pass

    provider.start()
    print("ended", flush=True)
"""


@pytest.fixture
def program(tmp_path: Path, hub: LocalHub) -> Any:
    """A provider in a process of its own, whose handler has begun."""
    script = tmp_path / "program.py"
    script.write_text(textwrap.dedent(PROGRAM))
    hub.token = "token"
    started: list[subprocess.Popen[str]] = []

    def start(
        action: str, grace: float = 30, *, ignored: tuple[int, ...] = ()
    ) -> "subprocess.Popen[str]":
        hub.submit(action)
        # A shell ignores them: gRPC may abort a process that is forked here.
        traps = "".join(f"trap '' {int(signum)}; " for signum in ignored)
        shell = ("sh", "-c", f'{traps}exec "$@"', "sh")
        process = subprocess.Popen(
            [*shell, sys.executable, str(script), hub.url, str(grace)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


posix_only = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")


@posix_only
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains(hub: LocalHub, program: Any, signum: signal.Signals) -> None:
    process = program("finish")
    process.send_signal(signum)
    output, _ = process.communicate(timeout=30)

    assert (process.returncode, output) == (0, "ended\n")
    assert [result.status for result in hub.submissions] == ["success"]


@posix_only
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGHUP])
def test_what_is_ignored_from_the_start_stays_ignored(
    hub: LocalHub, program: Any, signum: signal.Signals
) -> None:
    process = program("finish", ignored=(signum,))
    for _ in range(3):
        process.send_signal(signum)
    hub.wait_until(lambda: len(hub.submissions) == 1)
    assert hub.submit("finish").result(20).status == "success"
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=30)

    assert (process.returncode, output) == (0, "begun\nended\n")


@posix_only
def test_a_sigterm_stops_the_provider_even_if_it_was_ignored(program: Any) -> None:
    process = program("finish", ignored=(signal.SIGTERM,))
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=30)

    assert (process.returncode, output) == (0, "ended\n")


@posix_only
def test_a_second_signal_forces_the_end(program: Any) -> None:
    process = program("hang")
    process.send_signal(signal.SIGTERM)
    threading.Event().wait(0.5)
    process.send_signal(signal.SIGTERM)

    assert process.wait(timeout=20) == 128 + signal.SIGTERM


@posix_only
def test_a_signal_wakes_a_loop_that_has_just_gone_to_sleep(hub: LocalHub) -> None:
    program = """
        import signal, sys
        from arbvantage_provider import Provider

        provider = Provider("tested", "token-for-tests", sys.argv[1])

        @provider.lifespan
        async def look():
            descriptor = signal.set_wakeup_fd(-1)
            signal.set_wakeup_fd(descriptor)
            print(descriptor >= 0)
            provider.stop()
            yield

        provider.start()
        print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
    """
    script = [sys.executable, "-c", textwrap.dedent(program), hub.url]
    found = subprocess.run(
        script, check=False, capture_output=True, text=True, timeout=60
    )

    assert (found.returncode, found.stdout) == (0, "True\nTrue\n")


def test_a_handler_that_cancels_itself_costs_no_slot(hub: LocalHub) -> None:
    provider = Provider("tested", max_concurrency=1)

    @provider.actions.register()
    async def cancel_myself() -> None:
        task = asyncio.current_task()
        if task is not None:
            task.cancel()
        await asyncio.sleep(5)

    with running(provider, hub):
        results = [hub.submit("cancel_myself").result(20) for _ in range(3)]

    assert {result.message for result in results} == {"CancelledError"}


def test_an_async_handler_that_swallows_its_cancellation_is_answered_for(
    hub: LocalHub,
) -> None:
    provider = Provider("tested", max_concurrency=2, execution_timeout=0.2)
    release = threading.Event()

    @provider.actions.register()
    async def swallow() -> None:
        while not release.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)

    @provider.actions.register()
    async def greet() -> str:
        return "hello"

    with running(provider, hub):
        swallowed = hub.submit("swallow").result(20)
        hub.wait_until(lambda: provider.snapshot().slots_stuck == 1)
        assert hub.submit("greet").result(20).data == "hello"
        release.set()
        hub.wait_until(lambda: provider.snapshot().slots_stuck == 0)

    assert swallowed.message.startswith("ActionTimeoutError: 'swallow' was not done")


def test_what_a_handler_sets_in_its_context_ends_with_its_task(hub: LocalHub) -> None:
    provider = Provider("tested", max_concurrency=1)
    user: contextvars.ContextVar[str] = contextvars.ContextVar("user", default="none")

    @provider.actions.register()
    async def set_user() -> str:
        before = user.get()
        user.set("somebody")
        return before

    with running(provider, hub):
        found = [hub.submit("set_user").result(20).data for _ in range(3)]

    assert found == ["none", "none", "none"]


@posix_only
def test_a_handler_that_swallows_its_cancellation_does_not_hold_up_the_exit(
    program: Any, hub: LocalHub
) -> None:
    process = program("swallow", grace=2)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=20)

    assert (process.returncode, output) == (0, "ended\n")
    message = hub.submissions[0].message
    assert message == "'swallow' was interrupted: the provider stopped"


def test_the_time_that_other_payloads_take_is_not_a_handlers(hub: LocalHub) -> None:
    provider = Provider("tested", max_concurrency=8, execution_timeout=0.5)

    class Slow(BaseModel):
        number: int

        @model_validator(mode="after")
        def take_time(self) -> "Slow":
            threading.Event().wait(0.2)
            return self

    @provider.actions.register(payload_schema=Slow)
    async def greet(payload: Slow) -> int:
        return payload.number

    handles = [hub.submit("greet", {"number": number}) for number in range(16)]
    with running(provider, hub):
        statuses = [handle.result(30).status for handle in handles]

    assert statuses == ["success"] * 16


class OddMessageError(ActionError):
    """What it says is no text."""

    def __init__(self) -> None:
        super().__init__("")
        self.message = 5  # type: ignore[assignment] # pyright: ignore[reportAttributeAccessIssue]


class RaisingMessageError(ActionError):
    """What it says cannot be read."""

    @override
    def __getattribute__(self, name: str) -> Any:
        if name == "message":
            raise RuntimeError
        return super().__getattribute__(name)


@pytest.mark.parametrize("error", [OddMessageError, RaisingMessageError])
def test_an_error_that_cannot_be_described_ends_no_worker(
    hub: LocalHub, error: Callable[[], ActionError]
) -> None:
    provider = Provider("tested", max_concurrency=1, log_level="CRITICAL")

    @provider.actions.register()
    def refuse() -> None:
        raise error()

    with running(provider, hub):
        statuses = [hub.submit("refuse").result(20).status for _ in range(3)]
    assert statuses == ["error"] * 3


def test_a_handler_that_cancels_itself_in_its_last_step_costs_no_slot(
    hub: LocalHub,
) -> None:
    provider = Provider("tested", max_concurrency=1, log_level="CRITICAL")

    @provider.actions.register()
    async def cancel_myself() -> int:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        return 1

    with running(provider, hub):
        messages = {hub.submit("cancel_myself").result(20).message for _ in range(3)}
    assert messages == {"CancelledError"}
    assert provider.process_task("cancel_myself", {})["message"] == "CancelledError"


def test_a_thread_of_asyncio_does_not_hold_up_the_end(hub: LocalHub) -> None:
    provider = Provider("tested", execution_timeout=0.2, shutdown_timeout=1)
    release = threading.Event()

    @provider.actions.register()
    async def wait() -> None:
        await asyncio.to_thread(release.wait, 60)

    with running(provider, hub):
        assert hub.submit("wait").result(20).status == "error"
    assert provider.process_task("wait", {})["status"] == "error"
    assert not release.is_set()
    release.set()


def test_a_sync_handler_is_not_tried_again_when_its_provider_has_stopped(
    hub: LocalHub,
) -> None:
    attempts: list[int] = []
    failed = threading.Event()
    provider = Provider("tested", execution_timeout=60, shutdown_timeout=0.5)

    @provider.actions.register(retry=Retry(on=OSError, tries=2, first=2.0))
    def flaky(context: TaskContext) -> None:
        attempts.append(context.attempt)
        failed.set()
        raise OSError

    def take_whole(value: float) -> float:
        return value

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("backoff.full_jitter", take_whole)
        with running(provider, hub):
            handle = hub.submit("flaky")
            assert failed.wait(20)
        assert handle.result(20).message.startswith("'flaky' was interrupted")
        threading.Event().wait(2.5)
    assert attempts == [1]


def test_a_task_that_is_on_its_way_when_the_provider_stops_is_answered(
    hub: LocalHub, make_provider: Make
) -> None:
    provider = make_provider(max_concurrency=1)
    with running(provider, hub):
        hub.submit("echo").result()
        hub.latency = 0.2
        polls = hub.polls
        hub.wait_until(lambda: hub.polls > polls)
        handle = hub.submit("echo", {"text": "late"})
        provider.stop()

    assert handle.result().data == {"text": "late"}


def test_a_signal_handler_that_python_cannot_set_again_is_no_error(
    hub: LocalHub, make_provider: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_nothing(_: int) -> None:
        """As where C code has set the handler."""

    monkeypatch.setattr("signal.getsignal", find_nothing)
    provider = make_provider()
    provider.stop()
    provider.start(hub_url=hub.url, auth_token="token-for-tests")
    assert provider.snapshot().state == "stopped"
