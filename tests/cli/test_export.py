"""``arbvantage export``."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from arbvantage_provider.export import export_json_schema, export_openapi
from arbvantage_provider.provider import Provider

Run = Callable[..., subprocess.CompletedProcess[str]]

SHOP = """
from arbvantage_provider import Provider

print("importing")
provider = Provider("shop", response_format="unified")


@provider.actions.register("order.add", payload_schema={"item": str})
def add(item: str) -> None:
    '''Añade algo.'''
"""


@pytest.fixture
def shop(folder: Path) -> str:
    """A file with one provider, in the current folder."""
    (folder / "shop.py").write_text(SHOP, encoding="utf-8")
    return "shop.py"


def test_json_schema_is_what_is_printed_unless_told_otherwise(
    shop: str, arbvantage: Run
) -> None:
    done = arbvantage("export", shop)
    assert done.returncode == 0
    assert done.stderr == "importing\n"
    assert json.loads(done.stdout)["$defs"]["OrderAddPayload"]["required"] == ["item"]
    assert done.stdout == arbvantage("export", shop, "--format", "json-schema").stdout


@pytest.mark.parametrize("format_name", ["openapi", "asyncapi"])
def test_an_api_has_the_version_and_the_responses_of_the_provider(
    shop: str, arbvantage: Run, format_name: str
) -> None:
    words = ("--format", format_name, "--api-version", "3.2")
    document = json.loads(arbvantage("export", shop, *words).stdout)
    assert document["info"]["version"] == "3.2"
    assert document[format_name][:2] == "3."
    assert '"timezone"' in json.dumps(document)


@pytest.mark.parametrize("format_name", ["mcp", "openai"])
def test_tools_are_a_list(shop: str, arbvantage: Run, format_name: str) -> None:
    done = arbvantage("export", shop, "--format", format_name)
    (tool,) = json.loads(done.stdout)
    assert tool.get("function", tool)["name"] == "order_add"
    assert "Añade algo." in done.stdout


def test_the_text_is_that_of_the_function(greeter: Path, arbvantage: Run) -> None:
    provider = Provider("greeter")

    @provider.actions.register()
    def greet(name: str, times: int = 1) -> dict[str, int]:
        """Greet somebody."""
        return {name: times}

    @provider.actions.register()
    def fail() -> None: ...

    shown = json.loads(arbvantage("export", greeter.name).stdout)
    assert shown == export_json_schema(provider.actions, name="greeter")
    shown = json.loads(arbvantage("export", greeter.name, "--format", "openapi").stdout)
    assert shown == export_openapi(provider.actions, name="greeter")


def test_a_format_that_is_none_is_wrong_usage(shop: str, arbvantage: Run) -> None:
    done = arbvantage("export", shop, "--format", "yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert "asyncapi" in done.stderr


BROKEN = """
from pydantic import BaseModel, ConfigDict
from arbvantage_provider import Provider

def fail(schema):
    raise RuntimeError("no schema today")

class Payload(BaseModel):
    model_config = ConfigDict(json_schema_extra=fail)

provider = Provider("broken")
provider.actions.register("a", payload_schema=Payload)(lambda: None)
"""


def test_what_the_users_code_raises_is_told(folder: Path, arbvantage: Run) -> None:
    (folder / "broken.py").write_text(BROKEN)
    done = arbvantage("export", "broken.py")
    assert (done.returncode, done.stdout) == (1, "")
    assert "'broken' cannot be exported" in done.stderr
    assert "RuntimeError: no schema today" in done.stderr
