"""A handler that is run again when it raises what may pass by itself."""

import inspect
from collections.abc import Generator
from typing import Any

from arbvantage_provider.handlers.handler_inputs import Inputs
from arbvantage_provider.handlers.invoke import Invoke
from arbvantage_provider.retry import Retry


def retry_sync(invoke: Invoke, retry: Retry) -> Invoke:
    """``invoke``, again and again, on the calling thread."""

    def run(inputs: Inputs) -> Any:
        waits = retry.draw_waits()
        while True:
            try:
                value = invoke(inputs)
                is_awaited = hasattr(value.__class__, "__await__")
                return inputs.settle(value) if is_awaited else value
            except retry.on as error:
                inputs.sleep(_next_wait(inputs, error, waits))
                if inputs.is_over:
                    raise

    return run


def retry_async(invoke: Invoke, retry: Retry) -> Invoke:
    """``invoke``, again and again, on the running loop; it takes up no slot more."""

    async def run(inputs: Inputs) -> Any:
        waits = retry.draw_waits()
        while True:
            try:
                value = invoke(inputs)
                return await value if inspect.isawaitable(value) else value
            except retry.on as error:
                await inputs.wait(_next_wait(inputs, error, waits))

    return run


def _next_wait(inputs: Inputs, error: Exception, waits: Generator[float]) -> float:
    """Seconds until the next try.

    Raises:
        Exception: ``error``, where there is none.
    """
    wait = next(waits, None)
    if wait is None or not inputs.try_again(error, wait):
        raise error
    return wait
