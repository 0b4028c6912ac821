"""How far a file of tasks is, on a terminal."""

import io

import pytest
from typing_extensions import override

from arbvantage_provider.cli.output import Progress, format_duration


class Terminal(io.StringIO):
    """A stream that a person looks at."""

    @override
    def isatty(self) -> bool:
        return True


def test_one_line_of_a_terminal_is_written_again_and_again() -> None:
    terminal, moments = Terminal(), iter([100.0, 100.0, 102.0, 104.0])
    progress = Progress(20, terminal, lambda: next(moments))
    progress.show(0)
    progress.show(5)
    progress.show(20, failed=3)
    progress.clear()
    wiped = "\r\x1b[K"
    assert terminal.getvalue() == (
        f"{wiped}0/20 answered\r"
        f"{wiped}5/20 answered, 2.5/s, 6 s left\r"
        f"{wiped}20/20 answered, 3 failed, 5/s\r"
        f"{wiped}"
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (59, "59 s"), (200, "3 min 20 s"), (7_500, "2 h 5 min")],
)
def test_a_duration_is_told_as_people_do(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_nothing_is_shown_where_stderr_is_no_terminal() -> None:
    stream = io.StringIO()
    progress = Progress(20, stream)
    progress.show(1)
    progress.clear()
    assert stream.getvalue() == ""
