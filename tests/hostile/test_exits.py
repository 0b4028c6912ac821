"""Handlers whose own tasks and callbacks try to end the event loop."""

import asyncio
import warnings
from collections.abc import Callable, Generator, Iterator

import misbehaving
import pytest
from steady import check, register

from arbvantage_provider import Inject, Outcome, Provider, TaskInfo
from arbvantage_provider.testing import HubResult, LocalHub, running

HANDLERS = (
    misbehaving.fail_in_subtask,
    misbehaving.exit_in_callback,
    misbehaving.stop_loop,
)
Ask = Callable[..., HubResult]
EXITS = ["SystemExit: bye", "KeyboardInterrupt"]


@pytest.fixture(autouse=True, params=["asyncio", "uvloop"])
def loops(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test runs on loops of both kinds."""
    if request.param == "asyncio":
        yield
        return
    uvloop = pytest.importorskip("uvloop")
    with warnings.catch_warnings():  # policies are on their way out
        warnings.simplefilter("ignore", DeprecationWarning)
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # pyright: ignore[reportDeprecated]
        yield
        asyncio.set_event_loop_policy(None)  # pyright: ignore[reportDeprecated]


@pytest.mark.parametrize("case", EXITS)
@pytest.mark.parametrize("way", ["awaited", "in a group", "gathered"])
def test_what_a_task_of_a_handler_raises_comes_to_who_awaits_it(
    ask: Ask, case: str, way: str, capfd: pytest.CaptureFixture[str]
) -> None:
    result = ask("fail_in_subtask", {"case": case, "way": way})
    assert (result.status, result.message) == ("error", case)
    seen = capfd.readouterr().err
    assert "in fail_in_subtask" in seen
    assert "event_loop.py" not in seen


@pytest.mark.parametrize("case", EXITS)
def test_an_exit_that_nobody_awaits_is_logged_and_ends_nothing(
    ask: Ask, case: str, capfd: pytest.CaptureFixture[str]
) -> None:
    result = ask("fail_in_subtask", {"case": case, "way": "left alone"})
    assert result.data == "went on"
    seen = capfd.readouterr().err
    assert seen.count("a task may not end the program") == 1
    assert f"error={case.partition(':')[0]}" in seen
    assert "misbehaving.py" in seen
    assert "in fail_now" in seen


def test_an_error_that_nobody_awaits_is_not_written_by_asyncio(
    ask: Ask, capfd: pytest.CaptureFixture[str]
) -> None:
    ask("fail_in_subtask", {"case": "ValueError", "way": "left alone"})
    seen = capfd.readouterr().err
    assert "nobody awaited this error" in seen
    assert "Task exception was never retrieved" not in seen
    assert "<Task finished" not in seen


@pytest.mark.parametrize("action", ["exit_in_callback", "stop_loop"])
def test_a_callback_ends_no_loop(
    ask: Ask, action: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert ask(action).data == "went on"
    assert misbehaving.SECRET not in capfd.readouterr().err


def test_tasks_that_exit_when_the_loop_ends_leave_the_end_as_it_is(
    make_provider: Callable[..., Provider],
) -> None:
    provider = make_provider()
    register(provider, misbehaving.exit_later)
    with LocalHub() as hub, running(provider, hub):
        assert hub.submit("exit_later").result().status == "success"
        check(provider, hub)
    misbehaving.LEFT.clear()
    assert provider.snapshot().state == "stopped"


@pytest.mark.parametrize("case", EXITS)
def test_in_process_such_a_task_is_answered_and_logged_with_middleware_too(
    make_provider: Callable[..., Provider],
    case: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    provider = make_provider()
    register(provider, misbehaving.fail_in_subtask)
    provider.middleware(pass_by)
    payload = {"case": case, "way": "awaited"}
    assert provider.process_task("fail_in_subtask", payload)["message"] == case
    assert "handler raised" in capfd.readouterr().err


def test_in_process_a_lifespan_that_exits_is_logged_with_middleware_too(
    make_provider: Callable[..., Provider], capfd: pytest.CaptureFixture[str]
) -> None:
    provider = make_provider()

    @provider.lifespan
    def leave() -> Iterator[int]:
        raise SystemExit("bye")
        yield 1

    @provider.actions.register()
    def use(number: Inject[int]) -> int:
        return number

    provider.middleware(pass_by)
    assert provider.process_task("use", {})["message"] == "SystemExit: bye"
    assert "handler raised" in capfd.readouterr().err


def pass_by(task: TaskInfo) -> Generator[None, Outcome, None]:
    yield


def test_inside_another_program_an_exit_ends_that_program_as_it_would_anyway(
    make_provider: Callable[..., Provider], capfd: pytest.CaptureFixture[str]
) -> None:
    provider = make_provider()
    register(provider, misbehaving.fail_in_subtask)
    payload = {"case": "SystemExit: bye", "way": "awaited"}
    with LocalHub() as hub:
        hub.submit("fail_in_subtask", payload, id="lost")
        with pytest.raises(SystemExit):
            asyncio.run(provider.serve(hub_url=hub.url, auth_token="any"))
    assert provider.snapshot().state == "stopped"
    assert "tasks left unanswered" in capfd.readouterr().err
