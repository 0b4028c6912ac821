"""Authorities and their certificates, a provider, and a hub that notes who calls."""

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, Self

import grpc
import pytest
import trustme

from arbvantage_provider import TLS, Provider
from arbvantage_provider.connection import name_scheme
from arbvantage_provider.protos import hub_pb2
from arbvantage_provider.settings import ENVIRONMENT
from arbvantage_provider.testing import LocalHub

TOKEN = "token-for-tests"
DAY = dt.timedelta(days=1)


class Pair(NamedTuple):
    """The files of a certificate and its key."""

    certificate: Path
    key: Path


class Authority:
    """Issues certificates into files; ``roots`` is the file of its own one."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._authority = trustme.CA()
        self._folder = folder
        self._numbers = count(1)
        self.roots = folder / "roots.pem"
        self._authority.cert_pem.write_to_path(str(self.roots))

    def issue(
        self, name: str = "localhost", *, begins: int = -1, ends: int = 1
    ) -> Pair:
        """A certificate for ``name``, valid between two days from now."""
        now = dt.datetime.now(dt.UTC)
        made = self._authority.issue_cert(
            name,
            common_name=name,
            not_before=now + begins * DAY,
            not_after=now + ends * DAY,
        )
        number = next(self._numbers)
        pair = Pair(
            self._folder / f"certificate-{number}.pem",
            self._folder / f"key-{number}.pem",
        )
        pair.certificate.write_bytes(b"".join(c.bytes() for c in made.cert_chain_pems))
        made.private_key_pem.write_to_path(str(pair.key))
        return pair

    def serve(self, name: str = "localhost", **days: int) -> TLS:
        """What a hub listens with."""
        return TLS(**self.issue(name, **days)._asdict())


@pytest.fixture
def make_authority(tmp_path: Path) -> Callable[[], Authority]:
    numbers = count(1)
    return lambda: Authority(tmp_path / f"authority-{next(numbers)}")


@pytest.fixture
def authority(make_authority: Callable[[], Authority]) -> Authority:
    return make_authority()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, object], None]:
    """Sets variables; none of ours is set before."""
    for variable in (*ENVIRONMENT.values(), "SSL_CERT_FILE"):
        monkeypatch.delenv(variable, raising=False)
    return lambda name, value: monkeypatch.setenv(name, str(value))


class Call(NamedTuple):
    """Who called the hub: the token, and the name in the client's certificate."""

    token: str
    name: str


class NotingHub:
    """A hub that has no tasks, takes any token, and notes each poll."""

    def __init__(self, tls: TLS) -> None:
        read = Path.read_bytes
        assert tls.certificate
        assert tls.key
        pair = (read(Path(tls.key)), read(Path(tls.certificate)))
        roots = read(Path(tls.roots)) if tls.roots else None
        credentials = grpc.ssl_server_credentials([pair], roots, roots is not None)
        self.calls: list[Call] = []
        self._news = threading.Condition()
        self._server = grpc.server(ThreadPoolExecutor(4))
        handler: grpc.RpcMethodHandler[Any, Any] = grpc.unary_unary_rpc_method_handler(
            self._answer,
            request_deserializer=hub_pb2.ProviderRequest.FromString,
            response_serializer=hub_pb2.Task.SerializeToString,
        )
        service = grpc.method_handlers_generic_handler("Hub", {"GetTask": handler})
        self._server.add_generic_rpc_handlers((service,))
        port = self._server.add_secure_port("127.0.0.1:0", credentials)
        self.url = f"grpcs://localhost:{port}"

    def _answer(
        self, request: hub_pb2.ProviderRequest, context: grpc.ServicerContext
    ) -> hub_pb2.Task:
        peer: Any = context.auth_context()
        (name,) = peer["x509_common_name"]
        with self._news:
            self.calls.append(Call(request.auth_token, name.decode()))
            self._news.notify_all()
        return hub_pb2.Task()

    def wait_for(self, *, token: str = "", name: str = "") -> None:
        """Wait for a call with this token, or this name."""

        def is_there() -> bool:
            wanted = {token, name} - {""}
            return bool(self.calls) and wanted <= set(self.calls[-1])

        with self._news:
            assert self._news.wait_for(is_there, timeout=20)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.stop(0).wait()


@pytest.fixture
def noting_hub(authority: Authority) -> NotingHub:
    """It wants a certificate of ``authority``; start it by ``with``."""
    return NotingHub(TLS(roots=authority.roots, **authority.issue()._asdict()))


class Gate:
    """Lets a test see that a handler has begun, and let it end."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.end = threading.Event()


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.end.set()


Make = Callable[..., Provider]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log.jsonl"


@pytest.fixture
def make_provider(gate: Gate, log: Path) -> Make:
    def make(**settings: Any) -> Provider:
        settings = {"shutdown_timeout": 5, "execution_timeout": 20} | settings
        provider = Provider("tested", log_file=str(log), **settings)
        register_handlers(provider, gate)
        return provider

    return make


def register_handlers(provider: Provider, gate: Gate) -> None:
    @provider.actions.register()
    async def echo(text: str = "") -> dict[str, str]:
        return {"text": text}

    @provider.actions.register()
    def hold() -> None:
        gate.begun.set()
        assert gate.end.wait(20)


class Run:
    """A provider at work on a thread.

    Attributes:
        error: what ended it; ``None`` while it runs, and where nothing did.
    """

    def __init__(self, provider: Provider, hub_url: str | None) -> None:
        self.error: BaseException | None = None
        self.provider = provider
        self._url = hub_url
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.provider.start(hub_url=self._url)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.error = error

    def wait(self) -> BaseException | None:
        """Wait until it has ended; what ended it."""
        self._thread.join(20)
        assert not self._thread.is_alive()
        return self.error

    def stop(self) -> None:
        """Stop it, and see that nothing went wrong."""
        self.provider.stop()
        assert self.wait() is None


Start = Callable[..., Run]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a provider with its own token; it is stopped after the test."""
    with ExitStack() as stack:

        def start(provider: Provider, hub: LocalHub | NotingHub | None = None) -> Run:
            run = Run(provider, name_scheme(hub.url) if hub else None)
            stack.callback(run.wait)
            stack.callback(provider.stop)
            return run

        yield start
