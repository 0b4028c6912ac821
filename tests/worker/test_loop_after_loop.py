"""One provider after another in a process; gRPC's queue is one for all their loops."""

import asyncio
import gc
import socket
from collections.abc import Iterator

import pytest
from grpc import aio

from arbvantage_provider import (
    ConnectionError,  # noqa: A004 - the name is the contract's
    Provider,
)
from arbvantage_provider.testing import LocalHub, running


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address at which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{sock.getsockname()[1]}"


def rest() -> None:
    """Do nothing."""


def answer_one(hub: LocalHub) -> None:
    """Serve one task, and let the loop take in whatever else there is."""
    provider = Provider("after")
    provider.actions.register()(rest)
    with running(provider, hub):
        assert hub.submit("rest").result(20).status == "success"


def test_a_provider_that_found_no_hub_leaves_nothing_to_the_next_loop(
    hub: LocalHub, nobody: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def connect() -> None:
        async with aio.insecure_channel(hub.url) as channel:
            await channel.channel_ready()

    for _ in range(20):
        provider = Provider(
            "before", hub_url=nobody, auth_token="t", connect_timeout=0.05
        )
        with pytest.raises(ConnectionError):
            asyncio.run(provider.serve())
        asyncio.run(connect())
    assert "Event loop is closed" not in caplog.text


def test_what_other_programs_left_in_grpcs_queue_is_no_error_of_a_provider(
    hub: LocalHub, nobody: str, capfd: pytest.CaptureFixture[str]
) -> None:
    async def leave_call() -> aio.Channel:
        channel = aio.insecure_channel(nobody)
        state = channel.get_state(try_to_connect=True)
        watching = asyncio.create_task(channel.wait_for_state_change(state))
        await asyncio.sleep(0)
        watching.cancel()
        return channel

    left = [asyncio.run(leave_call()) for _ in range(20)]
    left.clear()
    gc.collect()  # which ends the calls
    answer_one(hub)
    assert "nobody awaited" not in capfd.readouterr().err
