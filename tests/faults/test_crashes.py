"""``kill -9`` of a provider with a journal, and what its next start does."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cable import Cable
from promise import check_promise
from provider_process import ProviderProcess

from arbvantage_provider.testing import LocalHub

Start = Callable[..., ProviderProcess]
DIED = "was interrupted: the provider died while it ran"


@pytest.fixture
def journal(tmp_path: Path) -> dict[str, str]:
    return {"journal": str(tmp_path / "journal")}


def test_killed_before_the_submit_the_result_is_submitted_without_a_second_run(
    hub: LocalHub, cable: Cable, start: Start, journal: dict[str, str]
) -> None:
    first = start(**journal)
    handles = [hub.submit(name) for name in ("hold", "hold_sync", "hold_again")]
    first.wait_for_runs(3)
    cable.lose("to_hub")
    first.open_gate()
    first.wait_for(lambda found: found["results_waiting"] == 3)
    first.kill()
    assert not hub.submissions
    cable.heal()
    second = start(**journal)
    hub.join(20)
    second.settle()

    assert check_promise(hub, handles, second.runs()) == {"success": 3}
    assert {len(handle.results) for handle in handles} == {1}


def test_killed_before_the_acknowledgement_the_same_result_is_submitted_again(
    hub: LocalHub, cable: Cable, start: Start, journal: dict[str, str]
) -> None:
    first = start(**journal)
    handles = [hub.submit(name) for name in ("hold", "hold_sync", "hold_again")]
    first.wait_for_runs(3)
    cable.lose("to_provider")
    first.open_gate()
    hub.wait_until(lambda: all(handle.results for handle in handles))
    first.kill()
    cable.heal()
    second = start(**journal)
    hub.wait_until(lambda: all(len(task.results) == 2 for task in handles), 20)
    figures = second.settle()

    assert check_promise(hub, handles, second.runs()) == {"success": 3}
    assert figures["tasks_refused"] == 0
    assert len(second.lines("the hub had the result already")) == 3


def test_killed_in_the_handler_the_task_is_answered_or_run_again_where_that_is_safe(
    hub: LocalHub, start: Start, journal: dict[str, str]
) -> None:
    first = start(**journal)
    held = [hub.submit("hold"), hub.submit("hold_sync")]
    safe = hub.submit("hold_again")
    first.wait_for_runs(3)
    first.kill()
    second = start(**journal)
    second.open_gate()
    hub.join(20)
    second.settle()

    ended = check_promise(
        hub, [*held, safe], second.runs(), may_run_again=["hold_again"]
    )
    assert ended == {"error": 2, "success": 1}
    assert second.runs() == {held[0].id: 1, held[1].id: 1, safe.id: 2}
    for handle in held:
        assert handle.result().message.startswith(f"{handle.action!r} {DIED}")
    (line,) = second.lines("tasks found in the journal")
    assert line["tasks"] == 3


def test_with_a_lease_as_well_no_task_is_run_twice_after_a_crash(
    hub: LocalHub, start: Start, journal: dict[str, str]
) -> None:
    hub.lease = 0.1
    first = start(**journal)
    handles = [hub.submit("hold_sync") for _ in range(4)]
    first.wait_for_runs(4)
    first.kill()
    second = start(**journal)
    second.open_gate()
    hub.join(20)
    second.settle()

    assert check_promise(hub, handles, second.runs()) == {"error": 4}


def test_a_task_that_kills_its_process_is_not_run_for_ever(
    hub: LocalHub, start: Start, journal: dict[str, str]
) -> None:
    handle = hub.submit("hold_again")
    for life in range(1, 4):
        provider = start(**journal)
        provider.wait_for_runs(life)
        provider.kill()
    last = start(**journal)
    hub.join(20)

    check_promise(hub, [handle], last.runs(), may_run_again=["hold_again"])
    assert last.runs() == {handle.id: 3}
    assert f"{DIED}, 3 times" in handle.result().message
