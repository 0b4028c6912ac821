"""What a handler returns, and how it becomes the text that a hub is given.

``respond`` turns any return value into a ``Response``; ``encode_json`` writes a
value as strict JSON, or says which part of it cannot be JSON.
"""

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple, TypeGuard, cast, get_args

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticSerializationError, to_json

Status = Literal["success", "error", "warning", "limit"]
"""How a task may end (``TaskResult.status`` in ``proto/hub.proto``)."""

STATUSES: Final = frozenset(get_args(Status))
_RESPONSE_KEYS: Final = frozenset({"status", "message", "data"})


class ProviderResponse(BaseModel):
    """How a task ended, in words for people and data for programs.

    Args:
        status: ``success``, ``error``, ``warning`` or ``limit``.
        message: one sentence for a person; may be left out.
        data: any value that pydantic can write as JSON, or ``None``.

    Other keyword arguments are ignored, as programs of the earlier SDK pass
    some.

    Raises:
        pydantic.ValidationError: if the status is none of the four.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    status: Status
    message: str = ""
    data: Any = None

    def __init__(
        self, status: Status, message: str = "", data: Any = None, **_ignored: Any
    ) -> None:
        super().__init__(status=status, message=message, data=data)


class Response(NamedTuple):
    """A ``ProviderResponse`` inside the house: the same, and not checked again."""

    status: Status
    message: str = ""
    data: Any = None


class NotJSONError(ValueError):
    """A value, or a part of it, cannot be written as strict JSON.

    Attributes:
        path: where in the value, such as ``data.items[3].price``.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path} {problem}")
        self.path = path


def respond(value: object) -> Response:
    """The response that a handler's return value stands for.

    A ``ProviderResponse`` says so itself. A dict whose only keys are among
    ``status``, ``message`` and ``data``, with one of the four statuses, is a
    response too. Anything else is the ``data`` of a success.
    """
    if isinstance(value, ProviderResponse):
        return Response(value.status, value.message, value.data)
    if _is_response(value):
        message = value.get("message")
        text = "" if message is None else str(message)
        return Response(value["status"], text, value.get("data"))
    return Response("success", "", value)


def _is_response(value: object) -> TypeGuard[Mapping[str, Any]]:
    if not isinstance(value, Mapping) or "status" not in value:
        return False
    if not value.keys() <= _RESPONSE_KEYS:
        return False
    status = cast("Mapping[str, object]", value)["status"]
    return isinstance(status, str) and status in STATUSES


def encode_json(value: object, root: str) -> bytes:
    """Strict JSON text of ``value``, by pydantic's rules.

    Datetimes, decimals, UUIDs, enums, sets, dataclasses and models are written
    as pydantic writes them.

    Args:
        value: what to write.
        root: what the value is called in an error's path.

    Raises:
        NotJSONError: if a part is no JSON, holds itself, is no Unicode text, or
            is a float that is not finite, inside a model included.
    """
    try:
        text = to_json(value, inf_nan_mode="constants")
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        raise _locate_failure(value, root) from error
    # Models write a float that is not finite as null, whatever the mode says.
    if b"null" in text or b"NaN" in text or b"Infinity" in text:
        _refuse_non_finite(value, root, frozenset())
    return text


def _refuse_non_finite(value: object, path: str, above: frozenset[int]) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise NotJSONError(path, f"is {value}, which JSON cannot hold")
    if id(value) not in above:
        for child_path, child in _children(value, path):
            _refuse_non_finite(child, child_path, above | {id(value)})


def _locate_failure(value: object, path: str) -> NotJSONError:
    """The innermost part that cannot be written."""
    above: set[int] = set()
    while True:
        if id(value) in above:
            return NotJSONError(path, "holds itself")
        above.add(id(value))
        for child_path, child in _children(value, path):
            if id(child) in above or not _is_writable(child):
                value, path = child, child_path
                break
        else:
            return NotJSONError(path, _describe_failure(value))


def _describe_failure(value: object) -> str:
    if isinstance(value, str):
        return "holds half of a surrogate pair, which is no Unicode text"
    if isinstance(value, bytes):
        return "is bytes that are no UTF-8 text"
    return f"is of type {type(value).__name__!r}, which cannot be written as JSON"


def _is_writable(value: object) -> bool:
    try:
        to_json(value)
    except (PydanticSerializationError, ValueError, RecursionError):
        return False
    return True


def _children(value: object, path: str) -> Iterator[tuple[str, object]]:
    """The parts of a container, each with its path."""
    if isinstance(value, BaseModel):
        value = {**value.__dict__, **(value.model_extra or {})}
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        for key, child in cast("Mapping[object, object]", value).items():
            yield f"{path}.{key}", child
    elif isinstance(value, list | tuple | set | frozenset):
        for index, child in enumerate(cast("Iterable[object]", value)):
            yield f"{path}[{index}]", child
