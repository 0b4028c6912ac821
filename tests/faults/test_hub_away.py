"""The hub dies, or cannot be reached, or does not answer."""

from collections.abc import Callable

import pytest
from cable import Cable
from promise import check_promise
from provider_process import ProviderProcess

from arbvantage_provider.testing import LocalHub

Start = Callable[..., ProviderProcess]
Fault = tuple[Callable[[LocalHub, Cable], None], Callable[[LocalHub, Cable], None]]

AWAY: dict[str, Fault] = {
    "the hub dies": (lambda hub, _: hub.stop(), lambda hub, _: hub.start()),
    "connections are refused": (lambda _, c: c.unplug(), lambda _, c: c.heal()),
    "nothing comes through": (lambda _, c: c.stall(), lambda _, c: c.heal()),
}


@pytest.mark.parametrize("case", AWAY)
def test_results_are_delivered_once_when_the_hub_is_back(
    hub: LocalHub, cable: Cable, start: Start, case: str
) -> None:
    leave, come_back = AWAY[case]
    provider = start(max_concurrency=8)
    handles = [hub.submit(name) for name in ("hold", "hold_sync") * 4]
    provider.wait_for_runs(8)
    leave(hub, cable)
    provider.open_gate()
    provider.wait_for(lambda found: found["results_waiting"] == 8)
    come_back(hub, cable)
    hub.join(20)
    provider.settle()

    assert check_promise(hub, handles, provider.runs()) == {"success": 8}
    assert {len(handle.results) for handle in handles} == {1}
    assert provider.stop() == 0


def test_a_connection_that_is_reset_again_and_again_costs_no_result(
    hub: LocalHub, cable: Cable, start: Start
) -> None:
    hub.idle = "long_poll"
    provider = start(max_concurrency=2)
    handles = [hub.submit("hold") for _ in range(2)]
    provider.wait_for_runs(2)
    # All slots are taken: no poll is out, whose answer could be lost.
    for _ in range(5):
        cable.cut()
    provider.open_gate()
    hub.join(20)

    assert check_promise(hub, handles, provider.runs()) == {"success": 2}


def test_the_first_poll_may_meet_a_reset(
    hub: LocalHub, cable: Cable, start: Start
) -> None:
    hub.idle = "long_poll"
    provider = start()
    hub.wait_until(lambda: hub.held == 1, 20)
    cable.cut()
    handle = hub.submit("quick")
    hub.join(20)

    assert check_promise(hub, [handle], provider.runs()) == {"success": 1}
    assert provider.lines("the hub answers again")


def test_what_accepts_and_never_answers_is_no_hub(cable: Cable, start: Start) -> None:
    cable.stall()
    provider = start(connect_timeout=0.5)

    assert provider.wait() == 1
    assert "no connection to the hub at" in provider.stderr()
    assert "within 0.5 s: check the argument hub_url" in provider.stderr()


def test_a_hub_that_stops_answering_does_not_hold_up_the_end(
    hub: LocalHub, cable: Cable, start: Start
) -> None:
    provider = start(shutdown_timeout=1)
    done, held = hub.submit("quick"), hub.submit("hold")
    provider.wait_for_runs(2)
    provider.wait_for(lambda found: found["tasks_answered"] == 1)
    cable.stall()
    provider.open_gate()
    provider.wait_for(lambda found: found["results_waiting"] == 1)

    assert provider.stop() == 1
    (line,) = provider.lines("tasks left unanswered")
    assert line["ids"] == [held.id]
    assert f"HubError: 1 left unanswered: {held.id}" in provider.stderr()
    ended = check_promise(hub, [done, held], provider.runs(), reported=line["ids"])
    assert ended == {"success": 1}


def test_a_half_open_connection_is_noticed_and_the_result_goes_over_another(
    hub: LocalHub, cable: Cable, start: Start
) -> None:
    hub.idle = "long_poll"
    provider = start(keepalive=1)
    held = hub.submit("hold")
    provider.wait_for_runs(1)
    hub.wait_until(lambda: hub.held >= 1)
    cable.half_open()
    provider.open_gate()
    late = hub.submit("quick")
    hub.join(20)
    provider.settle()

    assert check_promise(hub, [held, late], provider.runs()) == {"success": 2}
    assert len(held.results) == 1
