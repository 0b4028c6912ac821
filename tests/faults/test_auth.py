"""The token is refused, at the start and in mid-run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from promise import check_promise
from provider_process import TOKEN, ProviderProcess

from arbvantage_provider.testing import LocalHub

Start = Callable[..., ProviderProcess]
CODES = ["UNAUTHENTICATED", "PERMISSION_DENIED"]


@pytest.mark.parametrize("code", CODES)
def test_a_token_that_is_refused_at_the_start_ends_the_process(
    hub: LocalHub, start: Start, code: str
) -> None:
    hub.revoke_token(code)
    handle = hub.submit("quick")
    provider = start(max_concurrency=64)

    assert provider.wait() == 1
    assert "AuthenticationError: the hub at" in provider.stderr()
    assert hub.refused <= 5
    assert handle.handed_out == 0
    assert TOKEN not in provider.stderr() + str(provider.lines())


def test_a_token_that_is_refused_in_mid_run_names_the_tasks_that_are_lost(
    hub: LocalHub, start: Start
) -> None:
    provider = start(max_concurrency=64)
    done = hub.submit("quick")
    hub.join(20)
    held = [hub.submit(name) for name in ("hold", "hold_sync") * 20]
    provider.wait_for_runs(41)
    # One poll is out at a time by then; those under way are no calls of later.
    polls = hub.polls
    hub.wait_until(lambda: hub.polls > polls + 64, 20)
    hub.revoke_token()

    assert provider.wait() == 1
    assert "AuthenticationError: the hub at" in provider.stderr()
    assert hub.refused <= 5
    (line,) = provider.lines("tasks left unanswered")
    assert sorted(line["ids"]) == sorted(handle.id for handle in held)
    ended = check_promise(hub, [done, *held], provider.runs(), reported=line["ids"])
    assert ended == {"success": 1}
    assert TOKEN not in provider.stderr() + str(provider.lines())


def test_with_a_journal_the_tasks_are_kept_for_the_next_token(
    hub: LocalHub, start: Start, tmp_path: Path
) -> None:
    journal = {"journal": str(tmp_path / "journal")}
    provider = start(max_concurrency=8, **journal)
    handles = [hub.submit(name) for name in ("hold", "hold_sync", "hold_again") * 2]
    provider.wait_for_runs(6)
    hub.revoke_token()
    assert provider.wait() == 1
    (line,) = provider.lines("tasks kept in the journal")
    assert sorted(line["ids"]) == sorted(handle.id for handle in handles)

    hub.token = TOKEN
    second = start(max_concurrency=8, **journal)
    second.open_gate()
    hub.join(20)
    second.settle()

    again: dict[str, Any] = {"may_run_again": ["hold_again"]}
    ended = check_promise(hub, handles, second.runs(), **again)
    assert ended == {"error": 4, "success": 2}
    assert second.runs().total() == 8
