"""TLS to a hub: what is trusted, what is refused, and what the user reads then."""

import dataclasses
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from arbvantage_provider import TLS, ConfigError, ConnectionError, Provider  # noqa: A004
from arbvantage_provider.testing import LocalHub, running

Make = Callable[..., Provider]
SetEnv = Callable[[str, object], None]


def works(provider: Provider, hub: LocalHub) -> bool:
    """Whether a task goes to a provider and comes back."""
    with running(provider, hub):
        return bool(hub.submit("echo", {"text": "a"}).result(20).data == {"text": "a"})


def register_echo(provider: Provider) -> None:
    @provider.actions.register()
    def echo(text: str) -> dict[str, str]:
        return {"text": text}


def fail_to_start(provider: Provider, hub: LocalHub) -> str:
    """What a user reads; without a hint to wait, as it is told at once."""
    with pytest.raises(ConnectionError) as caught:
        provider.start(hub_url=hub.url, auth_token="any-token")
    return str(caught.value)


# --- what is trusted ---------------------------------------------------------


def test_a_hub_of_given_roots_is_trusted(authority: Any, make_provider: Make) -> None:
    provider = make_provider(tls=TLS(roots=authority.roots))
    with LocalHub(tls=authority.serve()) as hub:
        assert hub.url.startswith("grpcs://localhost:")
        assert works(provider, hub)


def test_a_hub_of_the_systems_roots_is_trusted(
    authority: Any, make_provider: Make, environment: SetEnv
) -> None:
    environment("SSL_CERT_FILE", authority.roots)
    with LocalHub(tls=authority.serve()) as hub:
        assert works(make_provider(), hub)


def test_an_ip_address_may_stand_in_the_certificate(
    authority: Any, make_provider: Make
) -> None:
    tls = TLS(roots=authority.roots)
    with LocalHub(tls=authority.serve("127.0.0.1")) as hub:
        url = hub.url.replace("localhost", "127.0.0.1")
        provider = make_provider(tls=tls, hub_url=url, auth_token="any-token")
        hub.submit("echo")
        provider.actions.register("stop")(provider.stop)
        hub.submit("stop")
        provider.start()
        hub.join()


def test_the_name_in_the_certificate_may_be_given(
    authority: Any, make_provider: Make
) -> None:
    tls = TLS(roots=authority.roots, server_name="hub.example")
    with LocalHub(tls=authority.serve("hub.example")) as hub:
        assert works(make_provider(tls=tls), hub)


def test_an_address_without_a_scheme_is_tls_where_tls_is_given(
    authority: Any, make_provider: Make
) -> None:
    with LocalHub(tls=authority.serve()) as hub:
        provider = make_provider(
            tls=TLS(roots=authority.roots),
            hub_url=hub.url.removeprefix("grpcs://"),
            auth_token="any-token",
        )
        provider.actions.register("stop")(provider.stop)
        hub.submit("stop")
        provider.start()
        hub.join()


def test_all_of_it_may_come_from_the_environment(
    authority: Any, make_provider: Make, environment: SetEnv, gate: Any
) -> None:
    client = authority.issue("a-client")
    server = authority.issue("hub.example")
    tls = TLS(roots=authority.roots, **server._asdict())
    environment("PROVIDER_NAME", "p")
    environment("PROVIDER_TLS_ROOTS", authority.roots)
    environment("PROVIDER_TLS_CERTIFICATE", client.certificate)
    environment("PROVIDER_TLS_KEY", client.key)
    environment("PROVIDER_TLS_SERVER_NAME", "hub.example")
    provider = Provider.from_env()
    register_echo(provider)
    with LocalHub(tls=tls) as hub:
        assert works(provider, hub)


def test_a_provider_with_tls_works_on_a_local_hub_in_plain_text(
    authority: Any, make_provider: Make
) -> None:
    provider = make_provider(tls=TLS(roots=authority.roots))
    with LocalHub() as hub:
        assert works(provider, hub)


def test_a_hub_may_want_a_certificate_of_its_providers(
    authority: Any, make_authority: Any, make_provider: Make
) -> None:
    clients = make_authority()
    tls = TLS(roots=clients.roots, **authority.issue()._asdict())
    client = TLS(roots=authority.roots, **clients.issue("a-client")._asdict())
    with LocalHub(tls=tls) as hub:
        assert works(make_provider(tls=client), hub)


# --- what is refused, and what the user reads --------------------------------


def test_a_hub_of_another_authority_is_refused_at_once(
    authority: Any, make_authority: Any, make_provider: Make
) -> None:
    provider = make_provider(tls=TLS(roots=make_authority().roots))
    with LocalHub(tls=authority.serve()) as hub:
        message = fail_to_start(provider, hub)
    assert message.startswith(
        f"no connection to the hub at {hub.url}: its certificate is of no "
    )
    assert "TLS(roots=…)" in message


