"""Files and stdin, as what was typed names them."""

import sys
from pathlib import Path

from arbvantage_provider.cli.errors import UsageError
from arbvantage_provider.text import drop_mark


def read_input(path: str, name: str = "") -> bytes:
    """The bytes of a file, or of stdin for ``-``, without a byte order mark.

    Args:
        path: of the file.
        name: what an error calls it.

    Raises:
        UsageError: if it cannot be read, or is in another encoding than UTF-8.
    """
    is_stdin = path == "-"
    name = name or ("stdin" if is_stdin else path)
    if is_stdin and sys.stdin is None:
        raise UsageError("stdin is closed")
    try:
        raw = sys.stdin.buffer.read() if is_stdin else Path(path).read_bytes()
        return drop_mark(raw)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{name}: {reason}") from None
