"""Forks and new processes under a provider that runs."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from promise import check_promise
from provider_process import ProviderProcess

from arbvantage_provider.testing import LocalHub

Start = Callable[..., ProviderProcess]
FORKING = {"GRPC_ENABLE_FORK_SUPPORT": "0"}
"""gRPC's own handlers of forks let the child crash, or the parent wait, by chance."""

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_handlers_may_start_processes_while_others_run(
    hub: LocalHub, start: Start, tmp_path: Path, method: str
) -> None:
    provider = start(
        environment=FORKING,
        journal=str(tmp_path / "journal"),
        max_concurrency=8,
    )
    held = [hub.submit(name) for name in ("hold", "hold_sync")]
    provider.wait_for_runs(2)
    forks = [hub.submit("start_process", {"method": method}) for _ in range(2)]
    assert [handle.result(20).data for handle in forks] == [49] * 2
    later = [hub.submit(name) for name in ("quick", "sync") * 20]
    provider.open_gate()
    hub.join(20)
    provider.settle()

    handles = [*held, *forks, *later]
    assert check_promise(hub, handles, provider.runs()) == {"success": 44}
    assert provider.stop() == 0


def test_a_fork_does_not_run_the_provider_of_its_parent(
    hub: LocalHub, start: Start
) -> None:
    provider = start(environment=FORKING)
    handle = hub.submit("start_in_fork")
    result = handle.result(20)
    next_one = hub.submit("quick")
    hub.join(20)

    assert "is running already" in result.data
    ended = check_promise(hub, [handle, next_one], provider.runs())
    assert ended == {"success": 2}
    assert provider.stop() == 0


def test_a_process_of_a_handler_does_not_keep_the_journal_from_the_next_life(
    hub: LocalHub, start: Start, tmp_path: Path
) -> None:
    journal = {"journal": str(tmp_path / "journal")}
    first = start(environment=FORKING, **journal)
    left = hub.submit("leave_process")
    left.result(20)
    first.kill()
    second = start(**journal)
    handle = hub.submit("quick")
    hub.join(20)

    assert check_promise(hub, [left, handle], second.runs()) == {"success": 2}
