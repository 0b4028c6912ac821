"""Giving a result to the hub: again and again, until it is taken or refused.

What is sent again is the same in every field; the handler is not run again.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol

from pydantic_core import to_json

from arbvantage_provider.clock import Clock
from arbvantage_provider.exceptions import (
    ConnectionError,  # noqa: A004 - the name is the contract's
)
from arbvantage_provider.hub.client import Accepted, Refused
from arbvantage_provider.hub.wire import Result, Task
from arbvantage_provider.worker.figures import Figures
from arbvantage_provider.worker.waits import Waits

FIRST_WAIT: Final = 0.1
LONGEST_WAIT: Final = 10.0
ECHO_LIMIT: Final = 1_000
"""Bytes of the payload that are echoed where the whole is too large."""
CUT: Final = b"... (cut: too large to send)"


class ResultTaker(Protocol):
    """What takes results: the hub's client."""

    async def submit_result(self, result: Result) -> Accepted | Refused:
        """See ``HubClient.submit_result``."""
        ...


async def submit(
    hub: ResultTaker,
    result: Result,
    *,
    clock: Clock,
    logger_of: Callable[[Task], Any],
    figures: Figures,
) -> Task | None:
    """Send ``result`` until the hub has it, or will never take it.

    Returns:
        The next task, where the hub's answer was one.

    Raises:
        AuthenticationError: if the token is refused.
    """
    waits, shrunk = Waits(FIRST_WAIT, LONGEST_WAIT), False
    while True:
        try:
            reply = await hub.submit_result(result)
        except ConnectionError as error:
            wait = waits.draw()
            logger_of(result.task).warning(
                "result not taken yet", reason=str(error), wait=round(wait, 3)
            )
            await clock.wait(asyncio.Event(), wait)
            continue
        figures.note_contact()
        if isinstance(reply, Accepted):
            figures.answered += 1
            return reply.next_task
        if reply.too_large and not shrunk:
            logger_of(result.task).error("result too large", bytes=len(result.text))
            result, shrunk = shrink(result, reply.reason), True
            continue
        figures.refused += 1
        logger_of(result.task).error("result refused for good", reason=reply.reason)
        return None


def shrink(result: Result, reason: str) -> Result:
    """A short error in place of a result that is too large to send.

    The payload that is echoed counts too, so it is cut and marked. The account is
    left out whole: half of a credential is of no use to anyone.
    """
    task = result.task
    payload = task.payload
    if len(payload) > ECHO_LIMIT:
        payload = payload[:ECHO_LIMIT] + CUT
    account = CUT if len(task.account) > ECHO_LIMIT else task.account
    message = (
        f"the result of {task.action!r} is too large to send: {len(result.text)} "
        f"bytes, and the payload echoes {len(task.payload)} ({reason})"
    )
    response = {"status": "error", "message": message, "data": None}
    echo = task._replace(payload=payload, account=account)
    return Result(task=echo, status="error", text=to_json(response))
