"""Kill a provider at random instants, again and again, and account each task.

The provider has a journal, and every life goes on from what the one before left. At
the end each task that a journal knew of has one result, no two results contradict
each other, and no handler ran twice that was not declared safe to.

With a lease the hub hands a task out again that nobody answered, so then that holds
for all tasks. Without one it shows what the journal alone keeps: a task that was
lost between the hub and the file never arrived.

Run it with ``nox -s kills``, or ``python tests/faults/kills.py``; it fails with the
seed of what it did.
"""

import argparse
import random
import select
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from promise import check_promise
from provider_process import (
    TOKEN,
    ProviderProcess,
    Surroundings,
    read_lines,
    read_runs,
)

from arbvantage_provider.exceptions import JournalError
from arbvantage_provider.testing import LocalHub, TaskHandle
from arbvantage_provider.worker.delivery.journal import list_rows

SLOTS: Final = 8
BUSY: Final = 0.15
"""Seconds after its first poll, in which most lives end."""
START: Final = 1.0
"""Seconds in which a provider starts, about; some lives end within."""
LONGEST: Final = 0.05
"""Seconds that a handler takes at most."""
AGAIN: Final = ("again",)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is done.

    Attributes:
        kills: how many lives end by ``kill -9``; one more ends in peace.
        tasks: how many there are in all.
        lease: seconds after which the hub hands a task out again, or ``None``.
        seed: of everything that is random here; the machine adds its own.
    """

    kills: int
    tasks: int
    lease: float | None
    seed: int


@dataclass(kw_only=True)
class Tally:
    """What came of it.

    Attributes:
        ended: how many tasks have a result of each status.
        never_arrived: how many were handed out, and are in no journal.
        interrupted: how many were answered as interrupted by a death.
        in_handler: how many handlers had begun and had no result at a kill.
        run_again: how many runs of idempotent handlers there were but one.
        repeated: how many results were submitted again.
        early: how many lives ended before their first poll.
    """

    ended: Counter[str] = field(default_factory=Counter[str])
    never_arrived: int = 0
    interrupted: int = 0
    in_handler: int = 0
    run_again: int = 0
    repeated: int = 0
    early: int = 0

    def rows(self) -> Iterator[tuple[str, int]]:
        """What stands in the table."""
        yield from ((f"answered with {name}", n) for name, n in self.ended.items())
        yield "handed out, never arrived", self.never_arrived
        yield "answered as interrupted", self.interrupted
        yield "handlers in which a kill came", self.in_handler
        yield "runs of idempotent handlers beyond the first", self.run_again
        yield "results submitted again", self.repeated
        yield "lives that ended before the first poll", self.early


class Story:
    """A hub, a journal, and one provider after another.

    Args:
        plan: what is done.
        folder: an empty one, for the provider's files.
        hub: one that runs.
    """

    def __init__(self, plan: Plan, folder: Path, hub: LocalHub) -> None:
        self._plan = plan
        self._folder = folder
        self._hub = hub
        self._chance = random.Random(plan.seed)  # noqa: S311 - no secret
        self._handles: list[TaskHandle] = []
        self._known: set[str] = set()
        self._tally = Tally()

    def tell(self) -> Tally:
        """Go through all lives, and check the promise.

        Raises:
            AssertionError: if it was broken; the message has the seed.
        """
        share = -(-self._plan.tasks // max(self._plan.kills, 1))
        for _ in range(self._plan.kills):
            self._submit(share)
            self._live_and_die()
        self._submit(self._plan.tasks)
        self._live_to_the_end()
        return self._check()

    def _submit(self, count: int) -> None:
        for _ in range(min(count, self._plan.tasks - len(self._handles))):
            names = ("quick", "sync", "slow", "slow_sync", "again", "refuse", "fail")
            name = self._chance.choice(names)
            payload = {"seconds": self._chance.uniform(0, LONGEST)}
            self._handles.append(self._hub.submit(name, payload))

    def _start(self) -> ProviderProcess:
        settings: dict[str, Any] = {
            "journal": str(self._folder / "journal"),
            "max_concurrency": SLOTS,
        }
        return ProviderProcess(
            self._folder, self._hub.url, settings=settings, around=Surroundings()
        )

    def _live_and_die(self) -> None:
        polls, provider = self._hub.polls, self._start()
        try:
            if self._chance.random() < 0.2:
                _wait(self._chance.uniform(0, START))
                self._tally.early += self._hub.polls == polls
            else:
                self._hub.wait_until(lambda: self._hub.polls > polls, 60)
                _wait(self._chance.uniform(0, BUSY))
        finally:
            provider.kill()
        self._look_into_journal()

    def _look_into_journal(self) -> None:
        try:
            rows = list_rows(str(self._folder / "journal"))
        except JournalError:
            # It was killed before it had made one.
            assert not read_runs(self._folder), f"no journal: {self._plan}"
            return
        self._known.update(row.id for row in rows)
        self._tally.in_handler += sum(
            row.started is not None and row.status is None for row in rows
        )

    def _live_to_the_end(self) -> None:
        provider = self._start()
        try:
            waited_for = self._list_expected()
            for handle in waited_for:
                handle.result(60)
            provider.settle()
            code = provider.stop()
            assert code == 0, f"exit code {code} with {self._plan}: {provider.stderr()}"
        finally:
            provider.close()
        self._look_into_journal()

    def _list_expected(self) -> list[TaskHandle]:
        """The tasks that must have a result in the end."""
        if self._plan.lease is not None:
            return self._handles
        return [
            handle
            for handle in self._handles
            if not handle.handed_out or handle.id in self._known
        ]

    def _check(self) -> Tally:
        expected = self._list_expected()
        runs = read_runs(self._folder)
        rest = {handle.id for handle in self._handles} - {task.id for task in expected}
        # A handler begins only when the journal knows of it.
        ran = sorted(rest & runs.keys())
        assert not ran, f"run, and in no journal: {ran} with {self._plan}"
        tally = self._tally
        tally.ended = check_promise(
            self._hub,
            self._handles if not rest else expected,
            runs,
            may_run_again=AGAIN,
            seed=self._plan.seed,
        )
        tally.never_arrived = len(rest)
        tally.interrupted = sum(
            "the provider died while it ran" in handle.result().message
            for handle in expected
        )
        tally.run_again = sum(runs.values()) - len(runs)
        tally.repeated = len(self._hub.submissions) - len(expected)
        assert not read_lines(self._folder, "result refused for good")
        return tally


def kill_again_and_again(plan: Plan, folder: Path) -> Tally:
    """Do what the plan says, in an empty folder.

    Raises:
        AssertionError: if the promise was broken.
    """
    with LocalHub(token=TOKEN, lease=plan.lease) as hub:
        return Story(plan, folder, hub).tell()


def _wait(seconds: float) -> None:
    select.select([], [], [], seconds)


def main() -> None:
    """Run once with a lease and once without, and print what came of it."""
    parser = argparse.ArgumentParser(description="see the beginning of this file")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--tasks", type=int, default=2_000)
    parser.add_argument(
        "--seed", type=int, default=random.SystemRandom().randrange(10**6)
    )
    given = parser.parse_args()
    for lease in (1.0, None):
        plan = Plan(kills=given.kills, tasks=given.tasks, lease=lease, seed=given.seed)
        sys.stdout.write(f"\n{plan}\n\n| tasks | |\n|---|---:|\n")
        sys.stdout.flush()
        with tempfile.TemporaryDirectory() as folder:
            tally = kill_again_and_again(plan, Path(folder))
        for what, count in tally.rows():
            sys.stdout.write(f"| {what} | {count:,} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