@pytest.mark.parametrize(
    ("days", "problem"),
    [
        ({"begins": -9, "ends": -1}, "its certificate has expired"),
        ({"begins": 1, "ends": 9}, "its certificate is not valid yet"),
    ],
)
def test_a_certificate_out_of_its_time_is_refused_at_once(
    authority: Any, make_provider: Make, days: dict[str, int], problem: str
) -> None:
    provider = make_provider(tls=TLS(roots=authority.roots))
    with LocalHub(tls=authority.serve(**days)) as hub:
        message = fail_to_start(provider, hub)
    assert message.startswith(f"no connection to the hub at {hub.url}: {problem} (")


def test_a_certificate_for_another_host_is_refused_at_once(
    authority: Any, make_provider: Make
) -> None:
    provider = make_provider(tls=TLS(roots=authority.roots))
    with LocalHub(tls=authority.serve("hub.example")) as hub:
        message = fail_to_start(provider, hub)
    assert message.startswith(
        f"no connection to the hub at {hub.url}: its certificate is not for "
    )
    assert "TLS(server_name=…)" in message


def test_a_hub_in_plain_text_is_told_at_once(
    authority: Any, make_provider: Make
) -> None:
    provider = make_provider(tls=TLS(roots=authority.roots), auth_token="a-token")
    with LocalHub() as hub, pytest.raises(ConnectionError) as caught:
        provider.start(hub_url=f"grpcs://{hub.url}")
    assert "it speaks no TLS; write grpc://host:port" in str(caught.value)
    assert hub.polls == 0


def test_a_hub_that_speaks_tls_is_guessed_where_it_hangs_up(
    authority: Any, make_provider: Make
) -> None:
    provider = make_provider(auth_token="a-token", connect_timeout=1.5)
    with (
        LocalHub(tls=authority.serve()) as hub,
        pytest.raises(ConnectionError) as caught,
    ):
        provider.start(hub_url=hub.url.replace("grpcs", "grpc"))
    assert " within 1.5 s: it hangs up on plain text; " in str(caught.value)


@pytest.mark.parametrize("of", ["nobody", "another authority"])
def test_a_hub_that_wants_another_certificate_is_guessed_where_it_hangs_up(
    authority: Any, make_authority: Any, make_provider: Make, of: str
) -> None:
    client: dict[str, Any] = {}
    if of == "another authority":
        client = make_authority().issue("a-client")._asdict()
    provider = make_provider(
        tls=TLS(roots=authority.roots, **client), connect_timeout=1.5
    )
    server = TLS(roots=authority.roots, **authority.issue()._asdict())
    with LocalHub(tls=server) as hub:
        message = fail_to_start(provider, hub)
    assert " within 1.5 s: it hangs up on TLS; it may want a certificate" in message
    assert "TLS(certificate=…, key=…)" in message


def test_a_hub_that_is_not_there_is_told_in_the_words_of_grpc(
    make_provider: Make,
) -> None:
    with LocalHub() as hub:
        url = hub.url
    provider = make_provider(auth_token="a-token", connect_timeout=1)
    with pytest.raises(ConnectionError) as caught:
        provider.start(hub_url=url)
    told = f"no connection to the hub at {url} within 1 s: check the argument hub_url (HUB_GRPC_URL is not read here) ("
    assert str(caught.value).startswith(told)
    assert "Connection refused" in str(caught.value)


# --- files that cannot be used -----------------------------------------------


def spoil(pair: Any, file: str, content: bytes) -> TLS:
    getattr(pair, file).write_bytes(content)
    return TLS(**pair._asdict())


def missing(authority: Any) -> TLS:
    return TLS(roots=authority.roots.with_name("nowhere.pem"))


def unreadable(authority: Any) -> TLS:
    return TLS(roots=authority.roots.parent)


def no_pem(authority: Any) -> TLS:
    return spoil(authority.issue(), "certificate", b"no PEM at all")


def broken(authority: Any) -> TLS:
    pair = authority.issue()
    channels = pair.certificate.read_bytes().splitlines(keepends=True)
    return spoil(pair, "certificate", b"".join(channels[:3] + channels[5:]))


def broken_roots(authority: Any) -> TLS:
    file = authority.roots.with_name("broken.pem")
    channels = authority.roots.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(channels[:3] + channels[5:]))
    return TLS(roots=file)


def key_as_certificate(authority: Any) -> TLS:
    pair = authority.issue()
    return TLS(certificate=pair.key, key=pair.key)


def empty_key(authority: Any) -> TLS:
    return spoil(authority.issue(), "key", b"")


def other_key(authority: Any) -> TLS:
    return TLS(certificate=authority.issue().certificate, key=authority.issue().key)


def encrypted_key(authority: Any) -> TLS:
    mark = b"-----%s ENCRYPTED PRIVATE KEY-----\n"
    return spoil(authority.issue(), "key", mark % b"BEGIN" + b"AAAA\n" + mark % b"END")


