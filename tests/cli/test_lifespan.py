"""What the command says of lifespans."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

SHOP = """
from collections.abc import Iterator

from arbvantage_provider import Inject, Provider

provider = Provider("shop", log_level="CRITICAL", execution_timeout=30)


class Shelf(dict):
    pass


@provider.lifespan
def shelf() -> Iterator[Shelf]:
    yield Shelf(tea=12)


@provider.actions.register()
def count(item: str, shelf: Inject[Shelf]) -> int:
    return shelf[item]
"""

FAILING = """
@provider.lifespan
def database() -> Iterator[None]:
    raise OSError("the database refuses")
    yield
"""


@pytest.fixture
def shop(folder: Path) -> Path:
    """A file with a provider that has a lifespan, in the current folder."""
    file = folder / "shop.py"
    file.write_text(SHOP)
    return file


@pytest.mark.usefixtures("shop")
def test_call_opens_what_the_action_needs(arbvantage: Run) -> None:
    done = arbvantage("call", "shop.py", "count", "item=tea")
    assert (done.returncode, json.loads(done.stdout)["data"]) == (0, 12)


@pytest.mark.usefixtures("shop")
def test_actions_does_not_list_what_is_injected(arbvantage: Run) -> None:
    done = arbvantage("actions", "shop.py")
    assert done.stdout.split() == ["count", "item", "str", "required"]


def test_a_lifespan_that_fails_is_told_in_one_line(shop: Path, arbvantage: Run) -> None:
    shop.write_text(SHOP + FAILING)
    done = arbvantage("run", "shop.py", "--local-hub")
    problem = "failed to open: OSError: the database refuses"
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"Error: lifespan 'database': {problem}"
    assert "Traceback" not in done.stderr


def test_what_is_missing_is_told_in_one_line(shop: Path, arbvantage: Run) -> None:
    shop.write_text(SHOP.replace("@provider.lifespan", ""))
    done = arbvantage("run", "shop.py", "--local-hub")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(
        "Error: action 'count': parameter 'shelf': nothing provides shop.Shelf; "
    )
