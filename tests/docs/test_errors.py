"""docs/errors.md shows the messages and the classes that there are."""

import asyncio
import builtins
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, field_validator

from arbvantage_provider import (
    ActionError,
    Provider,
    ProviderError,
    RateLimitedError,
    exceptions,
)
from arbvantage_provider.rate_limit import TimeBasedRateLimitMonitor
from arbvantage_provider.task import Task
from arbvantage_provider.testing import LocalHub, running
from arbvantage_provider.worker.delivery.journal import store
from arbvantage_provider.worker.delivery.journal.store import Store
from arbvantage_provider.worker.delivery.tracker import digest_task

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")

ReadTable = Callable[[str, str], list[list[str]]]


@pytest.fixture
def messages(read_table: ReadTable) -> list[str]:
    """The first text in backticks of each message in the table."""
    rows = read_table("errors.md", "## What a task ends with")
    return [re.findall(r"`([^`]+)`", row[2])[0] for row in rows]


def raise_(error: BaseException) -> Callable[[], Any]:
    def handler() -> None:
        raise error

    return handler


def order_of(handler: Callable[..., Any]) -> Provider:
    provider = Provider("shop", log_level="CRITICAL", execution_timeout=0.5)
    provider.actions.register("order")(handler)
    provider.actions.register("pay", account_schema={"key": str})(lambda: None)
    return provider


async def never() -> None:
    await asyncio.Event().wait()


def take(item: str, count: int) -> None:
    del item, count


def answers_in_process() -> Iterator[dict[str, Any]]:
    """The responses of the table's lines, down to the deadline's."""
    shop = order_of(take)
    yield shop.process_task("order", {"count": "two"})
    yield shop.process_task("pay", {}, {})
    yield shop.process_task("pay", {})
    yield shop.process_task("order", b'{"item":1,}')
    yield shop.process_task("ordr", {})
    sold_out = ActionError("sold out", {"left": 0})
    yield order_of(raise_(sold_out)).process_task("order", {})
    yield order_of(raise_(RateLimitedError(30))).process_task("order", {})
    worded = RateLimitedError(30, "quota used up")
    yield order_of(raise_(worded)).process_task("order", {})
    yield order_of(raise_(KeyError("tea"))).process_task("order", {})
    yield order_of(never).process_task("order", {})


def test_the_messages_are_those_that_a_hub_is_told(messages: list[str]) -> None:
    found = [answer["message"] for answer in answers_in_process()]
    assert messages[: len(found)] == found


def test_the_message_of_a_limit_is_as_shown(messages: list[str]) -> None:
    shop = Provider("shop", log_level="CRITICAL", execution_timeout=0.5)
    limit = TimeBasedRateLimitMonitor(min_delay=60)
    shop.actions.register("order", rate_limit_monitor=limit)(lambda: None)
    with LocalHub() as hub, running(shop, hub):
        hub.submit("order").result()
        message = hub.submit("order").result().message
    assert re.sub(r"[\d.]+ s", "2 s", message) == messages[10]


class Ordered(BaseModel):
    count: int

    @field_validator("count")
    @classmethod
    def refuse_none(cls, count: int) -> int:
        """Fail in a way that pydantic does not know."""
        if not count:
            raise KeyError(count)
        return count


def promise(result: object) -> Callable[[], Any]:
    def handler() -> Any:
        return result

    handler.__annotations__["return"] = Ordered
    return handler


def test_the_messages_of_bad_results_are_as_shown(messages: list[str]) -> None:
    bad: list[Callable[[], Any]] = [
        promise({}),
        lambda: {"price": float("nan")},
        lambda: {1: "a", "1": "b"},
        lambda: {"status": "sucess"},
        promise({"count": 0}),
    ]
    found = [order_of(handler).process_task("order", {}) for handler in bad]
    assert messages[11:16] == [answer["message"] for answer in found]
    assert list(found[0]["data"]) == ["errors"]


def test_the_message_of_a_result_that_is_too_large_is_as_shown(
    messages: list[str],
) -> None:
    shop = order_of(lambda: "x" * 90_000)
    with LocalHub(max_message_bytes=50_000) as hub, running(shop, hub):
        message = hub.submit("order").result().message
    assert re.sub(r"\(.*\)", "(…)", message) == messages[16]


def test_the_message_of_an_interruption_is_as_shown(messages: list[str]) -> None:
    shop = Provider("shop", log_level="CRITICAL", shutdown_timeout=0.5)
    shop.actions.register("order", timeout=60)(never)
    with LocalHub() as hub:
        with running(shop, hub):
            handle = hub.submit("order")
            hub.wait_until(lambda: handle.handed_out == 1)
            hub.wait_until(lambda: shop.snapshot().slots_taken == 1)
        assert handle.result().message == messages[17]


def test_the_message_of_a_task_that_the_process_died_in_is_as_shown(
    messages: list[str], tmp_path: Path
) -> None:
    task = Task("died", "order", b"{}")
    shop = Provider("shop", log_level="CRITICAL", journal=tmp_path / "journal")
    with LocalHub() as hub:
        file = Store(str(tmp_path / "journal"), provider="shop", hub=hub.url)
        came = store.arrive(1, digest_task(task), task, now=time.time())
        file.write([*came, *store.start(1, now=time.time())])
        file.close()
        with running(shop, hub):
            hub.wait_until(lambda: len(hub.submissions) == 1)
    assert hub.submissions[0].message == messages[18]


def test_the_table_has_no_other_lines(messages: list[str]) -> None:
    assert len(messages) == 19


def test_the_tree_is_that_of_the_exceptions() -> None:
    tree = PAGE[PAGE.index("```text\n") :].splitlines()[1:]
    names = [re.match(r"[│├└─\s]*(\w+)", line) for line in tree]
    shown = [name[1] for name in names[: tree.index("```")] if name]

    def walk(kind: type[BaseException]) -> Iterator[str]:
        yield kind.__name__
        for child in kind.__subclasses__():
            if child.__module__ == exceptions.__name__:
                yield from walk(child)

    assert shown == list(walk(ProviderError))


@pytest.mark.parametrize(
    ("name", "also"),
    re.findall(r"(\w+) +[^\n]*also (?:a|an|the builtin) (\w+)", PAGE),
)
def test_what_an_exception_also_is_is_as_shown(name: str, also: str) -> None:
    assert issubclass(getattr(exceptions, name), getattr(builtins, also))
