"""CPU-bound work on a Dask cluster, of two processes on this machine.

Run it; it needs no hub but its own, and ``pip install ".[dask]"``, in a clone::

    python examples/cluster.py

A real cluster is ``dask.Client("tcp://scheduler:8786")``; its workers must have this
module, and the package, installed.
"""

import os
from typing import Any

import distributed

from arbvantage_provider import Actions, Provider
from arbvantage_provider.testing import LocalHub, running

LIMITS = (10, 1_000, 10_000, 10_000)

actions = Actions()


@actions.register()
def count_primes(limit: int) -> dict[str, int]:
    """Count the primes below a limit, on whichever worker has time."""
    if limit < 0:
        message = "there is nothing below 0"
        raise ValueError(message)
    found: list[int] = []
    for number in range(2, limit):
        if all(number % prime for prime in found if prime * prime <= number):
            found.append(number)
    return {"primes": len(found), "worker": os.getpid()}


def main() -> None:
    """Start a cluster and a hub, and run a few tasks."""
    dask: Any = distributed  # it says little of its types
    cluster = dask.LocalCluster(2, threads_per_worker=1, dashboard_address=None)
    with cluster, dask.Client(cluster) as client, LocalHub() as hub:
        provider = Provider(
            "maths", execution_timeout=30, executor=client.get_executor()
        )
        provider.actions.include(actions)
        with running(provider, hub):
            handles = [hub.submit("count_primes", {"limit": n}) for n in LIMITS]
            handles.append(hub.submit("count_primes", {"limit": -1}))
            results = [handle.result() for handle in handles]
    for limit, result in zip(LIMITS, results, strict=False):
        print(f"{result.data['primes']} primes below {limit}")
    print(f"{results[-1].status}: {results[-1].message}")
    workers = {result.data["worker"] for result in results if result.data}
    print(f"counted in this process: {os.getpid() in workers}")


if __name__ == "__main__":
    main()
