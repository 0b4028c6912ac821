"""The code is laid out by ruff where there is one, and tidy and the same elsewhere."""

import ast
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arbvantage_provider.codegen import formatter
from arbvantage_provider.codegen.models import export_models

Generate = Callable[..., str]
Load = Callable[[str], Any]
Run = Callable[..., subprocess.CompletedProcess[str]]
PROGRAMS = Path(__file__).parent / "programs"
LONG = (
    "from typing import List\n\nfrom arbvantage_provider import Provider\n\n"
    "provider = Provider('long', log_level='CRITICAL')\n\n\n"
    "@provider.actions.register(payload_schema={'emergency_contacts': List[str],\n"
    "    'addresses_of_the_user': List[str], 'nickname': str})\n"
    "def create_a_user(emergency_contacts, addresses_of_the_user, nickname): ...\n"
)


def find_nothing(_: str, path: object = None) -> None:
    """No program is there."""


@pytest.fixture
def no_ruff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formatter.shutil, "which", find_nothing)


@pytest.mark.parametrize("program", ["orders", "handlers"])
def test_models_are_the_same_code_without_ruff(
    generate: Generate, load: Load, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    generate(program)
    provider = load("program").provider
    code = export_models(provider.actions, name=provider.name)
    monkeypatch.setattr(formatter.shutil, "which", find_nothing)
    plain = export_models(provider.actions, name=provider.name)
    assert ast.dump(ast.parse(plain)) == ast.dump(ast.parse(code))


@pytest.mark.usefixtures("no_ruff")
def test_a_stub_is_the_same_code_without_ruff(folder: Path, arbvantage: Run) -> None:
    (folder / "shop.py").write_text((PROGRAMS / "shop.txt").read_text())
    done = arbvantage("codegen", "shop.py", "--stubs")
    expected = ast.parse((PROGRAMS / "shop.pyi.txt").read_text())
    assert ast.dump(ast.parse(done.stdout)) == ast.dump(expected)


@pytest.mark.usefixtures("no_ruff")
def test_a_long_head_has_a_parameter_a_line_without_ruff(generate: Generate) -> None:
    assert (
        "    def create_a_user(\n"
        "        emergency_contacts: list[str],\n"
        "        addresses_of_the_user: list[str],\n"
        "        nickname: str,\n"
        "    ) -> Any: ...\n"
    ) in generate(LONG)


def test_a_ruff_that_cannot_be_run_is_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch, generate: Generate
) -> None:
    broken = folder / "ruff"
    broken.write_text("")

    def find_it(_: str, path: object = None) -> str:
        return str(broken)

    monkeypatch.setattr(formatter.shutil, "which", find_it)
    assert "class CreateAUserPayload(StrictModel):" in generate(LONG)
