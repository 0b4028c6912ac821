"""The ``arbvantage`` command: what can be typed, and what help says of it.

What the commands do is imported when one of them is run, so that ``--help``
answers at once.
"""

import os
import sys
from contextlib import suppress
from typing import Any

import click
from typing_extensions import override

from arbvantage_provider.cli.complete import (
    complete_action,
    complete_field,
    complete_file,
)
from arbvantage_provider.cli.errors import CommandInterruptedError

__all__ = ["main"]

_MAIN = """Run a provider, try its actions, list them, export them, or type them.

TARGET says which provider: 'module', 'module:name', 'file.py' or 'file.py:name'.
The name is that of a Provider, a subclass of it, or a function that returns one;
leave it out where the module holds only one.

\b
Examples:
  arbvantage run provider.py
  arbvantage run provider.py --local-hub --tasks tasks.jsonl
  arbvantage call provider.py greet name=Ann
  arbvantage actions provider.py
  arbvantage export provider.py --format openapi
  arbvantage codegen provider.py -o models.py
  arbvantage journal tasks.journal

Data goes to stdout, words to stderr. Exit codes: 0 done, 1 failure, 2 wrong
usage, 3 no hub, 4 token refused, 130 Ctrl-C.
"""

_RUN = """Run the provider TARGET until Ctrl-C or SIGTERM.

Tasks that are running then are finished first.

With --local-hub, the provider has no journal but that of --journal, and no token or
certificate of its own is used. With --tasks FILE as well, it is given the tasks of
the file, each result is printed as one JSON line, as it comes, and the command ends
when all are answered. Statuses do not change the exit code.

\b
A line of FILE; the account may be left out:
  {"action": "greet", "payload": {"name": "Ann"}, "account": {"key": "secret"}}
"""

_CALL = """Run one ACTION of TARGET here, with no hub, and print the response.

The payload is given field by field, as one JSON object, or with '-' on stdin.
VALUE is text for a field that is text, such as a str or a date; else it is JSON,
such as 3, true or '["a", "b"]'. A field that may be text or something else takes
JSON where VALUE is JSON, and else text.

An error response, and one that says a limit is reached, exits with 1.

\b
Examples:
  arbvantage call provider.py greet name=Ann times=3
  arbvantage call provider.py greet '{"name": "Ann", "times": 3}'
  arbvantage call provider.py greet - < payload.json
"""

_ACTIONS = """List the actions of TARGET with their fields.

A field inside another one is written 'user.name', one inside the items of a list
'users[].name', and the fields of the account begin with 'account.'.
"""

_EXPORT = """Print what the actions of TARGET take and give, as JSON.

\b
json-schema  one JSON Schema 2020-12 document
openapi      OpenAPI 3.1, an operation for each action
asyncapi     AsyncAPI 3.0, the tasks and the results of each action
mcp          a list of tools of the Model Context Protocol
openai       a list of tools for function calling

The same actions give the same text each time.
"""

_CODEGEN = """Write the dict schemas of TARGET as typed code.

Each dict becomes a model, and the handlers are shown as they read with these
models. Actions whose schemas are models already, or their handler's signature, are
left out.

With --stubs the code is a stub for the module of the handlers: editors and type
checkers then know what is in the dicts, and the program stays as it is. A handler
that is defined inside a function, such as __init__, cannot be in it.

\b
Examples:
  arbvantage codegen provider.py -o models.py
  arbvantage codegen provider.py --stubs -o provider.pyi
"""

_JOURNAL = """List the tasks of a journal that no hub has the result of yet.

\b
waiting   its handler was not called
started   its handler was called, and has not ended
answered  the hub has not taken its result yet
done      the hub has; listed with --all

A payload, an account or a result is never shown. The provider may be running.

\b
Examples:
  arbvantage journal tasks.journal
  arbvantage journal tasks.journal --all --json
"""


def _show_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - click calls it so
    if wanted and not context.resilient_parsing:
        from arbvantage_provider import __version__  # noqa: PLC0415 - on use

        click.echo(f"arbvantage {__version__}")
        context.exit()


class _Main(click.Group):
    """Ends with an exit code, and no traceback, whatever its streams are."""

    @override
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise CommandInterruptedError from error

    @override
    def main(self, *args: Any, **kwargs: Any) -> Any:
        _fill_streams()
        try:
            return super().main(*args, **kwargs)
        except OSError as error:
            # The help and the version are written by click.
            with suppress(OSError):
                click.echo(
                    f"Error: stdout cannot be written: {error.strerror}", err=True
                )
            sys.exit(1)


