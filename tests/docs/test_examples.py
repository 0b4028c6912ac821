"""The programs in examples/ run, take their tasks from a hub, and end well."""

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from redis_server import RedisServer

from arbvantage_provider.testing import LocalHub

EXAMPLES = Path(__file__).parents[2] / "examples"
STATUSES = {
    "lifespan.py": {"success": 2},
    "quickstart.py": {"error": 13, "success": 10, "warning": 1},
}


def test_no_example_is_left_out() -> None:
    # The cluster brings its own hub and tasks: tests/executors/ runs it.
    run = {*STATUSES, "cluster.py", "shared_limit.py"}
    assert {file.name for file in EXAMPLES.glob("*.py")} == run


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
@pytest.mark.parametrize("example", STATUSES)
@pytest.mark.usefixtures("folder")
def test_an_example_answers_its_tasks_and_drains(
    example: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = EXAMPLES / example
    lines = file.with_suffix(".jsonl").read_text(encoding="utf-8").splitlines()
    with LocalHub(token="token") as hub:
        monkeypatch.setenv("HUB_GRPC_URL", hub.url)
        monkeypatch.setenv("PROVIDER_AUTH_TOKEN", "token")
        handles = [hub.submit(**json.loads(line)) for line in lines]
        with subprocess.Popen([sys.executable, str(file)]) as program:
            try:
                results = [handle.result(30) for handle in handles]
                program.send_signal(signal.SIGTERM)
                assert program.wait(30) == 0
            finally:
                program.kill()
    assert Counter(result.status for result in results) == STATUSES[example]


def test_two_providers_share_a_limit_in_redis(redis_server: RedisServer) -> None:
    program = [sys.executable, str(EXAMPLES / "shared_limit.py"), redis_server.url]
    found = subprocess.run(
        program, check=True, stdout=subprocess.PIPE, text=True, timeout=60
    )

    calls, seconds, north, south = re.findall(r"[\d.]+", found.stdout)
    # Five at once, and ten a second.
    assert float(seconds) >= (20 - 5) / 10
    assert int(north) + int(south) == int(calls) == 20
    assert min(int(north), int(south)) > 0
