"""One task in this process, without a hub: the same steps, no slots, no limits."""

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from arbvantage_provider.exceptions import (
    ActionError,
    HandlerSignatureError,
    InvalidPayloadError,
    LifespanError,
    Violation,
)
from arbvantage_provider.observe.redaction import CURRENT_ACCOUNT
from arbvantage_provider.responses import NotJSONError, encode_json
from arbvantage_provider.task import Task
from arbvantage_provider.worker.call import Call, EncodedResponse
from arbvantage_provider.worker.execution.dispatcher import Dispatcher
from arbvantage_provider.worker.execution.runner import Runner
from arbvantage_provider.worker.runtime.event_loop import run_loop

Content = Mapping[str, Any] | bytes | str
"""A payload or account: a mapping, or JSON text as the hub would send it."""


def process(
    dispatcher: Dispatcher, action: str, *, payload: Content, account: Content | None
) -> EncodedResponse:
    """Run a task made of these; a sync handler runs on a thread of its own."""
    task = Task(id="", action=action, payload=b"{}")
    try:
        task = task._replace(
            payload=_encode_content(payload, "payload"),
            account=b"" if account is None else _encode_content(account, "account"),
        )
    except NotJSONError as error:
        encoded = dispatcher.refuse(task, _refuse_content(action, error))
        dispatcher.chain.report(task, encoded)
        return encoded
    return dispatch_here(dispatcher, task, _run_in_time)


def _refuse_content(action: str, error: NotJSONError) -> InvalidPayloadError:
    role = error.path.partition(".")[0].partition("[")[0]
    problem = f"the {role} of {action!r} is no strict JSON object: {error}"
    path = error.path if role == "account" else error.path.removeprefix("payload.")
    return InvalidPayloadError(
        problem, [Violation(path=path, type="json_invalid", message=str(error))]
    )


def _encode_content(content: Content, root: str) -> bytes:
    if isinstance(content, bytes):
        return content
    if isinstance(content, str):
        return content.encode("utf-8", "surrogatepass")
    return encode_json(content, root)


def dispatch_here(
    dispatcher: Dispatcher,
    task: Task,
    run: Callable[[Dispatcher, Call], EncodedResponse] = Dispatcher.run,
) -> EncodedResponse:
    """Run a task; a sync handler by ``run``, by default on the calling thread.

    It cannot be interrupted there: past its deadline it is answered for when it
    returns. One that something is injected into runs on a thread, as the loop that
    this belongs to runs here.
    """
    token = CURRENT_ACCOUNT.set(task.account) if task.account else None
    try:
        if dispatcher.chain.middlewares:
            return _on_loop(dispatcher, task, _run_in_chain(dispatcher, task, run))
        call = dispatcher.prepare(task)
        if isinstance(call, EncodedResponse):
            encoded = call
        elif call.action.needs_loop:
            encoded = _on_loop(dispatcher, task, _run_on_loop(dispatcher, call))
        else:
            encoded = run(dispatcher, call)
        if encoded.failure is not None:
            dispatcher.chain.report(task, encoded)
        return encoded
    finally:
        if token is not None:
            CURRENT_ACCOUNT.reset(token)


async def _run_in_chain(
    dispatcher: Dispatcher,
    task: Task,
    run: Callable[[Dispatcher, Call], EncodedResponse],
) -> EncodedResponse:
    """The same with middleware around it, which may be async."""

    async def run_inside(task: Task) -> tuple[EncodedResponse, None]:
        call = dispatcher.prepare(task)
        if isinstance(call, EncodedResponse):
            return call, None
        if call.action.needs_loop:
            return await _run_on_loop(dispatcher, call), None
        return run(dispatcher, call), None

    encoded, _ = await dispatcher.chain.run(task, run_inside)
    return encoded


def _run_in_time(dispatcher: Dispatcher, call: Call) -> EncodedResponse:
    """Run on a thread, which is left at the deadline with the response that says so."""
    seconds = min(call.timeout, threading.TIMEOUT_MAX)
    responses = _start(lambda: dispatcher.run(call), seconds)
    return responses[0] if responses else dispatcher.time_out(call)


async def _run_on_loop(dispatcher: Dispatcher, call: Call) -> EncodedResponse:
    """Run with what is injected, opened on this loop and for this task alone."""
    if not call.action.plan.dependencies:
        return await _run(dispatcher, call)
    try:
        async with dispatcher.lifespans.open_for(call.action) as values:
            ready = dispatcher.inject(values)
            return await _run(ready, ready.take_over(call))
    except (HandlerSignatureError, LifespanError) as error:
        told = dispatcher.describe(error, call.task.account).message
        return dispatcher.refuse(call.task, ActionError(told))


async def _run(dispatcher: Dispatcher, call: Call) -> EncodedResponse:
    runner = Runner(dispatcher, 1)
    try:
        encoded, _ = await runner.run(call)
    finally:
        runner.close()
    return encoded


def _on_loop(
    dispatcher: Dispatcher, task: Task, main: Coroutine[Any, Any, EncodedResponse]
) -> EncodedResponse:
    """Run on a loop of its own; on another thread where one is running here."""

    def run() -> EncodedResponse:
        try:
            return run_loop(main, dispatcher.logger_of(task))
        except BaseException as error:
            on_main = threading.current_thread() is threading.main_thread()
            if on_main and isinstance(error, KeyboardInterrupt):
                raise
            encoded = dispatcher.fail(task, error)
            if dispatcher.chain.middlewares:
                # It did not come back through them, and they report their task.
                dispatcher.chain.report(task, encoded)
            return encoded

    return _start(run, None)[0] if _loop_runs_here() else run()


def _loop_runs_here() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _start(
    function: Callable[[], EncodedResponse], seconds: float | None
) -> list[EncodedResponse]:
    """Run on a thread, in this context; what it returned within ``seconds``."""
    responses: list[EncodedResponse] = []
    context = contextvars.copy_context()
    thread = threading.Thread(
        target=lambda: responses.append(context.run(function)), daemon=True
    )
    thread.start()
    thread.join(seconds)
    return responses[:]
