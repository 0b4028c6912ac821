"""How to see that a provider is as it was before."""

from collections.abc import Callable
from typing import Any

import misbehaving
from patience import wait_for

from arbvantage_provider import Provider
from arbvantage_provider.testing import LocalHub


def register(provider: Provider, *handlers: Callable[..., Any], **options: Any) -> None:
    for handler in (misbehaving.greet, *handlers):
        provider.actions.register(**options)(handler)


def check(provider: Provider, hub: LocalHub) -> None:
    """The next task is answered right, every slot is free, the figures add up."""
    for name in ("Ann", "Bob", "Eve"):
        greeting = hub.submit("greet", {"name": name}).result(20)
        assert greeting.response == {
            "status": "success",
            "message": "",
            "data": f"hello {name}",
        }
    wait_for(lambda: provider.snapshot().slots_taken == 0)
    seen = provider.snapshot()
    assert seen.healthy
    assert (seen.state, seen.slots_stuck, seen.results_waiting) == ("running", 0, 0)
    assert seen.tasks_taken == seen.tasks_answered == sum(seen.tasks_by_status.values())
    assert len(hub.submissions) == seen.tasks_taken
