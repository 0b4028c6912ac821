"""Where a hub is, and what keeps the way to it closed to others: as it is written.

Nothing here is opened or read; that is for ``hub/``.
"""

import ipaddress
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from typing_extensions import override

from arbvantage_provider.exceptions import ConfigError
from arbvantage_provider.variables import name_setting

Scheme = Literal["", "grpc", "grpcs", "unix"]
FilePath = str | os.PathLike[str]

TLS_PORT: Final = 443
"""The port of ``grpcs://host``."""
FORMS: Final = "write host:port, grpc://host:port, or grpcs://host:port for TLS"

_PLACE: Final = re.compile(
    r"(?:\[(?P<ip>[^\]]+)\]|(?P<name>[\w.-]+))(?::(?P<port>\d+))?"
)
_HIGHEST_PORT: Final = 65_535
_IN_CLUSTER: Final = (".svc", ".svc.cluster.local")

PROXIES: Final = ("grpc_proxy", "https_proxy", "http_proxy")
"""The variables that name a proxy; the first that is set counts."""
NO_PROXIES: Final = ("no_grpc_proxy", "no_proxy")
"""The variables that list hosts that are reached directly; again the first."""
BY_ADDRESS: Final = (
    "GRPC_ADDRESS_HTTP_PROXY",
    "GRPC_ADDRESS_HTTP_PROXY_ENABLED_ADDRESSES",
)
"""The variables of a proxy for some IP addresses; both are needed."""
_PROXY: Final = re.compile(
    r"http://(?:[^@/?#]*@)?"
    r"(?P<place>(?:\[[\da-fA-F:.]+\]|[\w.-]+)(?::\d+)?)(?:[/?#][^@]*)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a hub is.

    Attributes:
        scheme: as written; ``""`` where there is none.
        host: a name, or an IP address without brackets; ``""`` for a socket file.
        target: what is connected to: ``host:port``, or ``unix:PATH``.
    """

    scheme: Scheme
    host: str
    target: str

    @property
    def is_near(self) -> bool:
        """Whether what goes there stays on this machine, or within its cluster.

        So it is taken to be for loopback, ``0.0.0.0``, socket files, names of one label, and
        names that end in ``.svc`` or ``.svc.cluster.local``.
        """
        ip = _read_ip(self.host)
        if ip is not None:
            return ip.is_loopback or ip.is_unspecified
        name = self.host.lower().removesuffix(".")
        return "." not in name or name.endswith(_IN_CLUSTER)


@dataclass(frozen=True, slots=True, kw_only=True)
class TLS:
    """What TLS is spoken with; each file holds PEM, and is read when it is needed.

    Args:
        roots: the authorities that the other side's certificate may be of; left
            out: those of the system.
        certificate: the own certificate, and those between it and the root.
        key: its private key, not encrypted.
        server_name: the name that the hub's certificate is for, where that is not
            the host of its address.

    Raises:
        ConfigError: if there is a certificate without a key, or the reverse.
    """

    roots: FilePath | None = None
    certificate: FilePath | None = None
    key: FilePath | None = None
    server_name: str | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            names = ("key", "certificate")
            missing, given = names if self.key is None else reversed(names)
            problem = f"{given} is given without {missing}; give both, or none"
            raise ConfigError(f"{name_setting(f'tls.{missing}')}: {problem}")


def parse_address(url: str) -> Address:
    """The address that is written ``host:port``, ``grpc://…``, ``grpcs://…`` or ``unix:…``.

    An IPv6 address stands in brackets. ``grpcs`` is TLS, and its port is 443 where
    none is written.

    Raises:
        ConfigError: if it is written otherwise; it says what to write.
    """
    if "@" in url:
        # What stands before it may be a secret, so the text is not repeated.
        problem = f"it holds a user name (@); {FORMS}, and the token as auth_token"
        raise ConfigError(problem)
    if "?" in url and not url.startswith("unix:"):
        problem = f"it holds a query (?); {FORMS}, and the token as auth_token"
        raise ConfigError(problem)
    if url.startswith("unix:") and url != "unix:":
        return Address(scheme="unix", host="", target=url)
    before, mark, place = url.rpartition("://")
    scheme = _check_scheme(before, url) if mark else ""
    found = _PLACE.fullmatch(place.removesuffix("/") if mark else place)
    if found is None or (found["ip"] and not _is_ipv6(found["ip"])):
        hint = ", an IPv6 address in brackets" if place.count(":") > 1 else ""
        raise ConfigError(f"{url!r} is no address of a hub; {FORMS}{hint}")
    port = int(found["port"] or (TLS_PORT if scheme == "grpcs" else 0))
    if not 0 < port <= _HIGHEST_PORT:
        what = (
            f"has no port from 1 to {_HIGHEST_PORT}" if found["port"] else "has no port"
        )
        raise ConfigError(f"{url!r} {what}; {FORMS}")
    host = found["ip"] or found["name"]
    shown = f"[{host}]" if found["ip"] else host
    return Address(scheme=scheme, host=host, target=f"{shown}:{port}")


def name_scheme(url: str) -> str:
    """The same address; without a scheme, it is plain text whatever ``tls`` is."""
    return url if parse_address(url).scheme else f"grpc://{url}"


def choose_tls(address: Address, tls: TLS | None) -> TLS | None:
    """What to speak TLS with at this address; ``None``: plain text.

    The address may say so (``grpcs://``); one without a scheme leaves it to ``tls``.
    """
    if address.scheme == "grpcs":
        return tls or TLS()
    return None if address.scheme else tls


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """An HTTP proxy that leads to a hub.

    Attributes:
        variable: the one of the environment that names it.
        place: its ``host:port``, without user and password; ``""`` where they cannot
            be told apart.
    """

    variable: str
    place: str = ""

    @property
    def is_odd(self) -> bool:
        """Whether gRPC may take parts of the password for the place, and tell them."""
        return not self.place and self.variable in PROXIES

    @override
    def __str__(self) -> str:
        place = f"{self.place} " if self.place else ""
        return f"the proxy {place}of {self.variable}"


def choose_proxy(address: Address, variables: Mapping[str, str]) -> Proxy | None:
    """The proxy that gRPC is to reach this address by; ``None``: by none.

    What is near is reached directly. For the rest the rules are those of gRPC: a proxy
    is written ``http://host:port``, and any other value is none.

    Args:
        address: where the hub is.
        variables: the environment.
    """
    if address.is_near:
        return None
    variable = _find_first(PROXIES, variables)
    value = variables.get(variable, "")
    direct = variables.get(_find_first(NO_PROXIES, variables), "")
    if value.startswith("http://") and not _is_listed(address.host, direct):
        found = _PROXY.fullmatch(value)
        return Proxy(variable=variable, place=found["place"] if found else "")
    if all(variables.get(name) for name in BY_ADDRESS):
        return Proxy(variable=BY_ADDRESS[0])
    return None


def _find_first(names: tuple[str, ...], variables: Mapping[str, str]) -> str:
    return next((name for name in names if name in variables), "")


def _is_listed(host: str, entries: str) -> bool:
    """Whether a host ends with one of the entries, or is in a network that is one."""
    return any(
        host.lower().endswith(entry.lower()) or entry == "*" or _is_within(host, entry)
        for entry in map(str.strip, entries.split(","))
        if entry
    )


def _is_within(host: str, network: str) -> bool:
    try:
        ip = ipaddress.ip_address(host)
        return "/" in network and ip in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _check_scheme(scheme: str, url: str) -> Scheme:
    known: dict[str, Scheme] = {"grpc": "grpc", "grpcs": "grpcs"}
    if scheme in known:
        return known[scheme]
    meant = {"http": "grpc", "https": "grpcs"}.get(scheme)
    hint = f"write {url.replace(scheme, meant, 1)!r}" if meant else FORMS
    raise ConfigError(f"{url!r} begins with {scheme}://; {hint}")


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _read_ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address that ``host`` is, in any of the ways to write one."""
    try:
        # Resolvers take 127.1, 0x7f000001 and 2130706433 for an IPv4 address, too.
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        pass
    try:
        ip = ipaddress.IPv6Address(host)
    except ValueError:
        return None
    return ip.ipv4_mapped or ip
