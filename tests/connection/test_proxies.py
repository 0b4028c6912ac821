"""Proxies that the environment names: which hubs are reached by one, and who is told."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from http_front import Proxy
from patience import wait_for

from arbvantage_provider import TLS, ConnectionError, Provider  # noqa: A004
from arbvantage_provider.connection import (
    BY_ADDRESS,
    NO_PROXIES,
    PROXIES,
    choose_proxy,
    parse_address,
)
from arbvantage_provider.testing import LocalHub, running

Make = Callable[..., Provider]
Start = Callable[..., Any]
SetEnv = Callable[[str, object], None]

FAR = "hub.example.test:50051"
PASSWORD = "secret-word"
CLEAR = "the token and all tasks travel in the clear"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (*PROXIES, *NO_PROXIES, *BY_ADDRESS):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    with LocalHub() as hub:
        yield hub


def lead_to(hub: LocalHub, **options: Any) -> Proxy:
    """A proxy that knows the far name as this hub's."""
    return Proxy(FAR, int(hub.url.rpartition(":")[2]), **options)


@pytest.fixture
def proxy(hub: LocalHub) -> Iterator[Proxy]:
    with lead_to(hub) as proxy:
        yield proxy


@pytest.fixture
def use(environment: SetEnv) -> Callable[..., str]:
    """Sets a variable to a proxy, with a password; what it is called in messages."""

    def use(port: int, variable: str = "http_proxy") -> str:
        environment(variable, f"http://me:{PASSWORD}@127.0.0.1:{port}/")
        return f"the proxy 127.0.0.1:{port} of {variable}"

    return use


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def make_far(make_provider: Make, url: str = FAR, **settings: Any) -> Provider:
    return make_provider(hub_url=url, auth_token="token-for-tests", **settings)


def read_warnings(log: Path) -> list[dict[str, Any]]:
    channels = map(json.loads, log.read_text(encoding="utf-8").splitlines())
    return [line for line in channels if line["level"] == "warning"]


# --- what is near --------------------------------------------------------------


@pytest.mark.parametrize("variable", PROXIES)
def test_a_hub_on_loopback_is_reached_directly(
    hub: LocalHub, closed_port: int, make_provider: Make, use: Any, variable: str
) -> None:
    use(closed_port, variable)
    with running(make_provider(), hub):
        assert hub.submit("echo", {"text": "a"}).result(20).data == {"text": "a"}


def test_a_hub_on_loopback_is_reached_directly_by_tls_too(
    authority: Any, closed_port: int, make_provider: Make, use: Any
) -> None:
    use(closed_port)
    tls = TLS(roots=authority.roots)
    with (
        LocalHub(tls=authority.serve()) as hub,
        running(make_provider(tls=tls), hub),
    ):
        hub.submit("echo").result(20)


def test_a_proxy_for_addresses_is_none_for_those_of_loopback(
    hub: LocalHub, closed_port: int, make_provider: Make, environment: SetEnv
) -> None:
    environment(BY_ADDRESS[0], f"127.0.0.1:{closed_port}")
    environment(BY_ADDRESS[1], "127.0.0.0/8")
    with running(make_provider(), hub):
        hub.submit("echo").result(20)


@pytest.mark.parametrize(
    "url", ["hub-grpc:1", "hub.shop.svc:1", "hub.shop.svc.cluster.local:1", "[::1]:1"]
)
def test_a_proxy_is_not_asked_for_a_name_that_is_near(
    proxy: Proxy, make_provider: Make, use: Any, url: str
) -> None:
    use(proxy.port)
    with pytest.raises(ConnectionError) as caught:
        make_far(make_provider, url, connect_timeout=0.3).start()
    assert proxy.requests == []
    assert "proxy" not in str(caught.value)


def test_a_local_hub_of_the_command_is_reached_directly(
    folder: Path, arbvantage: Any, closed_port: int, use: Any
) -> None:
    use(closed_port)
    program = (
        "from arbvantage_provider import Provider\n"
        "provider = Provider('p')\n"
        "@provider.actions.register()\n"
        "def echo(): return {'text': 'here'}\n"
    )
    (folder / "worker.py").write_text(program, encoding="utf-8")
    (folder / "tasks.jsonl").write_text(
        '{"action": "echo", "payload": {}}\n', encoding="utf-8"
    )
    done = arbvantage("run", "worker.py", "--local-hub", "--tasks", "tasks.jsonl")
    assert (done.returncode, "here" in done.stdout) == (0, True)


