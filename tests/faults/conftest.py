"""A hub, a cable to it, and providers in processes of their own."""

import dataclasses
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from arbvantage_provider.testing import LocalHub

# Where kills.py and soak.py find the same modules, too.
sys.path.insert(0, str(Path(__file__).parent))

from cable import Cable
from provider_process import TOKEN, ProviderProcess, Surroundings

# The programs are killed, forked and bounded as POSIX does it.
collect_ignore_glob = [] if os.name == "posix" else ["test_*.py"]

Start = Callable[..., ProviderProcess]


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    with LocalHub(token=TOKEN) as hub:
        yield hub


@pytest.fixture
def cable(hub: LocalHub) -> Iterator[Cable]:
    with Cable(hub.url) as cable:
        yield cable


@pytest.fixture
def start(tmp_path: Path, cable: Cable) -> Iterator[Start]:
    """Starts a provider at the other end of the cable; settings, and surroundings."""
    started: list[ProviderProcess] = []

    def start(**settings: Any) -> ProviderProcess:
        names = {field.name for field in dataclasses.fields(Surroundings)}
        around = {name: settings.pop(name) for name in names & settings.keys()}
        process = ProviderProcess(
            tmp_path, cable.url, settings=settings, around=Surroundings(**around)
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.close()
