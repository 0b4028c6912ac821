"""Which default values may be shown, and in which order."""

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, cast

from pydantic import BaseModel, Secret, SecretBytes, SecretStr


def is_showable(value: object) -> bool:
    """Whether a default is nothing secret, and the same in every run."""
    return not any(
        isinstance(part, Secret | SecretStr | SecretBytes)
        or (isinstance(part, float) and not math.isfinite(part))
        or (
            _is_object(part)
            and any(isinstance(c, AbstractSet) for c in _children(part))
        )
        for part in _walk(value, frozenset())
    )


def list_sets(value: Any) -> Any:
    """The value with its sets as sorted lists, as a set has no order."""
    if isinstance(value, AbstractSet):
        return sorted(map(list_sets, cast("Iterable[Any]", value)), key=repr)
    if type(value) is dict:
        members = cast("Mapping[Any, Any]", value).items()
        return {key: list_sets(member) for key, member in members}
    if type(value) in {list, tuple}:
        return [list_sets(item) for item in value]
    return value


def _walk(value: object, above: frozenset[int]) -> Iterator[object]:
    yield value
    if id(value) not in above:
        for child in _children(value):
            yield from _walk(child, above | {id(value)})


def _is_object(value: object) -> bool:
    is_class = isinstance(value, type)
    return isinstance(value, BaseModel) or (
        dataclasses.is_dataclass(value) and not is_class
    )


def _children(value: object) -> Iterable[object]:
    if isinstance(value, BaseModel):
        return vars(value).values()
    if _is_object(value):
        fields = dataclasses.fields(cast("Any", value))
        return [getattr(value, field.name, None) for field in fields]
    if isinstance(value, Mapping):
        return cast("Mapping[object, object]", value).values()
    if isinstance(value, list | tuple | AbstractSet):
        return cast("Iterable[object]", value)
    return ()
