"""A provider whose handlers change the process around them, for good."""

import asyncio
import gc
import locale
import logging
import os
import random
import signal
import socket
import sys
import threading
import time
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

from arbvantage_provider import Provider

provider = Provider(
    "tested", "any", max_concurrency=2, execution_timeout=60, shutdown_timeout=5
)
register = provider.actions.register


@register()
def greet(name: str) -> str:
    return f"hello {name}"


@register()
def tell() -> dict[str, Any]:
    return asdict(provider.snapshot())


@register()
def stop() -> None:
    provider.stop()


@register()
def close_streams() -> None:
    sys.stdout.close()
    sys.stderr.close()


@register()
def close_descriptors() -> None:
    os.close(0)
    os.close(1)


@register()
def lose_folder(folder: str) -> None:
    os.chdir(folder)
    Path(folder).rmdir()


@register()
def change_locale() -> str:
    os.environ.clear()  # noqa: TID251 - others may have read it
    time.tzset()
    return locale.setlocale(locale.LC_ALL, "C")


@register()
def change_limits() -> None:
    sys.setrecursionlimit(60)
    os.umask(0o777)
    socket.setdefaulttimeout(0.000_001)


@register()
def change_switching() -> None:
    sys.setswitchinterval(20)


@register()
async def change_signals() -> None:
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signal.SIG_IGN)


@register()
async def change_tools() -> None:
    gc.disable()
    random.seed(0)
    warnings.simplefilter("error")
    logging.disable()
    asyncio.get_running_loop().set_debug(True)


@register()
def leave_thread() -> None:
    threading.Thread(target=threading.Event().wait).start()


@register()
def fork_and_leave() -> int:
    child = os.fork()
    if child == 0:
        os._exit(3)
    return wait_for(child)


@register()
def fork_and_return() -> int:
    """The child returns, too, and so does the one of the next."""
    child = os.fork()
    return wait_for(child) if child else 0


@register()
async def fork_and_return_async() -> int:
    child = os.fork()
    return await asyncio.to_thread(wait_for, child) if child else 0


def wait_for(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    provider.start(hub_url=sys.argv[1])
    os._exit(23)  # a thread would keep it from ending
