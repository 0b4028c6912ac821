"""Statements are laid out as ruff lays out the same statements on one line."""

import ast
import re
import subprocess
import sys

import pytest

from arbvantage_provider.export.python.heads import list_parameters
from arbvantage_provider.export.python.layout import (
    format_assignment,
    format_definition,
    format_function,
    format_import,
)

LONG = "CreateUserPayloadUserContactInfoEmergencyContactsItem"
LONGER = "CreateUserPayloadUserContactInfoEmergencyContactsItemOfSomebodyElseEntirely"
TEXT = "so many words that they are a line of code by themselves, or nearly so"
FIELDS: list[str] = [
    "name: str",
    "name: str | None = None",
    f"contacts: list[{LONG}]",
    f"emergency_contacts_of_the_user: list[{LONG}]",
    f"emergency_contacts_of_the_user: list[{LONG}] = []",
    f"emergency_contacts_of_the_user: list[{LONG}] = Field(min_length=1)",
    f"emergency_contacts_of_the_user: {LONG} | None = None",
    f"emergency_contacts_of_the_user: list[{LONG}] | None = None",
    f"emergency_contacts_of_the_user: dict[str, {LONG}] | {LONGER} | None = None",
    f"contact: {LONGER}",
    f"the_contact: {LONGER}",
    f"the_contact: {LONGER} | None = None",
    f"contact: list[{LONGER}]",
    f"contact: dict[str, list[{LONGER}]] = Field(min_length=1)",
    f"contact: tuple[{LONG}, {LONGER}, ...]",
    f"why: str = {TEXT!r}",
    f"why: str = Field(description={TEXT!r})",
    f"why: str = Field(description={TEXT + TEXT!r})",
    f"why: str = Field(alias='because', description={TEXT!r})",
    f"the_contact_of_the_user: {LONG} = {LONGER}.FIRST",
    f"the_contacts: dict[str, {LONG}] = {LONGER}.FIRST",
    f"the_contacts: tuple[int, str] = ({TEXT!r}, 'a', 'b')",
    f"the_contact_of_the_user_and_its_name: {LONG} = Field(alias={TEXT!r})",
    f"the_contact_of_the_user_and_its_name: {LONG} | {LONG} = Field(alias='a')",
    "the_dates: dict[str, dict[str, dict[str, list[dict[str, tuple[int, str]]]]]] = -5",
    f"why: str = Field(alias={TEXT!r}, description={TEXT!r})",
    f"why: Annotated[str, Field(description={TEXT!r})]",
    f"why: Annotated[str, Field(alias={TEXT!r}, description={TEXT!r})] | None = None",
    f"why: list[Annotated[str, Field(description={TEXT!r})]] = Field(min_length=1)",
    f"kind: Literal['one of many', 'two of many', {TEXT!r}]",
    "kind: Literal['one of many', 'two of many'] | Literal['three of many', 'four of']",
    f"extra: str = Field(json_schema_extra={{'a': 1, {TEXT!r}: [1, 2.5, -3, None]}})",
    f"examples: list[str] = [{TEXT!r}, 'a']",
    "a_field_with_a_name_of_many_letters_indeed_and_some_more_of_them: str = Field(ge=1)",
    "a_field_with_a_name_of_many_letters_indeed_and_some_more_of_them: str = Color.RED_X",
    "quotes: str = 'it\\'s'",
    "quotes: str = '\"'",
    "quotes: str = '\"\\''",
    "numbers: tuple[float, ...] = (1e+16, 1e-07, -1.0, 1j)",
    "one: tuple[int] = (1,)",
    "raw: bytes = b'\\x00\"\\''",
    "odd: str = '\\x1b\\ud800é😀'",
    "nothing: set[int] = set()",
    "some: set[int] = {1, 2}",
]
STATEMENTS: list[str] = [
    "def short() -> None: ...",
    "def order(payload: OrderPayload, /, *, count: int = 3, **more: Any) -> Receipt: ...",
    "async def order(payload: OrderPayload, account: OrderAccount, now: str) -> dict: ...",
    f"def order(payload: {LONGER}) -> dict[str, Any]: ...",
    f"def order(payload: {LONGER} | None = None) -> dict[str, Any]: ...",
    f"def order(payload: {LONGER}, account: list[{LONGER}], more='a'): ...",
    "Names = TypedDict('Names', {'first-name': str, 'class': int})",
    "Names = TypedDict('Names', {'first-name': str, 'class': int, 'last-name': list[str]})",
    f"Names = TypedDict('Names', {{'first-name': {LONGER}, 'class': list[{LONGER}]}})",
    "from typing import Any",
    f"from contacts import {LONG}, {LONGER}",
]


def lay_out(line: str, indent: int = 0) -> str:
    """The statement on the line, laid out here."""
    match ast.parse(line).body[0]:
        case ast.AnnAssign(target, annotation, value):
            given = ast.unparse(value) if value else ""
            name = ast.unparse(target)
            return format_assignment(
                name, ast.unparse(annotation), given, indent=indent
            )
        case ast.Assign([target], value):
            return format_definition(ast.unparse(target), ast.unparse(value))
        case ast.ImportFrom(module, names):
            return format_import(module or "", [each.name for each in names])
        case ast.FunctionDef(name, arguments) | ast.AsyncFunctionDef(name, arguments):
            head, result = line.partition("(")[0], line.rpartition(") -> ")[2]
            returns = result.removesuffix(": ...") if ") -> " in line else ""
            return format_function(head, list_parameters(arguments, {}), returns)
        case other:
            raise TypeError(other)


@pytest.mark.parametrize("line", FIELDS)
def test_a_field_is_laid_out_as_ruff_does(line: str, formatted: dict[str, str]) -> None:
    assert lay_out(line, indent=4) == formatted[line]


@pytest.mark.parametrize("line", STATEMENTS)
def test_a_statement_is_laid_out_as_ruff_does(
    line: str, formatted: dict[str, str]
) -> None:
    assert lay_out(line) == formatted[line]


@pytest.fixture(scope="module")
def formatted() -> dict[str, str]:
    """What ruff makes of each of the lines."""
    fields = "".join(f"    # ---\n    {line}\n" for line in FIELDS)
    others = "".join(f"# ---\n{line}\n" for line in STATEMENTS)
    words = [sys.executable, "-m", "ruff", "format", "--isolated", "-"]
    done = subprocess.run(
        words,
        input=f"{others}class Fields:\n{fields}",
        capture_output=True,
        check=True,
        encoding="utf-8",
        timeout=60,
    )
    parts = re.split(r"^ *# ---\n", done.stdout, flags=re.MULTILINE)[1:]
    parts = [part.partition("\n\n")[0].rstrip("\n") for part in parts]
    return dict(zip([*STATEMENTS, *FIELDS], parts, strict=True))
