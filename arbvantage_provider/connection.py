"""Where a hub is, and what keeps the way to it closed to others: as it is written.

Nothing here is opened or read; that is for ``hub/``.
"""

import ipaddress
import os
import re
import socket
from dataclasses import dataclass
from typing import Final, Literal

from arbvantage_provider.exceptions import ConfigError

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

        So it is taken to be for loopback, socket files, names of one label, and
        names that end in ``.svc`` or ``.svc.cluster.local``.
        """
        ip = _read_ip(self.host)
        if ip is not None:
            return ip.is_loopback
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
            raise ConfigError(f"{name_tls_setting(missing)}: {problem}")


def name_tls_setting(name: str) -> str:
    """What a message calls a part of ``TLS``: as argument, and as variable."""
    return f"tls.{name} (PROVIDER_TLS_{name.upper()})"


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
