"""What the floats of a document are written as, for types that need all the digits.

A number of JSON with a fraction or an exponent is a float to pydantic, which has some 16
digits: ``0.10`` would be the ``Decimal`` ``0.1``, and ``1e23`` another ``int``.
"""

from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Final

from pydantic_core import PydanticCustomError

from arbvantage_provider.schema.strict_json import list_floats

SEVERAL: Final = "decimal_number"
"""The kind of error of a float whose text is not known."""
_DIGITS: Final = bytes.maketrans(b"123456789.E", b"0000000000e")
_EXACT: Final = 16
"""A float has as many digits and a point as they were written with."""


class Reread(BaseException):
    """A float stands where its digits count, and they have not been looked at.

    No ``except Exception`` of a validator's author takes it.
    """


@dataclass(frozen=True, slots=True)
class Floats:
    """The floats of one document.

    Attributes:
        texts: what each is written as, at its first place.
        respelled: those that are written in more than one way.
        several: those that more than one number became, such as ``1.0`` and
            ``1.00000000000000000001``.
    """

    texts: dict[float, str] = field(default_factory=dict[float, str])
    respelled: set[float] = field(default_factory=set[float])
    several: set[float] = field(default_factory=set[float])

    def add(self, raw: bytes) -> None:
        """Read the floats of a JSON text."""
        for _, number in list_floats(raw):
            value, text = float(number), number.decode()
            known = self.texts.setdefault(value, text)
            if known == text:
                continue
            self.respelled.add(value)
            if value not in self.several and parse(known) != parse(text):
                self.several.add(value)


UNREAD: Final = Floats()
FLOATS: ContextVar[Floats | None] = ContextVar("FLOATS", default=None)
"""Those of the document that is validated; ``UNREAD``: they have not been looked at;
``None``: a user of a ``StrictModel`` validates, and the document is not known."""


def may_lose_digits(raw: bytes) -> bool:
    """Whether a number of the document may be another one as a float."""
    shape = raw.translate(_DIGITS)
    return shape.find(b"0" * _EXACT) >= 0 or shape.find(b"0e") >= 0


def parse(text: str) -> Decimal | None:
    """The number; ``None`` where its exponent is none that a ``Decimal`` has."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def take_integral(value: object) -> object:
    """``1.0`` is an integer to JSON Schema.

    Raises:
        Reread: if the digits of such a float must be read.
    """
    return _read_integral(value) if type(value) is float else value


def _read_integral(value: float) -> object:
    floats = FLOATS.get()
    if not isfinite(value):
        return value  # which no check of an integer takes
    if floats is None or floats is UNREAD:
        if not value.is_integer():
            return value
        if floats is None:
            return int(value)
        raise Reread
    if value in floats.several:
        raise refuse_several()
    text = floats.texts.get(value)
    number = Decimal(value) if text is None else parse(text)
    # What is no integer is left as no check of one takes it.
    is_whole = number is not None and number == number.to_integral_value()
    return int(number) if number is not None and is_whole else number


def refuse_several() -> PydanticCustomError:
    """The error for a float whose text is not known."""
    return PydanticCustomError(
        SEVERAL, "This number is written in more than one way; write it as text"
    )
