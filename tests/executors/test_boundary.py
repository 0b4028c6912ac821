"""What a process sends back, or is sent, holds up and ends nothing but its own task."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sent

from arbvantage_provider import ProcessPool, Provider, Retry
from arbvantage_provider.testing import LocalHub, running

pytestmark = pytest.mark.skipif(os.name != "posix", reason="descriptors of POSIX")


@pytest.fixture(scope="module")
def hub() -> Iterator[LocalHub]:
    with LocalHub(max_message_bytes=128 * 1024 * 1024) as hub:
        yield hub


@pytest.fixture(scope="module")
def provider(hub: LocalHub) -> Iterator[Provider]:
    provider = Provider(
        "tested", executor=ProcessPool, max_concurrency=2, execution_timeout=60
    )
    register = provider.actions.register
    for handler in (sent.return_slow, sent.return_leaving, sent.fail_leaving):
        register()(handler)
    for handler in (sent.promise, sent.write_garbage, sent.give_many, sent.add):
        register()(handler)
    register(timeout=0.5)(sent.fail_slowly)
    register("fail_again", timeout=0.5, retry=Retry(on=OSError))(sent.fail_slowly)
    register(timeout=0.5)(sent.take_slow)

    @register(executor=None)
    async def greet(name: str) -> str:
        return f"hello {name}"

    with running(provider, hub):
        yield provider


@pytest.fixture
def ask(provider: Provider, hub: LocalHub) -> Iterator[Callable[..., Any]]:
    """Runs a task beside which another one has its result at once."""

    def run(action: str, payload: Any = None) -> Any:
        handle = hub.submit(action, payload)
        assert hub.submit("greet", {"name": "Ann"}).result(20).data == "hello Ann"
        return handle.result(30)

    yield run
    assert hub.submit("add", {"a": 1, "b": 2}).result(30).data == 3
    assert provider.snapshot().state == "running"


@pytest.mark.parametrize("action", ["return_slow", "return_leaving"])
def test_a_result_is_not_unpickled_in_the_provider(
    ask: Callable[..., Any], action: str
) -> None:
    assert ask(action).data == {"a": 1}


@pytest.mark.parametrize("action", ["fail_slowly", "fail_again"])
def test_an_exception_that_is_slow_to_read_has_until_the_deadline(
    ask: Callable[..., Any], action: str
) -> None:
    assert ask(action).message == (
        f"ActionTimeoutError: {action!r} was not done within 0.5 s"
    )


def test_an_exception_that_ends_who_reads_it_ends_its_own_process(
    ask: Callable[..., Any],
) -> None:
    message = "the process of 'fail_leaving' died (exit code 6)"
    assert ask("fail_leaving").message == message


def test_a_payload_that_is_slow_to_pickle_has_until_the_deadline(
    ask: Callable[..., Any],
) -> None:
    assert ask("take_slow", {"x": 1}).message == (
        "ActionTimeoutError: 'take_slow' was not done within 0.5 s"
    )


@pytest.mark.parametrize("kind", ["garbage", "negative length", "endless", "half"])
def test_a_process_that_sends_garbage_costs_its_own_task_one_error(
    ask: Callable[..., Any], kind: str
) -> None:
    assert ask("write_garbage", {"kind": kind}).status == "error"


def test_a_return_annotation_is_checked_in_the_process(
    ask: Callable[..., Any],
) -> None:
    assert ask("promise", {"x": 1}).data == {"x": 1, "y": 0}
    misfit = ask("promise", {"x": 0})
    assert misfit.message.startswith("the result of 'promise' does not fit: data.x")
    assert misfit.data["errors"][0]["path"] == "data.x"


def test_a_result_of_50_mb_comes_back_whole(ask: Callable[..., Any]) -> None:
    assert len(ask("give_many", {"megabytes": 50}).data) == 50_000_000
