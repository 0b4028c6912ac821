"""The gRPC channel to a hub, and the next one where certificates change."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import grpc
from grpc import aio

from arbvantage_provider.connection import TLS, Address, Proxy, choose_tls
from arbvantage_provider.hub.credentials import Credentials, watch_credentials
from arbvantage_provider.hub.files import Watched
from arbvantage_provider.protos import hub_pb2

OPTIONS: Final[tuple[tuple[str, Any], ...]] = (
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # Where data went out before, gRPC asks by a ping of another kind: a minute.
    ("grpc.http2.ping_timeout_ms", 20_000),
    # A hub that comes back is found within seconds; the stock limit is minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    # What is sent again, and when, is decided in the worker alone.
    ("grpc.enable_retries", 0),
)
_DIRECTLY: Final = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.address_http_proxy_enabled_addresses", ""),
)
"""Options that keep gRPC from the proxies that the environment names."""
WAIT: Final = 1.0
"""Seconds until it is looked again why there is no connection."""


class Connection:
    """One channel, and the calls on it.

    Attributes:
        channel: as it was opened.
        poll: calls ``GetTask``, with the bytes of its message.
        submit: the same of ``SubmitTaskResult``.
        calls: how many are under way.
    """

    def __init__(self, channel: aio.Channel) -> None:
        self.channel = channel
        make_call: Any = channel.unary_unary
        # Of a message that it cannot write, gRPC sends an empty one: bytes go in.
        read = hub_pb2.Task.FromString
        self.poll: Any = make_call("/Hub/GetTask", response_deserializer=read)
        self.submit: Any = make_call(
            "/Hub/SubmitTaskResult", response_deserializer=read
        )
        self.calls = 0


class ChannelPool:
    """Opens a channel to a hub; another one when the certificates have changed.

    Calls that are under way then end on the former channel.

    Args:
        address: where the hub is.
        tls: what TLS is spoken with, where the address leaves it to that.
        proxy: what gRPC finds in the environment to reach it by; ``None``: it is not
            to look.
        max_receive_bytes: how long a message of the hub may be.
        max_send_bytes: how long one to it may be.
        monotonic: a clock, in seconds.
        warn: told once why changed files could not be used.

    Attributes:
        is_encrypted: whether TLS is spoken.
        proxy: as given.
        steady: the line for all calls, of which none has to be given back; ``None``:
            ask ``begin``.

    Raises:
        ConfigError: if a file of ``tls`` cannot be used.
    """

    def __init__(  # noqa: PLR0913 - each is a setting, or a part of its own
        self,
        address: Address,
        tls: TLS | None,
        *,
        proxy: Proxy | None,
        max_receive_bytes: int,
        max_send_bytes: int,
        monotonic: Callable[[], float],
        warn: Callable[[str], None],
    ) -> None:
        tls = choose_tls(address, tls)
        self.is_encrypted: bool = tls is not None
        self._target = address.target
        self._options = (
            *OPTIONS,
            ("grpc.max_receive_message_length", max_receive_bytes),
            ("grpc.max_send_message_length", max_send_bytes),
        )
        self.proxy = proxy
        if proxy is None:
            self._options += _DIRECTLY
        self._credentials: Watched[Credentials] | None = None
        if tls is not None:
            self._credentials = watch_credentials(tls, monotonic=monotonic, warn=warn)
        if tls is not None and tls.server_name is not None:
            self._options += (("grpc.ssl_target_name_override", tls.server_name),)
        self.steady: Connection | None = None
        self._connection: Connection | None = None
        self._former: set[Connection] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._change: asyncio.Task[None] | None = None

    def begin(self) -> Connection:
        """The connection for a call that begins now; it is given back to ``end``."""
        connection = self.current()
        connection.calls += 1
        return connection

    def end(self, connection: Connection) -> None:
        """A call is over; the last one of a former connection closes it."""
        connection.calls -= 1
        if connection in self._former and not connection.calls:
            self._close(connection)

    def current(self) -> Connection:
        """The connection for new calls; it belongs to the running event loop."""
        has_changed = self._credentials is not None and self._credentials.look()
        if self._connection is not None and has_changed:
            former, self._connection = self._connection, None
            self._former.add(former)
            if not former.calls:
                self._close(former)
        if self._connection is None:
            self._connection = Connection(self._open())
            if self._credentials is None:
                self.steady = self._connection
        return self._connection

    async def find_problem(self) -> str | None:
        """What keeps this side from being connected, in gRPC's words.

        Returns:
            ``None`` where it is connected, ``""`` where nothing is known yet.
        """
        channel = self.current().channel
        state = channel.get_state(try_to_connect=True)
        if state is grpc.ChannelConnectivity.READY:
            return None
        if self._change is None or self._change.done():
            change = channel.wait_for_state_change(state)
            self._change = asyncio.create_task(change, name="watching a channel")
        if state is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
            return await _ask_why(channel)
        return ""

    async def wait_for_change(self) -> None:
        """Wait until there may be other news of the connection; a second at most."""
        if self._change is not None:
            await asyncio.wait({self._change}, timeout=WAIT)

    async def close(self) -> None:
        """Close all channels; calls under way are cancelled."""
        if self._connection is not None:
            self._former.add(self._connection)
            self._connection = self.steady = None
        for connection in tuple(self._former):
            self._close(connection)
        if self._closing:
            await asyncio.wait(self._closing)
        if self._change is not None:
            # Cancelled, gRPC would still tell of it, and to a loop that is closed.
            await asyncio.wait({self._change}, timeout=WAIT)
            self._change.cancel()

    def _open(self) -> aio.Channel:
        if self._credentials is None:
            return aio.insecure_channel(self._target, options=self._options)
        credentials = self._credentials.value.for_client()
        return aio.secure_channel(self._target, credentials, options=self._options)

    def _close(self, connection: Connection) -> None:
        self._former.discard(connection)
        closing = asyncio.create_task(
            connection.channel.close(), name="closing a channel"
        )
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)


async def _ask_why(channel: aio.Channel) -> str:
    """Why a channel cannot be connected, in gRPC's words; ``""``: it can be by now.

    Only a call that fails is told. This one asks nothing of a hub, nor shows it
    anything, should the channel be ready in this very moment.
    """
    make_call: Any = channel.unary_unary
    try:
        await make_call("/grpc.health.v1.Health/Check")(b"", timeout=WAIT)
    except aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.UNAVAILABLE:
            return error.details() or ""
    return ""
