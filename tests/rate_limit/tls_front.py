"""What speaks TLS in front of a server that does not."""

import asyncio
import os
import ssl
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for ``localhost`` that vouches for itself, and its key."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
        env={"PATH": os.defpath},
    )
    return certificate, key


class Front:
    """Takes TLS connections, and hands on what it reads.

    Args:
        port: of the server behind it.
        context: its certificate and key.
    """

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self._behind = port
        self._context = context
        self._tasks: set[asyncio.Task[Any]] = set()
        self.done = threading.Event()
        self.ready = threading.Event()
        self.port = 0

    async def serve(self) -> None:
        """Take connections until it is done."""
        server = await asyncio.start_server(
            self._take, "127.0.0.1", 0, ssl=self._context
        )
        async with server:
            self.port = server.sockets[0].getsockname()[1]
            self.ready.set()
            await asyncio.to_thread(self.done.wait)
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)

    async def _take(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._behind)
        for each in (_hand_on(reader, back), _hand_on(there, writer)):
            self._tasks.add(asyncio.create_task(each))


async def _hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.transport.abort()


@contextmanager
def behind_tls(port: int, certificate: Path, key: Path) -> Generator[int]:
    """The port of a front for a server at this port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    front = Front(port, context)
    thread = threading.Thread(target=asyncio.run, args=(front.serve(),))
    thread.start()
    try:
        assert front.ready.wait(10)
        yield front.port
    finally:
        front.done.set()
        thread.join(10)
