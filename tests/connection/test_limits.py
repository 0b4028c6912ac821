"""How long a task, and a result, may be."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from arbvantage_provider import Provider
from arbvantage_provider.testing import LocalHub, running

Make = Callable[..., Provider]
LEAST = 16 * 1024


def test_a_task_over_the_receive_limit_is_counted_and_the_others_go_on(
    make_provider: Make, eventually: Any
) -> None:
    provider = make_provider(max_receive_bytes=LEAST, poll_interval=0.05)
    with LocalHub() as hub, running(provider, hub):
        hub.submit("echo", {"text": "x" * LEAST})
        # The hub may see that the call was given up, and hand the task out again.
        eventually(lambda: provider.snapshot().tasks_oversized >= 1)
        assert hub.submit("echo", {"text": "a"}).result(20).status == "success"


def test_a_result_over_the_send_limit_becomes_an_error_that_names_both_sizes(
    make_provider: Make,
) -> None:
    provider = make_provider(max_send_bytes=LEAST)
    provider.actions.register("write")(lambda: "x" * 20_000)
    with LocalHub(max_message_bytes=1_000_000) as hub, running(provider, hub):
        handle = hub.submit("write")
        result = handle.result(20)
        hub.submit("echo").result(20)

    assert result.status == "error"
    assert result.message.startswith("the result of 'write' is too large to send: 20")
    assert result.message.endswith(" bytes are more than the 16,384 of max_send_bytes)")
    assert len(handle.results) == 1


def test_what_a_result_echoes_counts_too(make_provider: Make) -> None:
    provider = make_provider(max_send_bytes=LEAST)

    @provider.actions.register()
    def read(payload: dict[str, str]) -> int:
        return len(payload)

    with LocalHub(max_message_bytes=1_000_000) as hub, running(provider, hub):
        result = hub.submit("read", {"text": "x" * LEAST}).result(20)

    assert result.status == "error"
    assert "of max_send_bytes" in result.message
    assert result.payload.endswith("... (cut: too large to send)")


@pytest.mark.parametrize(
    ("limit", "status"), [(128 * 1024 * 1024, "success"), (LEAST, "error")]
)
def test_a_payload_may_be_as_long_as_a_message(
    make_provider: Make, limit: int, status: str
) -> None:
    provider = make_provider(max_receive_bytes=limit)
    raw = b"{}" + b" " * (64 * 1024 * 1024)
    assert json.loads(provider.dispatch("echo", raw))["status"] == status