def _fill_streams() -> None:
    """Let no file or socket be in the place of a stream that is closed."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - it stays open


@click.group(
    cls=_Main, help=_MAIN, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_version,
    help="Show the version and exit.",
)
def main() -> None:
    """The ``arbvantage`` command."""


@main.command(
    "run", help=_RUN, short_help="Run a provider on its hub, or on a local one."
)
@click.argument("target", shell_complete=complete_file)
@click.option(
    "--local-hub",
    is_flag=True,
    help="Run on a hub inside this process; no token is needed.",
)
@click.option(
    "--tasks",
    metavar="FILE",
    shell_complete=complete_file,
    help="Tasks for the local hub, one JSON object a line; '-' is stdin.",
)
@click.option(
    "--journal",
    metavar="FILE",
    shell_complete=complete_file,
    help="Keep tasks and results in this journal, and in no other.",
)
def _run(
    *, target: str, local_hub: bool, tasks: str | None, journal: str | None
) -> None:
    """Run a provider."""
    if tasks is not None and not local_hub:
        problem = "--tasks is for the local hub: give --local-hub as well"
        raise click.UsageError(problem)
    from arbvantage_provider.cli.run import run_target  # noqa: PLC0415 - on use

    run_target(target, local_hub=local_hub, tasks=tasks, journal=journal)


@main.command(
    "call", help=_CALL, short_help="Run one action here and print the response."
)
@click.argument("target", shell_complete=complete_file)
@click.argument("action", shell_complete=complete_action)
@click.argument(
    "arguments",
    nargs=-1,
    metavar="[KEY=VALUE... | JSON | -]",
    shell_complete=complete_field,
)
@click.option(
    "--account",
    multiple=True,
    metavar="KEY=VALUE|JSON|@FILE",
    help="A field of the account; or all of it, as a JSON object or in a file.",
)
def _call(
    *, target: str, action: str, arguments: tuple[str, ...], account: tuple[str, ...]
) -> None:
    """Run one action in process."""
    from arbvantage_provider.cli.call import call_action  # noqa: PLC0415 - on use

    call_action(target, action, arguments, account=account)


@main.command("actions", help=_ACTIONS)
@click.argument("target", shell_complete=complete_file)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def _actions(*, target: str, as_json: bool) -> None:
    """List a provider's actions."""
    from arbvantage_provider.cli.actions import list_actions  # noqa: PLC0415 - on use

    list_actions(target, as_json=as_json)


@main.command(
    "export", help=_EXPORT, short_help="Print what the actions take, as JSON."
)
@click.argument("target", shell_complete=complete_file)
@click.option(
    "--format",
    "chosen",
    type=click.Choice(["json-schema", "openapi", "asyncapi", "mcp", "openai"]),
    default="json-schema",
    show_default=True,
    help="The format.",
)
@click.option(
    "--api-version",
    "version",
    default="0.1.0",
    show_default=True,
    metavar="TEXT",
    help="The version that openapi and asyncapi say the actions have.",
)
def _export(*, target: str, chosen: str, version: str) -> None:
    """Export a provider's actions."""
    from arbvantage_provider.cli.export import export_target  # noqa: PLC0415 - on use

    export_target(target, chosen=chosen, version=version)


@main.command(
    "codegen", help=_CODEGEN, short_help="Write dict schemas as typed models."
)
@click.argument("target", shell_complete=complete_file)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    shell_complete=complete_file,
    help="The file to write; stdout if left out.",
)
@click.option("--stubs", is_flag=True, help="Write a stub of the handlers' module.")
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
def _codegen(*, target: str, output: str | None, stubs: bool, force: bool) -> None:
    """Write typed code."""
    from arbvantage_provider.cli.codegen import write_code  # noqa: PLC0415 - on use

    write_code(target, output=output, stubs=stubs, force=force)


@main.command(
    "journal", help=_JOURNAL, short_help="List the tasks that a journal holds."
)
@click.argument("path", shell_complete=complete_file)
@click.option("--all", "everything", is_flag=True, help="Also those that are done.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line.")
def _journal(*, path: str, as_json: bool, everything: bool) -> None:
    """List a journal's tasks."""
    from arbvantage_provider.cli.journal import show_journal  # noqa: PLC0415 - on use

    show_journal(path, as_json=as_json, everything=everything)
