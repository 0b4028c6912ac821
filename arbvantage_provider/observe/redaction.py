"""Secrets cut out of text before it leaves the process."""

import json
import re
import traceback
from collections.abc import Iterable, Iterator
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple, cast

from typing_extensions import override

from arbvantage_provider.observe.values import show

MASK: Final = "***"
SHORTEST_TOKEN: Final = 4
MOST_TOKENS: Final = 100
"""Of tokens that follow each other, the last ones, which a hub may still take."""
SHORTEST_ACCOUNT_VALUE: Final = 6
"""Shorter texts stand in ordinary words too; cutting them would say nothing."""

CURRENT_ACCOUNT: Final[ContextVar[bytes]] = ContextVar("CURRENT_ACCOUNT", default=b"")
"""The account of the task that the running code belongs to, as the hub sent it.

Tasks and threads that are started with a copy of the context have it too.
"""

_INPUT_VALUE: Final = "input_value="
_INPUT_TYPE: Final = ", input_type="
MOST_SEARCHED: Final = 100_000_000
"""Characters times texts of an account; a tenth of a second."""


class Secret(NamedTuple):
    """A text to cut out.

    Attributes:
        text: the secret itself.
        core: the longest part of it that Python and JSON spell in one way only.
    """

    text: str
    core: str

    @override
    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class Redactor:
    """Cuts a token, and what else is secret, out of text.

    Args:
        token: the provider's token; ``""`` where there is none.
    """

    def __init__(self, token: str = "") -> None:
        self._secrets: tuple[Secret, ...] = ()
        self.add(token)

    def add(self, token: str) -> None:
        """Cut this token too from now on, and the last ``MOST_TOKENS`` before it."""
        if len(token) >= SHORTEST_TOKEN:
            others = (each for each in self._secrets if each.text != token)
            self._secrets = (*others, _make_secret(token))[-MOST_TOKENS:]

    def redact(self, text: str, more: Iterable[Secret] = ()) -> str:
        """``text`` with ``***`` in place of each secret and each of ``more``.

        What would take too long to search is not told at all.
        """
        more = tuple(more)
        if len(more) * len(text) > MOST_SEARCHED:
            return MASK
        return cut_secrets(text, (*self._secrets, *more))

    def scrub(self, error: BaseException) -> None:
        """Cut the secrets out of an exception, and out of those that it came from.

        It is for what leaves this package: whoever prints it prints all of them.
        """
        # Those that an error came from are scrubbed before it.
        for each in reversed(list(_iterate_errors(error))):
            with suppress(BaseException):  # a class of the user's may raise anything
                self._scrub_one(each)
            self._cover_links(each)

    def _scrub_one(self, error: BaseException) -> None:
        # The members of a group are scrubbed by themselves.
        is_group = issubclass(type(error), BaseExceptionGroup)
        redact = self._redact_text if is_group else self._redact_part
        parts = tuple(map(redact, error.args))
        if parts != error.args:
            error.args = parts
        notes: list[object] = getattr(error, "__notes__", [])
        notes[:] = map(self._redact_part, notes)

    def _cover_links(self, error: BaseException) -> None:
        with suppress(BaseException):  # the same
            cause, context = map(self._cover, (error.__cause__, error.__context__))
            # To set a cause, even to none, is to hide the context.
            if cause is not error.__cause__:
                error.__cause__ = cause
            error.__context__ = context

    def _cover(self, error: BaseException | None) -> BaseException | None:
        """The error, or one in its place where its text holds a secret all the same.

        Some have their text from elsewhere, such as the name of a file.
        """
        text = "" if error is None else str(error)
        redacted = self.redact(text)
        if error is None or redacted == text:
            return error
        cover = RuntimeError(f"{type(error).__name__}: {redacted}")
        cover.__cause__, cover.__context__ = error.__cause__, error.__context__
        cover.__suppress_context__ = error.__suppress_context__
        return cover.with_traceback(error.__traceback__)

    def _redact_text(self, part: object) -> object:
        return self.redact(part) if isinstance(part, str) else part

    def _redact_part(self, part: object) -> object:
        """A part without secrets: as text, where it is none and holds one."""
        text = show(part)
        redacted = self.redact(text)
        return part if redacted == text else redacted

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
    def values(self) -> tuple[Secret, ...]:
        """Each text of at least ``SHORTEST_ACCOUNT_VALUE`` characters.

        Lines count by themselves too: the traceback of a group indents them.
        """
        try:
            # Numbers are no secrets, and Python refuses to read some.
            found = set(_iterate_texts(json.loads(self.raw, parse_int=len)))
        except (ValueError, RecursionError):
            found = {self.raw.decode("utf-8", "replace")}
        found |= {line for text in found for line in text.splitlines()}
        long = (text for text in found if len(text) >= SHORTEST_ACCOUNT_VALUE)
        return tuple(map(_make_secret, long))


