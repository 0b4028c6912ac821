"""``arbvantage call``: one action, in process, with no hub."""

import sys
from collections.abc import Sequence

from arbvantage_provider.actions import Action, Actions
from arbvantage_provider.cli.arguments import read_argument, read_pairs
from arbvantage_provider.cli.errors import Failure, Misuse, suggest
from arbvantage_provider.cli.fields import describe_fields
from arbvantage_provider.cli.input import read_input
from arbvantage_provider.cli.output import format_json, open_output
from arbvantage_provider.cli.target import load_provider
from arbvantage_provider.cli.theirs import run_theirs


def call_action(
    target: str, action: str, arguments: Sequence[str], *, account: str | None
) -> None:
    """Run one action and print its response; an error response exits with 1."""
    action, *arguments = map(read_argument, (action, *arguments))
    account = account and read_argument(account)
    with open_output() as emit:
        provider = load_provider(target)
        chosen = _choose(provider.actions, action)
        payload = _read_payload(arguments, chosen)
        credentials = _read_account(account)
        response = run_theirs(
            lambda: provider.process_task(action, payload, credentials),
            f"{action!r} cannot be run",
        )
        emit(format_json(response, indent=2))
    if response["status"] in {"error", "limit"}:
        sys.exit(Failure.exit_code)


def _choose(actions: Actions, name: str) -> Action:
    action = actions.get_action(name)
    if action is None:
        names = list(actions)
        there = f"there are: {', '.join(names)}" if names else "the provider has none"
        problem = f"no action {name!r}{suggest(name, names)} ({there})"
        raise Misuse(problem)
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
        raise Misuse(problem)
    return read_input("-") if whole == ["-"] else whole[0]


def _read_account(account: str | None) -> str | bytes | None:
    if account is None or not account.startswith("@"):
        return account
    return read_input(account[1:], f"--account {account}")
