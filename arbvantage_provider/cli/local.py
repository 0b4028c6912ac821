"""A provider on the embedded hub, with the tasks of a file or with none."""

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from secrets import token_urlsafe

from arbvantage_provider.cli.errors import Failure
from arbvantage_provider.cli.output import Emit, format_json, say
from arbvantage_provider.cli.progress import Progress
from arbvantage_provider.cli.start import start
from arbvantage_provider.cli.tasks import TaskLine
from arbvantage_provider.connection import name_scheme
from arbvantage_provider.local_hub.local_hub import LocalHub
from arbvantage_provider.local_hub.results import HubResult
from arbvantage_provider.provider import Provider

STATUSES = ("success", "warning", "error", "limit")


def run_idle(provider: Provider) -> None:
    """Run on a hub that has no tasks, until a signal."""
    with _make_hub() as hub:
        say(f"{provider.name!r} runs on a local hub at {hub.url}, which has no tasks")
        say("Ctrl-C stops it; --tasks FILE gives it tasks")
        _start(provider, hub)


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
            _start(provider, hub)
        finally:
            hub.stop()
            counts = printed.result()
            unanswered = len(tasks) - counts.total()
            say(_summarize(counts, unanswered))
    if unanswered:
        sys.exit(Failure.exit_code)


def _make_hub() -> LocalHub:
    """Any user of the machine can reach it, and its tasks may hold accounts."""
    return LocalHub(token_urlsafe())


def _start(provider: Provider, hub: LocalHub) -> None:
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
