"""A response as the JSON text that ``TaskResult.result`` holds.

Two forms exist in the field: ``plain`` is ``{"status", "message", "data"}``;
``unified`` is the same with the provider's name, the action and the time around
the data.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import to_json

from arbvantage_provider.context import Profile
from arbvantage_provider.responses import (
    STATUSES,
    Response,
    decode_json,
    encode_json,
    is_response,
    respond,
)
from arbvantage_provider.worker.call import EncodedResponse

_new: Final[Any] = tuple.__new__  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
"""A named tuple's own constructor is a Python function, which this spares the response
that most tasks get."""
_WRAPPING: Final = frozenset({"provider", "action", "response"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseEncoder:
    """Writes the responses of one provider.

    Attributes:
        profile: tells the provider's name and the time.
        unified: whether the data is wrapped.
    """

    profile: Profile
    unified: bool

    def succeed(self, data: object, action: str) -> EncodedResponse:
        """The response for plain data, which is what most handlers return.

        Raises:
            NotJSONError: if it cannot be written.
        """
        text = encode_json(data, "data")
        if self.unified:
            text = self._wrap(text, action)
        text = b'{"status":"success","message":"","data":%b}' % text
        encoded: EncodedResponse = _new(EncodedResponse, ("success", text, "", None))
        return encoded

    def encode(self, response: Response, action: str) -> EncodedResponse:
        """The response for a response.

        Raises:
            NotJSONError: if the data cannot be written.
        """
        status, message, value = response
        data = b"null" if value is None else encode_json(value, "data")
        return self.frame(status, message, data, action)

    def frame(  # noqa: PLR0917 - keywords cost
        self, status: str, message: str, data: bytes, action: str
    ) -> EncodedResponse:
        """The response for data that is JSON text already."""
        if self.unified:
            data = self._wrap(data, action)
        return _write(status, message, data)

    def describe(self, response: Response, action: str) -> dict[str, Any]:
        """The response as a dict, as the hub will read it.

        Raises:
            NotJSONError: if the data cannot be written.
        """
        described: dict[str, Any] = decode_json(self.encode(response, action).text)
        return described

    def take(self, value: object, action: str) -> EncodedResponse:
        """The response for a response, or for a dict that ``describe`` made.

        Raises:
            TypeError: if it is neither.
            NotJSONError: if its data cannot be written.
        """
        if not is_response(value):
            kind = type(value).__name__
            raise TypeError(f"expected a response, and got a value of type {kind!r}")
        response = respond(value)
        if self.unified and isinstance(value, Mapping) and _is_wrapped(response.data):
            data = encode_json(response.data, "data")
            return _write(response.status, response.message, data)
        return self.encode(response, action)

    def _wrap(self, data: bytes, action: str) -> bytes:
        profile = self.profile
        head = to_json(
            {
                "provider": profile.name,
                "action": _as_unicode(action),
                "timezone": str(profile.timezone),
                "now": profile.now(profile.timezone).isoformat(),
                "now_utc": profile.now(dt.UTC).isoformat(),
            }
        )
        response = b"{}" if data == b"null" else data
        return head[:-1] + b',"response":' + response + b"}"


_HEADS: Final = {
    status: b'{"status":"%b","message":' % status.encode() for status in STATUSES
}


def _is_wrapped(data: object) -> bool:
    return isinstance(data, Mapping) and data.keys() >= _WRAPPING


def _write(status: str, message: str, data: bytes) -> EncodedResponse:
    text = to_json(_as_unicode(message)) if message else b'""'
    return EncodedResponse(
        status, b'%b%b,"data":%b}' % (_HEADS[status], text, data), message
    )


def _as_unicode(text: str) -> str:
    """A message may hold half of a surrogate pair, which JSON text cannot."""
    return text.encode("utf-8", "replace").decode()
