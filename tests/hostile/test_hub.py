"""A hub whose messages cannot be read, such as one that sends texts of no UTF-8."""

import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import grpc
import pytest
from steady import register

from arbvantage_provider import Provider
from arbvantage_provider.protos import hub_pb2

GARBAGE = {
    "an id that is no UTF-8": b"\x0a\x02\xff\xfe",
    "an action that is no UTF-8": b"\x0a\x01a\x12\x02\xff\xfe",
    "half a message": b"\x0a\x7fabc",
    "a field of another kind": b"\x08\xff",
    "no message at all": b"\xff" * 100,
}
TASK = hub_pb2.Task(id="1", action="greet", payload=b'{"name": "Ann"}')


class Script:
    """What the hub answers, call by call; nothing when that is over."""

    def __init__(self) -> None:
        self.polls: list[bytes] = []
        self.replies: list[bytes] = []
        self.results: list[Any] = []
        self.answered = threading.Semaphore(0)

    def get_task(self, _: bytes, __: grpc.ServicerContext) -> bytes:
        return self.polls.pop(0) if self.polls else b""

    def take_result(self, raw: bytes, _: grpc.ServicerContext) -> bytes:
        self.results.append(hub_pb2.TaskResult.FromString(raw))
        self.answered.release()
        return self.replies.pop(0) if self.replies else b""


class Raw(grpc.GenericRpcHandler):
    """The two calls, in bytes."""

    def __init__(self, script: Script) -> None:
        calls = {"/Hub/GetTask": script.get_task}
        calls["/Hub/SubmitTaskResult"] = script.take_result
        self._handlers: dict[str, Any] = {
            path: grpc.unary_unary_rpc_method_handler(call)
            for path, call in calls.items()
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        return self._handlers.get(handler_call_details.method)


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def url(script: Script) -> Iterator[str]:
    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((Raw(script),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None)


@pytest.fixture
def serve(
    make_provider: Callable[..., Provider], url: str
) -> Iterator[Callable[[], Provider]]:
    """Starts a provider on a thread, and stops it at the end of the test."""
    provider = make_provider(log_level="WARNING")
    register(provider)
    starting = {"hub_url": url, "auth_token": "any"}
    thread = threading.Thread(target=provider.start, kwargs=starting)

    def start() -> Provider:
        thread.start()
        return provider

    yield start
    provider.stop()
    thread.join(20)


@pytest.mark.parametrize("case", GARBAGE)
def test_a_message_that_cannot_be_read_is_logged_and_polling_goes_on(
    script: Script,
    serve: Callable[[], Provider],
    case: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    script.polls = [GARBAGE[case], GARBAGE[case], TASK.SerializeToString()]
    serve()
    assert script.answered.acquire(timeout=20)
    assert [(r.id, r.status) for r in script.results] == [("1", "success")]
    logged = capfd.readouterr().err
    assert logged.count("what the hub sent is no message of this protocol") == 1


def test_a_reply_to_a_result_that_cannot_be_read_acknowledges_it(
    script: Script, serve: Callable[[], Provider]
) -> None:
    second = hub_pb2.Task(id="2", action="greet", payload=b'{"name": "Bob"}')
    script.polls = [TASK.SerializeToString(), second.SerializeToString()]
    script.replies = [GARBAGE["half a message"]]
    provider = serve()
    for _ in range(2):
        assert script.answered.acquire(timeout=20)
    assert sorted(r.id for r in script.results) == ["1", "2"]
    assert provider.snapshot().tasks_refused == 0
