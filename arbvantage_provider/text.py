"""Text that others wrote: what an editor or a shell added to it is taken off."""

import codecs
from typing import Final

_LINE_ENDS: Final = "\r\n"
_OTHERS: Final = (
    (codecs.BOM_UTF32_LE, "UTF-32"),  # begins as that of UTF-16 does
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


def drop_mark(raw: bytes) -> bytes:
    """The bytes of a file or stream in UTF-8, without a byte order mark.

    Raises:
        ValueError: if the mark is that of another encoding; it says what to do.
    """
    for mark, name in _OTHERS:
        if raw.startswith(mark):
            problem = f"it is {name}, which is not UTF-8; save it anew"
            raise ValueError(problem)
    return raw.removeprefix(codecs.BOM_UTF8)


def trim_token(token: str) -> str:
    """A token without a byte order mark before it and the line ends after it."""
    return token.removeprefix("\ufeff").rstrip(_LINE_ENDS)
