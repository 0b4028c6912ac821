"""The wire between a provider and its hub, which a test can make to fail.

A TCP proxy on loopback that knows nothing of what it passes on. It runs on a thread
of its own; what a test asks for has happened when the call returns.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, cast

from typing_extensions import override

HOST = "127.0.0.1"
Direction = Literal["to_hub", "to_provider"]
T = TypeVar("T")


class Cable:
    """Passes bytes on between whoever connects to ``url`` and one hub.

    Args:
        hub_url: ``host:port`` of the hub; it may be given later, by ``lead_to``.

    Attributes:
        url: where a provider connects; always the same.
        connections: how many there are now.
    """

    def __init__(self, hub_url: str = "") -> None:
        self.url: str = ""
        self.connections: int = 0
        self.flowing: asyncio.Event
        self.lost: set[Direction] = set()
        self.delay: float = 0.0
        self._hub_url = hub_url
        self._server: asyncio.Server | None = None
        self._pairs: set[_Pair] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="cable", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._open)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._do(self._close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def lead_to(self, hub_url: str) -> None:
        """Connect new connections to this hub."""
        self._hub_url = hub_url

    # --- faults; each lasts until ``heal`` -------------------------------------

    def cut(self) -> None:
        """Reset all connections; new ones work. There is nothing to heal."""
        self._do(self._cut)

    def unplug(self) -> None:
        """Reset all connections, and refuse new ones."""
        self._do(self._unplug)

    def stall(self) -> None:
        """Accept, and pass nothing on; what comes meanwhile is passed on later."""
        self._do(self._stall)

    def half_open(self) -> None:
        """Let the hub's side of all connections go; the provider is not told.

        New connections work, as after a router has forgotten the old ones.
        """
        self._do(self._half_open)

    def lose(self, direction: Direction) -> None:
        """Drop all bytes of a direction from now on; the other one goes on."""
        self._do(partial(self._lose, direction))

    def slow_down(self, seconds: float) -> None:
        """Pass each piece on this much later."""
        self.delay = seconds

    def heal(self) -> None:
        """Be as at first; connections that have lost something are reset."""
        self._do(self._heal)

    # --- on the loop -----------------------------------------------------------

    def _do(self, step: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return asyncio.run_coroutine_threadsafe(step(), self._loop).result(10)

    async def _open(self) -> None:
        self.flowing = asyncio.Event()
        self.flowing.set()
        await self._listen()

    async def _listen(self) -> None:
        port = int(self.url.rpartition(":")[2] or 0)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Pair(self).near, HOST, port, reuse_address=True
        )
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"{HOST}:{port}"

    async def _close(self) -> None:
        await self._unplug()
        while self._pairs or len(asyncio.all_tasks()) > 1:  # noqa: ASYNC110 - at once
            await asyncio.sleep(0.001)

    async def _cut(self) -> None:
        for pair in list(self._pairs):
            pair.reset()
        await asyncio.sleep(0)

    async def _unplug(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        await self._cut()

    async def _stall(self) -> None:
        self.flowing.clear()

    async def _half_open(self) -> None:
        for pair in list(self._pairs):
            pair.forget_hub()
        await asyncio.sleep(0)

    async def _lose(self, direction: Direction) -> None:
        self.lost.add(direction)

    async def _heal(self) -> None:
        self.lost.clear()
        self.delay = 0.0
        self.flowing.set()
        for pair in list(self._pairs):
            if pair.is_broken:
                pair.reset()
        if self._server is None:
            await self._listen()

    def add(self, pair: "_Pair") -> None:
        """A provider has connected."""
        self._pairs.add(pair)
        self.connections = len(self._pairs)

    def remove(self, pair: "_Pair") -> None:
        """Both sides of a connection are closed."""
        self._pairs.discard(pair)
        self.connections = len(self._pairs)

    async def connect(self, end: "_End") -> None:
        """Connect one end to the hub."""
        host, _, port = self._hub_url.rpartition(":")
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: end, host, int(port))


class _Pair:
    """One connection: the provider's end, the hub's, and what is between them."""

    def __init__(self, cable: Cable) -> None:
        self.is_broken = False
        self._cable = cable
        self._is_forgotten = False
        self.near = _End(self, "to_hub")
        self.far = _End(self, "to_provider")
        self._open: set[_End] = set()
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self, end: "_End") -> None:
        """One end is connected."""
        self._open.add(end)
        if end is self.near:
            self._cable.add(self)
            self._tasks.append(asyncio.ensure_future(self._run()))

    async def _run(self) -> None:
        try:
            await self._cable.connect(self.far)
        except OSError:
            self.reset()
            return
        back = asyncio.ensure_future(self._pass_on(self.far, self.near))
        self._tasks.append(back)
        await self._pass_on(self.near, self.far)

    async def _pass_on(self, source: "_End", target: "_End") -> None:
        loop = asyncio.get_running_loop()
        while True:
            came, data = await source.came.get()
            if (wait := came + self._cable.delay - loop.time()) > 0:
                await asyncio.sleep(wait)
            await self._cable.flowing.wait()
            if source.direction in self._cable.lost or self._is_forgotten:
                self.is_broken = True
            elif data:
                target.write(data)
            else:
                target.close()

    def forget_hub(self) -> None:
        """Close the hub's end, and tell the provider nothing."""
        self._is_forgotten = self.is_broken = True
        self.far.reset()

    def end(self, end: "_End") -> None:
        """One end is closed."""
        self._open.discard(end)
        if not self._open:
            self._stop()
            self._cable.remove(self)

    def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()

    def reset(self) -> None:
        """Close both ends at once."""
        self._stop()
        self.near.reset()
        self.far.reset()


class _End(asyncio.Protocol):
    """One of the two sockets of a connection.

    Attributes:
        direction: where the bytes go that come from here.
        came: pieces, and when they came; an empty one is the end.
    """

    def __init__(self, pair: _Pair, direction: Direction) -> None:
        self.direction: Direction = direction
        self.came: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        self._pair = pair
        self._transport: asyncio.Transport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._pair.begin(self)

    @override
    def data_received(self, data: bytes) -> None:
        self.came.put_nowait((asyncio.get_running_loop().time(), data))

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.came.put_nowait((asyncio.get_running_loop().time(), b""))
        self._pair.end(self)

    def write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        """Close it with a reset, as a machine does that has forgotten it."""
        if self._transport is not None:
            raw: socket.socket = self._transport.get_extra_info("socket")
            if raw.fileno() >= 0:
                linger = struct.pack("ii", 1, 0)
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._transport.abort()
