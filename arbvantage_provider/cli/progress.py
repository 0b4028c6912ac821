"""How far a file of tasks is: one line of a terminal, written again and again."""

import sys
from typing import TextIO

_CLEAR = "\r\x1b[K"


class Progress:
    """``done/total`` on a terminal's stderr; nothing where stderr is no terminal.

    The cursor goes back to the line's start, so that a log line writes over it.

    Args:
        total: how many tasks there are.
        stream: stderr.
    """

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self._total = total
        self._stream = sys.stderr if stream is None else stream
        self._is_shown = self._stream.isatty()

    def show(self, done: int) -> None:
        """Write the line."""
        self._write(f"{_CLEAR}{done}/{self._total} answered\r")

    def clear(self) -> None:
        """Wipe the line, before something else is written there."""
        self._write(_CLEAR)

    def _write(self, text: str) -> None:
        if self._is_shown:
            self._stream.write(text)
            self._stream.flush()
