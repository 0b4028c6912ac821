"""Nothing that may be a credential is exported, and defaults are the same each time."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, Secret, SecretBytes, SecretStr

from arbvantage_provider import Provider
from arbvantage_provider.actions import Actions
from arbvantage_provider.export import (
    export_asyncapi,
    export_json_schema,
    export_mcp,
    export_openai,
    export_openapi,
)


def export_all(actions: Actions) -> str:
    """The texts of all formats."""
    named = (export_json_schema, export_openapi, export_asyncapi)
    documents = [export(actions, name="x") for export in named]
    return json.dumps([*documents, export_mcp(actions), export_openai(actions)])


class Keys(BaseModel):
    key: SecretStr = SecretStr("the-secret-1")
    raw: SecretBytes = SecretBytes(b"the-secret-2")
    pin: Secret[int] = Secret(1234567)
    keys: list[SecretStr] = [SecretStr("the-secret-3")]


@dataclasses.dataclass
class Holder:
    keys: Keys = dataclasses.field(default_factory=Keys)


class Payload(Keys):
    inner: Keys = Keys(key=SecretStr("the-secret-4"))
    holder: Holder = Holder()
    shown: str = "shown-default"


class Account(BaseModel):
    """Holds what no type says is secret."""

    password: str = "the-secret-5"
    keys: Keys = Keys()
    hosts: Annotated[list[str], Field(examples=["the-secret-6"])] = ["the-secret-7"]


def build() -> Actions:
    actions = Actions()
    actions.register("a", payload_schema=Payload, account_schema=Account)(lambda: None)
    actions.register("b", account_schema={"k": Account})(lambda: None)
    return actions


def test_no_default_that_holds_a_secret_is_exported() -> None:
    text = export_all(build())
    assert "the-secret" not in text
    assert "1234567" not in text
    assert "***" not in text
    assert "shown-default" in text


def test_no_default_or_example_of_an_account_is_exported(shop: Provider) -> None:
    text = export_all(shop.actions)
    assert "secret" not in text
    assert "token" not in text


def test_a_field_of_an_account_that_is_called_default_stays() -> None:
    actions = Actions()
    schema = {"default": str, "examples": int}
    actions.register("a", account_schema=schema)(lambda: None)
    (account,) = [
        node
        for name, node in export_json_schema(actions, name="x")["$defs"].items()
        if name == "AAccount"
    ]
    assert list(account["properties"]) == ["default", "examples"]


class Defaults(BaseModel):
    names: set[str] = {"b", "a", "c"}
    nested: dict[str, Any] = {"k": [frozenset({"y", "x"})]}
    infinite: float = float("inf")
    foreign: Any = object()


def test_defaults_are_shown_as_json() -> None:
    actions = Actions()
    actions.register("a", payload_schema=Defaults)(lambda: None)

    @actions.register("b")
    def b(ratio: float = float("inf"), count: float = 0.5) -> None: ...

    types = export_json_schema(actions, name="x")["$defs"]
    fields = types["Defaults"]["properties"]
    assert fields["names"]["default"] == ["a", "b", "c"]
    assert fields["nested"]["default"] == {"k": [["x", "y"]]}
    assert "default" not in fields["infinite"]
    assert "default" not in fields["foreign"]
    assert types["BPayload"]["properties"] == {
        "ratio": {"type": "number"},
        "count": {"type": "number", "default": 0.5},
    }


PROGRAM = """
import sys
from conftest import build_shop
from test_secrets import build, export_all

sys.stdout.write(export_all(build_shop().actions) + export_all(build()))
"""


def run(seed: str) -> bytes:
    environment = {
        **os.environ,  # noqa: TID251 - a program of the tests needs all of it
        "PYTHONHASHSEED": seed,
        "PYTHONPATH": str(Path(__file__).parent),
    }
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(
        command, env=environment, capture_output=True, check=True, timeout=60
    )
    return done.stdout


@pytest.mark.once
def test_the_bytes_are_the_same_in_each_run() -> None:
    text = run("1")
    assert len(text) > 10_000
    assert text == run("2")
