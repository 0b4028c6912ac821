"""What stands between a provider and its hub: a load balancer, or an HTTP proxy."""

import itertools
import socket
import struct
import threading
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, BinaryIO, Final, Self

HOST: Final = "127.0.0.1"
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, CONTINUATION = 0, 1, 3, 4, 6, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4

Answer = Callable[[bytes], bytes]
"""The frames that answer a call, by the four bytes of its stream."""


class Listener:
    """Accepts connections on loopback, each on a thread of its own.

    Attributes:
        port: where.
    """

    def __init__(self) -> None:
        self._server = socket.create_server((HOST, 0))
        self.port: int = self._server.getsockname()[1]
        self._open: set[socket.socket] = set()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        # Closed alone, a socket that another thread waits on would go on.
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.cut()

    def cut(self) -> None:
        """End all connections."""
        for end in tuple(self._open):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def handle(self, client: socket.socket) -> None:
        """Serve one connection, until it ends."""
        raise NotImplementedError

    def pass_on(self, client: socket.socket, port: int) -> None:
        """Pass all bytes on to this port, and back."""
        with socket.create_connection((HOST, port)) as hub:
            back = threading.Thread(target=_copy, args=(hub, client), daemon=True)
            back.start()
            _copy(client, hub)
            back.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                threading.Thread(target=self._run, args=(client,), daemon=True).start()

    def _run(self, client: socket.socket) -> None:
        self._open.add(client)
        with client, suppress(OSError):
            self.handle(client)
        self._open.discard(client)


class Front(Listener):
    """Passes calls on to a hub, or answers them itself, by HTTP.

    Attributes:
        calls: how many calls it answered itself.
    """

    def __init__(self, hub_port: int) -> None:
        super().__init__()
        self.calls: int = 0
        self._hub_port = hub_port
        self._answer: Answer | None = None

    def answer(self, answer: Answer | None) -> None:
        """Answer calls from now on; ``None``: pass them on."""
        self._answer = answer
        self.cut()

    def handle(self, client: socket.socket) -> None:
        answer = self._answer
        if answer is None:
            self.pass_on(client, self._hub_port)
            return
        with client.makefile("rb") as came:
            assert came.read(len(PREFACE)) == PREFACE
            client.sendall(frame(SETTINGS))
            while head := came.read(9):
                self._reply(client, answer, head, came)

    def _reply(
        self, client: socket.socket, answer: Answer, head: bytes, came: BinaryIO
    ) -> None:
        body = came.read(int.from_bytes(head[:3], "big"))
        kind, flags, stream = head[3], head[4], head[5:]
        if kind in {SETTINGS, PING} and not flags & ACK:
            echo = body if kind == PING else b""
            client.sendall(frame(kind, flags=ACK, body=echo))
        elif kind == HEADERS:
            self.calls += 1
            client.sendall(answer(stream))


class Proxy(Listener):
    """An HTTP proxy that knows one name, and leads it to a port.

    Args:
        name: ``host:port`` of what it connects.
        port: where that is.
        status: what it answers instead, where that is no 200.

    Attributes:
        requests: what CONNECT was asked for, with the headers.
    """

    def __init__(self, name: str, port: int, *, status: int = 200) -> None:
        super().__init__()
        self.requests: list[str] = []
        self._name = name
        self._port = port
        self._status = status

    def handle(self, client: socket.socket) -> None:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            if not (more := client.recv(1)):
                return
            request += more
        self.requests.append(request.decode())
        status = self._status if self._name in self.requests[-1] else 502
        client.sendall(f"HTTP/1.1 {status} said\r\n\r\n".encode())
        if status == 200:
            self.pass_on(client, self._port)


def frame(
    kind: int, stream: bytes = bytes(4), *, flags: int = 0, body: bytes = b""
) -> bytes:
    """A frame of HTTP/2."""
    return struct.pack(">I", len(body))[1:] + bytes([kind, flags]) + stream + body


