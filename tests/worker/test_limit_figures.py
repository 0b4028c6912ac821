"""What is told of limits, in the figures and in the log, and what they cost."""

import dataclasses
import json
import threading
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from patience import wait_for
from their_monitors import Moody, Reserving, Stubborn, ThreeMethods
from typing_extensions import override

from arbvantage_provider import (
    Provider,
    ProviderError,
    RateLimitedError,
    TaskContext,
)
from arbvantage_provider.rate_limit import (
    AdvancedRateLimitMonitor,
    NoRateLimitMonitor,
    PerKey,
    RateLimitMonitor,
    Reservation,
    SlidingWindowRateLimitMonitor,
)
from arbvantage_provider.testing import LocalHub, running
from arbvantage_provider.worker.metrics.snapshot import LimitFigures

HOUR = 3600.0


def make(monitor: Any = None, own: Any = None, **settings: Any) -> Provider:
    provider = Provider(
        "tested", rate_limit_monitor=monitor, shutdown_timeout=5, **settings
    )

    @provider.actions.register(rate_limit_monitor=own, max_wait=0)
    def call(wait: float = 0.0) -> None:
        if wait:
            raise RateLimitedError(wait, closes="action")

    provider.actions.register("other")(lambda: None)
    return provider


def read_lines(file: Path, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    return [line for line in lines if line["event"] == event]


def test_the_figures_tell_permits_waits_and_refusals(hub: LocalHub) -> None:
    provider = make(
        SlidingWindowRateLimitMonitor(100, HOUR), SlidingWindowRateLimitMonitor(3, HOUR)
    )
    with running(provider, hub):
        for _ in range(5):
            hub.submit("call").result()
        snapshot = provider.snapshot()

    own, shared = snapshot.limits["call"], snapshot.limits[""]
    assert (own.free, own.passed, own.refused, own.waiting) == (0, 3, 2, 0)
    assert (shared.free, shared.passed, shared.refused) == (97, 3, 0)
    assert snapshot.rate_limit == shared.wait == 0


def test_the_figures_tell_how_long_it_takes_until_a_permit_is_free(
    hub: LocalHub,
) -> None:
    provider = make(SlidingWindowRateLimitMonitor(1, HOUR))
    with running(provider, hub):
        hub.submit("call").result()
        wait_for(lambda: provider.snapshot().rate_limit > 0)
        snapshot = provider.snapshot()

    assert HOUR - 60 < snapshot.rate_limit <= HOUR
    assert abs(snapshot.limits[""].wait - snapshot.rate_limit) < 1


def test_limits_are_in_the_figures_before_any_task_comes() -> None:
    keyed = PerKey(NoRateLimitMonitor, lambda task: task.id)
    provider = make(ThreeMethods(most=1), AdvancedRateLimitMonitor(60, 7))
    provider.actions.set_rate_limit("other", keyed)

    assert provider.snapshot().limits == {
        "": LimitFigures(free=None),
        "call": LimitFigures(free=7),
        "other": LimitFigures(free=None, keys=0),
    }


@pytest.mark.parametrize("monitor", [None, NoRateLimitMonitor()], ids=str)
def test_what_has_no_limit_is_not_in_the_figures(
    hub: LocalHub, monitor: RateLimitMonitor | None
) -> None:
    provider = make(monitor, monitor)
    assert provider.snapshot().limits == {}
    with running(provider, hub):
        for name in ("call", "other"):
            assert hub.submit(name).result().status == "success"
        assert provider.snapshot().limits == {}


def test_the_figures_are_told_while_a_monitor_hangs(hub: LocalHub) -> None:
    monitor = Stubborn(spending=True)
    provider = make(None, monitor)
    provider.actions.set_rate_limit("call", monitor, max_wait=60)
    with running(provider, hub):
        handle = hub.submit("call")
        assert monitor.asked.wait(10)
        figures = provider.snapshot().limits["call"]
        monitor.release.set()
        handle.result()

    assert (figures.waiting, figures.passed, figures.free) == (1, 0, None)


def test_a_monitor_that_raises_when_it_is_counted_is_one_that_does_not_tell(
    hub: LocalHub,
) -> None:
    class Broken(ThreeMethods):
        def count_free(self, key: str | None = None) -> int | None:
            raise OSError

    with running(make(Broken(most=9)), hub) as provider:
        assert hub.submit("call").result().status == "success"
        assert provider.snapshot().limits[""].free is None


@pytest.mark.parametrize(
    "odd", ["5", object(), SystemExit()], ids=["text", "object", "exit"]
)
def test_a_count_that_is_none_is_that_of_a_monitor_that_does_not_tell(
    hub: LocalHub, odd: Any
) -> None:
    class Odd(SlidingWindowRateLimitMonitor):
        @override
        def count_free(self, key: str | None = None) -> Any:
            if isinstance(odd, BaseException):
                raise odd
            return odd

    with running(make(Odd()), hub) as provider:
        handles = [hub.submit("call") for _ in range(5)]
        assert {handle.result().status for handle in handles} == {"success"}
        assert provider.snapshot().limits[""].free is None


def test_a_limit_that_is_reached_is_logged_once_a_minute(
    hub: LocalHub, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    own = SlidingWindowRateLimitMonitor(1, HOUR)
    with running(make(None, own, log_file=str(log)), hub):
        for _ in range(4):
            hub.submit("call").result()

    (line,) = read_lines(log, "limit reached")
    told = {key: line[key] for key in ("limit", "free", "waiting", "refused", "level")}
    assert told == {
        "limit": "call",
        "free": 0,
        "waiting": 1,
        "refused": 0,
        "level": "info",
    }
    assert HOUR - 60 < line["wait"] <= HOUR
    assert len(read_lines(log, "task limited")) == 3


def test_a_limit_of_the_provider_that_is_reached_is_logged(
    hub: LocalHub, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    monitor = SlidingWindowRateLimitMonitor(1, HOUR)
    with running(make(monitor, log_file=str(log)), hub) as provider:
        hub.submit("call").result()
        wait_for(lambda: provider.snapshot().rate_limit > 0)

    (line,) = read_lines(log, "limit reached")
    assert (line["limit"], line["free"]) == ("the provider", 0)


def test_a_limit_that_a_handler_closes_is_logged(hub: LocalHub, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running(make(log_file=str(log)), hub) as provider:
        hub.submit("call", {"wait": 77.0}).result()
        closed_for = provider.snapshot().limits["call"].closed_for

    (line,) = read_lines(log, "limit closed")
    assert (line["limit"], line["wait"], line["level"]) == ("call", 77.0, "warning")
    assert 60 < closed_for <= 77


def test_a_monitor_that_fails_is_logged_once_and_when_it_answers_again(
    hub: LocalHub, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    monitor = Moody(OSError("away"), 3, spends=False)
    with running(make(monitor, log_file=str(log)), hub) as provider:
        assert hub.submit("call").result(20).status == "success"
        errors = provider.snapshot().limits[""].errors

    (line,) = read_lines(log, "rate limit monitor raised")
    assert (line["limit"], line["until_it_answers"]) == ("the provider", "closed")
    assert "OSError: away" in line["exception"]
    assert len(read_lines(log, "rate limit monitor answers again")) == 1
    assert errors == 3


def test_an_error_of_this_package_is_logged_without_its_traceback(
    hub: LocalHub, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    monitor = Moody(ProviderError("the server is away"), 1, spends=False)
    with running(make(monitor, log_file=str(log)), hub):
        assert hub.submit("call").result(20).status == "success"

    (line,) = read_lines(log, "rate limit monitor raised")
    assert line["reason"] == "the server is away"
    assert "exception" not in line


def test_a_monitor_that_does_not_answer_is_logged_once(
    hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "arbvantage_provider.worker.limits.permit_acquirer.ANSWER_TIME", 0.05
    )
    log = tmp_path / "log"
    monitor = Stubborn(looking=True)
    provider = make(None, monitor, log_file=str(log))
    provider.actions.set_rate_limit("call", monitor, max_wait=0.3)
    with running(provider, hub):
        assert hub.submit("call").result().status == "limit"
        assert hub.submit("call").result().status == "limit"
        monitor.release.set()

    assert len(read_lines(log, "rate limit monitor does not answer")) == 1


def test_the_time_that_was_reserved_is_in_the_figures(hub: LocalHub) -> None:
    monitor = Reserving(lambda _, __: Reservation(granted=True, wait=40.0))
    provider = make(None, monitor)
    provider.actions.set_rate_limit("call", monitor, max_wait=60)
    with running(provider, hub):
        hub.submit("call")
        wait_for(lambda: provider.snapshot().limits["call"].wait > 30)
        assert provider.snapshot().limits["call"].waiting == 1


def test_a_provider_without_limits_runs_nothing_of_them(hub: LocalHub) -> None:
    calls: Counter[str] = Counter()
    parts = ("closures", "gate", "health", "inquiry", "keys", "questions", "visits")
    files = {f"{part}.py" for part in (*parts, "limits", "by_hand", "keyed")}

    def note(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        file = Path(code.co_filename)
        if event == "call" and file.name in files and file.parent.name != "hub":
            calls[code.co_qualname] += 1

    provider = Provider("tested", max_concurrency=1)

    @provider.actions.register()
    async def call(context: TaskContext) -> str:
        return context.id

    handles = [hub.submit("call") for _ in range(40)]
    threading.setprofile(note)
    try:
        with running(provider, hub):
            assert {handle.result().status for handle in handles} == {"success"}
    finally:
        threading.setprofile(None)

    # Whether there is a limit is asked for once a task, and twice a poll.
    assert calls["Limits.holds"] == 40
    asked = {"Limits.holds", "Limits.limits_polls"}
    once = {name for name, count in calls.items() if count <= 2}
    assert set(calls) <= asked | once


def test_every_figure_has_a_default() -> None:
    names = [field.name for field in dataclasses.fields(LimitFigures())]
    assert len(names) == 9
