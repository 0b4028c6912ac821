"""The two calls of the wire, and every foreign error as one of the house.

This is the one place that catches gRPC's errors.

Source: the table of ``docs/design.md``, "What a hub may do".
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Final, NoReturn, Self

from google.protobuf.message import EncodeError
from grpc import StatusCode, aio
from typing_extensions import override

from arbvantage_provider.exceptions import (
    ConnectionError,  # noqa: A004 - the name is the contract's
    ProtocolError,
)
from arbvantage_provider.hub.auth import Auth, Kind, Token
from arbvantage_provider.hub.channel_pool import ChannelPool, Connection
from arbvantage_provider.hub.faults import UNKNOWN, explain, find_answer_between
from arbvantage_provider.hub.wire import (
    decode_reply,
    decode_task,
    encode_request,
    encode_result,
)
from arbvantage_provider.protos import hub_pb2
from arbvantage_provider.task import Accepted, Oversized, Pause, Refused, Result, Task
from arbvantage_provider.variables import name_source

Reply = hub_pb2.Task | None
"""``None``: gRPC cannot parse what came, and takes it for a message all the same."""
Send = Callable[[Connection, Token], Awaitable[Reply]]
"""Begins a call on a connection, with a token."""
GET_TIMEOUT: Final = 60.0
"""Seconds that a hub may hold a poll."""
SUBMIT_TIMEOUT: Final = 30.0
"""Seconds after which an unanswered result is sent again."""
_UNAUTHENTICATED: Final = (StatusCode.UNAUTHENTICATED, StatusCode.PERMISSION_DENIED)
_NO_HUB: Final = (StatusCode.UNIMPLEMENTED, StatusCode.INVALID_ARGUMENT)
_FINAL: Final = (
    StatusCode.INVALID_ARGUMENT,
    StatusCode.NOT_FOUND,
    StatusCode.ALREADY_EXISTS,
    StatusCode.FAILED_PRECONDITION,
)


class _TooLong(Exception):  # noqa: N818 - no error, until the worker says so
    """A message is longer than may be sent."""


_ACKNOWLEDGED = Accepted()
_UNREADABLE = Oversized(reason="there is no memory left to read it")


class HubClient:
    """A connection to one hub, for one provider.

    Args:
        url: the hub's address, as it is written.
        provider: the provider's name.
        channels: open the channel that calls go by.
        auth: holds the token, and lets calls through.
        max_send_bytes: how long a result's message may be.

    Attributes:
        max_send_bytes: the same.
        gives_up: whether a poll was answered for the seconds of ``connect``, and
            never by a hub.
    """

    def __init__(
        self,
        *,
        url: str,
        provider: str,
        channels: ChannelPool,
        auth: Auth,
        max_send_bytes: int,
    ) -> None:
        self.url = url
        self.max_send_bytes: int = max_send_bytes
        self.gives_up: bool = False
        self._has_met = False
        self._meet_until = 0.0
        self._provider = provider
        self._channels = channels
        self._auth = auth
        self._request = b""
        self._requests_token: Token | None = None

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._auth.close()
        await self._channels.close()

    async def connect(self, seconds: float) -> None:
        """Have a token, and wait until something at the address speaks HTTP/2.

        A first poll would not tell: a hub may hold it for as long as it likes.

        Raises:
            ConnectionError: if nothing does within ``seconds``, or as soon as it is
                certain that nothing will; it says why.
            ConfigError, AuthenticationError: if there is no token within ``seconds``.
        """
        self._meet_until = self._loop.time() + seconds
        await self._auth.open(seconds)
        fault, said = UNKNOWN, ""
        try:
            async with asyncio.timeout(seconds):
                while (heard := await self._channels.find_problem()) is not None:
                    found = explain(heard, is_encrypted=self._channels.is_encrypted)
                    # A host of several addresses fails in several ways by turns.
                    if fault is UNKNOWN or found is not UNKNOWN:
                        fault, said = found, heard or said
                    if fault.is_certain:
                        break
                    await self._channels.wait_for_change()
                else:
                    return
        except TimeoutError:
            pass
        when = "" if fault.is_certain else f" within {seconds:g} s"
        proxy = self._channels.proxy
        told = f" ({said})" if said and not (proxy and proxy.is_odd) else ""
        through = f" through {proxy}" if proxy else ""
        where = f"no connection to the hub at {self.url}{through}{when}"
        raise ConnectionError(f"{where}: {fault.describe()}{told}")

    async def get_task(self) -> Task | Pause | Oversized | None:
        """A task; a wish to be left alone; ``None`` when there is nothing to do.

        A poll that the hub holds for ``GET_TIMEOUT`` has found nothing either.

        Raises:
            ConnectionError: when it is worth asking again.
            AuthenticationError: when the token is refused, and so is the next one.
            ProtocolError: when this is no hub.
        """
        began = self._loop.time()
        try:
            reply = await self._call("poll", self._poll)
        except aio.AioRpcError as error:
            if error.code() is StatusCode.NOT_FOUND or self._is_held_out(error, began):
                return None
            if _is_too_large(error):
                return Oversized(reason=self._describe(error))
            self._raise_poll_error(error)
        except MemoryError:
            raise ConnectionError("there is no memory left to ask it") from None
        if reply is None:  # its bytes cannot be parsed; a text that is no UTF-8 will do
            raise ConnectionError("what the hub sent is no message of this protocol")
        try:
            return decode_task(reply)
        except MemoryError:
            return _UNREADABLE

    async def submit_result(self, result: Result) -> Accepted | Refused:
        """Give a result to the hub, unless it is too long to be sent.

        Raises:
            ConnectionError: when the same result is to be sent again.
            MemoryError: if there is none to write it; nothing was sent.
            AuthenticationError: when the token is refused, and so is the next one.
        """
        try:
            reply = await self._call("result", partial(self._submit, result))
        except _TooLong as error:
            return Refused(reason=str(error), too_large=True)
        except aio.AioRpcError as error:
            code, too_large = error.code(), _is_too_large(error)
            if too_large and _is_answer(error):
                # The hub took the result: only what came with its answer is lost.
                return Accepted(oversized=Oversized(reason=self._describe(error)))
            if code in _FINAL or too_large:
                return Refused(
                    reason=self._describe(error),
                    too_large=too_large,
                    is_known=code is StatusCode.ALREADY_EXISTS,
                )
            raise ConnectionError(self._describe(error)) from None
        # The status was OK, so the result is there, even if the reply cannot be read.
        try:
            next_task = None if reply is None else decode_reply(reply, result.task.id)
        except MemoryError:
            return Accepted(oversized=_UNREADABLE)
        return _ACKNOWLEDGED if next_task is None else Accepted(next_task=next_task)

    async def _call(self, kind: Kind, send: Send) -> Reply:
        """One call with the token of the moment; again where another one is had."""
        while True:
            calm, steady = self._auth.calm, self._channels.steady
            token = calm or await self._auth.take(kind)
            connection = steady or self._channels.begin()
            try:
                reply = await send(connection, token)
            except aio.AioRpcError as error:
                refusal = self._find_refusal(error, kind, token)
            else:
                self._has_met = True
                if calm is None:
                    self._auth.accept(kind, token)
                return reply
            finally:
                if steady is None:
                    self._channels.end(connection)
                if calm is None:
                    self._auth.release(kind, token)
            await self._auth.replace(token, refusal)

    def _find_refusal(self, error: aio.AioRpcError, kind: Kind, token: Token) -> str:
        """What the hub says of a token that it refuses; other errors are raised."""
        if error.code() in _UNAUTHENTICATED and not _find_between(error):
            return self._describe_refusal(error)
        if error.code() in _FINAL:
            self._has_met = True
            self._auth.accept(kind, token)
        raise error

    def _poll(self, connection: Connection, token: Token) -> Awaitable[Reply]:
        if token is not self._requests_token:
            self._requests_token = token
            request = encode_request(self._provider, token.text)
            self._request = request.SerializeToString()
        poll: Awaitable[Reply] = connection.poll(self._request, timeout=GET_TIMEOUT)
        return poll

    def _submit(
        self, result: Result, connection: Connection, token: Token
    ) -> Awaitable[Reply]:
        try:
            written = encode_result(result, self._provider, token.text)
        except EncodeError:  # its size is no problem, as was seen before
            raise MemoryError from None
        if len(written) > self.max_send_bytes:
            raise _TooLong(self.describe_excess(len(written)))
        submission: Awaitable[Reply] = connection.submit(
            written, timeout=SUBMIT_TIMEOUT
        )
        return submission

    def describe_excess(self, size: int) -> str:
        """Why a message of so many bytes is not sent."""
        limit = self.max_send_bytes
        return f"{size:,} bytes are more than the {limit:,} of max_send_bytes"

    def _is_held_out(self, error: aio.AioRpcError, began: float) -> bool:
        """Whether the deadline was our own, and not one that the hub speaks of.

        The loop's time is what gRPC counts its timeouts by, too.
        """
        is_deadline = error.code() is StatusCode.DEADLINE_EXCEEDED
        return is_deadline and self._loop.time() - began > GET_TIMEOUT * 0.9

    def _raise_poll_error(self, error: aio.AioRpcError) -> NoReturn:
        between = _find_between(error)
        if between and not self._has_met and self._loop.time() >= self._meet_until:
            self.gives_up = True
            problem = (
                f"what answers at {self.url} is no hub that speaks gRPC: {between} "
                f"({self._describe(error)}); check {name_source('hub_url')}"
            )
            raise ConnectionError(problem) from None
        if error.code() in _NO_HUB and not between:
            problem = (
                f"what answers at {self.url} is no hub, or speaks another protocol: "
                f"{self._describe(error)}"
            )
            raise ProtocolError(problem) from None
        raise ConnectionError(self._describe(error)) from None

    def _describe_refusal(self, error: aio.AioRpcError) -> str:
        return (
            f"the hub at {self.url} refuses the token of {self._provider!r} "
            f"({self._describe(error)}); check {self._auth.source.setting}"
        )

    def _describe(self, error: aio.AioRpcError) -> str:
        """The status and the hub's words, which may quote the token."""
        words = self._auth.redact(error.details() or "no details")
        if (proxy := self._channels.proxy) and error.code() is StatusCode.UNAVAILABLE:
            words = f"{'no connection' if proxy.is_odd else words} (through {proxy})"
        between = " (not by the hub, but on the way)" if _find_between(error) else ""
        return f"{error.code().name}: {words}{between}"

    @override
    def __repr__(self) -> str:
        return f"<HubClient of {self._provider!r} at {self.url}>"


def _find_between(error: aio.AioRpcError) -> str | None:
    return find_answer_between(error.details() or "")


def _is_too_large(error: aio.AioRpcError) -> bool:
    """Whether RESOURCE_EXHAUSTED means the size of a message.

    gRPC has no code of its own for it; its implementations all say it so.
    """
    words = (error.details() or "").lower()
    return error.code() is StatusCode.RESOURCE_EXHAUSTED and (
        "larger than max" in words or "message too large" in words
    )


def _is_answer(error: aio.AioRpcError) -> bool:
    """Whether it is the answer that is too large, and not what was sent."""
    words = (error.details() or "").lower()
    # Nothing is sent compressed, so only an answer can be.
    return "client: received message" in words or "decompressed message" in words
