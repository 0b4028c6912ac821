"""Strict JSON: one object of UTF-8 text, each key once, each number finite.

pydantic's own parser takes the last of two equal keys, NaN, and numbers that
overflow to infinity. ``read_object`` refuses them before a model sees the bytes.

Source: RFC 8259; the last section of the wire's contract in ``docs/design.md``.
"""

import math
import re
from collections.abc import Iterator
from typing import Any

import jiter

_POSITION = re.compile(r" at line (\d+) column (\d+)$")
LONGEST = 64 * 1024 * 1024
"""Bytes that a document may have where nobody says otherwise."""
_SHAPE = bytes.maketrans(b"123456789E", b"000000000e")
_POWER, _LONG = b"e000", b"0" * 200
"""Only numbers of such a shape, their plus signs aside, can become infinite. A search
for a plain text costs a small part of one for a pattern, and ``find`` of it less than
``in``, which first asks whether the text is a number."""
_TEXT_OR_NUMBER = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|(-?\d[\d.eE+-]*)')
"""The texts and numbers of a valid document."""


class DocumentError(ValueError):
    """The bytes are no strict JSON object.

    Attributes:
        problem: what is wrong, and where; never a part of the input.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


def read_object(raw: bytes, longest: int = LONGEST) -> dict[str, Any]:
    """The JSON object that ``raw`` holds.

    Raises:
        DocumentError: with the offset in bytes, counted from 0, of what is no
            JSON, or is refused: a second key of the same name, NaN, an infinity,
            invalid UTF-8, half a surrogate pair, nesting deeper than 200. A text
            of more than ``longest`` bytes is refused before it is parsed.
    """
    if len(raw) > longest:
        problem = f"{len(raw):,} bytes are more than the {longest:,} that are taken"
        raise DocumentError(problem)
    document: Any
    try:
        document = jiter.from_json(
            raw,
            catch_duplicate_keys=True,
            allow_inf_nan=False,
            cache_mode="keys",
        )
    except ValueError as error:
        raise DocumentError(_describe(str(error), raw)) from None
    if document.__class__ is not dict:
        start = len(raw) - len(raw.lstrip())
        problem = f"expected an object, found {_name_kind(document)} at byte {start}"
        raise DocumentError(problem)
    shape = raw.translate(_SHAPE, b"+")
    if shape.find(_POWER) >= 0 or (len(raw) > len(_LONG) and shape.find(_LONG) >= 0):
        _refuse_infinite(raw)
    found: dict[str, Any] = document
    return found


def _describe(message: str, raw: bytes) -> str:
    """The parser's message, with a byte offset and without any input."""
    position = _POSITION.search(message)
    if position is None:
        return "is no JSON at byte 0"
    problem = message[: position.start()]
    if problem.startswith("Detected duplicate key"):
        problem = "an object has the same key twice"
    line, column = int(position[1]), int(position[2])
    return f"{problem} at byte {_offset(raw, line, column)}"


def _offset(raw: bytes, line: int, column: int) -> int:
    start = 0
    for _ in range(line - 1):
        start = raw.index(b"\n", start) + 1
    return start + max(column - 1, 0)


def _refuse_infinite(raw: bytes) -> None:
    """Find a float that overflows, in a document that the parser has taken."""
    for start, number in list_floats(raw):
        if math.isinf(float(number)):
            problem = f"a number is too large for a float at byte {start}"
            raise DocumentError(problem)


def list_floats(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Where a valid document has a number that is no integer, and how it is written."""
    for token in _TEXT_OR_NUMBER.finditer(raw):
        number: bytes = token[1] or b""
        if number and not number.removeprefix(b"-").isdigit():
            yield token.start(), number


def _name_kind(value: object) -> str:
    if value is None:
        return "null"
    kinds: dict[object, str] = {bool: "a boolean", str: "a string", list: "an array"}
    return kinds.get(type(value), "a number")