def long_file(authority: Any) -> TLS:
    return spoil(authority.issue(), "key", b"x" * (16 * 1024 * 1024 + 1))


UNUSABLE: dict[Callable[[Any], TLS], str] = {
    missing: "tls.roots: cannot read .*: No such file",
    unreadable: "tls.roots: cannot read .*: Is a directory",
    no_pem: "tls.certificate: .* holds no certificate in PEM",
    broken: "tls.certificate: .* cannot be used with its key",
    broken_roots: "tls.roots: .* holds a certificate that is broken",
    key_as_certificate: "tls.certificate: .* no certificate",
    empty_key: "tls.key: .* is empty",
    other_key: "tls.key: .* is not the key of the certificate",
    encrypted_key: "tls.key: .* is encrypted; give a key without",
    long_file: "tls.key: .* has more than 16,777,216 bytes",
}


@pytest.mark.parametrize("make", UNUSABLE, ids=lambda make: make.__name__)
def test_a_file_that_cannot_be_used_is_named_at_the_start(
    authority: Any, make_provider: Make, make: Callable[[Any], TLS]
) -> None:
    provider = make_provider(tls=make(authority), auth_token="a-token")
    expected = UNUSABLE[make].replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(ConfigError, match=f"^{expected}") as caught:
        provider.start()
    assert "PRIVATE KEY-----\nM" not in str(caught.value)


@pytest.fixture
def put_into_pipe() -> Iterator[Callable[[Path], str]]:
    """Makes of a file what a shell makes of ``<(cat file)``."""
    ends: list[int] = []

    def put(file: Path) -> str:
        reading, writing = os.pipe()
        ends.append(reading)
        os.write(writing, file.read_bytes())
        os.close(writing)
        return f"/dev/fd/{reading}"

    yield put
    for end in ends:
        os.close(end)


def test_each_file_may_be_a_pipe_that_is_read_once(
    authority: Any, make_provider: Make, put_into_pipe: Callable[[Path], str]
) -> None:
    roots, pair = put_into_pipe(authority.roots), authority.issue("a-client")
    key, certificate = put_into_pipe(pair.key), put_into_pipe(pair.certificate)
    tls = TLS(roots=roots, certificate=certificate, key=key)
    server = TLS(roots=authority.roots, **authority.issue()._asdict())
    with LocalHub(tls=server) as hub:
        assert works(make_provider(tls=tls), hub)


def test_a_key_from_a_pipe_that_is_another_one_is_refused(
    authority: Any, make_provider: Make, put_into_pipe: Callable[[Path], str]
) -> None:
    certificate = authority.issue().certificate
    key = put_into_pipe(authority.issue().key)
    provider = make_provider(tls=TLS(certificate=certificate, key=key), auth_token="t")
    with pytest.raises(ConfigError, match="is not the key of the certificate"):
        provider.start()


def put_mark(file: Path) -> Path:
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    return file


def test_a_byte_order_mark_in_the_files_does_no_harm(
    authority: Any, make_provider: Make
) -> None:
    own, theirs = authority.issue(), authority.serve()
    hub_tls = dataclasses.replace(theirs, roots=authority.roots)
    for file in (*own, authority.roots, theirs.certificate, theirs.key):
        put_mark(file)
    tls = TLS(roots=authority.roots, **own._asdict())
    with LocalHub(tls=hub_tls) as hub, running(make_provider(tls=tls), hub):
        assert hub.submit("echo", {"text": "a"}).result(20).data == {"text": "a"}


def test_a_byte_order_mark_does_not_hide_the_key_of_another_certificate(
    authority: Any, make_provider: Make
) -> None:
    tls = other_key(authority)
    put_mark(Path(tls.key or ""))
    provider = make_provider(tls=tls, auth_token="a-token")
    with pytest.raises(ConfigError, match="is not the key of the certificate"):
        provider.start()


def test_a_provider_is_built_without_its_files(make_provider: Make) -> None:
    provider = make_provider(tls=TLS(certificate="later.pem", key="later.key"))
    assert provider.process_task("echo", {"text": "a"})["data"] == {"text": "a"}


def test_a_local_hub_needs_a_certificate(authority: Any) -> None:
    with pytest.raises(ConfigError, match="tls has no certificate"):
        LocalHub(tls=TLS(roots=authority.roots))


def test_no_key_is_in_a_repr(authority: Any, make_provider: Make) -> None:
    from arbvantage_provider.hub.credentials import read_credentials  # noqa: PLC0415

    tls = authority.serve()
    credentials = read_credentials(tls, authority.roots)
    assert credentials.key
    assert repr(credentials) == "Credentials()"
    provider = make_provider(tls=tls)
    assert "BEGIN" not in repr([provider.settings, tls, vars(provider)])
