"""The two calls of the wire, and every foreign error as one of the house.

This is the one place that catches gRPC's errors.

Source: the table of ``docs/design.md``, "What a hub may do".
"""

import asyncio
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, NoReturn, Self

from grpc import StatusCode, aio
from typing_extensions import override

from arbvantage_provider.exceptions import (
    AuthenticationError,
    ConnectionError,  # noqa: A004 - the name is the contract's
    ProtocolError,
)
from arbvantage_provider.hub.channel import open_channel
from arbvantage_provider.hub.wire import (
    Pause,
    Result,
    Task,
    decode_reply,
    decode_task,
    encode_request,
    encode_result,
)
from arbvantage_provider.protos import hub_pb2, hub_pb2_grpc

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Oversized:
    """The hub handed out a task that is larger than this side takes.

    It is gone, unless the hub leases: there is no id to answer it by.

    Attributes:
        reason: the status and gRPC's words, with both sizes.
    """

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The hub took a result; ``next_task`` came with the answer, or is ``None``."""

    next_task: Task | None = None


_ACKNOWLEDGED = Accepted()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The hub will not take a result, however often it is sent.

    Attributes:
        reason: the status and the hub's words.
        too_large: whether a smaller result may be taken.
        is_known: whether the hub says that it has the result of this task.
    """

    reason: str
    too_large: bool = False
    is_known: bool = False


class HubClient:
    """A connection to one hub, for one provider.

    Args:
        url: ``host:port``.
        provider: the provider's name.
        token: its token.
    """

    def __init__(self, *, url: str, provider: str, token: str) -> None:
        self.url = url
        self._provider = provider
        self._token = token
        self._request = encode_request(provider, token)

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._channel = open_channel(self.url)
        self._stub: Any = hub_pb2_grpc.HubStub(self._channel)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._channel.close()

    async def connect(self, seconds: float) -> None:
        """Wait until something at the address speaks HTTP/2.

        A first poll would not tell: a hub may hold it for as long as it likes.

        Raises:
            ConnectionError: if nothing does within ``seconds``.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._channel.channel_ready()
        except TimeoutError:
            problem = (
                f"no hub answers at {self.url} within {seconds:g} s; "
                "check hub_url (HUB_GRPC_URL)"
            )
            raise ConnectionError(problem) from None

    async def get_task(self) -> Task | Pause | Oversized | None:
        """A task; a wish to be left alone; ``None`` when there is nothing to do.

        A poll that the hub holds for ``GET_TIMEOUT`` has found nothing either.

        Raises:
            ConnectionError: when it is worth asking again.
            AuthenticationError: when the token is refused.
            ProtocolError: when this is no hub.
        """
        began = self._loop.time()
        try:
            reply: hub_pb2.Task = await self._stub.GetTask(
                self._request, timeout=GET_TIMEOUT
            )
        except aio.AioRpcError as error:
            if error.code() is StatusCode.NOT_FOUND or self._is_held_out(error, began):
                return None
            if _is_too_large(error):
                return Oversized(reason=self._describe(error))
            self._raise_poll_error(error)
        return decode_task(reply)

    async def submit_result(self, result: Result) -> Accepted | Refused:
        """Give a result to the hub.

        Raises:
            ConnectionError: when the same result is to be sent again.
            AuthenticationError: when the token is refused.
        """
        message = encode_result(result, self._provider, self._token)
        try:
            reply: hub_pb2.Task = await self._stub.SubmitTaskResult(
                message, timeout=SUBMIT_TIMEOUT
            )
        except aio.AioRpcError as error:
            code = error.code()
            if code in _UNAUTHENTICATED:
                raise self._refused_token(error) from None
            too_large = _is_too_large(error)
            if code in _FINAL or too_large:
                return Refused(
                    reason=self._describe(error),
                    too_large=too_large,
                    is_known=code is StatusCode.ALREADY_EXISTS,
                )
            raise ConnectionError(self._describe(error)) from None
        next_task = decode_reply(reply, result.task.id)
        return _ACKNOWLEDGED if next_task is None else Accepted(next_task=next_task)

    def _is_held_out(self, error: aio.AioRpcError, began: float) -> bool:
        """Whether the deadline was our own, and not one that the hub speaks of.

        The loop's time is what gRPC counts its timeouts by, too.
        """
        is_deadline = error.code() is StatusCode.DEADLINE_EXCEEDED
        return is_deadline and self._loop.time() - began > GET_TIMEOUT * 0.9

    def _raise_poll_error(self, error: aio.AioRpcError) -> NoReturn:
        code = error.code()
        if code in _UNAUTHENTICATED:
            raise self._refused_token(error) from None
        if code in _NO_HUB:
            problem = (
                f"what answers at {self.url} is no hub, or speaks another protocol: "
                f"{self._describe(error)}"
            )
            raise ProtocolError(problem) from None
        raise ConnectionError(self._describe(error)) from None

    def _refused_token(self, error: aio.AioRpcError) -> AuthenticationError:
        return AuthenticationError(
            f"the hub at {self.url} refuses the token of {self._provider!r} "
            f"({self._describe(error)}); check auth_token (PROVIDER_AUTH_TOKEN)"
        )

    def _describe(self, error: aio.AioRpcError) -> str:
        """The status and the hub's words, which may quote the token."""
        words = error.details() or "no details"
        if self._token:
            words = words.replace(self._token, "***")
        return f"{error.code().name}: {words}"

    @override
    def __repr__(self) -> str:
        return f"<HubClient of {self._provider!r} at {self.url}>"


def _is_too_large(error: aio.AioRpcError) -> bool:
    """Whether RESOURCE_EXHAUSTED means the size of a message.

    gRPC has no code of its own for it; its implementations all say it so.
    """
    words = (error.details() or "").lower()
    return error.code() is StatusCode.RESOURCE_EXHAUSTED and (
        "larger than max" in words or "message too large" in words
    )
