"""The tables of docs/running.md are what a provider counts and logs."""

import asyncio
import dataclasses
import gc
import json
import re
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from arbvantage_provider import ActionError, Outcome, Provider, Retry, TaskInfo
from arbvantage_provider.rate_limit import TimeBasedRateLimitMonitor
from arbvantage_provider.testing import LocalHub, running
from arbvantage_provider.worker.delivery import submitter

ReadTable = Callable[[str, str], list[list[str]]]


class Shop(Provider):
    """A shop whose hook gives no response."""

    @override
    def handle_task_exception(
        self, e: BaseException, action: str, payload: Any, account: Any
    ) -> None:
        return None


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """It logs to a file of its own."""
    log = str(tmp_path / "log")
    shop = Shop("shop", log_file=log, execution_timeout=10, shutdown_timeout=0.5)
    limit = TimeBasedRateLimitMonitor(min_delay=60)
    register = shop.actions.register

    @register()
    def order(**kwargs: Any) -> Any:
        wanted = kwargs["payload"].get("item")
        if wanted == "milk":
            raise ActionError("sold out")
        return {"tea": "x" * 90_000, "nan": float("nan")}[wanted]

    @register(rate_limit_monitor=limit, timeout=0.5)
    def pay() -> None:
        """Pay."""

    @register(retry=Retry(first=0.001))
    def flaky() -> None:
        raise OSError

    @register(timeout=0.1)
    @register("forever", timeout=60)
    async def wait() -> None:
        await asyncio.Event().wait()

    return shop


def break_down(task: TaskInfo) -> Generator[None, Outcome, None]:
    yield
    raise ValueError(task.action)


def read_log(file: Path) -> set[tuple[str, str]]:
    """The lines about tasks, each with its level."""
    lines = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    return {
        (re.sub(r"(?<=^the result of 'order' ).*", "…", line["event"]), line["level"])
        for line in lines
        if "action" in line
    }


def test_the_lines_about_tasks_are_those_that_are_logged(
    shop: Shop, tmp_path: Path, read_table: ReadTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submitter, "FIRST_DEFERRED_WAIT", 0.01)
    for item in ("milk", "salt", "nan"):
        shop.process_task("order", {"item": item})
    shop.process_task("wait", {})
    shop.process_task("no_such", {})
    shop.process_task("flaky", {})
    with LocalHub(max_message_bytes=50_000) as hub:
        with running(shop, hub):
            hub.submit("pay").result()
            hub.submit("pay").result()
            hub.submit("order", {"item": "tea"}).result()
            hub.fail_submits("UNAVAILABLE", recorded=True)
            hub.submit("pay").result()
            hub.fail_submits("INTERNAL", times=submitter.PATIENCE, id="parked")
            hub.submit("pay", id="parked").result()
            hub.fail_submits("INVALID_ARGUMENT")
            hub.submit("pay")
            hub.wait_until(lambda: shop.snapshot().tasks_refused == 1)
            waiting = hub.submit("forever")
            hub.wait_until(lambda: waiting.handed_out == 1)
            hub.wait_until(lambda: shop.snapshot().slots_taken == 1)
        waiting.result()
    shop.middleware(break_down)
    shop.process_task("flaky", {})

    rows = read_table("running.md", "## Logging")
    shown = {(row[0].strip("`"), row[1].strip("`")) for row in rows}
    assert read_log(tmp_path / "log") == shown


def test_the_lines_about_the_event_loop_are_those_that_are_logged(
    tmp_path: Path, read_table: ReadTable
) -> None:
    log = tmp_path / "log"
    provider = Provider("shop", log_file=str(log), execution_timeout=10)

    async def leave() -> None:
        raise SystemExit

    async def fail() -> None:
        raise ValueError

    @provider.actions.register()
    async def misbehave() -> None:
        loop = asyncio.get_running_loop()
        started = [loop.create_task(leave()), loop.create_task(fail())]
        started.append(loop.create_task(wait_for_nothing()))
        await asyncio.sleep(0)
        loop.stop()
        await asyncio.sleep(0)
        started.clear()
        gc.collect()

    async def wait_for_nothing() -> None:
        await asyncio.get_running_loop().create_future()

    with LocalHub() as hub, running(provider, hub):
        hub.submit("misbehave").result()

    rows = read_table("running.md", "### The event loop")
    lines = map(json.loads, log.read_text(encoding="utf-8").splitlines())
    logged = {line["event"] for line in lines if line["level"] != "info"}
    assert logged == {row[0].strip("`") for row in rows}


def test_the_figures_are_those_of_a_snapshot(shop: Shop, read_table: ReadTable) -> None:
    rows = read_table("running.md", "## Looking inside")
    shown = [name for row in rows for name in re.findall(r"`(\w+)`", row[0])]
    assert shown == [field.name for field in dataclasses.fields(shop.snapshot())]
