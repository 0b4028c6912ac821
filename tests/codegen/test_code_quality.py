"""What is written passes ruff's formatter and mypy, strict, with and without plugin."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import mypy.api
import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
PROGRAMS = Path(__file__).parent / "programs"
NAMES = ("orders", "keys", "names", "handlers", "shop")


@pytest.fixture
def written(folder: Path, arbvantage: Run) -> list[str]:
    """The models of each program, and one stub."""
    for name in NAMES:
        shutil.copy(PROGRAMS / f"{name}.txt", folder / f"{name}.py")
        done = arbvantage("codegen", name, "-o", f"{name}_models.py")
        assert done.returncode == 0, done.stderr
    done = arbvantage("codegen", "shop", "--stubs", "-o", "shop.pyi")
    assert done.returncode == 0, done.stderr
    return [*(f"{name}_models.py" for name in NAMES), "shop.pyi"]


def test_the_code_is_formatted_and_its_imports_are_sorted(written: list[str]) -> None:
    ruff = [sys.executable, "-m", "ruff"]
    formatted = [*ruff, "format", "--isolated", "--diff", *written]
    assert subprocess.run(formatted, check=False).returncode == 0
    models = written[:-1]
    checked = [*ruff, "check", "--isolated", "--select", "F,I,E4,E7,E9,UP", *models]
    assert subprocess.run(checked, check=False).returncode == 0


USES = """
from typing import Any

from typing_extensions import assert_type

from orders_models import CreateOrderPayload, CreateOrderPayloadLinesItem
from shop import Color, Orders, Pair, Point, Receipt, Shelf, double, order, provider

line = CreateOrderPayloadLinesItem(sku="a", count=1)
assert_type(line.count, int)
assert_type(CreateOrderPayload.model_validate({}).note, str | None)
CreateOrderPayloadLinesItem(sku="a")  # type: ignore[call-arg]

assert_type(double("a"), str)
assert_type(Pair(1).right, str)
assert_type(Receipt(1).total(rounded=False), float)
assert_type(Color.RED.is_warm, bool)
shelf = Shelf[int]("a")
shelf.stock = 3
assert_type(shelf.receipt.items, list[str])
assert_type(provider.name, str)
Orders().add({"n": 1})
Orders().add({"m": 1})  # type: ignore[typeddict-item]
tags: list[Any] = [{"name": "a", "class": 1}]
account: Any = {"api-key": "a"}
order(
    {
        "item": "a",
        "count": None,
        "tags": tags,
        "color": Color.RED,
        "point": Point(x=1),
        "date": None,
    },
    account,
    None,
)
order({"item": 1}, account, None)  # type: ignore[typeddict-item]
"""


@pytest.mark.once
@pytest.mark.parametrize("plugin", ["", "pydantic.mypy"])
def test_the_code_passes_mypy_strict(
    written: list[str], pytestconfig: pytest.Config, folder: Path, plugin: str
) -> None:
    settings = (
        "[mypy]\nstrict = true\nwarn_unreachable = true\nfollow_imports = silent\n"
    )
    (folder / "mypy.ini").write_text(f"{settings}plugins = {plugin}\n")
    (folder / "uses.py").write_text(USES)
    # It is there the next time, too: most of the time goes to reading pydantic.
    cache = pytestconfig.rootpath / ".mypy_cache" / f"codegen{plugin}"
    words = ["--config-file", "mypy.ini", "--cache-dir", str(cache)]
    found, problem, code = mypy.api.run([*words, *written, "uses.py"])
    assert (code, problem) == (0, ""), found