def headers(stream: bytes, *, is_last: bool = False, **fields: Any) -> bytes:
    """A frame of headers, as ``_fields`` writes them."""
    flags = END_HEADERS | (END_STREAM if is_last else 0)
    return frame(HEADERS, stream, flags=flags, body=_fields(**fields))


def answer_page(status: int) -> Answer:
    """A page of HTML, as a proxy has one for each status."""

    def answer(stream: bytes) -> bytes:
        page = frame(DATA, stream, flags=END_STREAM, body=b"<html>no</html>")
        return headers(stream, status=status, content_type="text/html") + page

    return answer


def answer_status(status: int) -> Answer:
    """A status alone."""
    return lambda stream: headers(stream, is_last=True, status=status)


def answer_reset(code: int) -> Answer:
    """A reset of the stream, with an error code of HTTP/2."""
    return lambda stream: frame(RESET, stream, body=struct.pack(">I", code))


def answer_grpc(**trailers: Any) -> Answer:
    """A status of gRPC, without a message, as a hub gives it."""
    kind = "application/grpc"
    return lambda stream: headers(
        stream, is_last=True, status=200, content_type=kind, **trailers
    )


def answer_messages(*messages: bytes) -> Answer:
    """These messages in turn, to whatever is called."""
    turns = itertools.cycle(messages)
    kind = "application/grpc"

    def answer(stream: bytes) -> bytes:
        message = next(turns)
        body = b"\0" + struct.pack(">I", len(message)) + message
        first = headers(stream, status=200, content_type=kind)
        last = headers(stream, is_last=True, grpc_status=0)
        return first + frame(DATA, stream, body=body) + last

    return answer


def answer_metadata(size: int) -> Answer:
    """An empty task, with that many bytes of metadata, in several frames."""

    def answer(stream: bytes) -> bytes:
        first = headers(stream, status=200, content_type="application/grpc")
        last = frame(HEADERS, stream, flags=END_STREAM, body=_fields(grpc_status=0))
        parts = [
            _fields(**{f"x_{number}": "y" * 8_000}) for number in range(size // 8_000)
        ]
        more = b"".join(frame(CONTINUATION, stream, body=part) for part in parts)
        end = frame(CONTINUATION, stream, flags=END_HEADERS)
        return first + frame(DATA, stream, body=bytes(5)) + last + more + end

    return answer


def answer_compressed(message: Iterable[bytes], encoding: str) -> Answer:
    """A message, given in parts, that is compressed as ``gzip`` or ``deflate``."""
    # The window bits say which of the two formats zlib writes.
    packer = zlib.compressobj(9, wbits=31 if encoding == "gzip" else 15)
    packed = b"".join(map(packer.compress, message)) + packer.flush()
    raw = b"\1" + struct.pack(">I", len(packed)) + packed
    kind = "application/grpc"

    def answer(stream: bytes) -> bytes:
        first = headers(stream, status=200, content_type=kind, grpc_encoding=encoding)
        parts = [raw[at : at + 16_000] for at in range(0, len(raw), 16_000)]
        data = b"".join(frame(DATA, stream, body=part) for part in parts)
        return first + data + headers(stream, is_last=True, grpc_status=0)

    return answer


def _fields(**fields: Any) -> bytes:
    """Fields of HPACK; ``_`` stands for ``-``, and ``status`` for ``:status``."""
    names = {"status": ":status"}
    return b"".join(
        b"\0" + _text(names.get(name, name.replace("_", "-"))) + _text(str(value))
        for name, value in fields.items()
    )


def _text(text: str) -> bytes:
    """A string of HPACK: its length in a prefix of 7 bits, and its bytes."""
    left = len(text) - 127
    size = bytearray([min(len(text), 127)])
    while left >= 0:
        size.append(left % 128 + (128 if left > 127 else 0))
        left = left // 128 or -1
    return bytes(size) + text.encode()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while more := source.recv(65536):
            target.sendall(more)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
