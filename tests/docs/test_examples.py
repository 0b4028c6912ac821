"""The programs in examples/ run, take their tasks from a hub, and end well."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from arbvantage_provider.testing import LocalHub

EXAMPLES = Path(__file__).parents[2] / "examples"
STATUSES = {
    "lifespan.py": {"success": 2},
    "quickstart.py": {"error": 13, "success": 10, "warning": 1},
}


def test_no_example_is_left_out() -> None:
    # The cluster brings its own hub and tasks: tests/executors/ runs it.
    run = {*STATUSES, "cluster.py"}
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
