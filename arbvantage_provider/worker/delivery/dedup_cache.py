"""The results of tasks that are done, for those that are delivered once more."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How much is kept of tasks that are done; the oldest go first.

    Attributes:
        tasks: how many of them.
        size: bytes of their results, in all.
        seconds: how long.
    """

    tasks: int
    size: int
    seconds: float


MOST_REFUSED: Final = 1_000
IN_MEMORY: Final = Retention(tasks=1_000, size=1_000_000, seconds=86_400)
IN_JOURNAL: Final = Retention(tasks=10_000, size=64_000_000, seconds=86_400)


class Kept(NamedTuple):
    """One task that is done.

    Attributes:
        number: its row in the journal.
        size: bytes of its result.
        taken: when the hub took it, in seconds since 1970.
        answer: its status and its result; ``None``: they are in the journal.
        repeats: how often it was delivered since.
    """

    number: int
    size: int
    taken: float
    answer: tuple[str, bytes] | None = None
    repeats: int = 0


class Refusals:
    """Tasks that were answered and not done, as by a limit; they are decided anew.

    Args:
        monotonic: a clock, in seconds.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._known: OrderedDict[bytes, tuple[int, float]] = OrderedDict()

    def count(self, digest: bytes) -> tuple[int, float]:
        """How often one was refused before, and how many seconds ago the last time."""
        times, moment = self._known.get(digest, (0, 0.0))
        return times, self._monotonic() - moment

    def note(self, digest: bytes) -> None:
        """One is refused now."""
        times, _ = self._known.pop(digest, (0, 0.0))
        self._known[digest] = (times + 1, self._monotonic())
        if len(self._known) > MOST_REFUSED:
            self._known.popitem(last=False)


class Done:
    """Tasks that are done, by their digests, within a retention."""

    def __init__(self, retention: Retention) -> None:
        self._retention = retention
        self._kept: OrderedDict[bytes, Kept] = OrderedDict()
        self._size = 0

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._kept

    def count(self, digest: bytes) -> Kept | None:
        """What is kept of a task that is delivered, and counts that; if anything."""
        kept = self._kept.get(digest)
        if kept is not None:
            kept = self._kept[digest] = kept._replace(repeats=kept.repeats + 1)
        return kept

    def keep(self, digest: bytes, kept: Kept) -> list[Kept]:
        """Keep one more; those that have to go for it, or itself if it is too large."""
        if kept.size > self._retention.size:
            return [kept]
        before = self._kept.pop(digest, None)
        if before is not None:
            self._size -= before.size
        self._kept[digest] = kept
        self._size += kept.size
        return self.drop_old(kept.taken)

    def drop_old(self, now: float) -> list[Kept]:
        """Those that have to go by now, in seconds since 1970."""
        gone: list[Kept] = []
        if self._kept and next(iter(self._kept.values())).taken > now:
            self._correct(now)
        while self._kept and self._is_over(now):
            _, old = self._kept.popitem(last=False)
            self._size -= old.size
            gone.append(old)
        return gone

    def _correct(self, now: float) -> None:
        """The clock was ahead: what is from later than now would be kept for ever."""
        for digest, kept in self._kept.items():
            if kept.taken > now:
                self._kept[digest] = kept._replace(taken=now)

    def _is_over(self, now: float) -> bool:
        most = self._retention
        oldest = next(iter(self._kept.values()))
        too_many = len(self._kept) > most.tasks or self._size > most.size
        return too_many or now - oldest.taken > most.seconds
