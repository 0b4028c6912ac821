"""The embedded hub as a command: the bench's hub where it is given no other.

Another hub is one that takes these options, writes its port to ``--port-file``, and
prints its statistics as one line of JSON when SIGTERM ends it. This one prints them
at SIGUSR1 too.
"""

# pyright: basic

import argparse
import json
import signal
import statistics
import sys
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path

from arbvantage_provider.testing import LocalHub, TaskHandle


def read_arguments() -> argparse.Namespace:
    """The options, which are those of any hub that the bench can use."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--port-file", type=Path, required=True)
    parser.add_argument("--token")
    parser.add_argument("--tasks", type=Path, help="JSON lines, before the others")
    parser.add_argument("--generate", type=int, default=0, help="so many tasks")
    parser.add_argument("--action", default="echo", help="of those")
    parser.add_argument("--payload-file", type=Path, help="of those")
    parser.add_argument("--idle", default="empty", help="empty, longpoll:MS")
    parser.add_argument("--rate", type=float, default=0, help="of those, per second")
    parser.add_argument("--next-on-submit", action="store_true")
    return parser.parse_args()


def open_hub(arguments: argparse.Namespace) -> LocalHub:
    """A hub that takes this way; it does not listen yet."""
    idle, _, milliseconds = arguments.idle.partition(":")
    return LocalHub(
        arguments.token,
        port=arguments.port,
        idle="long_poll" if idle == "longpoll" else "empty",
        long_poll=float(milliseconds or 0) / 1e3,
        next_on_submit=arguments.next_on_submit,
    )


def fill(hub: LocalHub, arguments: argparse.Namespace, payload: bytes) -> None:
    """Queue all tasks that are there from the start."""
    if arguments.tasks:
        for line in arguments.tasks.read_text().splitlines():
            task = json.loads(line)
            hub.submit(task["action"], task["payload"], id=task["id"])
    if not arguments.rate:
        for _ in range(arguments.generate):
            hub.submit(arguments.action, payload)


def trickle(
    hub: LocalHub, arguments: argparse.Namespace, payload: bytes, pickups: list[float]
) -> None:
    """Queue tasks at the rate, from the first poll on; note how long each waited."""
    hub.wait_until(lambda: hub.polls > 0, None)
    due = time.monotonic()
    pause = threading.Event()
    for _ in range(arguments.generate):
        due += 1 / arguments.rate
        pause.wait(max(due - time.monotonic(), 0))
        began = time.monotonic()
        handle = hub.submit(arguments.action, payload)
        hub.wait_until(partial(_is_out, handle))
        pickups.append((time.monotonic() - began) * 1e3)


def _is_out(handle: TaskHandle) -> bool:
    return handle.handed_out > 0


def print_statistics(hub: LocalHub, pickups: list[float]) -> None:
    """One line; ``pickup_ms`` is from queued to handed out, where there is a rate."""
    results = hub.submissions
    figures = {
        "unique_submitted": len({result.id for result in results}),
        "duplicates_submitted": len(results) - len({result.id for result in results}),
        "get_calls": hub.polls,
        "hub_cpu_s": time.process_time(),
        "statuses": Counter(result.status for result in results),
    }
    if len(pickups) > 1:
        cuts = statistics.quantiles(pickups, n=100, method="inclusive")
        figures["pickup_ms"] = {"p50": cuts[49], "p99": cuts[98]}
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve until SIGTERM."""
    arguments = read_arguments()
    payload = arguments.payload_file.read_bytes() if arguments.payload_file else b"{}"
    stopping = threading.Event()
    pickups: list[float] = []
    with open_hub(arguments) as hub:
        signal.signal(signal.SIGTERM, lambda *_: stopping.set())
        signal.signal(signal.SIGUSR1, lambda *_: print_statistics(hub, pickups))
        fill(hub, arguments, payload)
        if arguments.rate:
            feeding = (hub, arguments, payload, pickups)
            threading.Thread(target=trickle, args=feeding, daemon=True).start()
        arguments.port_file.with_suffix(".tmp").write_text(hub.url.rpartition(":")[2])
        arguments.port_file.with_suffix(".tmp").rename(arguments.port_file)
        stopping.wait()
        print_statistics(hub, pickups)


if __name__ == "__main__":
    main()
