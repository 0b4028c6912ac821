"""The wall clock jumps; durations do not notice, and no task is lost."""

import asyncio
import datetime as dt
import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from promise import check_promise
from provider_process import ProviderProcess, wait_until
from typing_extensions import override

from arbvantage_provider import ConfigError, Provider, TaskContext
from arbvantage_provider.clock import SystemClock
from arbvantage_provider.rate_limit import TimeBasedRateLimitMonitor
from arbvantage_provider.testing import LocalHub, running
from arbvantage_provider.worker.delivery.journal import list_rows

Start = Callable[..., ProviderProcess]
HOUR = 3600.0


class JumpingClock(SystemClock):
    """Its wall clock is right, then an hour ahead, then an hour behind, and so on."""

    def __init__(self) -> None:
        self._jumps = itertools.cycle([0.0, HOUR, -HOUR])

    @override
    def now(self, timezone: dt.tzinfo) -> dt.datetime:
        return super().now(timezone) + dt.timedelta(seconds=next(self._jumps))


def make_provider(runs: dict[str, int], **settings: Any) -> Provider:
    """A provider that takes its clock from where a test may put another one."""
    provider = Provider("tested", execution_timeout=60, max_concurrency=4, **settings)

    @provider.actions.register()
    async def quick(context: TaskContext) -> dict[str, str]:
        runs[context.id] = runs.get(context.id, 0) + 1
        return {"id": context.id}

    @provider.actions.register(timeout=0.1)
    async def too_slow(context: TaskContext) -> None:
        runs[context.id] = runs.get(context.id, 0) + 1
        await asyncio.sleep(60)

    limit = TimeBasedRateLimitMonitor(min_delay=0.02)
    provider.actions.register("limited", rate_limit_monitor=limit)(quick)
    return provider


@pytest.mark.parametrize("kept", ["in memory", "in a journal"])
def test_a_wall_clock_that_jumps_changes_no_deadline_no_limit_and_no_wait(
    hub: LocalHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kept: str
) -> None:
    jumps, real = itertools.cycle([0.0, HOUR, -HOUR]), time.time
    monkeypatch.setattr("arbvantage_provider.provider.SystemClock", JumpingClock)
    # Whoever asks Python itself does not get the time either.
    monkeypatch.setattr("time.time", lambda: real() + next(jumps))
    runs: dict[str, int] = {}
    journal = {"journal": tmp_path / "journal"} if kept == "in a journal" else {}
    provider = make_provider(runs, log_level="CRITICAL", **journal)
    hub.fail_polls("UNAVAILABLE", times=2)
    hub.fail_submits("UNAVAILABLE", times=3)
    handles = [hub.submit(name) for name in ("quick", "limited", "too_slow") * 6]
    with running(provider, hub):
        hub.join(15)
        for handle in handles:
            handle.redeliver()
        hub.wait_until(lambda: all(len(task.results) == 2 for task in handles), 15)

    assert check_promise(hub, handles, runs) == {"success": 12, "error": 6}


@pytest.mark.parametrize(
    ("before", "after", "ends"),
    [(HOUR, 0, {"error": 1, "success": 1}), (0, HOUR, {"error": 2})],
    ids=["back", "ahead"],
)
def test_a_jump_between_two_lives_is_an_age_and_costs_no_answer(
    hub: LocalHub,
    start: Start,
    tmp_path: Path,
    before: float,
    after: float,
    ends: dict[str, int],
) -> None:
    journal: dict[str, Any] = {
        "journal": str(tmp_path / "journal"),
        "journal_max_age": HOUR / 2,
    }
    first = start(shift=before, **journal)
    handles = [hub.submit("hold_alone") for _ in range(2)]
    first.wait_for(lambda found: found["slots_taken"] == 2)
    first.wait_for_runs(1)
    # The second one waits for the first; only what is in the file outlives a kill.
    wait_until(lambda: len(list_rows(journal["journal"])) == 2, first.stderr)
    first.kill()
    second = start(shift=after, **journal)
    second.open_gate()
    hub.join(20)

    assert check_promise(hub, handles, second.runs()) == ends
    messages = [handle.result().message for handle in handles]
    assert "the provider died while it ran" in messages[0]
    waited = "'hold_alone' was not run: it waited in the journal for more than 1800 s"
    assert messages[1] in {waited, ""}


def test_the_hour_that_comes_twice_is_told_by_its_offset(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    night = dt.datetime(2026, 10, 25, tzinfo=dt.UTC)
    moments = [night + dt.timedelta(minutes=30), night + dt.timedelta(minutes=90)]

    class Night(SystemClock):
        @override
        def now(self, timezone: dt.tzinfo) -> dt.datetime:
            return moments[0].astimezone(timezone)

    monkeypatch.setattr("arbvantage_provider.provider.SystemClock", Night)
    provider = Provider("tested", timezone="Europe/Riga")

    @provider.actions.register()
    def tell(now, now_utc) -> list[str]:  # pyright: ignore[reportUnknownParameterType, reportMissingParameterType]
        return [now, now_utc]

    first = provider.process_task("tell", {})["data"]
    del moments[0]
    second = provider.process_task("tell", {})["data"]

    assert first == ["2026-10-25T03:30:00+03:00", "2026-10-25T00:30:00+00:00"]
    assert second == ["2026-10-25T03:30:00+02:00", "2026-10-25T01:30:00+00:00"]


def test_a_zone_that_is_none_is_refused_with_one_that_is_like_it() -> None:
    with pytest.raises(ConfigError, match="did you mean 'Europe/Riga'"):
        Provider("tested", timezone="Europe/Rige")
