"""The command answers at once, and says what it can do."""

import subprocess
import sys
from collections.abc import Callable

import pytest

import arbvantage_provider

Run = Callable[..., subprocess.CompletedProcess[str]]

LOOK = """
import sys
from arbvantage_provider.cli import main
try:
    main(sys.argv[1:])
finally:
    print(*sys.modules, file=sys.stderr)
"""
HEAVY = {
    "asyncio",
    "concurrent",
    "google",
    "grpc",
    "jiter",
    "json",
    "logging",
    "pathlib",
    "pydantic",
    "pydantic_core",
    "pydantic_settings",
    "structlog",
    "traceback",
}


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["--version"]])
def test_nothing_heavy_is_imported_to_show_help(words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOOK, *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    imported = {name.partition(".")[0] for name in done.stderr.split()}
    assert not imported & HEAVY
    assert "click" in imported


def test_help_names_the_commands(arbvantage: Run) -> None:
    done = arbvantage("--help")
    assert done.returncode == 0
    for command in ("run", "call", "actions"):
        assert f"\n  {command} " in done.stdout


def test_version_is_that_of_the_package(arbvantage: Run) -> None:
    done = arbvantage("--version")
    assert done.stdout == f"arbvantage {arbvantage_provider.__version__}\n"


def test_an_unknown_command_is_wrong_usage(arbvantage: Run) -> None:
    assert arbvantage("rnu").returncode == 2


def test_the_package_can_be_run_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "arbvantage_provider", "--version"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.startswith("arbvantage ")