# --- what is elsewhere ---------------------------------------------------------


@pytest.mark.parametrize("variable", PROXIES)
def test_a_hub_elsewhere_is_reached_by_the_proxy(
    hub: LocalHub,
    proxy: Proxy,
    make_provider: Make,
    start: Start,
    use: Any,
    variable: str,
) -> None:
    use(proxy.port, variable)
    start(make_far(make_provider))
    assert hub.submit("echo", {"text": "a"}).result(20).data == {"text": "a"}
    assert proxy.requests[0].startswith(f"CONNECT {FAR} ")


def test_plain_text_through_a_proxy_is_warned_of_by_its_name(
    hub: LocalHub, proxy: Proxy, make_provider: Make, start: Start, use: Any, log: Path
) -> None:
    said = use(proxy.port)
    start(make_far(make_provider))
    hub.submit("echo").result(20)
    (warning,) = read_warnings(log)
    assert (warning["event"], warning["proxy"]) == (CLEAR, said)
    assert PASSWORD not in log.read_text(encoding="utf-8")


def test_tls_goes_through_the_proxy_and_warns_of_nothing(
    authority: Any, make_provider: Make, start: Start, use: Any, log: Path
) -> None:
    tls = TLS(roots=authority.roots)
    with (
        LocalHub(tls=authority.serve("hub.example.test")) as hub,
        lead_to(hub) as proxy,
    ):
        use(proxy.port)
        run = start(make_far(make_provider, f"grpcs://{FAR}", tls=tls))
        hub.submit("echo").result(20)
        run.stop()
        assert proxy.requests
    assert read_warnings(log) == []


@pytest.mark.parametrize("scheme", ["grpc", "grpcs"])
def test_a_proxy_that_is_not_there_is_named(
    closed_port: int, make_provider: Make, use: Any, scheme: str
) -> None:
    said = use(closed_port)
    url = f"{scheme}://{FAR}"
    problem = f"no connection to the hub at {url} through {said} within"
    with pytest.raises(ConnectionError, match=problem) as caught:
        make_far(make_provider, url, connect_timeout=0.3).start()
    assert PASSWORD not in str(caught.value)


def test_a_password_that_grpc_takes_for_a_host_is_not_told(
    make_provider: Make, environment: SetEnv
) -> None:
    environment("http_proxy", f"http://me@here:{PASSWORD}/@127.0.0.1:1")
    problem = "through the proxy of http_proxy within"
    with pytest.raises(ConnectionError, match=problem) as caught:
        make_far(make_provider, FAR, connect_timeout=2).start()
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("status", [403, 407, 502])
def test_a_proxy_that_refuses_is_named_with_what_it_says(
    hub: LocalHub, make_provider: Make, use: Any, status: int
) -> None:
    with lead_to(hub, status=status) as proxy:
        said = use(proxy.port)
        with pytest.raises(ConnectionError) as caught:
            make_far(make_provider, connect_timeout=0.5).start()
    message = str(caught.value)
    assert f"through {said}" in message
    assert f"response code {status}" in message
    assert PASSWORD not in message


def test_a_certificate_that_is_wrong_behind_a_proxy_names_the_proxy(
    authority: Any, make_authority: Any, make_provider: Make, use: Any
) -> None:
    tls = TLS(roots=make_authority().roots)
    with (
        LocalHub(tls=authority.serve("hub.example.test")) as hub,
        lead_to(hub) as proxy,
    ):
        said = use(proxy.port)
        with pytest.raises(ConnectionError, match=f"through {said}: its certificate"):
            make_far(make_provider, f"grpcs://{FAR}", tls=tls).start()


def test_a_proxy_that_goes_away_in_mid_run_is_named_in_the_log(
    hub: LocalHub, make_provider: Make, start: Start, use: Any, log: Path
) -> None:
    with lead_to(hub) as proxy:
        said = use(proxy.port)
        start(make_far(make_provider))
        hub.submit("echo").result(20)
    wait_for(lambda: f"(through {said})" in log.read_text(encoding="utf-8"))
    assert PASSWORD not in log.read_text(encoding="utf-8")


