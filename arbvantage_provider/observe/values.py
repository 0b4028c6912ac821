"""Logged values as plain parts: what cannot be shown says so, and stops nothing."""

import math
from collections.abc import Callable
from typing import Any, cast

_DEEPEST = 6
_MOST_BITS = 1000
"""Python refuses to write integers of some thousand digits."""


def make_loggable(
    value: object, clean: Callable[[str], str], levels: int = _DEEPEST
) -> Any:
    """``value`` as ``None``, booleans, finite numbers, texts, lists and dicts.

    Args:
        value: anything at all.
        clean: is given each text, and the ``repr`` of what is no plain value.
        levels: how many levels of lists and dicts are shown as such.
    """
    try:
        return _make_plain(value, clean, levels)
    except BaseException as error:  # noqa: BLE001 - a value of the user's may raise anything
        return _refuse(value, error)


def _make_plain(value: object, clean: Callable[[str], str], levels: int) -> Any:
    if value is None or isinstance(value, bool) or _is_number(value):
        return value
    if levels and isinstance(value, dict):
        items = cast("dict[object, object]", value).items()
        return {
            clean(show(key)): make_loggable(part, clean, levels - 1)
            for key, part in items
        }
    if levels and isinstance(value, list | tuple | set | frozenset):
        parts = cast("list[object]", value)
        return [make_loggable(part, clean, levels - 1) for part in parts]
    return clean(show(value))


def _is_number(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and value.bit_length() <= _MOST_BITS


def show(value: object) -> str:
    """A text as it is, or the ``repr`` of anything else."""
    try:
        # A class of the user's may have methods of its own; the text has none.
        return str.__str__(value) if isinstance(value, str) else repr(value)
    except BaseException as error:  # noqa: BLE001 - the same
        return _refuse(value, error)


def _refuse(value: object, error: BaseException) -> str:
    return f"<{type(value).__name__}, not shown: {type(error).__name__}>"
