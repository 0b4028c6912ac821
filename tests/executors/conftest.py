"""Providers whose handlers run in executors; all handlers are those of ``sent``."""

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from arbvantage_provider import Provider
from arbvantage_provider.testing import LocalHub

# Where the processes of an executor find the handlers, too.
sys.path.insert(0, str(Path(__file__).parent))

import sent

HANDLERS: tuple[Callable[..., Any], ...] = (
    *(sent.add, sent.get_pid, sent.move, sent.tell_rest, sent.respond),
    *(sent.fail, sent.fail_oddly, sent.refuse, sent.refuse_with_lock, sent.limit),
    *(sent.leave, sent.return_lock, sent.return_unreadable, sent.die, sent.die_held),
    *(sent.hold, sent.leave_file, sent.add_soon, sent.add_inside),
)


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    with LocalHub(token="token-for-tests") as hub:
        yield hub


@pytest.fixture
def make_provider(tmp_path: Path) -> Callable[..., Provider]:
    """A provider of all handlers; ``timeouts`` are those of single ones."""

    def make(executor: Any, **options: Any) -> Provider:
        timeouts = options.pop("timeouts", {})
        settings: dict[str, Any] = {
            "shutdown_timeout": 10,
            "execution_timeout": 60,
        } | options
        log = str(tmp_path / "log")
        provider = Provider("tested", executor=executor, log_file=log, **settings)
        for handler in HANDLERS:
            name = handler.__name__
            provider.actions.register(timeout=timeouts.get(name))(handler)
        return provider

    return make


class Held:
    """A task of ``sent.hold``: whether it has begun, and how it may end."""

    def __init__(self, folder: Path, name: str) -> None:
        self.payload: dict[str, str] = {"folder": str(folder), "name": name}
        self._begun = folder / f"{name}.begun"
        self._end = folder / f"{name}.end"

    def wait_for(self) -> int:
        """The process that runs it."""
        for _ in range(4_000):
            if self._begun.exists():
                return int(self._begun.read_text())
            threading.Event().wait(0.005)
        pytest.fail("it never began")

    def end(self) -> None:
        self._end.touch()


@pytest.fixture
def held(tmp_path: Path) -> Callable[[str], Held]:
    return lambda name: Held(tmp_path, name)
