"""The one place that knows Redis: calling the script, and what may go wrong then.

Every error of the client becomes a ``RateLimitUnavailableError`` here. Connections
are opened when they are needed: one pool for all threads that block, and one for
each event loop.
"""

import asyncio
import importlib
import re
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha1
from queue import Empty, Queue
from typing import Any, Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit
from weakref import WeakKeyDictionary

from typing_extensions import override

from arbvantage_provider.exceptions import ConfigError, RateLimitUnavailableError
from arbvantage_provider.rate_limit.redis.script import SCRIPT

_SHA: Final = sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()
_SCHEMES: Final = {"valkey": "redis", "valkeys": "rediss"}
_SHORTEST_SECRET: Final = 3
_INSTALL: Final = (
    'pip install "arbvantage_provider[redis]", or pip install ".[redis]" in a clone'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the script returned; it says what each of them is.

    Attributes:
        done: whether a permit was taken, or taken back.
        wait: microseconds until its moment.
        mark: the server's moment at which the bucket is full, in microseconds.
        ahead: how many of them that lies ahead.
    """

    done: bool
    wait: int
    mark: int
    ahead: int


class RedisAddress:
    """Where a server is, and what it takes to get in; only the former is shown.

    Args:
        url: ``redis://``, ``rediss://`` for TLS, ``valkey://``, ``valkeys://`` or
            ``unix://``, as redis-py reads them.

    Attributes:
        url: as redis-py takes it.
        shown: without what it takes to get in.

    Raises:
        ConfigError: if it cannot be used; it does not say what was given, since a
            password may be in any part of it.
    """

    def __init__(self, url: object) -> None:
        text, parts = _split(url)
        scheme = _SCHEMES.get(parts.scheme, parts.scheme)
        # A space before it is no part of its scheme.
        self.url: str = scheme + text[text.index(":") :]
        self.shown: str = (
            f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        )
        options = parse_qs(parts.query)
        named = [*options.get("username", ()), *options.get("password", ())]
        given = [unquote(parts.username or ""), unquote(parts.password or ""), *named]
        secrets = {text for text in given if len(text) >= _SHORTEST_SECRET}
        self._secrets = sorted(secrets, key=len, reverse=True)

    def redact(self, text: str) -> str:
        """The text without what it takes to get in."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    @override
    def __repr__(self) -> str:
        return repr(self.shown)


@dataclass(slots=True, kw_only=True)
class _Connections:
    """Those of one event loop, and the calls that use them."""

    client: Any
    tasks: set["asyncio.Task[Reply]"] = field(
        default_factory=set["asyncio.Task[Reply]"]
    )

    def forget(self, task: "asyncio.Task[Reply]") -> None:
        self.tasks.discard(task)
        if not task.cancelled():
            task.exception()  # who asked may be gone


class RedisClient:
    """A Redis or Valkey server, and its connections.

    Args:
        address: where it is.
        connect_timeout: seconds that a connection may take to open.
        command_timeout: seconds that an answer may take.
        max_connections: how many there are at most, for threads and for each loop.

    Attributes:
        timeout: seconds that a call may take as a whole.

    Raises:
        ConfigError: if an option of the URL cannot be used, or redis-py is missing.
    """

    def __init__(
        self,
        address: RedisAddress,
        *,
        connect_timeout: float,
        command_timeout: float,
        max_connections: int,
    ) -> None:
        self._address = address
        self._redis: Any = _import_redis("redis")
        self.timeout: float = connect_timeout + command_timeout
        self._options: dict[str, Any] = {
            "socket_connect_timeout": connect_timeout,
            "socket_timeout": command_timeout,
            "max_connections": max_connections,
            "timeout": self.timeout,  # to get one of the pool's
            "protocol": 2,  # a list of integers needs no newer one
        }
        self._lock = threading.Lock()
        self._client = self._open("redis")
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _Connections]
        self._loops = WeakKeyDictionary()

    def call(self, key: bytes, arguments: Sequence[str | int]) -> Reply:
        """Run the script; blocks.

        Raises:
            RateLimitUnavailableError: if it did not run, or no answer came.
        """
        client = self._client
        try:
            try:
                return self._call(client, key, arguments)
            except self._redis.ConnectionError:
                # It may have been one that the server closed while it was idle.
                return self._call(client, key, arguments)
            except self._redis.ResponseError as error:
                if not self._is_replica(error):
                    raise
                # The name may lead to another server by now. The connections of
                # other threads are in use: those end by themselves.
                self._client = client = self._open("redis")
                return self._call(client, key, arguments)
        except (self._redis.RedisError, OSError) as error:
            raise self.explain(error) from None

    def begin(
        self, key: bytes, arguments: Sequence[str | int]
    ) -> "asyncio.Task[Reply]":
        """Run the script, on this event loop's connections.

        Returns:
            What raises a ``RateLimitUnavailableError`` if it did not run, or no
            answer came. It is not to be cancelled: a connection that has its answer
            still to come may be given to the next caller.
        """
        connections = self._find_connections()
        task = asyncio.create_task(self._run(connections.client, key, arguments))
        connections.tasks.add(task)
        task.add_done_callback(connections.forget)
        return task

    def close(self) -> None:
        """Close what is idle of all threads; the next call opens new ones."""
        idle: Queue[Any] = self._client.connection_pool.pool
        connections: list[Any] = []
        # Nobody is given one while it is being closed: they are taken out first.
        with suppress(Empty):
            while True:
                connections.append(idle.get_nowait())
        for connection in reversed(connections):
            if connection is not None:
                connection.disconnect()
            idle.put_nowait(connection)

    async def close_async(self) -> None:
        """Wait for the calls of this event loop, and close what is idle then."""
        connections = self._loops.get(asyncio.get_running_loop())
        if connections is not None:
            for _ in ("a call", "what undoes it"):
                if connections.tasks:
                    await asyncio.wait(connections.tasks.copy())
            await _close_idle(connections.client)

    async def _run(
        self, client: Any, key: bytes, arguments: Sequence[str | int]
    ) -> Reply:
        try:
            try:
                return await self._call_async(client, key, arguments)
            except self._redis.ConnectionError:
                return await self._call_async(client, key, arguments)
            except self._redis.ResponseError as error:
                if not self._is_replica(error):
                    raise
                await _close_idle(client)
                return await self._call_async(client, key, arguments)
        except (self._redis.RedisError, OSError) as error:
            raise self.explain(error) from None

    def _call(self, client: Any, key: bytes, arguments: Sequence[str | int]) -> Reply:
        try:
            found = client.execute_command("EVALSHA", _SHA, 1, key, *arguments)
        except self._redis.exceptions.NoScriptError:
            found = client.execute_command("EVAL", SCRIPT, 1, key, *arguments)
        return _read(found)

    async def _call_async(
        self, client: Any, key: bytes, arguments: Sequence[str | int]
    ) -> Reply:
        try:
            found = await client.execute_command("EVALSHA", _SHA, 1, key, *arguments)
        except self._redis.exceptions.NoScriptError:
            found = await client.execute_command("EVAL", SCRIPT, 1, key, *arguments)
        return _read(found)

    def _is_replica(self, error: Exception) -> bool:
        """Whether a server refuses because it is one; Redis 6 says it of the script."""
        return isinstance(error, self._redis.ReadOnlyError) or "-READONLY" in str(error)

    def _find_connections(self) -> "_Connections":
        """Those of the running loop."""
        loop = asyncio.get_running_loop()
        connections = self._loops.get(loop)
        if connections is None:
            connections = _Connections(client=self._open("redis.asyncio"))
            with self._lock:
                # The connections of a loop that is closed keep it alive.
                for other in [each for each in self._loops if each.is_closed()]:
                    del self._loops[other]
                self._loops[loop] = connections
        return connections

    def _open(self, module: str) -> Any:
        """A client whose connections are opened by its calls.

        Raises:
            ConfigError: if an option of the URL cannot be used.
        """
        redis = _import_redis(module)
        retry = _import_redis(f"{module}.retry").Retry
        # Trying again is done here: not after a timeout, nor after any longer wait.
        never = retry(_import_redis("redis.backoff").NoBackoff(), 0)
        try:
            pool = redis.BlockingConnectionPool.from_url(
                self._address.url, retry=never, **self._options
            )
            pool.connection_class(**pool.connection_kwargs)
        except (TypeError, ValueError, self._redis.RedisError) as error:
            problem = self._address.redact(f"{type(error).__name__}: {error}")
            raise ConfigError(f"url {self._address.shown}: {problem}") from None
        return redis.Redis(connection_pool=pool)

    def explain(self, error: Exception) -> RateLimitUnavailableError:
        """The error without its cause, which may hold what is secret."""
        kind = type(error).__name__
        reason = self._address.redact(f"{kind}: {error}" if str(error) else kind)
        return RateLimitUnavailableError(
            f"no permit from {self._address.shown}: {reason}"
        )


async def _close_idle(client: Any) -> None:
    await client.connection_pool.disconnect(inuse_connections=False)


def _read(found: Any) -> Reply:
    done, wait, mark, ahead = found
    return Reply(done=done == 1, wait=wait, mark=mark, ahead=ahead)


def _import_redis(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        problem = f"a limit in Redis needs the package redis: {_INSTALL}"
        raise ConfigError(problem) from None


def _split(url: object) -> tuple[str, SplitResult]:
    problem = (
        "url cannot be used; give one such as redis://user:password@host:6379/0, with "
        "what is special in a name or password percent-encoded (%40 for @)"
    )
    if not isinstance(url, str):
        raise ConfigError(problem)
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise ConfigError(problem) from None
    is_address = port != 0 and bool(host) and re.fullmatch(r"/?\d*", parts.path)
    is_file = host is None and parts.path not in ("", "/")
    fits = {
        "redis": is_address,
        "rediss": is_address,
        "valkey": is_address,
        "valkeys": is_address,
        "unix": is_file,
    }
    # An @ behind the host is the end of a password that was not encoded.
    if not fits.get(parts.scheme) or parts.fragment or "@" in parts.path + parts.query:
        raise ConfigError(problem)
    return url, parts
