"""Running a handler where it belongs, and answering for it at its deadline.

Async handlers run on the loop, each in a task of its own, so that neither what one
sets in its context nor what it does with a cancellation reaches the slot; sync
handlers run on a thread.
"""

import asyncio
import os
from functools import partial
from typing import Any, Final, TypeAlias

from arbvantage_provider.worker.call import Call, EncodedResponse
from arbvantage_provider.worker.execution.dispatcher import Dispatcher
from arbvantage_provider.worker.runtime.deadlines import Deadlines, set_done
from arbvantage_provider.worker.runtime.threads import ThreadPool

CLEAN_UP: Final = 0.5

Running: TypeAlias = asyncio.Future[Any]
"""Is done when a handler is."""


class Runner:
    """Runs the handlers of one worker.

    Args:
        dispatcher: calls them.
        slots: how many sync handlers may run at once.

    Attributes:
        clean_up: seconds that a cancelled handler has, before its task is answered
            for without it.
    """

    def __init__(self, dispatcher: Dispatcher, slots: int) -> None:
        self.clean_up = CLEAN_UP
        self._dispatcher = dispatcher
        self._process = os.getpid()
        self._loop = asyncio.get_running_loop()
        self._deadlines = Deadlines(self._loop)
        self._calls: dict[asyncio.Future[Any], Call] = {}
        self._threads = ThreadPool(slots, "handler")

    def find_logger(self, running: asyncio.Future[Any] | None) -> Any:
        """The logger of the task whose async handler runs as ``running``, or ``None``."""
        call = None if running is None else self._calls.get(running)
        return None if call is None else self._dispatcher.logger_of(call.task)

    def close(self) -> None:
        """Let the threads end."""
        self._threads.close()

    async def run(self, call: Call) -> tuple[EncodedResponse, Running | None]:
        """The call's response, and its handler if that runs on past its deadline.

        Raises:
            asyncio.CancelledError: if the slot is cancelled; an async handler is
                too, and may clean up before.
        """
        ended = self._loop.create_future()
        running = self._start(call, ended)
        try:
            await ended
        except asyncio.CancelledError:
            call.cancelled = True
            await self._cancel(call, running)
            raise
        finally:
            if running.done():
                self._calls.pop(running, None)
            else:
                running.add_done_callback(self._forget)
        if running.cancelled():
            # The handler cancelled its own task in its last step.
            return self._dispatcher.fail(call.task, asyncio.CancelledError()), None
        if running.done():
            return running.result(), None
        encoded = self._dispatcher.time_out(call)
        await self._cancel(call, running)
        return encoded, None if running.done() else running

    def _forget(self, running: Running) -> None:
        self._calls.pop(running, None)

    def _start(self, call: Call, ended: asyncio.Future[None]) -> Running:
        """Start the handler; ``ended`` is set when it ends, or at its deadline."""
        if call.action.is_async:
            running = self._loop.create_task(self._run_async(call, ended))
            self._calls[running] = call
            return running
        call.loop = self._loop
        self._dispatcher.begin(call)
        self._deadlines.add(ended, call.timeout)
        return self._threads.run(
            partial(self._run_sync, call), partial(self._end, ended)
        )

    def _run_sync(self, call: Call) -> EncodedResponse:
        encoded = self._dispatcher.run(call)
        self._end_copy()
        return encoded

    async def _run_async(
        self, call: Call, ended: asyncio.Future[None]
    ) -> EncodedResponse:
        # The loop may have been busy since the task was admitted.
        self._dispatcher.begin(call)
        self._deadlines.add(ended, call.timeout)
        try:
            encoded = await self._dispatcher.run_async(call)
            self._end_copy()
            return encoded
        finally:
            self._end(ended)

    def _end(self, ended: asyncio.Future[None]) -> None:
        self._deadlines.remove(ended)
        set_done(ended)

    def _end_copy(self) -> None:
        """End this process if the handler forked, and this is not the worker.

        The copy would take tasks of its own, with the worker's connection.
        """
        if os.getpid() != self._process:
            os._exit(os.EX_SOFTWARE)

    async def _cancel(self, call: Call, running: Running) -> None:
        """Cancel what is awaited; a thread looks at ``cancelled`` by itself."""
        awaited = running if call.action.is_async else call.settling
        if awaited is not None:
            awaited.cancel()
            await asyncio.wait({running}, timeout=self.clean_up)
