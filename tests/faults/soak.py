"""Full slots and random faults for as long as one likes, and nothing may grow.

A provider in its own process works at the end of a cable that is cut, stalled and
worse, for a hub that restarts, refuses results, loses acknowledgements and delivers
tasks twice; its handlers return, raise and pass their deadlines. After each round all
is healed, and every task must have its one result: tasks out equal results in. Then
memory, threads and descriptors are read.

Run it with ``nox -s soak -- --minutes 60``, or ``python tests/faults/soak.py``. Linux
only, as it reads ``/proc``.
"""

import argparse
import os
import random
import select
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cable import Cable
from promise import check_promise
from provider_process import (
    TOKEN,
    ProviderProcess,
    Surroundings,
    read_lines,
    read_runs,
)

from arbvantage_provider.testing import LocalHub, TaskHandle

SLOTS: Final = 16
WAITING: Final = 3 * SLOTS
"""Tasks that the hub has no result of, at any time: all slots are full."""
LEASE: Final = 2.0
BREATH: Final = 0.02
"""Seconds between two looks at how many tasks wait."""
WEIGHTS: Final = {
    "quick": 30,
    "sync": 20,
    "slow": 15,
    "slow_sync": 15,
    "fail": 4,
    "refuse": 4,
    "too_slow": 3,
    "too_slow_sync": 3,
    "grow": 3,
    "no such action": 3,
}
FAIR: Final = (0.3, 3.0)
"""Seconds without a fault; who has waited for the hub needs some to come back."""
FOUL: Final = (0.05, 0.5)
"""Seconds with one."""
CODES: Final = ("UNAVAILABLE", "INTERNAL", "ABORTED", "DEADLINE_EXCEEDED", "UNKNOWN")
MOST_GROWTH: Final = 16.0
"""Megabytes that memory may grow after the warm-up."""
MOST_MORE: Final = 4
"""Threads or descriptors that may come on top; gRPC keeps a few at its discretion."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is done.

    Attributes:
        seconds: how long, without the ends of rounds.
        round: seconds of one round.
        seed: of everything that is random here.
        has_journal: whether the provider has one.
    """

    seconds: float
    round: float = 20.0
    seed: int
    has_journal: bool = True


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What the process holds at the end of a round.

    Attributes:
        memory: resident, in megabytes.
        threads: how many.
        files: descriptors that are open.
    """

    memory: float
    threads: int
    files: int


@dataclass(kw_only=True)
class Tally:
    """What came of it.

    Attributes:
        ended: how many tasks have a result of each status.
        faults: how many there were of each kind.
        repeated: how many results were submitted again.
        redelivered: how many deliveries the provider took for repeated ones.
        figures: of each round.
    """

    ended: Counter[str] = field(default_factory=Counter[str])
    faults: Counter[str] = field(default_factory=Counter[str])
    repeated: int = 0
    redelivered: int = 0
    figures: list[Figures] = field(default_factory=list[Figures])

    @property
    def settled(self) -> list[Figures]:
        """The rounds after the warm-up, which is the first quarter of them."""
        return self.figures[len(self.figures) // 4 :]

    def rows(self) -> Iterator[tuple[str, str]]:
        """What stands in the table."""
        yield "tasks out, and results in", f"{self.ended.total():,}"
        for name, count in sorted(self.ended.items()):
            yield f"of them {name}", f"{count:,}"
        yield "results submitted again", f"{self.repeated:,}"
        yield "deliveries of a task in flight, or done", f"{self.redelivered:,}"
        yield "faults", f"{self.faults.total():,}"
        for name, count in sorted(self.faults.items()):
            yield f"of them: {name}", f"{count:,}"
        first, last = self.settled[0], self.settled[-1]
        yield "memory after the warm-up, MB", f"{first.memory:.1f}"
        yield "memory at the end, MB", f"{last.memory:.1f}"
        yield "threads", f"{first.threads} to {last.threads}"
        yield "descriptors", f"{first.files} to {last.files}"

    def find_growth(self) -> list[str]:
        """What grew, in words."""
        first, last = self.settled[0], self.settled[-1]
        problems: list[str] = []
        if last.memory > first.memory + MOST_GROWTH:
            problems.append(f"memory grew from {first.memory} to {last.memory} MB")
        if last.threads > first.threads + MOST_MORE:
            problems.append(f"threads grew from {first.threads} to {last.threads}")
        if last.files > first.files + MOST_MORE:
            problems.append(f"descriptors grew from {first.files} to {last.files}")
        return problems


class Weather:
    """Random faults of a cable and a hub.

    Args:
        chance: says which, and for how long.
        cable: between the provider and the hub.
    """

    def __init__(self, chance: random.Random, cable: Cable) -> None:
        self._chance = chance
        self._cable = cable
        self._faults: dict[str, Callable[[LocalHub], None]] = {
            "connections reset": lambda _: cable.cut(),
            "connections refused": lambda _: cable.unplug(),
            "nothing comes through": lambda _: cable.stall(),
            "half-open": lambda _: cable.half_open(),
            "answers lost": lambda _: cable.lose("to_provider"),
            "results lost": lambda _: cable.lose("to_hub"),
            "slow": lambda _: cable.slow_down(0.05),
            "hub stopped": lambda hub: hub.stop(),
            "polls refused": self._refuse_polls,
            "results refused": lambda hub: self._refuse_results(hub, recorded=False),
            "acknowledgements lost": lambda hub: self._refuse_results(
                hub, recorded=True
            ),
            "tasks delivered twice": self._deliver_twice,
        }

    def change(self, hub: LocalHub) -> str:
        """Let something fail, and say what."""
        name = self._chance.choice(list(self._faults))
        self._faults[name](hub)
        return name

    def clear(self, hub: LocalHub) -> None:
        """Let everything work."""
        self._cable.heal()
        hub.duplicates = False
        hub.start()

    def _refuse_polls(self, hub: LocalHub) -> None:
        hub.fail_polls(self._chance.choice(CODES), self._chance.randint(1, 3))

    def _refuse_results(self, hub: LocalHub, *, recorded: bool) -> None:
        code, times = self._chance.choice(CODES), self._chance.randint(1, 8)
        hub.fail_submits(code, times, recorded=recorded)

    def _deliver_twice(self, hub: LocalHub) -> None:
        hub.duplicates = True


class Soak:
    """One provider, and a hub for each round.

    Args:
        plan: what is done.
        folder: an empty one, for the provider's files.
        cable: leads to the hub of the round.
    """

    def __init__(self, plan: Plan, folder: Path, cable: Cable) -> None:
        self._plan = plan
        self._folder = folder
        self._cable = cable
        self._chance = random.Random(plan.seed)  # noqa: S311 - no secret
        self._weather = Weather(self._chance, cable)
        self._tally = Tally()
        self._earlier: list[TaskHandle] = []

    def run(self) -> Tally:
        """Go through all rounds.

        Raises:
            AssertionError: if the promise was broken; the message has the seed.
        """
        rounds = max(round(self._plan.seconds / self._plan.round), 2)
        hub = self._make_hub()
        provider = self._start()
        try:
            for number in range(rounds):
                self._go_through(number, hub, provider)
                # The next one is there before the last one goes: no fault, here.
                last, hub = hub, self._make_hub()
                self._cable.cut()
                last.stop()
            assert provider.stop() == 0, provider.stderr()
        finally:
            provider.close()
            hub.stop()
        return self._tally

    def _make_hub(self) -> LocalHub:
        # A new one for each round, as it keeps everything.
        hub = LocalHub(token=TOKEN, lease=LEASE, idle="long_poll")
        hub.start()
        self._cable.lead_to(hub.url)
        return hub

    def _start(self) -> ProviderProcess:
        settings: dict[str, Any] = {"max_concurrency": SLOTS}
        if self._plan.has_journal:
            settings["journal"] = str(self._folder / "journal")
        return ProviderProcess(
            self._folder, self._cable.url, settings=settings, around=Surroundings()
        )

    def _go_through(
        self, number: int, hub: LocalHub, provider: ProviderProcess
    ) -> None:
        handles = [] if number else _fill_slots(hub, provider)
        end = time.monotonic() + self._plan.round
        for step in self._change_weather(hub):
            change = time.monotonic() + step
            while (now := time.monotonic()) < min(change, end):
                self._top_up(number, hub, handles)
                select.select([], [], [], BREATH)
            if now >= end:
                break
        self._weather.clear(hub)
        for handle in handles:
            handle.result(60)
        self._account(hub, handles, provider)

    def _change_weather(self, hub: LocalHub) -> Iterator[float]:
        """Fair and foul in turn, each for some seconds."""
        while True:
            self._weather.clear(hub)
            yield self._chance.uniform(*FAIR)
            fault = self._weather.change(hub)
            self._tally.faults[fault] += 1
            yield self._chance.uniform(*FOUL)

    def _top_up(self, number: int, hub: LocalHub, handles: list[TaskHandle]) -> None:
        answered = sum(1 for _ in _first_results(hub))
        for _ in range(WAITING - (len(handles) - answered)):
            names, weights = list(WEIGHTS), list(WEIGHTS.values())
            (name,) = self._chance.choices(names, weights)
            payload = {
                "seconds": self._chance.uniform(0, 0.2),
                "size": self._chance.randrange(100_000),
            }
            id_ = f"{number}-{len(handles)}"
            handles.append(hub.submit(name, payload, id=id_))

    def _account(
        self, hub: LocalHub, handles: list[TaskHandle], provider: ProviderProcess
    ) -> None:
        snapshot = provider.settle()
        ended = check_promise(
            hub,
            handles,
            read_runs(self._folder),
            earlier=self._earlier,
            seed=self._plan.seed,
        )
        self._earlier = handles
        assert ended.total() == len(handles)
        tally = self._tally
        tally.ended += ended
        tally.repeated += len(hub.submissions) - len(handles)
        tally.redelivered = snapshot["tasks_redelivered"]
        assert not read_lines(self._folder, "tasks left unanswered")
        tally.figures.append(read_figures(provider.pid))
        # Both files are appended to, so they may be emptied.
        for name in ("runs", "log"):
            os.truncate(self._folder / name, 0)


def _fill_slots(hub: LocalHub, provider: ProviderProcess) -> list[TaskHandle]:
    """Have each slot start its thread, so that one that comes later is one too many."""
    handles = [hub.submit("hold_sync", id=f"first-{n}") for n in range(SLOTS)]
    provider.wait_for_runs(SLOTS)
    provider.open_gate()
    return handles


def _first_results(hub: LocalHub) -> Iterator[str]:
    return iter({result.id for result in hub.submissions})


def read_figures(pid: int) -> Figures:
    """What a process holds now."""
    folder = Path("/proc", str(pid))
    pages = int((folder / "statm").read_text(encoding="ascii").split()[1])
    return Figures(
        memory=pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        threads=len(list((folder / "task").iterdir())),
        files=len(list((folder / "fd").iterdir())),
    )


def soak(plan: Plan, folder: Path) -> Tally:
    """Do what the plan says, in an empty folder.

    Raises:
        AssertionError: if the promise was broken.
    """
    with Cable() as cable:
        return Soak(plan, folder, cable).run()


def main() -> None:
    """Soak, print what came of it, and fail if something grew."""
    parser = argparse.ArgumentParser(description="see the beginning of this file")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--without-journal", action="store_true")
    parser.add_argument(
        "--seed", type=int, default=random.SystemRandom().randrange(10**6)
    )
    given = parser.parse_args()
    plan = Plan(
        seconds=given.minutes * 60,
        seed=given.seed,
        has_journal=not given.without_journal,
    )
    sys.stdout.write(f"{plan}\n\n| what | |\n|---|---:|\n")
    sys.stdout.flush()
    with tempfile.TemporaryDirectory() as folder:
        tally = soak(plan, Path(folder))
    for what, figure in tally.rows():
        sys.stdout.write(f"| {what} | {figure} |\n")
    if problems := tally.find_growth():
        sys.exit("; ".join(problems))


if __name__ == "__main__":
    main()
