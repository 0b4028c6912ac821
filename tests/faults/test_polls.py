"""Polls that fail, or bring what cannot be taken."""

from collections.abc import Callable

from promise import check_promise
from provider_process import ProviderProcess

from arbvantage_provider.testing import LocalHub

Start = Callable[..., ProviderProcess]


def test_the_first_polls_may_fail(hub: LocalHub, start: Start) -> None:
    hub.fail_polls("UNAVAILABLE", times=3)
    handles = [hub.submit("quick") for _ in range(5)]
    provider = start()
    hub.join(20)

    assert check_promise(hub, handles, provider.runs()) == {"success": 5}
    assert len(provider.lines("the hub does not answer; trying on")) == 1
    assert provider.stop() == 0


def test_a_quota_of_the_hub_is_told_apart_from_a_task_that_is_too_large(
    hub: LocalHub, start: Start
) -> None:
    provider = start(max_receive_bytes=100_000)
    hub.fail_polls("RESOURCE_EXHAUSTED", details="quota of polls used up")
    first = hub.submit("quick")
    hub.join(20)
    large = hub.submit("quick", {"text": "x" * 200_000})
    provider.wait_for(lambda found: found["tasks_oversized"] >= 1)
    others = [hub.submit("quick") for _ in range(5)]
    for other in others:
        other.result(20)
    provider.settle()

    (quota,) = provider.lines("the hub does not answer; trying on")
    assert "quota of polls used up" in quota["reason"]
    line = provider.lines("a task is too large to take")[0]
    assert "100000" in line["reason"]
    ended = check_promise(hub, [first, *others], provider.runs())
    assert ended == {"success": 6}
    assert large.results == ()
