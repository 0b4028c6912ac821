"""The table of docs/configuration.md is what Provider takes."""

import ast
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from arbvantage_provider import ConfigError, Provider, ProviderSettings
from arbvantage_provider.settings import ENVIRONMENT

ReadTable = Callable[[str, str], list[list[str]]]

BOUNDS: dict[str, tuple[list[Any], list[Any]]] = {
    "above 0": ([0.001], [0, -1, float("inf")]),
    "0 or more": ([0], [-1, float("inf")]),
    "1 to 10000": ([1, 10_000], [0, 10_001, 1.5]),
    "16384 to 1073741824": ([16_384, 1_073_741_824], [16_383, 1_073_741_825]),
    "not empty": (["x"], [""]),
    "an IANA name": (["Europe/Riga"], ["Nowhere"]),
}


@pytest.fixture
def rows(read_table: ReadTable) -> list[list[str]]:
    """The cells of the table, without backticks."""
    table = read_table("configuration.md", "# Configuration")
    return [[cell.replace("`", "") for cell in row] for row in table]


def refuses(name: str, value: Any) -> bool:
    arguments: dict[str, Any] = {"name": "x", name: value}
    try:
        Provider(**arguments)
    except ConfigError:
        return True
    return False


def test_the_arguments_are_those_of_the_provider(rows: list[list[str]]) -> None:
    assert [row[0] for row in rows] == list(inspect.signature(Provider).parameters)


def test_the_variables_are_those_that_are_read(rows: list[list[str]]) -> None:
    shown = {row[0]: row[1] for row in rows if row[1]}
    assert shown.pop("tls") == "PROVIDER_TLS_…"
    assert shown == {n: v for n, v in ENVIRONMENT.items() if not n.startswith("tls.")}


def test_the_defaults_are_those_of_the_provider(rows: list[list[str]]) -> None:
    shown = {row[0]: row[2] for row in rows}
    assert shown.pop("name") == "required"

    parameters = inspect.signature(Provider).parameters
    for name, default in shown.items():
        assert ast.literal_eval(default) == parameters[name].default


def test_the_defaults_are_those_of_the_settings(rows: list[list[str]]) -> None:
    shown = {row[0]: row[2] for row in rows}
    for name, field in ProviderSettings.model_fields.items():
        if not field.is_required():
            assert ast.literal_eval(shown[name]) == field.default


def test_what_is_within_the_bounds_is_taken(rows: list[list[str]]) -> None:
    for name, bounds in [(row[0], row[3]) for row in rows if row[3] in BOUNDS]:
        good, bad = BOUNDS[bounds]
        assert not any(refuses(name, value) for value in good), name
        assert all(refuses(name, value) for value in bad), name


@pytest.mark.parametrize(
    "name", ["response_format", "log_level", "on_monitor_error", "journal_sync"]
)
def test_the_choices_are_those_that_are_taken(name: str, rows: list[list[str]]) -> None:
    (choices,) = [row[3].split(", ") for row in rows if row[0] == name]
    assert not any(refuses(name, choice) for choice in choices)
    assert refuses(name, "other")