def cut_secrets(text: str, secrets: Iterable[Secret]) -> str:
    """``text`` without the secrets, however Python or JSON would spell them.

    A text in a ``repr`` in a ``repr`` is escaped twice, and bytes spell each of theirs,
    so a secret is looked for by what no spelling changes: most are nothing else.
    """
    # No spelling is shorter than the secret. An account may hold a megabyte of them.
    size = len(text)
    held = [each.text for each in secrets if each.core in text]
    for secret in sorted(held, key=len, reverse=True):
        if len(secret) > size:
            continue
        if _SPECIAL.search(secret) is None:
            text = text.replace(secret, MASK)
        else:
            text = _cut_spelled(text, secret)
    return text


_SPECIAL: Final = re.compile(r"""[^ !#-&(-\[\]-~]+""")
"""What some spelling escapes: quotes, backslashes, and what is no printable ASCII."""
_LONGEST_PATTERN: Final = 10_000
"""Characters; a pattern for a longer secret would take too long to make."""


def _make_secret(text: str) -> Secret:
    is_plain = _SPECIAL.search(text) is None
    return Secret(text, text if is_plain else max(_SPECIAL.split(text), key=len))


def _cut_spelled(text: str, secret: str) -> str:
    if len(secret) <= _LONGEST_PATTERN:
        return re.sub(_make_pattern(secret), MASK, text)
    quoted = (repr(secret), json.dumps(secret), json.dumps(secret, ensure_ascii=False))
    for spelling in {secret, *(each[1:-1] for each in quoted)}:
        text = text.replace(spelling, MASK)
    return text


def _make_pattern(secret: str) -> str:
    """A pattern of the secret, escaped any number of times."""
    parts: list[str] = []
    end = 0
    for special in _SPECIAL.finditer(secret):
        parts += (re.escape(secret[end : special.start()]), _spell(special[0]))
        end = special.end()
    # Else a search would begin anew at each of many backslashes, and see all of them.
    first = "" if parts[0] else r"(?<!\\)"
    return "".join((first, *parts, re.escape(secret[end:])))


def _spell(special: str) -> str:
    """A pattern of characters that may be escaped; more backslashes may come before."""
    bare = special.rstrip("\\")
    # What the secret has of them counts with those of an escape.
    found = [_spell_one(each) for each in bare if each != "\\"]
    return "".join(found) + (r"\\++" if bare != special else "")


def _spell_one(character: str) -> str:
    literal = re.escape(character)
    if character in "\"'":
        return rf"\\*+{literal}"
    escaped = "|".join(_list_escapes(character))
    return rf"\\*+(?:{literal}|(?<=\\)(?i:{escaped}))"


def _list_escapes(character: str) -> Iterator[str]:
    """What follows the backslash, in Python and in JSON; that of bytes is their UTF-8."""
    code = ord(character)
    yield from _NAMED.get(character, ())
    yield rf"U{code:08x}"
    for encoding, width in (("utf-8", 1), ("utf-16-be", 2)):
        raw = character.encode(encoding, "surrogatepass")
        parts = [raw[n : n + width].hex() for n in range(0, len(raw), width)]
        yield r"\\++".join(f"{'xu'[width - 1]}{part}" for part in parts)
    if character.encode("latin-1", "ignore"):
        yield rf"x{code:02x}"


_NAMED: Final = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}


def cut_input_values(text: str) -> str:
    """``text`` without the inputs that pydantic quotes in its errors."""
    if _INPUT_VALUE not in text:
        return text
    return "\n".join(map(_cut_input_values, text.split("\n")))


def _cut_input_values(line: str) -> str:
    """All from the first of them on, as an input may hold the words around it."""
    # No pattern: it would look for the end of each beginning, of which a payload
    # may have many.
    before, _, rest = line.partition(_INPUT_VALUE)
    _, found, after = rest.rpartition(_INPUT_TYPE)
    return f"{before}{_INPUT_TYPE[2:]}{after}" if found else line


def format_traceback(error: BaseException) -> str:
    """The traceback, without the inputs that pydantic quotes in its errors.

    An exception whose own ``__str__`` fails does not make this fail.
    """
    try:
        lines = traceback.format_exception(error)
    except BaseException:  # noqa: BLE001 - a broken exception may raise anything
        lines = [*traceback.format_tb(error.__traceback__), type(error).__name__]
    return cut_input_values("".join(lines)).rstrip()


def _iterate_errors(error: BaseException) -> Iterator[BaseException]:
    """The error, its causes and contexts, and the members of groups."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += (each.__cause__, each.__context__)
        if isinstance(each, BaseExceptionGroup):
            waiting += cast("BaseExceptionGroup[BaseException]", each).exceptions


def _iterate_texts(value: object) -> Iterator[str]:
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            waiting += cast("dict[str, object]", each).values()
        elif isinstance(each, list):
            waiting += cast("list[object]", each)
