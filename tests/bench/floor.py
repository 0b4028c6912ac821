"""The floor: what a careful user would write without this package.

Three programs: loops on ``grpc.aio`` for an async handler, the same with a pool of
threads for a sync one, and a plain loop on the sync stub. All have a deadline on
each call, validate with pydantic, and submit a JSON envelope; none has a deadline
for the handler, limits, logs, an orderly stop, or results that are sent again.
"""

# pyright: basic

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc import aio
from handlers import make_handler
from meter import NAME, TOKEN, Meter, read_arguments
from payloads import CreateUser
from pydantic_core import to_json

from arbvantage_provider.protos import hub_pb2, hub_pb2_grpc

GET_TIMEOUT = 60.0
SUBMIT_TIMEOUT = 30.0
IDLE_WAIT = 0.1
REQUEST = hub_pb2.ProviderRequest(provider=NAME, auth_token=TOKEN)

Handler = Callable[[CreateUser], Awaitable[dict[str, Any]]]


async def answer(task: hub_pb2.Task, handler: Handler) -> hub_pb2.TaskResult:
    """Validate, call, and write the envelope; an error has one too."""
    try:
        payload = CreateUser.model_validate_json(task.payload)
        envelope = succeed(await handler(payload))
    except Exception as error:  # noqa: BLE001 - a handler may raise anything
        envelope = {"status": "error", "message": str(error), "data": None}
    return make_result(task, envelope)


def succeed(data: dict[str, Any]) -> dict[str, Any]:
    """The envelope of a success."""
    return {"status": "success", "message": "", "data": data}


def make_result(task: hub_pb2.Task, envelope: dict[str, Any]) -> hub_pb2.TaskResult:
    """The message to submit."""
    return hub_pb2.TaskResult(
        id=task.id,
        provider=NAME,
        auth_token=TOKEN,
        status=envelope["status"],
        action=task.action,
        payload=task.payload.decode(),
        result=to_json(envelope).decode(),
        account=task.account.decode(),
    )


async def work(stub: Any, handler: Handler) -> None:
    """Get, answer, submit, for ever."""
    while True:
        try:
            task = await stub.GetTask(REQUEST, timeout=GET_TIMEOUT)
            if not task.id:
                await asyncio.sleep(IDLE_WAIT)
                continue
            result = await answer(task, handler)
            await stub.SubmitTaskResult(result, timeout=SUBMIT_TIMEOUT)
        except aio.AioRpcError:
            await asyncio.sleep(1)


async def run_loops(url: str, handler: Handler, slots: int) -> None:
    """So many loops on one channel."""
    async with aio.insecure_channel(url) as channel:
        stub = hub_pb2_grpc.HubStub(channel)
        await asyncio.gather(*(work(stub, handler) for _ in range(slots)))


async def run_threads(
    url: str, handler: Callable[[CreateUser], dict[str, Any]], slots: int
) -> None:
    """The same, each call of the handler on one of as many threads."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(slots) as pool:

        async def call(payload: CreateUser) -> dict[str, Any]:
            return await loop.run_in_executor(pool, handler, payload)

        await run_loops(url, call, slots)


def run_plain(url: str, handler: Callable[[CreateUser], dict[str, Any]]) -> None:
    """One loop on the sync stub, and no event loop."""
    with grpc.insecure_channel(url) as channel:
        stub: Any = hub_pb2_grpc.HubStub(channel)
        while True:
            task = stub.GetTask(REQUEST, timeout=GET_TIMEOUT)
            if not task.id:
                time.sleep(IDLE_WAIT)  # noqa: TID251 - as a user would
                continue
            payload = CreateUser.model_validate_json(task.payload)
            result = make_result(task, succeed(handler(payload)))
            stub.SubmitTaskResult(result, timeout=SUBMIT_TIMEOUT)


def main() -> None:
    """Run until SIGTERM."""
    arguments = read_arguments(["async", "wait", "sync", "plain"])
    kind, url = arguments.kind, arguments.hub
    meter = Meter(arguments.marks)
    if kind == "plain":
        run_plain(url, make_handler("sync", meter))
    elif kind == "sync":
        asyncio.run(run_threads(url, make_handler(kind, meter), arguments.slots))
    else:
        asyncio.run(run_loops(url, make_handler(kind, meter), arguments.slots))


if __name__ == "__main__":
    main()
