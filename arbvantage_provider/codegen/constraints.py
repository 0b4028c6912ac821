"""What stands behind a type in ``Annotated``, as the arguments of ``Field``."""

import dataclasses
import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, cast

from pydantic import Field
from pydantic.fields import FieldInfo

from arbvantage_provider.schema.classes import MadeStrict

_HOUSE: Final = "arbvantage_provider."
_WORDS: Final = tuple(inspect.signature(Field).parameters)
_PLAIN: Final = cast("FieldInfo", Field())
_LAST: Final = ("title", "description", "examples", "json_schema_extra")
"""What is for people stands behind what is checked."""


def read_constraints(
    metadata: Iterable[Any],
) -> tuple[dict[str, Any], list[Any]]:
    """The arguments of a ``Field``, and what no argument of it says.

    The checks that this package adds to plain types are left out, as
    ``StrictModel`` has them anyway.
    """
    words: dict[str, Any] = {}
    rest: list[Any] = []
    for part in _unfold(metadata):
        if type(part).__module__.startswith(_HOUSE):
            continue
        found = _read_field(part) if isinstance(part, FieldInfo) else _read_check(part)
        if found is None:
            rest.append(part)
        else:
            words |= found
    return sort_words(words), rest


def sort_words(words: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a ``Field`` in the order in which one reads them."""
    order = [*(word for word in _WORDS if word not in _LAST), *_LAST]
    return {word: words[word] for word in order if word in words}


def _unfold(metadata: Iterable[Any]) -> Iterator[Any]:
    """Each part by itself; ``Len`` and ``Interval`` are several checks in one."""
    for part in metadata:
        if isinstance(part, FieldInfo):
            yield part
            yield from part.metadata
        elif isinstance(part, MadeStrict):
            if part.discriminator is not None:
                yield Field(discriminator=part.discriminator)
        elif type(part).__module__ == "annotated_types" and hasattr(part, "__iter__"):
            yield from part
        else:
            yield part


def _read_field(info: FieldInfo) -> dict[str, Any]:
    words = {
        word: getattr(info, word)
        for word in _WORDS
        if hasattr(_PLAIN, word) and getattr(info, word) != getattr(_PLAIN, word)
    }
    for word in ("validation_alias", "serialization_alias"):
        if words.get(word) == words.get("alias"):
            words.pop(word, None)
    words.pop("alias_priority", None)
    return words


def _read_check(part: Any) -> dict[str, Any] | None:
    """``Ge(ge=1)`` as ``{"ge": 1}``; ``None`` where ``Field`` has no such argument."""
    found = _list_attributes(part)
    is_known = type(part).__module__.startswith(("annotated_types", "pydantic"))
    if not found or not is_known or not found.keys() <= {*_WORDS}:
        return None
    return {word: value for word, value in found.items() if value is not None}


def _list_attributes(part: Any) -> Mapping[str, Any] | None:
    if inspect.isclass(part):
        return None
    if dataclasses.is_dataclass(part):
        return {f.name: getattr(part, f.name) for f in dataclasses.fields(part)}
    return getattr(part, "__dict__", None)
