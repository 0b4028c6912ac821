"""How far a file of tasks is, on a terminal."""

import io

from typing_extensions import override

from arbvantage_provider.cli.progress import Progress


class Terminal(io.StringIO):
    """A stream that a person looks at."""

    @override
    def isatty(self) -> bool:
        return True


def test_one_line_of_a_terminal_is_written_again_and_again() -> None:
    terminal = Terminal()
    progress = Progress(20, terminal)
    progress.show(1)
    progress.show(2)
    progress.clear()
    wiped = "\r\x1b[K"
    shown = f"{wiped}1/20 answered\r{wiped}2/20 answered\r{wiped}"
    assert terminal.getvalue() == shown


def test_nothing_is_shown_where_stderr_is_no_terminal() -> None:
    stream = io.StringIO()
    progress = Progress(20, stream)
    progress.show(1)
    progress.clear()
    assert stream.getvalue() == ""
