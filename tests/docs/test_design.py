"""docs/design.md shows the rooms and functions that there are."""

import pkgutil
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "arbvantage_provider"
PAGE = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")

ReadTable = Callable[[str, str], list[list[str]]]


@pytest.fixture
def floors(read_table: ReadTable) -> list[list[str]]:
    """The rooms of each floor, from the top."""
    rows = read_table("design.md", "## Rooms")
    return [re.findall(r"`([^`]+)`", row[1]) for row in rows]


def test_each_room_is_there_and_none_is_missing(floors: list[list[str]]) -> None:
    modules = {file.name for file in PACKAGE.glob("*.py")}
    packages = {f"{file.parent.name}/" for file in PACKAGE.glob("*/__init__.py")}
    no_rooms = {"__init__.py", "schemas.py"}
    shown = [room for floor in floors for room in floor]
    assert sorted(shown) == sorted((modules | packages) - no_rooms)


def test_the_floors_are_those_of_the_contract(floors: list[list[str]]) -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = settings["tool"]["importlinter"]["contracts"][0]
    shown = [{room.removesuffix("/").removesuffix(".py") for room in f} for f in floors]
    assert shown == [set(layer.split(" | ")) for layer in contract["layers"]]


def test_the_floors_are_counted_from_the_ground() -> None:
    for table in read_floor_tables():
        assert [number for number, _ in table] == list(reversed(range(len(table))))


def test_the_floors_of_the_worker_are_those_of_their_contract() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = settings["tool"]["importlinter"]["contracts"][1]
    shown = [rooms for _, rooms in read_floor_tables()[1]]
    assert shown == [set(layer.split(" | ")) for layer in contract["layers"]]


def read_floor_tables() -> list[list[tuple[int, set[str]]]]:
    """The floors of the package and those of the worker: each with its rooms."""
    section = PAGE.partition("## Rooms")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \|", section, re.MULTILINE)
    tables: list[list[tuple[int, set[str]]]] = []
    for number, rooms in rows:
        if not tables or int(number) > tables[-1][-1][0]:
            tables.append([])
        names = re.findall(r"`([^`]+)`", rooms)
        found = {name.removesuffix("/").removesuffix(".py") for name in names}
        tables[-1].append((int(number), found))
    return tables


def test_the_functions_on_the_way_of_a_task_are_there(floors: list[list[str]]) -> None:
    rooms = {room.removesuffix("/").removesuffix(".py") for f in floors for room in f}
    names = re.findall(r"`((?:\w+\.)+\w+)`", PAGE)
    shown = {
        name
        for name in names
        if name.partition(".")[0] in rooms and not name.endswith(".py")
    }
    assert len(shown) > 10
    for name in shown:
        pkgutil.resolve_name(f"arbvantage_provider.{name}")
