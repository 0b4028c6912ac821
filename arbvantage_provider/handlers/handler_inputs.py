"""The functions that read one parameter's value from what a task brings."""

import datetime as dt
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from operator import attrgetter
from typing import Any, Final, Protocol

from pydantic import BaseModel

from arbvantage_provider.context import Profile, TaskContext
from arbvantage_provider.handlers.defaults import EMPTY, find_maker
from arbvantage_provider.handlers.plain_values import make_plain
from arbvantage_provider.handlers.types import holds_model, is_dict, is_unsaid, strip


class Inputs(Protocol):
    """What one task brings to a handler, validated."""

    @property
    def payload(self) -> Any:
        """The payload, as its schema gives it."""
        ...

    @property
    def account(self) -> Any:
        """The account, as its schema gives it, or ``None``."""
        ...

    @property
    def account_text(self) -> str:
        """The account's JSON text, as the hub sent it; ``""``: there is none."""
        ...

    @property
    def context(self) -> TaskContext:
        """The task's context; made when it is first asked for."""
        ...

    @property
    def profile(self) -> Profile:
        """What may be known of the provider."""
        ...

    def try_again(self, error: Exception, wait: float) -> bool:
        """Begin another try, unless it would begin after the deadline.

        Args:
            error: what the last try raised.
            wait: seconds until the next one.
        """
        ...

    @property
    def is_over(self) -> bool:
        """Whether nobody waits for the result any more, or the deadline has passed."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait on this thread."""
        ...

    def settle(self, value: Awaitable[Any]) -> Any:
        """What an awaitable gives, from a thread; at most until the deadline."""
        ...

    async def wait(self, seconds: float) -> None:
        """Wait on the running loop."""
        ...

    @property
    def injected(self) -> Mapping[Any, Any]:
        """What the lifespans made, by the types that parameters ask for."""
        ...


Reader = Callable[[Inputs], Any]


class FieldSource(Protocol):
    """What a plan must know of one field of a schema."""

    @property
    def type(self) -> Any:
        """Its type, as pydantic understands it."""
        ...

    @property
    def required(self) -> bool:
        """Whether the JSON object must hold it."""
        ...


class Source(Protocol):
    """What a plan must know of a schema."""

    @property
    def role(self) -> str:
        """``payload`` or ``account``."""
        ...

    @property
    def type(self) -> Any:
        """What a validated value is."""
        ...

    @property
    def fields(self) -> Mapping[str, FieldSource]:
        """The fields, by the names that a handler knows."""
        ...

    @property
    def is_mapping(self) -> bool:
        """Whether a validated value is a dict."""
        ...

    @property
    def fills_absent(self) -> bool:
        """Whether an absent optional field is ``None`` in the whole."""
        ...


def read_field(
    source: Source, name: str, annotation: Any = EMPTY, *, default: Any = EMPTY
) -> Reader:
    """A reader of one field of the payload.

    A field that the payload did not hold is the parameter's own ``default``.
    """
    declared = source.fields[name].type
    if source.is_mapping:
        read = _read_key(name, None if default is EMPTY else default)
    else:
        read = _read_attribute(name)
        if default is not EMPTY and _is_model(source.type):
            read = _unless_absent(name, read, default)
    stays_model = holds_model(annotation) or (
        is_unsaid(annotation) and source.is_mapping
    )
    if holds_model(declared) and not stays_model:
        return _dump(read)
    return read


def read_whole(source: Source, annotation: Any) -> Reader:
    """A reader of the whole payload or account, as the annotation says."""
    # The role is the name of what the inputs hold.
    read: Reader = attrgetter(source.role)
    if source.is_mapping:
        fields = source.fields.items() if source.fills_absent else ()
        optional = [name for name, field in fields if not field.required]
        return _fill(optional, read) if optional else read
    return _dump(read) if is_dict(annotation) else read


def read_default(default: Any) -> Reader:
    """A reader of a default; of a copy, where a handler may change it."""
    make = find_maker(default)
    return (lambda _: default) if make is None else (lambda _: make())


def read_account_text(default: Any) -> Reader:
    """A reader of the account as it came, which older programs take apart themselves."""
    absent = "" if default is EMPTY else default
    return lambda inputs: inputs.account_text or absent


def _read_key(name: str, default: Any) -> Reader:
    if find_maker(default) is None:
        return lambda inputs: inputs.payload.get(name, default)
    make = read_default(default)

    def read(inputs: Inputs) -> Any:
        payload = inputs.payload
        return payload[name] if name in payload else make(inputs)

    return read


def _read_attribute(name: str) -> Reader:
    return attrgetter(f"payload.{name}")


def _unless_absent(name: str, read: Reader, default: Any) -> Reader:
    make = read_default(default)

    def reader(inputs: Inputs) -> Any:
        given = name in inputs.payload.model_fields_set
        return read(inputs) if given else make(inputs)

    return reader


def _fill(optional: list[str], read: Reader) -> Reader:
    """An optional field that is absent is ``None`` in the whole."""
    absent = dict.fromkeys(optional)

    def reader(inputs: Inputs) -> Any:
        value = read(inputs)
        return value | {key: None for key in absent if key not in value}

    return reader


def _dump(read: Reader) -> Reader:
    """Plain dicts in place of models, under the keys of the wire."""
    return lambda inputs: make_plain(read(inputs))


def _is_model(type_: Any) -> bool:
    return inspect.isclass(type_) and issubclass(type_, BaseModel)


def read_context(inputs: Inputs) -> TaskContext:
    """The task's context."""
    return inputs.context


def read_logger(inputs: Inputs) -> Any:
    """The task's logger."""
    return inputs.context.logger


def _read_provider(inputs: Inputs) -> dict[str, Any]:
    return dict(inputs.profile.settings)


def _read_timezone(inputs: Inputs) -> str:
    return str(inputs.profile.timezone)


def _read_now(inputs: Inputs) -> str:
    return inputs.profile.now(inputs.profile.timezone).isoformat()


def _read_now_utc(inputs: Inputs) -> str:
    return inputs.profile.now(dt.UTC).isoformat()


NAMED: Final[Mapping[str, Reader]] = {
    "logger": read_logger,
    "provider": _read_provider,
    "timezone": _read_timezone,
    "now": _read_now,
    "now_utc": _read_now_utc,
    "context": read_context,
}
"""The readers that a parameter's name alone asks for."""

_GIVEN: Final[Mapping[str, tuple[Any, ...]]] = {
    "logger": (logging.Logger, logging.LoggerAdapter),
    "provider": (dict,),
    "timezone": (str,),
    "context": (TaskContext,),
}


def find_given(name: str, annotation: Any) -> tuple[Any, ...]:
    """The types that a name in ``NAMED`` is filled with, where it is so annotated."""
    is_moment = name in _AS_DATETIME and strip(annotation) is dt.datetime
    return (dt.datetime,) if is_moment else _GIVEN.get(name, (str,))


LOCAL: Final[frozenset[Reader]] = frozenset({read_context, read_logger})
"""The readers of what cannot leave this process."""

_AS_DATETIME: Final[Mapping[str, Reader]] = {
    "now": lambda inputs: inputs.profile.now(inputs.profile.timezone),
    "now_utc": lambda inputs: inputs.profile.now(dt.UTC),
}


def read_named(name: str, annotation: Any) -> Reader:
    """A reader of a name in ``NAMED``; times are ISO 8601 text, or datetimes."""
    if strip(annotation) is dt.datetime and name in _AS_DATETIME:
        return _AS_DATETIME[name]
    return NAMED[name]
