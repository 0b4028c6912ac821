"""``arbvantage actions``."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., subprocess.CompletedProcess[str]]

SHOP = """
from typing import Annotated, Optional

from pydantic import Field

from arbvantage_provider import Provider

print("importing")
provider = Provider("shop")


@provider.actions.register(
    name="order",
    description="Order\\n   things.",
    payload_schema={"items": [{"sku": str}], "note": Optional[str]},
    account_schema={"api_key": str},
)
def order(payload: dict) -> None: ...


@provider.actions.register()
def count(
    what: Annotated[str, Field(description="What to count")], first: int = 1
) -> None: ...


@provider.actions.register()
def anything(payload: dict) -> None: ...


@provider.actions.register()
def nothing() -> None: ...
"""


def test_actions_are_listed_with_their_fields(folder: Path, arbvantage: Run) -> None:
    (folder / "shop.py").write_text(SHOP)
    assert arbvantage("actions", "shop.py").stdout == (
        "order: Order things.\n"
        "  items            list[OrderPayloadItemsItem]  required\n"
        "  items[].sku      str                          required\n"
        "  note             str | None                   optional\n"
        "  account.api_key  str                          required\n"
        "\n"
        "count\n"
        "  what   str  required   What to count\n"
        "  first  int  default 1\n"
        "\n"
        "anything\n"
        "  *  Any  optional  any key\n"
        "\n"
        "nothing\n"
        "  no fields\n"
    )


def test_actions_are_listed_as_json(folder: Path, arbvantage: Run) -> None:
    (folder / "shop.py").write_text(SHOP)
    listed = json.loads(arbvantage("actions", "shop.py", "--json").stdout)
    assert [action["name"] for action in listed] == [
        "order",
        "count",
        "anything",
        "nothing",
    ]
    assert listed[1] == {
        "name": "count",
        "description": "",
        "payload": [
            {
                "path": "what",
                "type": "str",
                "required": True,
                "description": "What to count",
            },
            {
                "path": "first",
                "type": "int",
                "required": False,
                "default": 1,
                "description": "",
            },
        ],
        "account": None,
    }


def test_what_the_program_prints_goes_to_stderr(folder: Path, arbvantage: Run) -> None:
    (folder / "shop.py").write_text(SHOP)
    assert arbvantage("actions", "shop.py").stderr == "importing\n"


def test_a_provider_without_actions_is_told_in_words(
    folder: Path, arbvantage: Run
) -> None:
    code = "from arbvantage_provider import Provider\np = Provider('idle')\n"
    (folder / "idle.py").write_text(code)
    done = arbvantage("actions", "idle.py")
    assert (done.stdout, done.stderr) == ("", "'idle' has no actions\n")
    assert arbvantage("actions", "idle.py", "--json").stdout == "[]\n"
