"""``arbvantage call``: one action, in process, with no hub."""

import sys
from collections.abc import Sequence

from arbvantage_provider.actions import Action, Actions
from arbvantage_provider.cli.arguments import read_argument, read_pairs
from arbvantage_provider.cli.errors import CommandError, UsageError, suggest
from arbvantage_provider.cli.fields import PayloadFields, describe_fields
from arbvantage_provider.cli.input import read_input
from arbvantage_provider.cli.output import format_json, open_output
from arbvantage_provider.cli.target import load_provider
from arbvantage_provider.cli.user_code import run_user_code


def call_action(
    target: str, action: str, arguments: Sequence[str], *, account: Sequence[str]
) -> None:
    """Run one action and print its response; an error response exits with 1."""
    action, *arguments = map(read_argument, (action, *arguments))
    account = list(map(read_argument, account))
    with open_output() as emit:
        provider = load_provider(target)
        chosen = _choose(provider.actions, action)
        payload = _read_payload(arguments, chosen)
        credentials = _read_account(account, chosen)
        response = run_user_code(
            lambda: provider.process_task(action, payload, credentials),
            f"{action!r} cannot be run",
        )
        emit(format_json(response, indent=2))
    if response["status"] in {"error", "limit"}:
        sys.exit(CommandError.exit_code)


def _choose(actions: Actions, name: str) -> Action:
    action = actions.get_action(name)
    if action is None:
        names = list(actions)
        there = f"there are: {', '.join(names)}" if names else "the provider has none"
        problem = f"no action {name!r}{suggest(name, names)} ({there})"
        raise UsageError(problem)
    return action


def _read_payload(arguments: Sequence[str], action: Action) -> str | bytes:
    """The payload as JSON text; whether it fits is for the action to say."""
    whole = [text for text in arguments if text == "-" or text.lstrip()[:1] == "{"]
    if not whole:
        return read_pairs(arguments, describe_fields(action.payload), action.name)
    if len(arguments) > 1:
        problem = (
            "the payload is given once: as one JSON object, as '-', or as KEY=VALUE "
            f"arguments; {len(arguments)} arguments are too many with {whole[0]!r}"
        )
        raise UsageError(problem)
    return read_input("-") if whole == ["-"] else whole[0]


def _read_account(given: Sequence[str], action: Action) -> str | bytes | None:
    """The account as JSON text; its words are never shown."""
    whole = [text for text in given if text[:1] == "@" or text.lstrip()[:1] == "{"]
    if not given or len(given) == len(whole) == 1:
        return _read_whole_account(given)
    if whole:
        problem = (
            "the account is given once: as one JSON object, as @FILE, or as KEY=VALUE"
        )
        raise UsageError(problem)
    for number, text in enumerate(given, 1):
        if "=" not in text:
            which = f"number {number} of {len(given)} --account"
            problem = f"{which} is neither KEY=VALUE, nor one JSON object, nor @FILE"
            raise UsageError(problem)
    fields = PayloadFields(top={}, rows=(), is_open=True)
    if action.account is not None:
        fields = describe_fields(action.account)
    return read_pairs(given, fields, action.name, is_account=True)


def _read_whole_account(given: Sequence[str]) -> str | bytes | None:
    for text in given:
        if text.startswith("@"):
            return read_input(text[1:], f"--account {text}")
        return text
    return None
