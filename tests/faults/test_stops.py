"""A provider that is stopped, while its hub has a task for each result."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from promise import check_promise
from provider_process import ProviderProcess

from arbvantage_provider.testing import LocalHub, TaskHandle

Start = Callable[..., ProviderProcess]
MANY = 4_000
"""More tasks than a provider runs while it stops."""


@pytest.fixture(params=[False, True], ids=["memory", "journal"])
def settings(request: Any, tmp_path: Path) -> dict[str, Any]:
    """Of a provider without a journal, and of one with it."""
    return {"journal": str(tmp_path / "journal")} if request.param else {}


def find_burnt(handles: list[TaskHandle]) -> list[TaskHandle]:
    """The tasks that were answered as interrupted."""
    return [h for h in handles if h.results and "interrupted" in h.results[0].result]


def list_reported(provider: ProviderProcess) -> list[str]:
    """The ids that the log names as left, or as kept."""
    events = ("tasks left unanswered", "tasks kept in the journal")
    return [
        id_ for event in events for line in provider.lines(event) for id_ in line["ids"]
    ]


@pytest.mark.parametrize(
    ("action", "way"),
    [
        ("quick", "SIGTERM"),
        ("sync", "SIGINT"),
        ("slow", "stop"),
        ("slow_sync", "SIGTERM"),
    ],
)
def test_a_stop_burns_no_task_and_leaves_no_more_than_there_are_slots(
    hub: LocalHub, start: Start, settings: dict[str, Any], action: str, way: str
) -> None:
    hub.next_on_submit = True
    payload = {"seconds": 0.05} if action.startswith("slow") else {}
    handles = [hub.submit(action, payload) for _ in range(MANY)]
    provider = start(max_concurrency=8, shutdown_timeout=300, **settings)
    provider.wait_for_runs(50)

    if way == "stop":
        provider.ask("stop")
    else:
        provider.send(signal.Signals[way])
    provider.wait()

    ended = check_promise(
        hub, handles, provider.runs(), reported=list_reported(provider)
    )
    assert set(ended) == {"success"}
    assert not find_burnt(handles)
    assert sum(h.handed_out for h in handles) - ended.total() <= 8


@pytest.mark.parametrize("way", ["kill -9", "second signal"])
def test_killed_while_it_stops_each_task_has_one_result_after_the_next_start(
    hub: LocalHub, start: Start, tmp_path: Path, way: str
) -> None:
    hub.next_on_submit = True
    names = ["hold", "hold_sync", "hold_again"]
    held = [hub.submit(name) for name in names]
    queued = [hub.submit("quick") for _ in range(400)]
    journal = {"journal": str(tmp_path / "journal")}
    provider = start(max_concurrency=6, shutdown_timeout=300, **journal)
    provider.wait_for_runs(100)
    provider.send(signal.SIGTERM)
    provider.wait_for_line("stopping")
    provider.wait_for(lambda found: found["slots_taken"] == 3)
    if way == "second signal":
        provider.send(signal.SIGTERM)
        assert provider.wait() == 128 + signal.SIGTERM
    else:
        provider.kill()
    assert not find_burnt(queued)

    second = start(**journal)
    second.open_gate()
    hub.join(30)

    ended = check_promise(
        hub, [*held, *queued], second.runs(), may_run_again=["hold_again"]
    )
    assert ended == {"error": 2, "success": 401}


def test_with_a_full_disk_as_well_no_task_is_burnt_and_each_has_one_result(
    hub: LocalHub, start: Start, tmp_path: Path
) -> None:
    hub.next_on_submit, hub.lease = True, 3
    handles = [hub.submit("hold"), *(hub.submit("quick") for _ in range(100))]
    journal = {"journal": str(tmp_path / "journal")}
    provider = start(max_concurrency=2, shutdown_timeout=1, **journal)
    provider.wait_for_runs(1)
    provider.ask("room 0")
    provider.wait_for(lambda found: not found["healthy"])
    provider.send(signal.SIGTERM)
    provider.wait()
    begun = provider.runs()

    start(**journal).open_gate()
    hub.join(30)

    check_promise(hub, handles, provider.runs())
    # One may have been at work when the disk was full, so that nobody knows of its end.
    burnt = {handle.id for handle in find_burnt(handles[1:])}
    assert burnt <= begun.keys()
    assert len(burnt) <= 1
