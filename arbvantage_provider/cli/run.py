"""``arbvantage run``: a provider at work, on its hub or on the embedded one."""

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from secrets import token_urlsafe

from arbvantage_provider.cli.errors import (
    CommandError,
    HubUnreachableError,
    TokenRefusedError,
    UsageError,
)
from arbvantage_provider.cli.output import Emit, Progress, format_json, open_output, say
from arbvantage_provider.cli.target import load_provider
from arbvantage_provider.cli.tasks import TaskLine, read_tasks
from arbvantage_provider.cli.user_code import blame
from arbvantage_provider.connection import name_scheme
from arbvantage_provider.exceptions import (
    AuthenticationError,
    ConfigError,
    ConnectionError,  # noqa: A004 - the name is the contract's
    ProviderError,
)
from arbvantage_provider.executors.importing import starting
from arbvantage_provider.local_hub.local_hub import LocalHub
from arbvantage_provider.local_hub.results import HubResult
from arbvantage_provider.provider import Provider
from arbvantage_provider.settings import make_settings

STATUSES = ("success", "warning", "error", "limit")
_NOTHING_TO_SHOW = (
    "the provider has no token to show its hub: give it auth_token=…, or build it "
    "with Provider.from_env() and set PROVIDER_AUTH_TOKEN; with --local-hub it "
    "needs none"
)


def run_idle(provider: Provider) -> None:
    """Run on a hub that has no tasks, until a signal."""
    with _make_hub() as hub:
        say(f"{provider.name!r} runs on a local hub at {hub.url}, which has no tasks")
        say("Ctrl-C stops it; --tasks FILE gives it tasks")
        _start_on(provider, hub)


def run_tasks(provider: Provider, tasks: Sequence[TaskLine], emit: Emit) -> None:
    """Run until each task is answered, or a signal; say at the end how it went.

    Exits with 1 if tasks were left unanswered.
    """
    if not tasks:
        say("0 tasks")
        return
    # The provider has the main thread, so that signals reach it.
    with ThreadPoolExecutor(1) as printer, _make_hub() as hub:
        for task in tasks:
            line = f"line-{task.number}"
            hub.submit(task.action, task.payload, task.account, id=line)
        progress = Progress(len(tasks))
        printed = printer.submit(
            _print_results, hub, emit, progress=progress, stop=provider.stop
        )
        try:
            _start_on(provider, hub)
        finally:
            hub.stop()
            counts = printed.result()
            unanswered = len(tasks) - counts.total()
            say(_summarize(counts, unanswered))
    if unanswered:
        sys.exit(CommandError.exit_code)


def _make_hub() -> LocalHub:
    """Any user of the machine can reach it, and its tasks may hold accounts."""
    return LocalHub(token_urlsafe())


def _start_on(provider: Provider, hub: LocalHub) -> None:
    url, token = name_scheme(hub.url), str(hub.token)
    # An overridden start may not hand on what it is given.
    provider.keep_local(url, token)
    start(provider, hub_url=url, auth_token=token)


def _print_results(
    hub: LocalHub, emit: Emit, *, progress: Progress, stop: Callable[[], None]
) -> Counter[str]:
    """Print each result as it comes, until all are there or the hub is stopped."""
    counts: Counter[str] = Counter()
    try:
        progress.show(0)
        for result in hub.completed():
            progress.clear()
            emit(_format_result(result))
            counts[result.status] += 1
            progress.show(counts.total(), counts["error"])
        progress.clear()
    finally:
        stop()
    return counts


def _format_result(result: HubResult) -> str:
    """One line; the account and the token stay out of it."""
    return format_json(
        {
            "id": result.id,
            "action": result.action,
            "status": result.status,
            "result": result.response,
        }
    )


def _summarize(counts: Counter[str], unanswered: int) -> str:
    total = counts.total() + unanswered
    parts = [f"{counts[status]} {status}" for status in STATUSES if counts[status]]
    parts += [f"{unanswered} unanswered"] if unanswered else []
    return f"{total} {'task' if total == 1 else 'tasks'}: {', '.join(parts)}"


def start(provider: Provider, **overrides: str) -> None:
    """Run the provider until it is stopped.

    Args:
        provider: what to run; it must have the main thread to see signals.
        overrides: ``hub_url`` and ``auth_token``, for this run only.

    Raises:
        CommandError: with the exit code that says why.
    """
    try:
        with starting():
            provider.start(**overrides)
    except ConnectionError as error:
        raise HubUnreachableError(str(error)) from error
    except AuthenticationError as error:
        has_token = provider.has_token or "auth_token" in overrides
        raise TokenRefusedError(
            str(error) if has_token else _NOTHING_TO_SHOW
        ) from error
    except ProviderError as error:
        raise CommandError(str(error)) from error
    except Exception as error:
        raise blame(error, f"{provider.name!r} failed") from error


def run_target(
    target: str, *, local_hub: bool, tasks: str | None, journal: str | None
) -> None:
    """Run a provider on its hub, or on a local one that has the tasks of a file.

    Args:
        target: which provider.
        local_hub: whether it runs on a hub in this process.
        tasks: a file of tasks for that hub.
        journal: instead of the provider's own, which a local hub never touches.
    """
    with open_output() as emit:
        lines = None if tasks is None else read_tasks(tasks)
        provider = load_provider(target)
        if local_hub or journal is not None:
            changed = {"journal": journal or None}
            settings = {**dict(provider.settings), **changed}
            try:
                provider.settings = make_settings(**settings)
            except ConfigError as error:
                raise UsageError(str(error)) from error
        if lines is not None:
            run_tasks(provider, lines, emit)
        elif local_hub:
            run_idle(provider)
        else:
            start(provider)
