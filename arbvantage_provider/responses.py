"""What a handler returns, and how it becomes the text that a hub is given.

``respond`` turns any return value into a ``Response``; ``encode_json`` writes a
value as strict JSON, or says which part of it cannot be JSON.
"""

import dataclasses
import datetime as dt
import inspect
import json
import math
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from types import NoneType
from typing import (
    Any,
    ClassVar,
    Final,
    Literal,
    NamedTuple,
    TypeGuard,
    cast,
    get_args,
)
from uuid import UUID

import jiter
from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticSerializationError, from_json, to_json

from arbvantage_provider.text import escape

Status = Literal["success", "error", "warning", "limit"]
"""How a task may end (``TaskResult.status`` in ``proto/hub.proto``)."""

STATUSES: Final = frozenset(get_args(Status))
_RESPONSE_KEYS: Final = frozenset({"status", "message", "data"})
_CAPITAL_N, _CAPITAL_I = b"NI"
"""``NaN`` and ``Infinity`` begin with them; a search for one byte is the fastest."""
_DEEPEST: Final = 200
_LONGEST_PATH: Final = 300
_LONGEST_SLIP: Final = 20


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

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, hide_input_in_errors=True
    )

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
        if len(path) > _LONGEST_PATH:
            path = path[: _LONGEST_PATH // 2] + "…" + path[-_LONGEST_PATH // 2 :]
        super().__init__(f"{path} {problem}")
        self.path = path


class StatusError(ValueError):
    """A dict has the keys of a response, and nearly one of the statuses."""

    def __init__(self, meant: Status) -> None:
        super().__init__(
            f"its status is nearly {meant!r}; write {meant!r}, or "
            "ProviderResponse('success', data=…) if the dict is data"
        )


def respond(value: object) -> Response:
    """The response that a handler's return value stands for.

    A ``ProviderResponse`` says so itself. A dict whose only keys are among
    ``status``, ``message`` and ``data``, with one of the four statuses, as text or
    as an enum's member, is a response too. Anything else is the ``data`` of a success.

    Raises:
        NotJSONError: if a ``ProviderResponse`` was changed to another status.
        StatusError: if a dict would be a response but for a slip in its status.
    """
    if isinstance(value, ProviderResponse):
        if value.status not in STATUSES:
            raise NotJSONError("status", "is none of success, error, warning, limit")
        return Response(value.status, value.message, value.data)
    if _is_response(value):
        message = value.get("message")
        text = "" if message is None else str(message)
        status = cast("Status", _read_status(value))
        return Response(status, text, value.get("data"))
    if isinstance(value, Mapping) and "status" in value:
        _refuse_slip(cast("Mapping[str, object]", value))
    return Response("success", "", value)


def is_response(value: object) -> bool:
    """Whether a value says by itself how the task ended."""
    return isinstance(value, ProviderResponse) or _is_response(value)


def _is_response(value: object) -> TypeGuard[Mapping[str, Any]]:
    if not isinstance(value, Mapping) or "status" not in value:
        return False
    if not value.keys() <= _RESPONSE_KEYS:
        return False
    status = _read_status(cast("Mapping[str, object]", value))
    return isinstance(status, str) and status in STATUSES


def _read_status(value: Mapping[str, object]) -> object:
    """The status as JSON has it, where a member of an enum is its value."""
    status = value["status"]
    return status.value if isinstance(status, Enum) else status


def _refuse_slip(value: Mapping[str, object]) -> None:
    status = _read_status(value)
    if not isinstance(status, str) or not value.keys() <= _RESPONSE_KEYS:
        return
    for meant in get_args(Status):
        if len(status) <= _LONGEST_SLIP and _is_slip(status.strip().casefold(), meant):
            raise StatusError(meant)


def _is_slip(written: str, meant: str) -> bool:
    """Whether at most one letter is missing, too much, another, or after the next."""
    same = 0
    while written[same : same + 1] == meant[same : same + 1] != "":
        same += 1
    rest, right = written[same:], meant[same:]
    swapped = rest[1::-1] + rest[2:]
    return right in {rest, rest[1:], swapped} or right[1:] in {rest, rest[1:]}


def encode_json(value: object, root: str) -> bytes:
    """Strict JSON text of ``value``, by pydantic's rules.

    Datetimes, decimals, UUIDs, enums, sets, dataclasses and models are written
    as pydantic writes them.

    Args:
        value: what to write.
        root: what the value is called in an error's path.

    Raises:
        NotJSONError: if a part is no JSON, holds itself, is no Unicode text, has
            two keys that are written alike, or is a float that is not finite,
            inside a model included.
    """
    try:
        text = to_json(value, inf_nan_mode="constants", fallback=_convert)
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        raise _locate_failure(value, root) from error
    if _CAPITAL_N in text or _CAPITAL_I in text or text.find(b"null") >= 0:
        _refuse_traces(text, value, root)
    if _may_repeat(value):
        _refuse_repeated(text, root)
    return text


_SCALARS: Final = frozenset(
    {str, int, float, bool, NoneType, Decimal, UUID, bytes}
    | {dt.datetime, dt.date, dt.time, dt.timedelta}
)
_ITERABLES: Final = frozenset({list, tuple, set, frozenset, deque})


def _may_repeat(value: Any) -> bool:
    """Whether two keys of one object may be written alike.

    Texts differ as they are written. What else is a key may be written as another
    one is, and a model may write two fields under one name.
    """
    found = [value]
    for part in found:
        kind = part.__class__
        if kind is dict:
            try:
                "".join(part)
            except TypeError:
                return True
            found += [v for v in part.values() if v.__class__ not in _SCALARS]
        elif kind in _ITERABLES:
            found += [v for v in part if v.__class__ not in _SCALARS]
        elif kind not in _SCALARS and not issubclass(kind, Enum):
            if not _has_own_names(kind):
                return True
            fields = cast("dict[str, Any]", part.__dict__)
            found += [v for v in fields.values() if v.__class__ not in _SCALARS]
    return False


@lru_cache(maxsize=1_000)
def _has_own_names(kind: type) -> bool:
    """Whether a model writes each field as it is, under a name that no other has."""
    if not issubclass(kind, BaseModel):
        return False
    fields = kind.model_fields.items()
    names = {field.serialization_alias or name for name, field in fields}
    is_open = kind.model_config.get("extra") == "allow"
    if is_open or kind.model_computed_fields or len(names) < len(fields):
        return False
    # A serializer of the author may make anything of a value.
    return "'serialization'" not in repr(kind.__pydantic_core_schema__)


def _refuse_repeated(text: bytes, root: str) -> None:
    try:
        jiter.from_json(text, catch_duplicate_keys=True, cache_mode="keys")
    except ValueError:  # it may also be more than this parser takes
        read: Any = json.loads(
            text, parse_int=_read_integer, object_pairs_hook=_mark_repeated
        )
        for path in _find_repeated(read, root):
            problem = (
                "is written twice; keys that are no texts, such as 1 beside '1', and "
                "the names of a model's fields must differ as text"
            )
            raise NotJSONError(path, problem) from None


class _Repeated(NamedTuple):
    """Stands for an object that has a key twice."""

    key: str


def _mark_repeated(pairs: list[tuple[str, Any]]) -> Any:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    counts = Counter(key for key, _ in pairs)
    return _Repeated(counts.most_common(1)[0][0])


def _find_repeated(value: object, path: str) -> Iterator[str]:
    if isinstance(value, _Repeated):
        yield f"{path}.{value.key}"
    else:
        for child_path, child in _children(value, path):
            yield from _find_repeated(child, child_path)


def _refuse_traces(text: bytes, value: object, root: str) -> None:
    """Look closer where the text may hold a float that is not finite."""
    if b"NaN" in text or b"Infinity" in text:
        _refuse_non_finite(decode_json(text), root, frozenset())
    # Models write a float that is not finite as null, whatever the mode says.
    if b"null" in text:
        _refuse_non_finite(value, root, frozenset())


def decode_json(text: bytes) -> Any:
    """The value of a text that ``encode_json`` wrote.

    pydantic's reader, which is faster, takes at most 200 levels and integers of
    4,300 digits.
    """
    try:
        return from_json(text)
    except ValueError:
        return json.loads(text, parse_int=_read_integer)


def _read_integer(digits: str) -> int | Decimal:
    try:
        return int(digits)
    except ValueError:
        return Decimal(digits)


def _convert(value: object) -> object:
    """What pydantic does not know: any mapping is a dict, and a deque a list."""
    if isinstance(value, deque):
        return list(cast("deque[object]", value))
    if isinstance(value, Mapping):
        return dict(cast("Mapping[object, object]", value))
    if inspect.iscoroutine(value):
        value.close()
    raise TypeError


def _refuse_non_finite(value: object, path: str, above: frozenset[int]) -> None:
    if isinstance(value, BaseModel):
        value = _dump(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise NotJSONError(path, f"is {value}, which JSON cannot hold")
    if id(value) not in above:
        for child_path, child in _children(value, path):
            _refuse_non_finite(child, child_path, above | {id(value)})


def _locate_failure(value: object, path: str) -> NotJSONError:
    """The innermost part that cannot be written."""
    above: set[int] = set()
    while len(above) < _DEEPEST:
        if id(value) in above:
            return NotJSONError(path, "holds itself")
        above.add(id(value))
        for child_path, child in _children(value, path):
            if id(child) in above or not _is_writable(child):
                value, path = child, child_path
                break
        else:
            return NotJSONError(path, _describe_failure(value))
    return NotJSONError(path, "is nested too deeply")


def _describe_failure(value: object) -> str:
    if isinstance(value, str):
        return "holds half of a surrogate pair, which is no Unicode text"
    if isinstance(value, bytes):
        return "is bytes that are no UTF-8 text"
    if isinstance(value, Mapping):
        return "has a key that cannot be written as JSON"
    return f"is of type {type(value).__name__!r}, which cannot be written as JSON"


def _is_writable(value: object) -> bool:
    try:
        to_json(value, fallback=_convert)
    except (PydanticSerializationError, ValueError, RecursionError):
        return False
    return True


def _dump(model: BaseModel) -> object:
    """What the model writes, with floats as they are."""
    try:
        return model.model_dump(by_alias=True, warnings=False)
    except Exception:  # noqa: BLE001 - a serialiser that is meant for JSON alone
        return None


def _children(value: object, path: str) -> Iterator[tuple[str, object]]:
    """The parts of a container, each with its path."""
    if isinstance(value, BaseModel):
        value = {**value.__dict__, **(value.model_extra or {})}
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        for key, child in cast("Mapping[object, object]", value).items():
            yield f"{path}.{_show_key(key)}", child
    elif isinstance(value, Enum):
        yield path, value.value
    elif isinstance(value, list | tuple | set | frozenset | deque):
        for index, child in enumerate(cast("Iterable[object]", value)):
            yield f"{path}[{index}]", child


def _show_key(key: object) -> str:
    """A key that is no plain value may not even have a text."""
    return (
        escape(str(key)) if isinstance(key, str | int | float) else type(key).__name__
    )
