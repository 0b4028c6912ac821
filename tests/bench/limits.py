"""What a limit costs, and with ``--plots FOLDER`` pictures of what each one grants.

The pictures are of real runs: two waves of calls against each limit. Run it with
``nox -s bench``.
"""

# pyright: basic

import argparse
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from plot import draw_counts
from table import AT_MOST, Row, format_rows

from arbvantage_provider.rate_limit import (
    AdvancedRateLimitMonitor,
    RateLimitMonitor,
    RedisRateLimitMonitor,
    SlidingWindowRateLimitMonitor,
    TimeBasedRateLimitMonitor,
)

sys.path.insert(0, str(Path(__file__).parents[1]))

from redis_server import RedisServer

ROUNDS = 15
WAVES = ((0.0, 20), (5.0, 20))
"""When calls are asked for, in seconds, and how many."""
SHARED_WAVES = (((0.0, 15), (5.0, 5)), ((1.0, 15), (5.0, 5)))
"""The same for two processes that share a limit."""
LENGTH = 9.0
LOCAL = {
    "bucket": (
        "AdvancedRateLimitMonitor(requests_per_minute=300, burst_size=10)",
        lambda speed: AdvancedRateLimitMonitor(300 * speed, 10),
    ),
    "spacing": (
        "TimeBasedRateLimitMonitor(min_delay=0.2)",
        lambda speed: TimeBasedRateLimitMonitor(0.2 / speed),
    ),
    "window": (
        "SlidingWindowRateLimitMonitor(max_requests=10, window_size=2)",
        lambda speed: SlidingWindowRateLimitMonitor(10, 2 / speed),
    ),
}


def main() -> None:
    """Print a row for each figure; draw if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plots", type=Path, help="a folder for SVG files")
    parser.add_argument("--speed", type=float, default=1.0, help="of the pictures")
    parser.add_argument("--take", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.take:
        take_for_another(arguments.take, arguments.speed)
        return
    with RedisServer() as server:
        rows = [*measure_local(), *measure_redis(server)]
        if arguments.plots:
            draw_local(arguments.plots, arguments.speed)
            draw_shared(arguments.plots, arguments.speed, server)
    sys.stdout.write(format_rows(rows))


def measure_local() -> list[Row]:
    """One thread, and a permit always free."""
    bucket = AdvancedRateLimitMonitor(6e8, 1_000_000)
    window = SlidingWindowRateLimitMonitor(1_000_000, 0.001)
    calls: list[tuple[str, Callable[[], object], float | None]] = [
        ("bucket: check and spend (`try_spend`)", bucket.try_spend, 2.0),
        ("window: check and spend (`try_spend`)", window.try_spend, 2.0),
        ("bucket: look (`check_rate_limits`)", bucket.check_rate_limits, None),
        ("bucket: reserve", lambda: bucket.reserve(math.inf), None),
    ]
    return [
        Row(what=what, value=time_call(call, 20_000), unit="µs", way=AT_MOST, aim=aim)
        for what, call, aim in calls
    ]


def measure_redis(server: RedisServer) -> list[Row]:
    """One thread alone, and eight that compete."""
    alone = RedisRateLimitMonitor(server.url, "alone", 600_000, 100_000)
    cost = time_call(lambda: alone.reserve(math.inf), 200)
    alone.close()
    shared = [RedisRateLimitMonitor(server.url, "shared", 12_000, 10) for _ in range(4)]
    before = server.count_calls()
    with ThreadPoolExecutor(8) as pool:
        made = [
            pool.submit(each.make_safe_request, int)
            for each in shared
            for _ in range(100)
        ]
        granted = sum(each.result() == 0 for each in made)
    for each in shared:
        each.close()
    calls = (server.count_calls() - before) / granted
    return [
        Row(what="Redis: reserve, the server beside it", value=cost, unit="µs"),
        Row(what="Redis: calls a permit, 8 compete", value=calls, way=AT_MOST, aim=1.2),
    ]


def time_call(call: Callable[[], object], count: int) -> float:
    """Microseconds; the best of several rounds, as other work only adds to it."""
    best = math.inf
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(count):
            call()
        best = min(best, time.perf_counter() - began)
    return best / count * 1e6


def draw_local(folder: Path, speed: float) -> None:
    """A picture of each limit in one process."""
    for name, (title, make) in LOCAL.items():
        asked = [start for start, count in WAVES for _ in range(count)]
        made = run_waves(make(speed), WAVES, time.monotonic(), speed)
        chart = draw_counts(title, {"made": made, "asked for": asked}, LENGTH)
        (folder / f"limits-{name}.svg").write_text(chart, encoding="utf-8")


def draw_shared(folder: Path, speed: float, server: RedisServer) -> None:
    """A picture of one limit that two processes share."""
    program = [sys.executable, __file__, "--speed", str(speed), "--take"]
    processes = [
        subprocess.Popen(
            [*program, json.dumps({"url": server.url, "waves": waves})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for waves in SHARED_WAVES
    ]
    for each in processes:
        assert each.stdout is not None
        each.stdout.readline()  # it is ready
    start = f"{time.monotonic() + 0.2}\n"
    for each in processes:
        assert each.stdin is not None
        each.stdin.write(start)
        each.stdin.flush()
    one, other = (json.loads(each.communicate()[0]) for each in processes)
    title = "RedisRateLimitMonitor(…, requests_per_minute=300, burst_size=10)"
    lines = {"both": one + other, "one process": one, "the other": other}
    chart = draw_counts(title, lines, LENGTH)
    (folder / "limits-redis.svg").write_text(chart, encoding="utf-8")


def take_for_another(order: str, speed: float) -> None:
    """Be one of the two processes, and print when its calls were made."""
    told = json.loads(order)
    monitor = RedisRateLimitMonitor(told["url"], "drawn", 300 * speed, 10)
    monitor.check_rate_limits()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    made = run_waves(monitor, told["waves"], float(sys.stdin.readline()), speed)
    monitor.close()
    sys.stdout.write(json.dumps(made))


def run_waves(
    monitor: RateLimitMonitor,
    waves: Sequence[tuple[float, int]],
    start: float,
    speed: float,
) -> list[float]:
    """When each call was made, in seconds from the start at normal speed."""
    with ThreadPoolExecutor(sum(count for _, count in waves)) as pool:
        made = []
        for first, count in waves:
            time.sleep(max(start + first / speed - time.monotonic(), 0))  # noqa: TID251 - real time
            made += [
                pool.submit(monitor.make_safe_request, time.monotonic)
                for _ in range(count)
            ]
        return [(each.result() - start) * speed for each in made]


if __name__ == "__main__":
    main()
