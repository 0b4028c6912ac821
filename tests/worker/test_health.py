"""What a provider says of itself when its handlers misbehave."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

from arbvantage_provider import Provider
from arbvantage_provider.testing import LocalHub, running


def wait_until(condition: Callable[[], bool]) -> None:
    """The hub hears nothing of these, so it cannot wait for them."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        threading.Event().wait(0.01)


def test_a_provider_whose_slots_are_all_stuck_says_so(tmp_path: Path) -> None:
    log, release = tmp_path / "log", threading.Event()
    provider = Provider(
        "shop", max_concurrency=2, execution_timeout=0.1, log_file=str(log)
    )
    provider.actions.register("hang")(lambda: release.wait(30))
    with LocalHub() as hub, running(provider, hub):
        for handle in [hub.submit("hang") for _ in range(2)]:
            handle.result(20)
        wait_until(lambda: provider.snapshot().slots_stuck == 2)
        assert not provider.snapshot().healthy
        release.set()
        wait_until(lambda: provider.snapshot().healthy)
    events = [json.loads(line)["event"] for line in log.read_text().splitlines()]
    assert events.count("all slots are stuck; no task is taken") == 1


def test_a_handler_that_blocks_the_loop_is_named(tmp_path: Path) -> None:
    log = tmp_path / "log"
    provider = Provider("shop", execution_timeout=60, log_file=str(log))
    unhealthy: list[bool] = []

    @provider.actions.register()
    async def block() -> None:
        end = time.monotonic() + 30
        while "is blocked" not in log.read_text() and time.monotonic() < end:
            threading.Event().wait(0.05)
        unhealthy.append(not provider.snapshot().healthy)

    with LocalHub() as hub, running(provider, hub):
        task = hub.submit("block")
        task.result(60)
        hub.wait_until(lambda: "runs again" in log.read_text())
        assert provider.snapshot().healthy
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    (line,) = [line for line in lines if line["event"] == "the event loop is blocked"]
    assert (line["action"], line["task"]) == ("block", task.id)
    assert line["level"] == "error"
    assert " in " in line["at"]
    assert unhealthy == [True]
