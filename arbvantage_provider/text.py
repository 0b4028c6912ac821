"""Text that others wrote: read without what an editor added, and shown as text.

A hub, a payload or a server words ids, names and messages. Where they are shown, none
of their characters may end a line, drive a terminal or turn what is around them.
"""

import codecs
import re
from typing import Final, TextIO

_CONTROLS: Final = re.compile(
    # C0, DEL and C1; what changes the direction of text; the other line ends; halves of
    # surrogate pairs. U+200D stays: it joins emoji and letters.
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ud800-\udfff]"
)
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


def escape(text: str, keep: str = "") -> str:
    r"""``text`` with each control character as Python writes it, such as ``\x1b``.

    Args:
        text: what is to be shown.
        keep: those that may stay.
    """
    return _CONTROLS.sub(lambda m: m[0] if m[0] in keep else repr(m[0])[1:-1], text)


def escape_lines(text: str) -> str:
    """The same for a text of several lines: all but the first are indented.

    So none of them is taken for a line of another text.
    """
    return escape(text, "\n\t").replace("\n", "\n    ")


def escape_json(text: str) -> str:
    r"""JSON text with each control character as JSON writes it, such as ``\u001b``."""
    return _CONTROLS.sub(
        lambda m: m[0] if m[0] == "\n" else f"\\u{ord(m[0]):04x}", text
    )


def fit(text: str, stream: TextIO) -> str:
    """``text`` with escapes for the characters that the stream's encoding lacks."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
