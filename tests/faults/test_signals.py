"""SIGTERM while polls are held, and while handlers run."""

import random
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from promise import check_promise
from provider_process import PATIENCE, ProviderProcess

from arbvantage_provider import Provider
from arbvantage_provider.testing import LocalHub, running

Start = Callable[..., ProviderProcess]


def test_a_held_poll_does_not_hold_up_the_end_of_the_process(
    hub: LocalHub, start: Start
) -> None:
    hub.idle, hub.long_poll = "long_poll", 300
    provider = start(shutdown_timeout=300)
    hub.wait_until(lambda: hub.held == 1, PATIENCE)

    assert provider.stop() == 0
    assert [line["event"] for line in provider.lines()] == [
        "starting",
        "stopping",
        "stopped",
    ]


@pytest.mark.parametrize("seed", range(8))
def test_a_task_that_comes_while_the_provider_stops_is_answered_or_stays_at_the_hub(
    hub: LocalHub, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    hub.idle = "long_poll"
    provider = Provider("tested", log_level="CRITICAL", shutdown_timeout=10)
    runs: dict[str, int] = {}

    @provider.actions.register()
    async def quick(context: Any) -> None:
        runs[context.id] = runs.get(context.id, 0) + 1

    with running(provider, hub):
        hub.wait_until(lambda: hub.held == 1)
        provider.stop()
        # Polls that are out have half a second to come back.
        threading.Event().wait(chance.uniform(0, 0.3))
        handles = [hub.submit("quick") for _ in range(3)]

    ended = check_promise(hub, handles, runs, seed=seed)
    assert ended.total() == sum(handle.handed_out for handle in handles) >= 1
    assert set(ended) == {"success"}


def test_at_the_end_of_the_grace_what_runs_is_interrupted_and_answered(
    hub: LocalHub, start: Start
) -> None:
    provider = start(max_concurrency=16, shutdown_timeout=2)
    short = [hub.submit(name, {"seconds": 0.2}) for name in ("slow", "slow_sync") * 2]
    long = [hub.submit(name) for name in ("hold", "hold_sync") * 4]
    provider.wait_for_runs(12)

    assert provider.stop() == 0
    handles = [*short, *long]
    ended = check_promise(hub, handles, provider.runs())
    assert ended == {"success": 4, "error": 8}
    messages = {handle.result().message for handle in long}
    assert messages == {
        "'hold' was interrupted: the provider stopped",
        "'hold_sync' was interrupted: the provider stopped",
    }
    assert len(provider.lines("task interrupted")) == 8


def test_a_second_signal_ends_at_once_and_the_journal_knows_what_ran(
    hub: LocalHub, start: Start, tmp_path: Path
) -> None:
    journal = {"journal": str(tmp_path / "journal")}
    provider = start(shutdown_timeout=300, **journal)
    handles = [hub.submit("hold"), hub.submit("hold_sync"), hub.submit("hold_again")]
    provider.wait_for_runs(3)
    provider.send(signal.SIGTERM)
    provider.wait_for_line("stopping")
    provider.send(signal.SIGTERM)
    assert provider.wait() == 128 + signal.SIGTERM
    assert not hub.submissions

    second = start(**journal)
    second.open_gate()
    hub.join(20)

    ended = check_promise(hub, handles, second.runs(), may_run_again=["hold_again"])
    assert ended == {"error": 2, "success": 1}
