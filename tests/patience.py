"""Waiting for what the hub hears nothing of."""

import threading
from collections.abc import Callable

import pytest


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    for _ in range(4_000):
        if condition():
            return
        threading.Event().wait(0.005)
    pytest.fail("it never came true")
