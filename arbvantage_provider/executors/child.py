"""What runs in a process of the pool: calls from a pipe, one after another."""

import contextlib
import importlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterable
from multiprocessing import connection
from typing import Any

from arbvantage_provider.executors.calls import run_packed
from arbvantage_provider.executors.importing import importing, serve_pool


def serve(pipe: "connection.Connection[Any, Any]", modules: Iterable[str]) -> None:
    """Make the calls that come, until the pipe's other end is closed.

    Args:
        pipe: gives calls and takes outcomes. One that is empty says that this
            process is ready.
        modules: imported first, so that no call pays for it.
    """
    _outlive_signals()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    serve_pool()
    with importing("a process of an executor"):
        for module in modules:
            importlib.import_module(module)
    with contextlib.suppress(EOFError, OSError):
        pipe.send_bytes(b"")
        own = os.getpid()
        while True:
            outcome = run_packed(pipe.recv_bytes())
            if os.getpid() != own:
                # A function forked, and its copy must not answer for this process.
                os._exit(os.EX_SOFTWARE)
            _flush()
            pipe.send_bytes(outcome)


def _outlive_signals() -> None:
    """Ctrl-C, and what ends a service, go to all of its processes at once.

    The provider decides what they mean. They are not ignored but handled, as
    programs that a handler starts would inherit the former.
    """
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, _do_nothing)


def _do_nothing(signum: int, frame: object) -> None:
    """Be called, as what a handler starts has the default again then."""


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _flush() -> None:
    """This process may be killed later, with what it has not written yet."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
