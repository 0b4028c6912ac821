"""A cluster of dask.distributed: two workers on this machine."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask.config
import pytest
import sent
from distributed import Client, LocalCluster

from arbvantage_provider import Provider
from arbvantage_provider.testing import LocalHub, running

Make = Callable[..., Provider]
ROOT = Path(__file__).parents[2]

# Its own warnings are not of interest here.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    # Otherwise a task whose worker dies is run again, three times.
    settings = {"distributed.scheduler.allowed-failures": 0}
    make_cluster: Any = LocalCluster
    with (
        dask.config.set(settings),
        make_cluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def test_handlers_return_and_raise(
    hub: LocalHub, make_provider: Make, client: Any, tmp_path: Path
) -> None:
    with running(make_provider(client.get_executor()), hub):
        sums = [hub.submit("add", {"a": n, "b": 1}) for n in range(50)]
        failed = hub.submit("fail", {"text": "no such city"}).result(60)
        limited = hub.submit("limit").result(60)
        locked = hub.submit("return_lock").result(60)
        assert [handle.result(60).data for handle in sums] == list(range(1, 51))

    assert failed.message == "ValueError: no such city"
    assert (limited.status, limited.data) == ("limit", {"wait_time": 30.0})
    assert "the result of 'return_lock' cannot be sent" in locked.message
    assert (tmp_path / "log").read_text().count("raise ValueError(text)") == 1


def test_both_workers_work(
    hub: LocalHub, make_provider: Make, client: Any, held: Any
) -> None:
    tasks = [held("one"), held("other")]
    with running(make_provider(client.get_executor()), hub):
        handles = [hub.submit("hold", task.payload) for task in tasks]
        pids = {task.wait_for() for task in tasks}
        for task in tasks:
            task.end()
        assert {handle.result(60).data for handle in handles} == pids

    assert len(pids) == 2


def test_tasks_of_the_same_payload_each_run(
    hub: LocalHub, make_provider: Make, client: Any, tmp_path: Path
) -> None:
    payload = {"folder": str(tmp_path)}
    with running(make_provider(client.get_executor()), hub):
        handles = [hub.submit("leave_file", payload) for _ in range(5)]
        files = {handle.result(60).data for handle in handles}

    assert len(files) == 5


def test_a_worker_that_dies_costs_its_task_one_error(
    hub: LocalHub, make_provider: Make, client: Any
) -> None:
    with running(make_provider(client.get_executor()), hub):
        died = hub.submit("die").result(60)
        after = hub.submit("add", {"a": 1, "b": 2}).result(60)

    assert died.message.startswith("KilledWorker: ")
    assert after.data == 3


def test_a_deadline_abandons_the_task_and_frees_the_slot(
    hub: LocalHub, make_provider: Make, client: Any, held: Any
) -> None:
    task = held("task")
    provider = make_provider(client.get_executor(), max_concurrency=1)
    provider.actions.register("hold_briefly", timeout=2)(sent.hold)
    with running(provider, hub):
        late = hub.submit("hold_briefly", task.payload).result(60)
        task.wait_for()
        # The worker goes on, and Dask may give it the next task all the same.
        task.end()
        after = hub.submit("add", {"a": 1, "b": 2}).result(60)

    assert late.message.startswith("ActionTimeoutError: ")
    assert after.data == 3


def test_an_executor_may_be_made_for_each_run(
    hub: LocalHub, make_provider: Make, client: Any
) -> None:
    provider = make_provider(client.get_executor)
    for _ in range(2):
        with running(provider, hub):
            assert hub.submit("add", {"a": 1, "b": 2}).result(60).data == 3


@pytest.mark.once
def test_the_example_runs_on_a_cluster_of_its_own() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "cluster.py")],
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.stdout.splitlines() == [
        "4 primes below 10",
        "168 primes below 1000",
        "1229 primes below 10000",
        "1229 primes below 10000",
        "error: ValueError: there is nothing below 0",
        "counted in this process: False",
    ]
