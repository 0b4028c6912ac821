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
from arbvantage_provider.worker.call import Answer, Call
from arbvantage_provider.worker.execution.dispatcher import Dispatcher
from arbvantage_provider.worker.execution.runner import Runner
from arbvantage_provider.worker.runtime.event_loop import run_loop

Content = Mapping[str, Any] | bytes | str
"""A payload or account: a mapping, or JSON text as the hub would send it."""


def process(
    dispatcher: Dispatcher, action: str, *, payload: Content, account: Content | None
) -> Answer:
    """Run a task made of these; a sync handler runs on a thread of its own."""
    task = Task(id="", action=action, payload=b"{}")
    try:
        task = task._replace(
            payload=_encode_content(payload, "payload"),
            account=b"" if account is None else _encode_content(account, "account"),
        )
    except NotJSONError as error:
        answer = dispatcher.refuse(task, _refuse_content(action, error))
        dispatcher.seam.report(task, answer)
        return answer
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
    run: Callable[[Dispatcher, Call], Answer] = Dispatcher.run,
) -> Answer:
    """Run a task; a sync handler by ``run``, by default on the calling thread.

    It cannot be interrupted there: past its deadline it is answered for when it
    returns. One that something is injected into runs on a thread, as the loop that
    this belongs to runs here.
    """
    token = CURRENT_ACCOUNT.set(task.account) if task.account else None
    try:
        if dispatcher.seam.middlewares:
            return _on_loop(dispatcher, task, _run_around(dispatcher, task, run))
        call = dispatcher.prepare(task)
        if isinstance(call, Answer):
            answer = call
        elif call.action.needs_loop:
            answer = _on_loop(dispatcher, task, _run_on_loop(dispatcher, call))
        else:
            answer = run(dispatcher, call)
        if answer.failure is not None:
            dispatcher.seam.report(task, answer)
        return answer
    finally:
        if token is not None:
            CURRENT_ACCOUNT.reset(token)


async def _run_around(
    dispatcher: Dispatcher, task: Task, run: Callable[[Dispatcher, Call], Answer]
) -> Answer:
    """The same with middleware around it, which may be async."""

    async def run_inside(task: Task) -> tuple[Answer, None]:
        call = dispatcher.prepare(task)
        if isinstance(call, Answer):
            return call, None
        if call.action.needs_loop:
            return await _run_on_loop(dispatcher, call), None
        return run(dispatcher, call), None

    answer, _ = await dispatcher.seam.around(task, run_inside)
    return answer


def _run_in_time(dispatcher: Dispatcher, call: Call) -> Answer:
    """Run on a thread, which is left at the deadline with the answer that says so."""
    seconds = min(call.timeout, threading.TIMEOUT_MAX)
    answers = _start(lambda: dispatcher.run(call), seconds)
    return answers[0] if answers else dispatcher.time_out(call)


async def _run_on_loop(dispatcher: Dispatcher, call: Call) -> Answer:
    """Run with what is injected, opened on this loop and for this task alone."""
    if not call.action.plan.needs:
        return await _run(dispatcher, call)
    try:
        async with dispatcher.lifespans.open_for(call.action) as values:
            ready = dispatcher.inject(values)
            return await _run(ready, ready.take_over(call))
    except (HandlerSignatureError, LifespanError) as error:
        told = dispatcher.describe(error, call.task.account).message
        return dispatcher.refuse(call.task, ActionError(told))


async def _run(dispatcher: Dispatcher, call: Call) -> Answer:
    runner = Runner(dispatcher, 1)
    try:
        answer, _ = await runner.run(call)
    finally:
        runner.close()
    return answer


def _on_loop(
    dispatcher: Dispatcher, task: Task, main: Coroutine[Any, Any, Answer]
) -> Answer:
    """Run on a loop of its own; on another thread where one is running here."""

    def run() -> Answer:
        try:
            return run_loop(main, dispatcher.logger_of(task))
        except BaseException as error:
            on_main = threading.current_thread() is threading.main_thread()
            if on_main and isinstance(error, KeyboardInterrupt):
                raise
            answer = dispatcher.fail(task, error)
            if dispatcher.seam.middlewares:
                # It did not come back through them, and they report their task.
                dispatcher.seam.report(task, answer)
            return answer

    return _start(run, None)[0] if _loop_runs_here() else run()


def _loop_runs_here() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _start(function: Callable[[], Answer], seconds: float | None) -> list[Answer]:
    """Run on a thread, in this context; what it returned within ``seconds``."""
    answers: list[Answer] = []
    context = contextvars.copy_context()
    thread = threading.Thread(
        target=lambda: answers.append(context.run(function)), daemon=True
    )
    thread.start()
    thread.join(seconds)
    return answers[:]
