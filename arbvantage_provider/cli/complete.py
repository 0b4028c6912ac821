"""What a shell offers while a command is typed: files, actions and their fields."""

import io
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from arbvantage_provider.actions import Action


def complete_file(
    _: click.Context, __: click.Parameter, typed: str
) -> list[CompletionItem]:
    """Files; a shell knows them itself."""
    return [CompletionItem(typed, type="file")]


def complete_action(
    context: click.Context, _: click.Parameter, typed: str
) -> list[CompletionItem]:
    """The actions of the target, with what they are for."""
    return [
        CompletionItem(name, help=action.description.partition("\n")[0])
        for name, action in _find_actions(context).items()
        if name.startswith(typed)
    ]


def complete_field(
    context: click.Context, _: click.Parameter, typed: str
) -> list[CompletionItem]:
    """``KEY=`` for each field of the action's payload."""
    from arbvantage_provider.cli.fields import describe_fields  # noqa: PLC0415 - on use

    action = _find_actions(context).get(context.params.get("action") or "")
    if action is None:
        return []
    fields = describe_fields(action.payload).top
    return [
        CompletionItem(f"{key}=", help=field.type)
        for key, field in fields.items()
        if f"{key}=".startswith(typed)
    ]


def _find_actions(context: click.Context) -> "dict[str, Action]":
    """Those of the target; none where it cannot be imported, as nobody could be told."""
    from arbvantage_provider.cli.target import load_provider  # noqa: PLC0415 - on use

    nowhere = io.StringIO()
    try:
        with redirect_stdout(nowhere), redirect_stderr(nowhere):
            return load_provider(
                context.params.get("target") or ""
            ).actions.get_actions()
    except Exception:  # noqa: BLE001 - a program of the user's may raise anything
        return {}
