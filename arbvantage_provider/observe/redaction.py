"""Secrets cut out of text before it leaves the process."""

import json
import re
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, cast

from typing_extensions import override

MASK: Final = "***"
SHORTEST_TOKEN: Final = 4
SHORTEST_ACCOUNT_VALUE: Final = 6
"""Shorter texts stand in ordinary words too; cutting them would say nothing."""

_INPUT_VALUE: Final = re.compile(r"input_value=.*, input_type=")


class Redactor:
    """Cuts a token, and what else is secret, out of text.

    Args:
        token: the provider's token; ``""`` where there is none.
    """

    def __init__(self, token: str = "") -> None:
        self._secrets: frozenset[str] = frozenset()
        self.add(token)

    def add(self, token: str) -> None:
        """Cut this token too from now on."""
        if len(token) >= SHORTEST_TOKEN:
            self._secrets |= {token}

    def redact(self, text: str, more: Iterable[str] = ()) -> str:
        """``text`` with ``***`` in place of each secret and each of ``more``."""
        return cut_secrets(text, self._secrets.union(more))

    @override
    def __repr__(self) -> str:
        return f"<Redactor of {len(self._secrets)} secrets>"


@dataclass(frozen=True)
class AccountSecrets:
    """The texts in one task's account that must not leave it.

    Args:
        raw: the account's JSON text, as the hub sent it.
    """

    raw: bytes = field(repr=False)

    @cached_property
    def values(self) -> frozenset[str]:
        """Each text of at least ``SHORTEST_ACCOUNT_VALUE`` characters.

        Lines count by themselves too: the traceback of a group indents them.
        """
        try:
            # Numbers are no secrets, and Python refuses to read some.
            found = set(_iterate_texts(json.loads(self.raw, parse_int=len)))
        except (ValueError, RecursionError):
            found = {self.raw.decode("utf-8", "replace")}
        found |= {line for text in found for line in text.splitlines()}
        return frozenset(v for v in found if len(v) >= SHORTEST_ACCOUNT_VALUE)


def cut_secrets(text: str, secrets: Iterable[str]) -> str:
    """``text`` without the secrets, however Python or JSON would spell them."""
    for secret in sorted(secrets, key=len, reverse=True):
        for spelling in _spell(secret):
            text = text.replace(spelling, MASK)
    return text


def _spell(secret: str) -> set[str]:
    quoted = (repr(secret), json.dumps(secret), json.dumps(secret, ensure_ascii=False))
    return {secret, *(text[1:-1] for text in quoted)}


def cut_input_values(text: str) -> str:
    """``text`` without the inputs that pydantic quotes in its errors."""
    return _INPUT_VALUE.sub("input_type=", text)


def format_traceback(error: BaseException) -> str:
    """The traceback, without the inputs that pydantic quotes in its errors.

    An exception whose own ``__str__`` fails does not make this fail.
    """
    try:
        lines = traceback.format_exception(error)
    except Exception:  # noqa: BLE001 - a broken exception may raise anything
        lines = [*traceback.format_tb(error.__traceback__), type(error).__name__]
    return cut_input_values("".join(lines)).rstrip()


def _iterate_texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for child in cast("dict[str, object]", value).values():
            yield from _iterate_texts(child)
    elif isinstance(value, list):
        for child in cast("list[object]", value):
            yield from _iterate_texts(child)
