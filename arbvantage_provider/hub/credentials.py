"""The files of TLS, as what gRPC takes."""

import os
import ssl
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final, TypeAlias

import grpc

from arbvantage_provider.connection import TLS, FilePath
from arbvantage_provider.exceptions import ConfigError
from arbvantage_provider.hub.files import Watched, read_bytes
from arbvantage_provider.variables import name_setting

_Held: TypeAlias = tuple[FilePath, bytes]
"""A file, and what it holds."""
_LONGEST: Final = 16 * 1024 * 1024
_CERTIFICATE: Final = b"-----BEGIN CERTIFICATE-----"
_KEY: Final = b"PRIVATE KEY-----"
_ENCRYPTED: Final = b"ENCRYPTED"
_BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where systems keep their roots, if OpenSSL does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What the files of a ``TLS`` hold, in PEM; none of it is in the repr.

    Attributes:
        roots: the authorities that are trusted; ``None``: those that gRPC brings.
        certificate: the own certificate and those between it and the root.
        key: its private key.
    """

    roots: bytes | None = field(repr=False)
    certificate: bytes | None = field(repr=False)
    key: bytes | None = field(repr=False)

    def for_client(self) -> grpc.ChannelCredentials:
        """What a channel to a hub is opened with."""
        return grpc.ssl_channel_credentials(self.roots, self.key, self.certificate)

    def for_server(self) -> grpc.ServerCredentials:
        """What a hub listens with; clients need a certificate where there are roots.

        Raises:
            ConfigError: if there is no certificate.
        """
        if self.certificate is None or self.key is None:
            raise ConfigError("a hub needs tls.certificate and tls.key")
        pair = (self.key, self.certificate)
        wants_client = self.roots is not None
        return grpc.ssl_server_credentials([pair], self.roots, wants_client)


def watch_credentials(
    tls: TLS, *, monotonic: Callable[[], float], warn: Callable[[str], None]
) -> Watched[Credentials]:
    """A client's credentials, which follow their files.

    Raises:
        ConfigError: if a file cannot be used; it names the setting.
    """
    roots = find_system_roots() if tls.roots is None else tls.roots
    files = (roots, tls.certificate, tls.key)
    return Watched(
        [file for file in files if file is not None],
        partial(read_credentials, tls, roots),
        monotonic=monotonic,
        warn=warn,
    )


def read_credentials(tls: TLS, roots: FilePath | None) -> Credentials:
    """What the files hold now.

    Raises:
        ConfigError: if one cannot be read, is no PEM, or the key is not that of the
            certificate; it names the setting, and nothing of what the file holds.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusted = certificate = key = None
    if roots is not None:
        trusted = _read("roots", roots, holding=_CERTIFICATE)
        if tls.roots is not None:  # those of the system are good, and take 50 ms
            _check_roots(context, roots, trusted)
    if tls.certificate is not None and tls.key is not None:
        certificate = _read("certificate", tls.certificate, holding=_CERTIFICATE)
        key = _read("key", tls.key, holding=_KEY)
        if _ENCRYPTED in key:
            problem = "is encrypted; give a key without a passphrase"
            raise _refuse("key", tls.key, problem)
        _check_pair(context, (tls.certificate, certificate), (tls.key, key))
    return Credentials(roots=trusted, certificate=certificate, key=key)


def find_system_roots() -> str | None:
    """The file of the system's roots, or of ``SSL_CERT_FILE``; ``None``: none is found."""
    said = ssl.get_default_verify_paths().cafile
    return said or next(filter(os.path.isfile, _BUNDLES), None)


def _read(part: str, file: FilePath, *, holding: bytes) -> bytes:
    raw = read_bytes(file, name_setting(f"tls.{part}"), longest=_LONGEST)
    if holding not in raw:
        kind = "private key" if holding == _KEY else "certificate"
        raise _refuse(part, file, f"holds no {kind} in PEM (…{holding.decode()})")
    return raw


def _check_roots(context: ssl.SSLContext, file: FilePath, raw: bytes) -> None:
    try:
        # What stands between the certificates may be any text.
        context.load_verify_locations(cadata=raw.decode("ascii", "replace"))
    except (OSError, ValueError) as error:
        problem = f"holds a certificate that is broken ({_name(error)})"
        raise _refuse("roots", file, problem) from None


def _check_pair(context: ssl.SSLContext, certificate: _Held, key: _Held) -> None:
    try:
        # It reads the files once more; `Watched` sees to it that they are the same.
        with _open_held(*certificate) as own, _open_held(*key) as secret:
            context.load_cert_chain(own, secret, password="")
    except OSError as error:
        if _name(error) == "KEY_VALUES_MISMATCH":
            problem = "is not the key of the certificate"
            raise _refuse("key", key[0], problem) from None
        problem = f"cannot be used with its key ({_name(error)})"
        raise _refuse("certificate", certificate[0], problem) from None


@contextmanager
def _open_held(file: FilePath, raw: bytes) -> Generator[FilePath]:
    """The file; or, where a byte order mark was taken off, a copy that has no name."""
    if Path(file).stat().st_size == len(raw):
        yield file
        return
    with TemporaryFile() as copy:
        copy.write(raw)
        copy.seek(0)
        yield f"/dev/fd/{copy.fileno()}"


def _refuse(part: str, file: FilePath, problem: str) -> ConfigError:
    return ConfigError(f"{name_setting(f'tls.{part}')}: {os.fspath(file)!r} {problem}")


def _name(error: Exception) -> str:
    return str(getattr(error, "reason", None) or type(error).__name__)
