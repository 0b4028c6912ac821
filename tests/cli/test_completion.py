"""What a shell offers while a command is typed."""

from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from arbvantage_provider.cli import main


def complete(*words: str) -> list[tuple[str, str]]:
    """What is offered for the last word: its type, and the text."""
    shell = ShellComplete(main, {}, "arbvantage", "_ARBVANTAGE_COMPLETE")
    found = shell.get_completions(list(words[:-1]), words[-1])
    return [(item.type, item.value) for item in found]


@pytest.mark.parametrize(
    "words",
    [
        ("run", "gre"),
        ("call", "gre"),
        ("actions", "gre"),
        ("export", "gre"),
        ("codegen", "gre"),
        ("journal", "gre"),
        ("run", "greeter.py", "--tasks", "gre"),
        ("run", "greeter.py", "--journal", "gre"),
        ("codegen", "greeter.py", "-o", "gre"),
    ],
    ids=" ".join,
)
def test_files_are_offered_where_one_is_meant(words: tuple[str, ...]) -> None:
    assert complete(*words) == [("file", "gre")]


@pytest.mark.usefixtures("greeter")
def test_actions_of_the_target_are_offered() -> None:
    assert complete("call", "greeter.py", "") == [("plain", "greet"), ("plain", "fail")]
    assert complete("call", "greeter.py", "f") == [("plain", "fail")]


@pytest.mark.usefixtures("greeter")
def test_fields_of_the_action_are_offered() -> None:
    offered = complete("call", "greeter.py", "greet", "")
    assert offered == [("plain", "name="), ("plain", "times=")]
    assert complete("call", "greeter.py", "greet", "name=A", "t") == [
        ("plain", "times=")
    ]


def test_formats_are_offered() -> None:
    offered = complete("export", "greeter.py", "--format", "opena")
    assert offered == [("plain", "openapi"), ("plain", "openai")]


def test_a_target_that_cannot_be_imported_offers_nothing_and_says_nothing(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "broken.py").write_text("print('here')\nraise SystemExit(3)\n")
    assert complete("call", "broken.py", "") == []
    assert complete("call", "nowhere.py", "") == []
    assert capfd.readouterr() == ("", "")
