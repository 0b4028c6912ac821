"""Results that are refused, lost on the way, or not acknowledged."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cable import Cable
from promise import check_promise
from provider_process import ProviderProcess

from arbvantage_provider.testing import LocalHub

Start = Callable[..., ProviderProcess]


@pytest.mark.parametrize("seed", [5])
def test_results_that_are_refused_at_random_are_each_taken_once(
    hub: LocalHub, start: Start, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    codes = ["UNAVAILABLE", "INTERNAL", "ABORTED", "DEADLINE_EXCEEDED", "DATA_LOSS"]
    actions = ["quick", "sync", "fail", "refuse", "too_slow"]
    handles = [hub.submit(chance.choice(actions)) for _ in range(60)]
    for handle in chance.sample(handles, 20):
        hub.fail_submits(chance.choice(codes), chance.randint(1, 3), id=handle.id)
    provider = start(max_concurrency=32)
    hub.join(20)
    provider.settle()

    ended = check_promise(hub, handles, provider.runs(), seed=seed)
    good = sum(handle.action in {"quick", "sync"} for handle in handles)
    assert ended == {"success": good, "error": 60 - good}
    assert {len(handle.results) for handle in handles} == {1}
    assert provider.stop() == 0


LATER = {
    "ALREADY_EXISTS": ("the hub had the result already", 0),
    "NOT_FOUND": ("result refused for good", 4),
}


@pytest.mark.parametrize("then", LATER)
def test_a_lost_acknowledgement_brings_the_same_result_again_and_what_follows_is_final(
    hub: LocalHub, cable: Cable, start: Start, then: str
) -> None:
    provider = start(max_concurrency=4)
    handles = [hub.submit(name) for name in ("hold", "hold_sync") * 2]
    provider.wait_for_runs(4)
    cable.lose("to_provider")
    provider.open_gate()
    hub.wait_until(lambda: all(handle.results for handle in handles))
    if then == "NOT_FOUND":
        for handle in handles:
            hub.fail_submits(then, recorded=True, id=handle.id)
    cable.heal()
    hub.wait_until(lambda: all(len(handle.results) == 2 for handle in handles), 20)
    figures = provider.settle()

    assert check_promise(hub, handles, provider.runs()) == {"success": 4}
    event, refused = LATER[then]
    reasons = [line["reason"][: len(then)] for line in provider.lines(event)]
    assert (reasons, figures["tasks_refused"]) == ([then] * 4, refused)
    assert provider.stop() == 0
    assert {len(handle.results) for handle in handles} == {2}


def test_results_that_are_lost_on_the_way_to_the_hub_are_sent_again(
    hub: LocalHub, cable: Cable, start: Start
) -> None:
    provider = start(max_concurrency=4)
    handles = [hub.submit("hold") for _ in range(4)]
    provider.wait_for_runs(4)
    cable.lose("to_hub")
    provider.open_gate()
    provider.wait_for(lambda found: found["results_waiting"] == 4)
    assert not hub.submissions
    cable.heal()
    hub.join(20)
    provider.settle()

    assert check_promise(hub, handles, provider.runs()) == {"success": 4}
    assert {len(handle.results) for handle in handles} == {1}


def test_while_results_wait_no_more_tasks_are_taken_than_there_are_slots(
    hub: LocalHub, cable: Cable, start: Start
) -> None:
    handles = [hub.submit("hold") for _ in range(40)]
    provider = start(max_concurrency=4)
    provider.wait_for_runs(4)
    cable.stall()
    provider.open_gate()
    found = provider.wait_for(lambda found: found["results_waiting"] == 4)
    assert found["tasks_taken"] == found["slots_taken"] == 4
    cable.heal()
    hub.join(20)
    provider.settle()

    assert check_promise(hub, handles, provider.runs()) == {"success": 40}


def test_a_result_over_the_limit_is_an_error_and_the_others_go_on(
    hub: LocalHub, start: Start
) -> None:
    provider = start(max_concurrency=2)
    handles = [
        hub.submit("grow", {"size": size}) for size in (10, 5_000_000, 20, 6_000_000)
    ]
    hub.join(20)
    provider.settle()

    assert check_promise(hub, handles, provider.runs()) == {"success": 2, "error": 2}
    message = handles[1].result().message
    assert message.startswith("the result of 'grow' is too large to send: 50000")
    assert "5000" in message
    assert "4194304" in message
    assert len(provider.lines("result too large")) == 2


@pytest.mark.parametrize("journal", [True, False])
def test_a_result_over_the_limit_needs_no_room_in_the_journal(
    hub: LocalHub, start: Start, tmp_path: Path, *, journal: bool
) -> None:
    settings: dict[str, Any] = {"journal": str(tmp_path / "journal")} if journal else {}
    provider = start(
        **settings, max_concurrency=4, max_send_bytes=1_000_000, room=3_000_000
    )
    huge = {"size": 8_000_000}
    large = {"size": 10, "text": "x" * 1_100_000}
    handles = [hub.submit("grow", huge) for _ in range(20)]
    handles += [hub.submit("grow", large), hub.submit("grow", {"size": 20})]
    hub.join(20)
    provider.settle()

    ended = check_promise(hub, handles, provider.runs())
    assert ended == {"success": 1, "error": 21}
    for handle in handles[:-1]:
        assert "of max_send_bytes)" in handle.result().message
    assert not provider.lines("the journal fails; no task is taken")
    assert provider.stop() == 0
