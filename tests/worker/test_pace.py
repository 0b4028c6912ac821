"""When the next poll may begin; on a clock of the test's own."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from arbvantage_provider.worker.delivery.tracker import MOST_REFUSED, Refusals
from arbvantage_provider.worker.polling import Poller
from arbvantage_provider.worker.runtime.backoff import Backoff


class ManualClock:
    """Waits by moving itself on, at once, and remembers for how long."""

    def __init__(self) -> None:
        self.time = 100.0
        self.backoff: list[float] = []

    def monotonic(self) -> float:
        return self.time

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        self.backoff.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)
        return event.is_set()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    def whole(value: float) -> float:
        return value

    monkeypatch.setattr("backoff.full_jitter", whole)


Story = Callable[[Poller], Coroutine[Any, Any, None]]


def tell(clock: Any, story: Story, *, most: int = 8, interval: float = 1.0) -> None:
    async def run() -> None:
        stopping = asyncio.Event()
        poller = Poller(
            clock=clock, stopping=stopping, poll_interval=interval, most=most
        )
        await story(poller)

    asyncio.run(run())


@pytest.mark.usefixtures("no_jitter")
def test_the_waits_for_an_idle_hub_grow_up_to_the_poll_interval(
    clock: ManualClock,
) -> None:
    async def story(poller: Poller) -> None:
        for _ in range(10):
            assert await poller.take_permit()
            poller.found_nothing(0.001)

    tell(clock, story, interval=0.1)

    assert clock.backoff == pytest.approx(
        [0.005, 0.01, 0.02, 0.04, 0.08, 0.1, 0.1, 0.1, 0.1]
    )


@pytest.mark.usefixtures("no_jitter")
def test_a_task_makes_the_waits_short_again(clock: ManualClock) -> None:
    async def story(poller: Poller) -> None:
        for _ in range(6):
            assert await poller.take_permit()
            poller.found_nothing(0.001)
        assert await poller.take_permit()
        poller.found_task()
        for _ in range(2):
            assert await poller.take_permit()
            poller.found_nothing(0.001)
        clock.backoff.clear()
        assert await poller.take_permit()

    tell(clock, story)

    assert clock.backoff == pytest.approx([0.005])


def test_a_hub_that_holds_polls_is_asked_again_at_once(clock: ManualClock) -> None:
    async def story(poller: Poller) -> None:
        for _ in range(5):
            assert await poller.take_permit()
            poller.found_nothing(30.0)

    tell(clock, story)

    assert clock.backoff == []


@pytest.mark.usefixtures("no_jitter")
def test_failures_wait_longer_each_time_up_to_ten_seconds(clock: ManualClock) -> None:
    async def story(poller: Poller) -> None:
        for _ in range(10):
            assert await poller.take_permit()
            poller.failed()

    tell(clock, story)

    assert clock.backoff[:3] == pytest.approx([0.1, 0.2, 0.4])
    assert clock.backoff[-1] == pytest.approx(10.0)


@pytest.mark.usefixtures("no_jitter")
def test_polls_that_fail_together_count_as_one_failure(clock: ManualClock) -> None:
    async def story(poller: Poller) -> None:
        for _ in range(3):
            await poller.take_permit()
            poller.found_task()
        turns = [await poller.take_permit() for _ in range(8)]
        # One connection that is reset ends them all.
        for _ in turns:
            poller.failed()
        assert await poller.take_permit()

    tell(clock, story)

    assert clock.backoff == pytest.approx([0.1])


def test_a_pause_is_kept_however_long(clock: ManualClock) -> None:
    async def story(poller: Poller) -> None:
        assert await poller.take_permit()
        poller.pause(3_600)
        assert await poller.take_permit()

    tell(clock, story)

    assert clock.backoff == pytest.approx([3_600])


def test_more_polls_are_let_out_while_tasks_come_and_fewer_when_none_does(
    clock: ManualClock,
) -> None:
    async def story(poller: Poller) -> None:
        assert await count_turns(poller) == 1
        for _ in range(3):
            await poller.take_permit()
            poller.found_task()
        assert await count_turns(poller) == 8
        for _ in range(3):
            await poller.take_permit()
            poller.found_nothing(0.001)
        assert await count_turns(poller) == 1

    tell(clock, story)


async def count_turns(poller: Poller) -> int:
    """How many turns may be out at once; all are given back."""
    asked = [asyncio.create_task(poller.take_permit()) for _ in range(20)]
    for _ in range(5):
        await asyncio.sleep(0)
    taken = sum(permit.done() and permit.result() for permit in asked)
    poller.close()
    for _ in range(taken):
        poller.return_permit()
    await asyncio.gather(*asked)
    return taken


def test_jitter_draws_from_nothing_to_the_whole_wait() -> None:
    draws: list[float] = []
    for _ in range(200):
        backoff = Backoff(first=8.0, most=8.0)
        draws.append(backoff.next_wait())

    assert all(0 <= next_wait <= 8 for next_wait in draws)
    assert min(draws) < 2
    assert max(draws) > 6


@pytest.mark.usefixtures("no_jitter")
def test_a_hub_that_holds_polls_may_miss_a_few_times_by_chance(
    clock: ManualClock,
) -> None:
    async def story(poller: Poller) -> None:
        assert await poller.take_permit()
        poller.found_nothing(2.0)
        for _ in range(5):
            assert await poller.take_permit()
            poller.found_nothing(0.001)
        assert await poller.take_permit()

    tell(clock, story)

    assert clock.backoff == pytest.approx([0.005, 0.01])


@pytest.mark.usefixtures("no_jitter")
def test_a_miss_says_little_while_another_poll_is_out(clock: ManualClock) -> None:
    async def story(poller: Poller) -> None:
        assert await poller.take_permit()
        poller.found_task()
        assert await poller.take_permit()
        assert await poller.take_permit()
        poller.found_nothing(0.001)
        poller.found_nothing(0.001)
        assert await poller.take_permit()

    tell(clock, story)

    assert clock.backoff == pytest.approx([0.005])


@pytest.mark.usefixtures("no_jitter")
def test_a_task_ends_the_wait_for_an_idle_hub(clock: ManualClock) -> None:
    async def story(poller: Poller) -> None:
        assert await poller.take_permit()
        poller.found_task()
        assert await poller.take_permit()
        assert await poller.take_permit()
        poller.found_nothing(0.001)
        poller.found_task()
        assert await poller.take_permit()

    tell(clock, story)

    assert clock.backoff == []


def test_a_refused_task_that_comes_again_later_is_answered_at_once(
    clock: ManualClock,
) -> None:
    async def story(poller: Poller) -> None:
        refusals = Refusals(clock.monotonic)
        for _ in range(20):
            await poller.hold_repeat(*refusals.count(b"a"))
            refusals.note(b"a")
            clock.time += 1.0

    tell(clock, story)
    assert clock.backoff == []


def test_only_the_last_refused_tasks_are_known(clock: ManualClock) -> None:
    refusals = Refusals(clock.monotonic)
    for number in range(MOST_REFUSED + 1):
        refusals.note(number.to_bytes(2, "big"))
    assert refusals.count(b"\0\0")[0] == 0
    assert refusals.count(b"\0\1")[0] == 1
