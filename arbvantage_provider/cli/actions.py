"""``arbvantage actions``: what a provider can do."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from arbvantage_provider.actions import Action
from arbvantage_provider.cli.fields import ABSENT, PayloadField, describe_fields
from arbvantage_provider.cli.output import format_json, open_output, say
from arbvantage_provider.cli.target import load_provider
from arbvantage_provider.text import escape


def list_actions(target: str, *, as_json: bool) -> None:
    """Print the actions of TARGET, for people or as JSON."""
    with open_output() as emit:
        provider = load_provider(target)
        actions = list(provider.actions.get_actions().values())
        if as_json:
            emit(format_json([_to_json(action) for action in actions], indent=2))
            return
        for number, action in enumerate(actions):
            emit("\n" * bool(number) + "\n".join(map(escape, _format_action(action))))
        if not actions:
            say(f"{provider.name!r} has no actions")


def _to_json(action: Action) -> dict[str, Any]:
    """An action for programs; the account is ``null`` where none is read."""
    account = action.account and describe_fields(action.account)
    return {
        "name": action.name,
        "description": action.description,
        "payload": list(map(_field_to_json, describe_fields(action.payload).rows)),
        "account": account and list(map(_field_to_json, account.rows)),
    }


def _field_to_json(field: PayloadField) -> dict[str, Any]:
    default = {} if field.default is ABSENT else {"default": field.default}
    return {
        "path": field.path,
        "type": field.type,
        "required": field.required,
        **default,
        "description": field.description,
    }


def _format_action(action: Action) -> Iterator[str]:
    """An action for people: a heading, and a line for each field."""
    words = " ".join(action.description.split())
    yield f"{action.name}: {words}" if words else action.name
    rows = [_format_row(field) for field in describe_fields(action.payload).rows]
    if action.account is not None:
        account = describe_fields(action.account).rows
        rows += [_format_row(field, "account.") for field in account]
    yield from _align(rows) if rows else ["  no fields"]


def _format_row(field: PayloadField, prefix: str = "") -> tuple[str, str, str, str]:
    need = "required" if field.required else "optional"
    if field.default is not ABSENT:
        need = f"default {format_json(field.default)}"
    return prefix + field.path, field.type, need, " ".join(field.description.split())


def _align(rows: Sequence[Iterable[str]]) -> Iterator[str]:
    """The rows as columns, indented."""
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield ("  " + "  ".join(cells)).rstrip()
