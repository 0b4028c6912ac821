"""A token that travels in the clear: who is told, and when."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arbvantage_provider import TLS, ConnectionError, Provider  # noqa: A004
from arbvantage_provider.testing import LocalHub, running

Make = Callable[..., Provider]


def start_in_vain(provider: Provider, log: Path) -> list[dict[str, Any]]:
    """The warnings of one start, without a hub."""
    before = log.read_text(encoding="utf-8") if log.exists() else ""
    with pytest.raises(ConnectionError):
        provider.start()
    channels = log.read_text(encoding="utf-8").removeprefix(before).splitlines()
    return [line for line in map(json.loads, channels) if line["level"] == "warning"]


def make_far(make_provider: Make, url: str, **settings: Any) -> Provider:
    return make_provider(
        hub_url=url, auth_token="a-token", connect_timeout=0.01, **settings
    )


@pytest.mark.parametrize(
    "url",
    ["192.0.2.1:50051", "grpc://192.0.2.1:50051", "[2001:db8::1]:1", "hub.invalid:1"],
)
def test_a_token_in_the_clear_is_warned_of_at_each_start(
    make_provider: Make, log: Path, url: str
) -> None:
    provider = make_far(make_provider, url)
    for _ in range(2):
        (warning,) = start_in_vain(provider, log)
        assert warning["event"] == "the token and all tasks travel in the clear"
        assert warning["hub"] == url
        place = url.removeprefix("grpc://")
        assert warning["advice"] == f"write grpcs://{place} for TLS"


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:1",
        "[::1]:1",
        "localhost:1",
        "hub-grpc:50051",
        "hub.shop.svc:50051",
        "hub.shop.svc.cluster.local:50051",
        "unix:/nowhere/hub.sock",
        "grpcs://192.0.2.1",
        "grpcs://hub.invalid",
    ],
)
def test_what_stays_near_or_is_encrypted_is_not_warned_of(
    make_provider: Make, log: Path, url: str
) -> None:
    assert start_in_vain(make_far(make_provider, url), log) == []


def test_tls_for_an_address_without_a_scheme_is_not_warned_of(
    make_provider: Make, log: Path
) -> None:
    provider = make_far(make_provider, "192.0.2.1:1", tls=TLS())
    assert start_in_vain(provider, log) == []


def test_a_local_hub_is_not_warned_of(make_provider: Make, log: Path) -> None:
    provider = make_provider(hub_url="192.0.2.1:1")
    with LocalHub() as hub, running(provider, hub):
        hub.submit("echo").result(20)
    assert "in the clear" not in log.read_text(encoding="utf-8")
