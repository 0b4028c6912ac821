"""The handlers that the contenders run; each kind is the same for all of them."""

# pyright: basic

import asyncio
import time
from typing import Any

from meter import Meter
from payloads import CreateUser, respond_user

WAIT = 0.010
"""Seconds that the ``wait`` handler waits."""
WORK = 0.050
"""Seconds that the ``block`` handler keeps its thread."""


def make_handler(kind: str, meter: Meter) -> Any:
    """A handler of this kind, which counts its tasks.

    ``async`` and ``sync`` answer at once, ``wait`` awaits ``WAIT`` seconds, and
    ``block`` keeps its thread for ``WORK`` seconds.
    """

    async def answer_async(payload: CreateUser) -> dict[str, Any]:
        meter.tick()
        return respond_user(payload)

    def answer_sync(payload: CreateUser) -> dict[str, Any]:
        meter.tick()
        return respond_user(payload)

    async def answer_wait(payload: CreateUser) -> dict[str, Any]:
        meter.tick()
        await asyncio.sleep(WAIT)
        return respond_user(payload)

    def answer_block(payload: CreateUser) -> dict[str, Any]:
        meter.tick()
        time.sleep(WORK)  # noqa: TID251 - it stands for a call that blocks
        return respond_user(payload)

    handlers = {
        "async": answer_async,
        "sync": answer_sync,
        "wait": answer_wait,
        "block": answer_block,
    }
    return handlers[kind]
