"""Two providers that share the quota of one API, by a limit in Redis.

Run it with the URL of a Redis or Valkey server; it needs no hub but its own, and
``pip install ".[redis]"``, in a clone::

    python examples/shared_limit.py redis://127.0.0.1:6379/0

They are in one process here, and may as well be on two machines: whoever gives the
same server, key and rate shares the limit.
"""

import sys
import time
from collections import Counter

from arbvantage_provider import Actions, Provider, TaskContext
from arbvantage_provider.rate_limit import RedisRateLimitMonitor
from arbvantage_provider.testing import LocalHub, running

TASKS = 20

actions = Actions()


@actions.register()
async def forecast(city: str, context: TaskContext) -> dict[str, str]:
    """Ask the API, which allows ten calls a second, and five at once."""
    return {"city": city, "sky": "clear", "asked by": context.provider}


def build(name: str, redis_url: str) -> Provider:
    """A provider that keeps to the limit; each has a monitor of its own."""
    limit = RedisRateLimitMonitor(
        redis_url, "weather-api", requests_per_minute=600, burst_size=5
    )
    provider = Provider(name, rate_limit_monitor=limit, log_level="WARNING")
    provider.actions.include(actions)
    return provider


def main(redis_url: str) -> None:
    """Run both on one hub, and give it tasks."""
    north, south = build("north", redis_url), build("south", redis_url)
    with LocalHub() as hub, running(north, hub), running(south, hub):
        began = time.monotonic()
        handles = [hub.submit("forecast", {"city": f"C{n}"}) for n in range(TASKS)]
        results = [handle.result() for handle in handles]
        seconds = time.monotonic() - began
    calls = Counter(result.data["asked by"] for result in results)
    print(f"{calls.total()} calls in {seconds:.2f} s")
    print(", ".join(f"{name}: {calls[name]}" for name in ("north", "south")))


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004 - the program and the URL
        sys.exit(f"usage: {sys.argv[0]} redis://HOST:PORT/DATABASE")
    main(sys.argv[1])
