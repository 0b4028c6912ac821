"""Executors of others: the standard library's and loky's."""

import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import (
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from typing import Any, cast

import loky  # pyright: ignore[reportMissingTypeStubs]
import pytest
import sent
from typing_extensions import override

from arbvantage_provider import Provider
from arbvantage_provider.testing import LocalHub, running

Make = Callable[..., Provider]


def make_standard() -> Executor:
    return ProcessPoolExecutor(2, multiprocessing.get_context("spawn"))


def make_loky() -> Executor:
    return cast("Executor", loky.ProcessPoolExecutor(2))


def make_reusable() -> Executor:
    make: Any = loky
    return cast("Executor", make.get_reusable_executor(2))


each_factory = pytest.mark.parametrize(
    "factory", [make_standard, make_loky, make_reusable]
)


@each_factory
def test_handlers_return_and_raise(
    hub: LocalHub, make_provider: Make, factory: Callable[[], Executor]
) -> None:
    with running(make_provider(factory), hub):
        added = hub.submit("add", {"a": 1, "b": 2}).result(60)
        failed = hub.submit("fail", {"text": "no such city"}).result(60)
        limited = hub.submit("limit").result(60)
        locked = hub.submit("return_lock").result(60)
        sums = [hub.submit("add", {"a": n, "b": 1}) for n in range(50)]
        assert [handle.result(60).data for handle in sums] == list(range(1, 51))

    assert added.data == 3
    assert failed.message == "ValueError: no such city"
    assert (limited.status, limited.data) == ("limit", {"wait_time": 30.0})
    assert "the result of 'return_lock' cannot be sent" in locked.message


@each_factory
def test_one_that_breaks_is_made_anew(
    hub: LocalHub,
    make_provider: Make,
    held: Any,
    eventually: Any,
    factory: Callable[[], Executor],
) -> None:
    one, other = held("one"), held("other")
    made: list[Executor] = []

    def make() -> Executor:
        made.append(factory())
        return made[-1]

    with running(make_provider(make, max_concurrency=3), hub):
        handles = [
            hub.submit("hold", one.payload),
            hub.submit("die_held", other.payload),
        ]
        one.wait_for()
        other.wait_for()
        # The standard one may not notice a death before the next call comes.
        handles.append(hub.submit("add", {"a": 1, "b": 1}))
        eventually(lambda: len(vars(made[0])["_pending_work_items"]) == 3)
        other.end()
        messages = [handle.result(60).message for handle in handles]
        after = [hub.submit("add", {"a": n, "b": 1}).result(60).data for n in (1, 2)]
        deliveries = [handle.handed_out for handle in handles]

    for name, message in zip(("hold", "die_held", "add"), messages, strict=True):
        assert message.startswith(f"the executor of {name!r} broke: ")
    assert after == [2, 3]
    assert deliveries == [1, 1, 1]
    assert len(made) == 2


def test_an_instance_that_breaks_stays_broken(
    hub: LocalHub, make_provider: Make
) -> None:
    executor = make_standard()
    with running(make_provider(executor), hub):
        hub.submit("die").result(60)
        message = hub.submit("add", {"a": 1, "b": 2}).result(60).message

    assert message.startswith("the executor of 'add' broke: ")
    executor.shutdown()


def test_past_a_deadline_the_slot_is_kept_until_the_handler_is_done(
    hub: LocalHub, make_provider: Make, held: Any, eventually: Any
) -> None:
    late = held("late")
    provider = make_provider(make_standard)
    provider.actions.register("hold_briefly", timeout=3)(sent.hold)
    with running(provider, hub):
        hub.submit("add", {"a": 1, "b": 2}).result(60)
        result = hub.submit("hold_briefly", late.payload).result(60)
        late.wait_for()
        eventually(lambda: provider.snapshot().slots_stuck == 1)
        late.end()
        eventually(lambda: provider.snapshot().slots_stuck == 0)

    assert result.message == (
        "ActionTimeoutError: 'hold_briefly' was not done within 3 s"
    )


class Queue(Executor):
    """Begins nothing."""

    def __init__(self) -> None:
        self.futures: list[Future[Any]] = []
        self.shutdowns: list[bool] = []

    @override
    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.futures.append(Future())
        return self.futures[-1]

    @override
    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.shutdowns.append(wait)


def test_what_has_not_begun_at_its_deadline_never_does(
    hub: LocalHub, make_provider: Make
) -> None:
    queue = Queue()
    provider = make_provider(queue, timeouts={"add": 0.05})
    with running(provider, hub):
        result = hub.submit("add", {"a": 1, "b": 2}).result()
        stuck = provider.snapshot().slots_stuck

    assert result.message == "ActionTimeoutError: 'add' was not done within 0.05 s"
    assert [future.cancelled() for future in queue.futures] == [True]
    assert stuck == 0


def test_what_an_executor_drops_is_an_error(hub: LocalHub, make_provider: Make) -> None:
    queue = Queue()
    with running(make_provider(queue), hub):
        handle = hub.submit("add", {"a": 1, "b": 2})
        hub.wait_until(lambda: bool(queue.futures))
        queue.futures[0].cancel()
        assert handle.result().message == "the executor of 'add' dropped the task"


def test_an_executor_is_ended_by_whoever_made_it(
    hub: LocalHub, make_provider: Make
) -> None:
    given, made = Queue(), Queue()
    provider = make_provider(given)
    provider.actions.register("other", executor=lambda: made)(sent.add)
    with running(provider, hub):
        pass

    assert (given.shutdowns, made.shutdowns) == ([], [False])


def test_a_provider_and_its_actions_share_what_one_factory_makes(
    hub: LocalHub,
) -> None:
    made: list[Executor] = []

    def make() -> Executor:
        made.append(ThreadPoolExecutor(2))
        return made[-1]

    provider = Provider("tested", executor=make)
    provider.actions.register("one")(sent.get_pid)
    provider.actions.register("two", executor=make)(sent.get_pid)
    for _ in range(2):
        with running(provider, hub):
            hub.submit("one").result()
            hub.submit("two").result()

    assert len(made) == 2


def test_stopping_does_not_wait_for_what_hangs(
    hub: LocalHub, make_provider: Make, held: Any
) -> None:
    task = held("task")
    executor: list[Any] = []

    def make() -> Executor:
        executor.append(make_standard())
        return executor[-1]

    provider = make_provider(make, shutdown_timeout=0.5)
    with running(provider, hub):
        handle = hub.submit("hold", task.payload)
        task.wait_for()
        threads = set(threading.enumerate())
        provider.stop()
        message = handle.result().message

    assert message == "'hold' was interrupted: the provider stopped"
    # Python waits for this one when it exits.
    for thread in threads:
        if type(thread).__name__ == "_ExecutorManagerThread":
            thread.join(20)
            assert not thread.is_alive()


class Leaver(Queue):
    """Ends whoever gives it a call."""

    @override
    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        raise SystemExit(3)


def test_an_executor_that_exits_costs_its_task_one_error(
    hub: LocalHub, make_provider: Make
) -> None:
    with running(make_provider(Leaver()), hub):
        results = [hub.submit("add", {"a": 1, "b": 2}).result() for _ in range(3)]

    assert [result.message for result in results] == ["SystemExit: 3"] * 3


RAISED = [SystemExit(3), KeyboardInterrupt(), ValueError("no"), StopIteration()]


class Unruly(Executor):
    """Raises, or blocks until it is let go, where it is told to."""

    def __init__(self, *, at: str, error: BaseException | None = None) -> None:
        self.go = threading.Event()
        self.future = UnrulyFuture(self)
        self._at = at
        self._error = error

    def come_to(self, place: str) -> None:
        if place != self._at:
            return
        if self._error is not None:
            raise self._error
        assert self.go.wait(60)

    @override
    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.come_to("submit")
        return self.future

    @override
    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.come_to("shutdown")


class UnrulyFuture(Future[Any]):
    def __init__(self, executor: Unruly) -> None:
        super().__init__()
        self._executor = executor

    @override
    def cancel(self) -> bool:
        self._executor.come_to("cancel")
        return super().cancel()


@pytest.mark.parametrize("error", [*RAISED, None], ids=repr)
@pytest.mark.parametrize("place", ["submit", "cancel", "shutdown"])
@pytest.mark.parametrize("given", [True, False], ids=["given", "made"])
def test_an_executor_that_raises_or_blocks_stops_no_other_task(
    hub: LocalHub,
    make_provider: Make,
    place: str,
    error: BaseException | None,
    given: object,
) -> None:
    executor = Unruly(at=place, error=error)
    source: Any = executor if given else lambda: executor
    provider = make_provider(None, timeouts={}, shutdown_timeout=0.5)
    provider.actions.register("unruly", executor=source, timeout=0.3)(sent.add)
    with running(provider, hub):
        unruly = hub.submit("unruly", {"a": 1, "b": 2})
        for number in range(5):
            assert (
                hub.submit("add", {"a": number, "b": 1}).result(20).data == number + 1
            )
        assert unruly.result(20).status == "error"
        assert hub.submit("add", {"a": 1, "b": 1}).result(20).data == 2

    executor.go.set()


def test_what_is_sent_after_its_deadline_is_cancelled(
    hub: LocalHub, make_provider: Make, eventually: Any
) -> None:
    executor = Unruly(at="submit")
    provider = make_provider(executor, timeouts={"add": 0.05})
    with running(provider, hub):
        hub.submit("add", {"a": 1, "b": 2}).result(20)
        eventually(lambda: provider.snapshot().slots_stuck == 1)
        executor.go.set()
        eventually(executor.future.cancelled)
        eventually(lambda: provider.snapshot().slots_stuck == 0)
