"""Data to stdout, words to stderr."""

import io
import json
import sys

import pytest
from typing_extensions import override

from arbvantage_provider.cli.errors import CommandError
from arbvantage_provider.cli.output import format_json, open_output


class Broken(io.StringIO):
    """A stdout that cannot be written."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self._error = error

    @override
    def write(self, s: str) -> int:
        raise self._error


def test_data_goes_to_stdout_and_what_is_printed_to_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with open_output() as emit:
        print("words")  # noqa: T201 - as a user's program does
        emit("data")
    assert capsys.readouterr() == ("data\n", "words\n")


def test_a_stdout_that_cannot_be_written_is_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdout", Broken(OSError(28, "No space left on device")))
    with (
        pytest.raises(CommandError, match="stdout cannot be written: No space left"),
        open_output() as emit,
    ):
        emit("data")


def test_a_closed_stdout_is_left_to_click(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Broken(BrokenPipeError()))
    with pytest.raises(BrokenPipeError), open_output() as emit:
        emit("data")


@pytest.mark.parametrize(
    ("encoding", "text"), [("ascii", '"\\u00e9"'), ("UTF-8", '"é"')]
)
def test_json_holds_what_stdout_can_hold(
    monkeypatch: pytest.MonkeyPatch, encoding: str, text: str
) -> None:
    stdout = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "__stdout__", stdout)
    assert format_json("é") == text
    assert json.loads(format_json("é")) == "é"
