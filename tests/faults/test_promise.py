"""What checks the promise sees each way of breaking it."""

from collections.abc import Iterator

import pytest
from promise import check_promise

from arbvantage_provider import Provider
from arbvantage_provider.testing import LocalHub, TaskHandle, running


@pytest.fixture
def provider() -> Provider:
    provider = Provider("tested", log_level="CRITICAL")
    provider.actions.register("echo")(lambda text="": text)
    return provider


@pytest.fixture
def done(hub: LocalHub, provider: Provider) -> Iterator[TaskHandle]:
    """A task that has its result; whose id may be handed out again."""
    with running(provider, hub):
        handle = hub.submit("echo", {"text": "a"})
        handle.result()
        yield handle


def test_a_task_with_one_result_and_one_run_keeps_it(
    hub: LocalHub, done: TaskHandle
) -> None:
    assert check_promise(hub, [done], {done.id: 1}) == {"success": 1}


def test_a_second_run_breaks_it_unless_it_was_declared_safe(
    hub: LocalHub, done: TaskHandle
) -> None:
    with pytest.raises(AssertionError, match="its handler was called 2 times"):
        check_promise(hub, [done], {done.id: 2})
    check_promise(hub, [done], {done.id: 2}, may_run_again=["echo"])


def test_a_second_result_that_differs_breaks_it(
    hub: LocalHub, done: TaskHandle
) -> None:
    done.redeliver(payload={"text": "b"})
    hub.wait_until(lambda: len(done.results) == 2)

    with pytest.raises(AssertionError, match="two results: success"):
        check_promise(hub, [done], {done.id: 1}, seed=7)


def test_a_task_without_a_result_breaks_it_unless_the_log_names_it(
    hub: LocalHub, provider: Provider
) -> None:
    handle = hub.submit("echo")
    check_promise(hub, [handle], {})
    hub.fail_submits("NOT_FOUND")
    with running(provider, hub):
        hub.wait_until(lambda: provider.snapshot().tasks_refused == 1)

    with pytest.raises(AssertionError, match="no result, and its handler was called 1"):
        check_promise(hub, [handle], {handle.id: 1})
    check_promise(hub, [handle], {handle.id: 1}, reported=[handle.id])


def test_what_is_no_task_breaks_it(hub: LocalHub, done: TaskHandle) -> None:
    with pytest.raises(AssertionError, match=f"'{done.id}'.* is of no task"):
        check_promise(hub, [], {})
    check_promise(hub, [], {}, earlier=[done])
    with pytest.raises(AssertionError, match="was called for 'stranger'"):
        check_promise(hub, [done], {"stranger": 1})
