"""A process that takes permits of shared limits: a program, started by the tests.

It is given a URL, how it takes, how much, and limits such as ``600/20``: a rate and a
burst. It says ``ready``, waits for a line, takes, and prints for each limit the moments
of its permits, in microseconds of the server's clock.
"""

import json
import math
import sys
import time
from typing import Any

from typing_extensions import override

from arbvantage_provider.rate_limit import RedisRateLimitMonitor, Reservation
from arbvantage_provider.rate_limit.redis.client import Reply


class Taker(RedisRateLimitMonitor):
    """Remembers the moment of each permit by the server's clock; a patient client."""

    def __init__(self, *limit: Any) -> None:
        super().__init__(*limit, connect_timeout=30, command_timeout=30)
        self.moments: list[int] = []

    @override
    def _note(self, name: bytes, reply: Reply) -> Reservation:
        if reply.done:
            self.moments.append(reply.mark - reply.ahead + reply.wait)
        return super()._note(name, reply)


def take_at_once(taker: Taker, count: int) -> None:
    """Take so many, however far ahead they are, as fast as can be."""
    for _ in range(count):
        taker.reserve(math.inf)


def take_in_turn(taker: Taker, seconds: int) -> None:
    """Wait for each permit before the next, for so long."""
    while not taker.moments or taker.moments[-1] <= taker.moments[0] + seconds * 1e6:
        taker.make_safe_request(time.monotonic)


def main() -> None:
    """Take permits as the command line says."""
    url, how, amount, *limits = sys.argv[1:]
    takers: dict[str, Taker] = {}
    for limit in limits:
        rate, _, burst = limit.partition("/")
        takers[limit] = Taker(url, limit, int(rate), int(burst))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    for taker in takers.values():
        {"at once": take_at_once, "in turn": take_in_turn}[how](taker, int(amount))
        taker.close()
    moments = {limit: taker.moments for limit, taker in takers.items()}
    sys.stdout.write(json.dumps(moments))


if __name__ == "__main__":
    main()
