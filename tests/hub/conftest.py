"""The other side of the wire: a client that knows nothing of this package."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import grpc
import pytest

from arbvantage_provider.local_hub.local_hub import LocalHub
from arbvantage_provider.protos import hub_pb2, hub_pb2_grpc

TOKEN = "secret"
DEADLINE = 10
# A channel of its own forgets what another one knows of a port that was closed.
OPTIONS = [("grpc.use_local_subchannel_pool", 1)]


class Client:
    """Calls a hub by its stub; a refused call returns the name of its status."""

    def __init__(self, channel: grpc.Channel, token: str) -> None:
        self.stub = hub_pb2_grpc.HubStub(channel)
        self.token = token

    def poll(self) -> Callable[[], hub_pb2.Task | str]:
        """Begin a poll; the result is what waits for its end."""
        request = hub_pb2.ProviderRequest(provider="raw", auth_token=self.token)
        future = self.stub.GetTask.future(request, timeout=DEADLINE)
        return lambda: self.end(future.result)

    def get(self) -> hub_pb2.Task | str:
        return self.poll()()

    def take(self) -> hub_pb2.Task:
        task = self.get()
        assert isinstance(task, hub_pb2.Task)
        assert task.id
        return task

    def answer(self, task: hub_pb2.Task, result: str = "{}") -> hub_pb2.Task | str:
        message = hub_pb2.TaskResult(
            id=task.id,
            provider="raw",
            auth_token=self.token,
            status="success",
            action=task.action,
            payload=task.payload.decode(),
            result=result,
            account=task.account.decode(),
        )
        call = self.stub.SubmitTaskResult
        return self.end(lambda: call(message, timeout=DEADLINE))

    def end(self, call: Callable[[], hub_pb2.Task]) -> hub_pb2.Task | str:
        try:
            return call()
        except grpc.RpcError as error:
            return error.code().name


Connect = Callable[..., Client]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes clients; their channels are closed after the test."""
    with ExitStack() as stack:

        def connect(hub: LocalHub, token: str = TOKEN) -> Client:
            channel = grpc.insecure_channel(hub.url, options=OPTIONS)
            return Client(stack.enter_context(channel), token)

        yield connect


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    with LocalHub(token=TOKEN) as hub:
        yield hub


@pytest.fixture
def client(hub: LocalHub, connect: Connect) -> Client:
    return connect(hub)
