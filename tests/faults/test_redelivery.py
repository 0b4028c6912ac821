"""Tasks that are delivered more than once, to a provider in its own process."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from promise import check_promise
from provider_process import ProviderProcess

from arbvantage_provider.testing import LocalHub

Start = Callable[..., ProviderProcess]


@pytest.fixture(params=["memory", "journal"])
def settings(request: Any, tmp_path: Path) -> dict[str, str]:
    """Of a provider without a journal, and of one with it."""
    has_journal = request.param == "journal"
    return {"journal": str(tmp_path / "journal")} if has_journal else {}


def test_a_task_that_is_delivered_twice_at_once_and_again_when_it_is_done_runs_once(
    hub: LocalHub, start: Start, settings: dict[str, str]
) -> None:
    hub.duplicates = True
    names = ["quick", "sync", "refuse", "too_slow"]
    handles = [hub.submit(names[number % 4]) for number in range(40)]
    provider = start(**settings)
    hub.join(20)
    for handle in handles:
        handle.redeliver()
    hub.wait_until(lambda: all(len(task.results) == 3 for task in handles), 20)
    figures = provider.settle()

    ended = check_promise(hub, handles, provider.runs())
    assert ended == {"success": 20, "error": 20}
    assert figures["tasks_redelivered"] == 80
    assert provider.stop() == 0


def test_a_lease_that_is_shorter_than_the_handlers_costs_no_second_run(
    hub: LocalHub, start: Start, settings: dict[str, str]
) -> None:
    hub.lease = 0.05
    provider = start(max_concurrency=8, **settings)
    held = [hub.submit(name) for name in ("hold", "hold_sync") * 2]
    provider.wait_for_runs(4)
    hub.wait_until(lambda: all(handle.handed_out >= 3 for handle in held), 20)
    provider.open_gate()
    hub.join(20)
    figures = provider.settle()

    assert check_promise(hub, held, provider.runs()) == {"success": 4}
    assert figures["tasks_redelivered"] >= 8


def test_what_another_process_did_is_not_done_again(
    hub: LocalHub, start: Start, tmp_path: Path
) -> None:
    journal = {"journal": str(tmp_path / "journal")}
    handles = [hub.submit(name) for name in ("quick", "sync", "refuse") * 3]
    first = start(**journal)
    hub.join(20)
    first.settle()
    first.kill()
    for handle in handles:
        handle.redeliver()
    second = start(**journal)
    hub.wait_until(lambda: all(len(task.results) == 2 for task in handles), 20)

    ended = check_promise(hub, handles, second.runs())
    assert ended == {"success": 6, "error": 3}
    assert second.settle()["tasks_redelivered"] == 9
