"""A provider with two slots that runs on, whatever its handlers do to it."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from arbvantage_provider import Provider
from arbvantage_provider.testing import HubResult, LocalHub, running

# Where the processes of a pool find the handlers, too.
sys.path.insert(0, str(Path(__file__).parent))

from steady import check, register

Ask = Callable[..., HubResult]


@pytest.fixture(scope="module")
def hub() -> Iterator[LocalHub]:
    with LocalHub(max_message_bytes=64 * 1024 * 1024) as hub:
        yield hub


@pytest.fixture(scope="module")
def make_provider() -> Callable[..., Provider]:
    def make(**settings: Any) -> Provider:
        given: dict[str, Any] = {
            "max_concurrency": 2,
            "execution_timeout": 60,
            "shutdown_timeout": 5,
            "log_level": "ERROR",
            **settings,
        }
        return Provider("tested", **given)

    return make


@pytest.fixture
def ask(provider: Provider, hub: LocalHub) -> Iterator[Ask]:
    """Runs one task of the module's provider, which must be as before then."""

    def run(action: str, payload: Any = None, account: Any = None) -> HubResult:
        return hub.submit(action, payload, account).result(30)

    yield run
    check(provider, hub)


@pytest.fixture(scope="module")
def provider(
    hub: LocalHub, make_provider: Callable[..., Provider], request: Any
) -> Iterator[Provider]:
    """One for all tests of the module, with its ``HANDLERS`` and ``SETTINGS``."""
    provider = make_provider(**getattr(request.module, "SETTINGS", {}))
    register(provider, *request.module.HANDLERS)
    with running(provider, hub):
        yield provider
