"""``arbvantage run``: a provider at work, on its hub or on the embedded one."""

from arbvantage_provider.cli.errors import Misuse
from arbvantage_provider.cli.local import run_idle, run_tasks
from arbvantage_provider.cli.output import open_output
from arbvantage_provider.cli.start import start
from arbvantage_provider.cli.target import load_provider
from arbvantage_provider.cli.tasks import read_tasks
from arbvantage_provider.exceptions import ConfigError
from arbvantage_provider.settings import make_settings


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
                raise Misuse(str(error)) from error
        if lines is not None:
            run_tasks(provider, lines, emit)
        elif local_hub:
            run_idle(provider)
        else:
            start(provider)