def test_a_host_that_needs_no_proxy_is_reached_directly(
    proxy: Proxy, make_provider: Make, use: Any, environment: SetEnv, log: Path
) -> None:
    use(proxy.port)
    environment("no_proxy", "other.test, .example.test")
    with pytest.raises(ConnectionError) as caught:
        make_far(make_provider, connect_timeout=0.3).start()
    assert proxy.requests == []
    assert "proxy" not in str(caught.value)
    assert [warning.get("proxy") for warning in read_warnings(log)] == [None]


# --- the rules -------------------------------------------------------------------

HERE = {"http_proxy": "http://p:1"}
CHOICES: dict[str, tuple[str, dict[str, str], str | None]] = {
    "none": (FAR, {}, None),
    "one": (FAR, HERE, "the proxy p:1 of http_proxy"),
    "the first": (
        FAR,
        {**HERE, "https_proxy": "http://q:2", "grpc_proxy": "http://[::1]:3"},
        "the proxy [::1]:3 of grpc_proxy",
    ),
    "the first is empty": (FAR, {**HERE, "grpc_proxy": ""}, None),
    "upper case": (FAR, {"HTTP_PROXY": "http://p:1"}, None),
    "no scheme": (FAR, {"http_proxy": "p:1"}, None),
    "another scheme": (FAR, {"http_proxy": "socks5://p:1"}, None),
    "a user": (FAR, {"http_proxy": "http://a@p:1"}, "the proxy p:1 of http_proxy"),
    "an odd password": (
        FAR,
        {"http_proxy": "http://a:1/2@p:3"},
        "the proxy of http_proxy",
    ),
    "two at signs": (
        FAR,
        {"http_proxy": "http://a:b@c@p:3"},
        "the proxy of http_proxy",
    ),
    "a path": (FAR, {"http_proxy": "http://p:1/x?y"}, "the proxy p:1 of http_proxy"),
    "the host": (FAR, {**HERE, "no_proxy": "HUB.example.test"}, None),
    "its domain": (FAR, {**HERE, "no_proxy": "a,example.test"}, None),
    "all": (FAR, {**HERE, "no_proxy": "*"}, None),
    "another host": (
        FAR,
        {**HERE, "no_proxy": "a.test"},
        "the proxy p:1 of http_proxy",
    ),
    "an empty list": (FAR, {**HERE, "no_proxy": ",,"}, "the proxy p:1 of http_proxy"),
    "the list of gRPC counts first": (
        FAR,
        {**HERE, "no_proxy": "example.test", "no_grpc_proxy": ""},
        "the proxy p:1 of http_proxy",
    ),
    "a network": ("192.0.2.7:1", {**HERE, "no_proxy": "192.0.2.1/24"}, None),
    "another network": (
        "192.0.3.7:1",
        {**HERE, "no_proxy": "192.0.2.0/24, x/y"},
        "the proxy p:1 of http_proxy",
    ),
    "IPv6": ("[2001:db8::7]:1", {**HERE, "no_proxy": "2001:db8::/32"}, None),
    "by address": (
        FAR,
        dict.fromkeys(BY_ADDRESS, "192.0.2.1:3"),
        f"the proxy of {BY_ADDRESS[0]}",
    ),
    "half of by address": (FAR, {BY_ADDRESS[0]: "192.0.2.1:3"}, None),
    "loopback": ("127.0.0.1:1", HERE, None),
    "any address of this machine": ("0.0.0.0:1", HERE, None),
    "the same by IPv6": ("[::]:1", HERE, None),
    "loopback in short": ("127.1:1", HERE, None),
    "one label": ("grpcs://hub", HERE, None),
    "a cluster": ("hub.shop.svc:1", HERE, None),
    "a socket file": ("unix:/run/hub.sock", HERE, None),
}


@pytest.mark.parametrize("case", CHOICES)
def test_a_proxy_is_chosen_by_the_rules_of_grpc(case: str) -> None:
    url, variables, said = CHOICES[case]
    proxy = choose_proxy(parse_address(url), variables)
    assert (proxy and str(proxy)) == said
