"""When the next poll may begin; on a clock of the test's own."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from arbvantage_provider.worker.delivery.tracker import MOST_REFUSED, Refusals
from arbvantage_provider.worker.polling import Pace
from arbvantage_provider.worker.runtime.backoff import Waits


class ManualClock:
    """Waits by moving itself on, at once, and remembers for how long."""

    def __init__(self) -> None:
        self.time = 100.0
        self.waits: list[float] = []

    def monotonic(self) -> float:
        return self.time

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        self.waits.append(seconds)
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


Story = Callable[[Pace], Coroutine[Any, Any, None]]


def tell(clock: Any, story: Story, *, most: int = 8, interval: float = 1.0) -> None:
    async def run() -> None:
        stopping = asyncio.Event()
        pace = Pace(clock=clock, stopping=stopping, poll_interval=interval, most=most)
        await story(pace)

    asyncio.run(run())


@pytest.mark.usefixtures("no_jitter")
def test_the_waits_for_an_idle_hub_grow_up_to_the_poll_interval(
    clock: ManualClock,
) -> None:
    async def story(pace: Pace) -> None:
        for _ in range(10):
            assert await pace.take_turn()
            pace.found_nothing(0.001)

    tell(clock, story, interval=0.1)

    assert clock.waits == pytest.approx(
        [0.005, 0.01, 0.02, 0.04, 0.08, 0.1, 0.1, 0.1, 0.1]
    )


@pytest.mark.usefixtures("no_jitter")
def test_a_task_makes_the_waits_short_again(clock: ManualClock) -> None:
    async def story(pace: Pace) -> None:
        for _ in range(6):
            assert await pace.take_turn()
            pace.found_nothing(0.001)
        assert await pace.take_turn()
        pace.found_task()
        for _ in range(2):
            assert await pace.take_turn()
            pace.found_nothing(0.001)
        clock.waits.clear()
        assert await pace.take_turn()

    tell(clock, story)

    assert clock.waits == pytest.approx([0.005])


def test_a_hub_that_holds_polls_is_asked_again_at_once(clock: ManualClock) -> None:
    async def story(pace: Pace) -> None:
        for _ in range(5):
            assert await pace.take_turn()
            pace.found_nothing(30.0)

    tell(clock, story)

    assert clock.waits == []


@pytest.mark.usefixtures("no_jitter")
def test_failures_wait_longer_each_time_up_to_ten_seconds(clock: ManualClock) -> None:
    async def story(pace: Pace) -> None:
        for _ in range(10):
            assert await pace.take_turn()
            pace.failed()

    tell(clock, story)

    assert clock.waits[:3] == pytest.approx([0.1, 0.2, 0.4])
    assert clock.waits[-1] == pytest.approx(10.0)


@pytest.mark.usefixtures("no_jitter")
def test_polls_that_fail_together_count_as_one_failure(clock: ManualClock) -> None:
    async def story(pace: Pace) -> None:
        for _ in range(3):
            await pace.take_turn()
            pace.found_task()
        turns = [await pace.take_turn() for _ in range(8)]
        # One connection that is reset ends them all.
        for _ in turns:
            pace.failed()
        assert await pace.take_turn()

    tell(clock, story)

    assert clock.waits == pytest.approx([0.1])


def test_a_pause_is_kept_however_long(clock: ManualClock) -> None:
    async def story(pace: Pace) -> None:
        assert await pace.take_turn()
        pace.pause(3_600)
        assert await pace.take_turn()

    tell(clock, story)

    assert clock.waits == pytest.approx([3_600])


def test_more_polls_are_let_out_while_tasks_come_and_fewer_when_none_does(
    clock: ManualClock,
) -> None:
    async def story(pace: Pace) -> None:
        assert await count_turns(pace) == 1
        for _ in range(3):
            await pace.take_turn()
            pace.found_task()
        assert await count_turns(pace) == 8
        for _ in range(3):
            await pace.take_turn()
            pace.found_nothing(0.001)
        assert await count_turns(pace) == 1

    tell(clock, story)


async def count_turns(pace: Pace) -> int:
    """How many turns may be out at once; all are given back."""
    asked = [asyncio.create_task(pace.take_turn()) for _ in range(20)]
    for _ in range(5):
        await asyncio.sleep(0)
    taken = sum(turn.done() and turn.result() for turn in asked)
    pace.close()
    for _ in range(taken):
        pace.give_back()
    await asyncio.gather(*asked)
    return taken


def test_jitter_draws_from_nothing_to_the_whole_wait() -> None:
    draws: list[float] = []
    for _ in range(200):
        waits = Waits(first=8.0, most=8.0)
        draws.append(waits.draw())

    assert all(0 <= draw <= 8 for draw in draws)
    assert min(draws) < 2
    assert max(draws) > 6


@pytest.mark.usefixtures("no_jitter")
def test_a_hub_that_holds_polls_may_miss_a_few_times_by_chance(
    clock: ManualClock,
) -> None:
    async def story(pace: Pace) -> None:
        assert await pace.take_turn()
        pace.found_nothing(2.0)
        for _ in range(5):
            assert await pace.take_turn()
            pace.found_nothing(0.001)
        assert await pace.take_turn()

    tell(clock, story)

    assert clock.waits == pytest.approx([0.005, 0.01])


@pytest.mark.usefixtures("no_jitter")
def test_a_miss_says_little_while_another_poll_is_out(clock: ManualClock) -> None:
    async def story(pace: Pace) -> None:
        assert await pace.take_turn()
        pace.found_task()
        assert await pace.take_turn()
        assert await pace.take_turn()
        pace.found_nothing(0.001)
        pace.found_nothing(0.001)
        assert await pace.take_turn()

    tell(clock, story)

    assert clock.waits == pytest.approx([0.005])


@pytest.mark.usefixtures("no_jitter")
def test_a_task_ends_the_wait_for_an_idle_hub(clock: ManualClock) -> None:
    async def story(pace: Pace) -> None:
        assert await pace.take_turn()
        pace.found_task()
        assert await pace.take_turn()
        assert await pace.take_turn()
        pace.found_nothing(0.001)
        pace.found_task()
        assert await pace.take_turn()

    tell(clock, story)

    assert clock.waits == []


def test_a_refused_task_that_comes_again_later_is_answered_at_once(
    clock: ManualClock,
) -> None:
    async def story(pace: Pace) -> None:
        refusals = Refusals(clock.monotonic)
        for _ in range(20):
            await pace.hold_repeat(*refusals.count(b"a"))
            refusals.note(b"a")
            clock.time += 1.0

    tell(clock, story)
    assert clock.waits == []


def test_only_the_last_refused_tasks_are_known(clock: ManualClock) -> None:
    refusals = Refusals(clock.monotonic)
    for number in range(MOST_REFUSED + 1):
        refusals.note(number.to_bytes(2, "big"))
    assert refusals.count(b"\0\0")[0] == 0
    assert refusals.count(b"\0\1")[0] == 1
