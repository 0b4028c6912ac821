"""How the address of a hub is written, and what is refused when it is built."""

from typing import Any

import pytest

from arbvantage_provider import TLS, ConfigError, Provider
from arbvantage_provider.connection import parse_address

TARGETS = {
    "hub-grpc:50051": ("", "hub-grpc:50051"),
    "hub.example.com:1": ("", "hub.example.com:1"),
    "my_hub:65535": ("", "my_hub:65535"),
    "127.0.0.1:50051": ("", "127.0.0.1:50051"),
    "[::1]:50051": ("", "[::1]:50051"),
    "grpc://hub:50051": ("grpc", "hub:50051"),
    "grpc://hub:50051/": ("grpc", "hub:50051"),
    "grpcs://hub": ("grpcs", "hub:443"),
    "grpcs://hub:50051": ("grpcs", "hub:50051"),
    "grpcs://[fd00::1]": ("grpcs", "[fd00::1]:443"),
    "grpcs://[fe80::1%eth0]:1": ("grpcs", "[fe80::1%eth0]:1"),
    "unix:/run/hub.sock": ("unix", "unix:/run/hub.sock"),
    "unix:///run/hub.sock": ("unix", "unix:///run/hub.sock"),
}


@pytest.mark.parametrize("url", TARGETS)
def test_an_address_is_read(url: str) -> None:
    address = parse_address(url)
    assert (address.scheme, address.target) == TARGETS[url]
    assert Provider("p", hub_url=url).hub_url == url


REFUSED = {
    "hub": "'hub' has no port; write host:port",
    "grpc://hub": "'grpc://hub' has no port; write host:port",
    "hub:0": "has no port from 1 to 65535",
    "hub:65536": "has no port from 1 to 65535",
    "hub:port": "is no address of a hub; write host:port",
    "hub:50051/path": "is no address of a hub; write host:port",
    "grpcs://hub/path": "is no address of a hub",
    "hub:50051 ": "is no address of a hub",
    ":50051": "is no address of a hub",
    "grpcs://": "is no address of a hub",
    "::1:50051": "an IPv6 address in brackets",
    "[hub]:50051": "is no address of a hub",
    "http://hub:50051": "write 'grpc://hub:50051'",
    "https://hub": "write 'grpcs://hub'",
    "dns:///hub:50051": "begins with dns://; write host:port",
    "unix:": "is no address of a hub",
}


@pytest.mark.parametrize("url", REFUSED)
def test_a_wrong_address_says_what_to_write(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Provider("p", hub_url=url)
    assert str(caught.value).startswith("hub_url: ")
    assert REFUSED[url] in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "grpcs://a-canary@hub:50051",
        "grpcs://hub:50051?token=a-canary",
        "https://hub/?token=a-canary",
    ],
)
def test_a_token_in_an_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError, match="the token as auth_token") as caught:
        Provider("p", hub_url=url)
    assert "a-canary" not in str(caught.value)


def test_a_wrong_address_for_one_run_is_refused_too() -> None:
    with pytest.raises(ConfigError, match=r"hub_url: 'hub' has no port"):
        Provider("p", "a-token").start(hub_url="hub")


@pytest.mark.parametrize("url", ["grpc://hub:50051", "unix:/run/hub.sock"])
def test_tls_for_an_address_in_plain_text_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^tls: .* is plain text; write grpcs://"):
        Provider("p", hub_url=url, tls=TLS())


@pytest.mark.parametrize(
    ("given", "missing"), [("certificate", "key"), ("key", "certificate")]
)
def test_a_certificate_and_its_key_come_together(given: str, missing: str) -> None:
    parts: dict[str, Any] = {given: "file.pem"}
    with pytest.raises(ConfigError) as caught:
        TLS(**parts)
    name = f"tls.{missing}"
    assert (
        str(caught.value)
        == f"{name}: {given} is given without {missing}; give both, or none"
    )


def test_tls_that_is_none_is_refused() -> None:
    wrong: Any = True
    with pytest.raises(ConfigError, match=r"^tls: input should be an instance of TLS"):
        Provider("p", tls=wrong)


NEAR = [
    "localhost:1",
    "LOCALHOST:1",
    "127.0.0.1:1",
    "127.255.0.9:1",
    "127.1:1",
    "[::1]:1",
    "[::ffff:127.0.0.1]:1",
    "unix:/run/hub.sock",
    "hub-grpc:50051",
    "hub.shop.svc:1",
    "hub.shop.svc.:1",
    "hub.shop.SVC:1",
    "hub.shop.svc.cluster.local:1",
]
FAR = [
    "hub.example.com:1",
    "hub.localhost.example:1",
    "svc.example:1",
    "10.0.0.1:1",
    "128.0.0.1:1",
    "2130706434.example:1",
    "134744072:1",  # 8.8.8.8, in one number
    "[2001:db8::1]:1",
    "[::ffff:8.8.8.8]:1",
]


@pytest.mark.parametrize("url", NEAR)
def test_what_stays_on_this_machine_or_in_its_cluster_is_near(url: str) -> None:
    assert parse_address(url).is_near


@pytest.mark.parametrize("url", FAR)
def test_what_goes_elsewhere_is_not_near(url: str) -> None:
    assert not parse_address(url).is_near
