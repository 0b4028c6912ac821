"""The gRPC server of the embedded hub: the service's answers, on the wire."""

import json
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from functools import partial
from typing import Any, ParamSpec, TypeVar, cast

import grpc
from typing_extensions import override

from arbvantage_provider.connection import TLS
from arbvantage_provider.exceptions import ConfigError, nearest_name
from arbvantage_provider.hub.credentials import read_credentials
from arbvantage_provider.hub.wire import PACING_ACTION
from arbvantage_provider.local_hub.behaviour import Behaviour
from arbvantage_provider.local_hub.queue import Delivery
from arbvantage_provider.local_hub.results import HubResult
from arbvantage_provider.local_hub.service import HubService, Refusal
from arbvantage_provider.protos import hub_pb2
from arbvantage_provider.task import Pause

P = ParamSpec("P")
R = TypeVar("R")

HOST = "127.0.0.1"

_GRACE = 1.0

STATUS_NAMES = tuple(name for name in grpc.StatusCode.__members__ if name != "OK")


def check_status(code: str) -> str:
    """The same name of a status.

    Raises:
        ConfigError: if no status but OK has this name.
    """
    if code not in STATUS_NAMES:
        nearest = nearest_name(code.upper(), STATUS_NAMES)
        hint = f"did you mean {nearest!r}? " if nearest else ""
        problem = f"no status {code!r}; {hint}There are: {', '.join(STATUS_NAMES)}"
        raise ConfigError(problem)
    return code


class HubServer:
    """One run of the server, from construction to ``stop``.

    Attributes:
        port: where it listens.

    Args:
        service: answers the calls.
        behaviour: how to acknowledge.
        port: where to listen; 0: on any free port.
        max_message_bytes: the longest message to take; ``None``: gRPC's own
            limit of 4 MiB.
        tls: what to speak TLS with; ``None``: plain text.

    Raises:
        OSError: if the port is taken.
        ConfigError: if a file of ``tls`` cannot be used.
    """

    def __init__(
        self,
        service: HubService,
        behaviour: Behaviour,
        *,
        port: int,
        max_message_bytes: int | None,
        tls: TLS | None,
    ) -> None:
        credentials = None
        if tls is not None:
            credentials = read_credentials(tls, tls.roots).for_server()
        self._service = service
        # Two hubs that share a port would share the calls, at random.
        options: list[tuple[str, int]] = [("grpc.so_reuseport", 0)]
        if max_message_bytes is not None:
            options.append(("grpc.max_receive_message_length", max_message_bytes))
        self._threads = DaemonThreads()
        threads = cast("futures.ThreadPoolExecutor", self._threads)
        self._server = grpc.server(threads, options=options)
        _register(Handlers(service, behaviour), self._server)
        try:
            self.port: int = _add_port(self._server, f"{HOST}:{port}", credentials)
        except RuntimeError:
            problem = f"cannot listen on {HOST}:{port}; give port=0 for a free port"
            raise OSError(problem) from None
        service.open()
        self._server.start()

    def stop(self) -> None:
        """Close the port and end every call; returns when both are done."""
        # The service ends the calls, because gRPC would write of each connection
        # that it cuts to stderr; the grace is for one that does not answer.
        stopped = self._server.stop(_GRACE)
        self._service.close()
        stopped.wait()
        self._threads.shutdown()


class Handlers:
    """Translates between messages and the service."""

    def __init__(self, service: HubService, behaviour: Behaviour) -> None:
        self._service = service
        self._behaviour = behaviour

    def get_task(
        self, request: hub_pb2.ProviderRequest, context: grpc.ServicerContext
    ) -> Iterator[hub_pb2.Task]:
        """Hand out a task."""
        answer = self._service.answer_poll(request.auth_token, context)
        if isinstance(answer, Delivery):
            yield from self._deliver(answer, context)
        else:
            yield _reply(answer, context)

    def submit_task_result(
        self, request: hub_pb2.TaskResult, context: grpc.ServicerContext
    ) -> hub_pb2.Task:
        """Take a result."""
        result = _decode_result(request)
        answer = self._service.answer_result(request.auth_token, result, context)
        if answer is None and self._behaviour.acknowledge_with_id:
            return hub_pb2.Task(id=request.id)
        return _reply(answer, context)

    def _deliver(
        self, delivery: Delivery, context: grpc.ServicerContext
    ) -> Iterator[hub_pb2.Task]:
        has_left = threading.Event()

        def end() -> None:
            if not has_left.is_set():
                self._service.put_back(delivery)

        if not context.add_callback(end):
            end()
            return
        yield _reply(delivery, context)
        if context.is_active():
            has_left.set()


def _add_port(
    server: grpc.Server, place: str, credentials: grpc.ServerCredentials | None
) -> int:
    if credentials is None:
        return server.add_insecure_port(place)
    return server.add_secure_port(place, credentials)


def _register(handlers: Handlers, server: grpc.Server) -> None:
    # A stream of one message is the same on the wire as a single one, but says
    # when it has left: a task for a call that was just cancelled is not lost.
    get_task = grpc.unary_stream_rpc_method_handler(
        handlers.get_task,
        request_deserializer=hub_pb2.ProviderRequest.FromString,
        response_serializer=hub_pb2.Task.SerializeToString,
    )
    submit_task_result = grpc.unary_unary_rpc_method_handler(
        handlers.submit_task_result,
        request_deserializer=hub_pb2.TaskResult.FromString,
        response_serializer=hub_pb2.Task.SerializeToString,
    )
    methods: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        "GetTask": get_task,
        "SubmitTaskResult": submit_task_result,
    }
    service = grpc.method_handlers_generic_handler("Hub", methods)
    server.add_generic_rpc_handlers((service,))


class DaemonThreads(futures.Executor):
    """A thread for each call at the same time, used again when it is idle.

    A stock pool would hold up the interpreter's exit until the last held poll
    of a hub that nobody stopped has ended, and it bounds the calls held at once.
    """

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._count = 0

    @override
    def submit(
        self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> futures.Future[R]:
        """Run ``fn`` at once, on an idle thread or a new one."""
        future: futures.Future[R] = futures.Future()
        self._jobs.put(partial(_run, future, partial(fn, *args, **kwargs)))
        if not self._idle.acquire(blocking=False):
            self._count += 1
            threading.Thread(target=self._work, name="local-hub", daemon=True).start()
        return future

    @override
    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let each thread end after what it does now; waits for none."""
        for _ in range(self._count):
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            self._idle.release()


def _run(future: futures.Future[R], call: Callable[[], R]) -> None:
    try:
        future.set_result(call())
    except BaseException as error:  # noqa: BLE001 - the future carries it
        future.set_exception(error)


def _decode_result(message: hub_pb2.TaskResult) -> HubResult:
    return HubResult(
        id=message.id,
        provider=message.provider,
        status=message.status,
        action=message.action,
        payload=message.payload,
        result=message.result,
        account=message.account,
    )


def _reply(
    answer: Delivery | Pause | Refusal | None, context: grpc.ServicerContext
) -> hub_pb2.Task:
    if isinstance(answer, Refusal):
        context.abort(grpc.StatusCode[answer.code], answer.details)
    if isinstance(answer, Pause):
        payload = json.dumps({"wait_time": answer.seconds}).encode()
        return hub_pb2.Task(action=PACING_ACTION, payload=payload)
    if answer is None:
        return hub_pb2.Task()
    return hub_pb2.Task(
        id=answer.task.id,
        action=answer.task.action,
        payload=answer.task.payload,
        account=answer.task.account,
    )
