"""The embedded hub: a real hub for tests and for trying a provider out."""

import itertools
import math
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from typing_extensions import override

from arbvantage_provider.clock import SystemClock
from arbvantage_provider.connection import TLS
from arbvantage_provider.exceptions import ConfigError
from arbvantage_provider.local_hub.behaviour import Behaviour, Idle
from arbvantage_provider.local_hub.queue import TaskQueue
from arbvantage_provider.local_hub.results import HubResult
from arbvantage_provider.local_hub.server import (
    HOST,
    HubServer,
    check_status,
)
from arbvantage_provider.local_hub.service import HubService, Refusal, SubmitFault
from arbvantage_provider.local_hub.task_handle import (
    Content,
    TaskHandle,
    encode_content,
    wait,
)
from arbvantage_provider.task import Pause, Task


class LocalHub(Behaviour):
    """A hub inside this process: a gRPC server on loopback, a queue in memory.

    It speaks to any provider, and takes each of the lawful ways of a hub on
    request. Use it as a context manager, or call ``start`` and ``stop``; tasks
    may be submitted before it starts, and from any thread. A hub that nobody
    stopped does not keep the process from ending.

    Source: ``proto/hub.proto``; the ways are listed in ``docs/local-hub.md``.

    Args:
        token: the token that providers must show; ``None``: any will do.
        port: where to listen; 0: on any free port, the same after a restart.
        idle, long_poll, lease, duplicates, next_on_submit, acknowledge_with_id,
            latency: see the attributes of the same names, in ``Behaviour``.
        max_message_bytes: a longer result is refused with RESOURCE_EXHAUSTED;
            ``None``: gRPC's own limit of 4 MiB.
        tls: speak TLS with this certificate and key. With ``roots``, a provider must
            show a certificate of theirs. The files are read at each start.

    Raises:
        ConfigError: if a value is not one of those described.
    """

    def __init__(  # noqa: PLR0913 - every switch can be set from the start
        self,
        token: str | None = None,
        *,
        port: int = 0,
        idle: Idle = "empty",
        long_poll: float = 10.0,
        lease: float | None = None,
        duplicates: bool = False,
        next_on_submit: bool = False,
        acknowledge_with_id: bool = False,
        latency: float = 0.0,
        max_message_bytes: int | None = None,
        tls: TLS | None = None,
    ) -> None:
        if tls is not None and tls.certificate is None:
            raise ConfigError("tls has no certificate; a hub needs one, and its key")
        self._queue = TaskQueue(SystemClock())
        self._service = HubService(self._queue, self)
        self._service.set_token(token, None)
        super().__init__(
            idle=idle,
            long_poll=long_poll,
            lease=lease,
            duplicates=duplicates,
            next_on_submit=next_on_submit,
            acknowledge_with_id=acknowledge_with_id,
            latency=latency,
        )
        self._port = port
        self._max_message_bytes = max_message_bytes
        self._tls = tls
        self._server: HubServer | None = None
        self._server_lock = threading.Lock()
        self._stops = 0
        self._numbers = itertools.count(1)

    def start(self) -> None:
        """Listen, on the same port as before; a running hub goes on.

        Raises:
            OSError: if another program has the port.
            ConfigError: if a file of ``tls`` cannot be used.
        """
        with self._server_lock:
            if self._server is None:
                self._server = HubServer(
                    self._service,
                    self,
                    port=self._port,
                    max_message_bytes=self._max_message_bytes,
                    tls=self._tls,
                )
                self._port = self._server.port

    def stop(self) -> None:
        """Go away: held calls end with UNAVAILABLE, later ones find no one.

        Tasks, results and faults that were asked for are kept, for ``start``. A
        task that is out stays out, unless there is a ``lease``. Stopping a hub
        that does not run does nothing.
        """
        with self._server_lock:
            server, self._server = self._server, None
            if server is not None:
                server.stop()
                self._stops += 1
        self._queue.announce()

    @property
    def url(self) -> str:
        """The address for ``hub_url``: ``127.0.0.1:PORT``, or ``grpcs://localhost:PORT``.

        Raises:
            RuntimeError: if the hub has no port yet.
        """
        if not self._port:
            problem = "this hub has no address yet: use `with hub:` or hub.start()"
            raise RuntimeError(problem)
        if self._tls is not None:
            return f"grpcs://localhost:{self._port}"
        return f"{HOST}:{self._port}"

    def submit(
        self,
        action: str,
        payload: Content | None = None,
        account: Content | None = None,
        *,
        id: str | None = None,  # noqa: A002 - the wire's name for it
    ) -> TaskHandle:
        """Queue a task.

        Args:
            action: the name of the action to run.
            payload: a mapping, sent as JSON; bytes or text, sent as they are;
                left out: an empty object.
            account: the same; left out: no account.
            id: left out: ``task-1``, ``task-2`` and so on. A task whose id is
                ``""`` is handed out as no task; it never has a result.

        Raises:
            ValueError: if the id is taken, or a value cannot be JSON.
            TypeError: if a value is of a kind that JSON does not know.
        """
        content = encode_content({} if payload is None else payload)
        secrets = encode_content(b"" if account is None else account)
        with self._queue.lock:
            id_ = self._next_id() if id is None else id
            task = Task(id=id_, action=action, payload=content, account=secrets)
            return TaskHandle(self._queue, self._queue.add(task))

    def join(self, timeout: float | None = 10) -> None:
        """Wait until every task has a result.

        Args:
            timeout: seconds to wait; ``None``: for ever.

        Raises:
            TimeoutError: if one has none by then; the message names them.
        """
        wait(self._queue, self._queue.is_done, timeout, complaint="not all answered")

    def completed(self, timeout: float | None = None) -> Iterator[HubResult]:
        """Each task's first result, as they arrive.

        Ends when every task has its result, or the hub is stopped.

        Args:
            timeout: seconds to wait for each one; ``None``: for ever.

        Raises:
            TimeoutError: if the next one is later.
        """
        stops, answers = self._stops, self._queue.answers
        count = 0

        def has_news() -> bool:
            is_over = self._queue.is_done() or self._stops != stops
            return len(answers) > count or is_over

        while True:
            wait(self._queue, has_news, timeout, complaint="no further result")
            if len(answers) <= count:
                return
            yield answers[count]
            count += 1

    def wait_until(
        self, condition: Callable[[], bool], timeout: float | None = 10
    ) -> None:
        """Wait until something is so, such as ``lambda: hub.polls >= 3``.

        Args:
            condition: asked after every call and every change, so it must be
                quick.
            timeout: seconds to wait; ``None``: for ever.

        Raises:
            TimeoutError: if it is not so by then.
        """
        wait(self._queue, condition, timeout, complaint="not so")

    def fail_polls(self, code: str, times: int = 1, *, details: str = "") -> None:
        """Answer the next polls with a status; one that is held now is one.

        Args:
            code: the status's name, such as ``UNAVAILABLE``.
            times: how many polls.
            details: the text beside the status.

        Raises:
            ConfigError: if there is no such status, or ``times`` is below 1.
        """
        refusal = Refusal(code=check_status(code), details=details)
        self._service.script_polls([refusal] * _check_times(times))

    def fail_submits(
        self,
        code: str,
        times: int = 1,
        *,
        details: str = "",
        recorded: bool = False,
        id: str | None = None,  # noqa: A002 - the wire's name for it
    ) -> None:
        """Answer the next results with a status.

        Args:
            code: the status's name, such as ``UNAVAILABLE``.
            times: how many results.
            details: the text beside the status.
            recorded: whether the result is taken all the same: a lost
                acknowledgement.
            id: only results of this task; left out: of any.

        Raises:
            ConfigError: if there is no such status, or ``times`` is below 1.
        """
        refusal = Refusal(code=check_status(code), details=details)
        fault = SubmitFault(refusal=refusal, recorded=recorded, id=id)
        self._service.script_results([fault] * _check_times(times))

    def pace(self, seconds: float, times: int = 1) -> None:
        """Ask the next polls to stay away; one that is held now is one.

        Args:
            seconds: how long a provider shall not poll.
            times: how many polls.

        Raises:
            ConfigError: if ``seconds`` is negative or not finite, or ``times``
                is below 1.
        """
        if not 0 <= seconds < math.inf:
            problem = f"seconds is {seconds!r}; give finite seconds, at least 0"
            raise ConfigError(problem)
        self._service.script_polls([Pause(seconds=seconds)] * _check_times(times))

    @property
    def token(self) -> str | None:
        """The token to show; a new one is demanded from then on."""
        return self._service.token

    @token.setter
    def token(self, token: str | None) -> None:
        self._service.set_token(token, None)

    def revoke_token(self, code: str = "UNAUTHENTICATED") -> None:
        """Refuse every token, until ``token`` is set; held polls are told.

        Args:
            code: the status to refuse with, or ``PERMISSION_DENIED``.

        Raises:
            ConfigError: if there is no such status.
        """
        refusal = Refusal(code=check_status(code), details="this token was revoked")
        self._service.set_token(self.token, refusal)

    @property
    def submissions(self) -> tuple[HubResult, ...]:
        """Every result that was recorded, in order.

        Repeated ones and those for unknown ids are among them, not those that a
        wrong token or ``fail_submits`` kept out.
        """
        with self._queue.lock:
            return tuple(self._queue.submissions)

    @property
    def polls(self) -> int:
        """How many times GetTask was called."""
        return self._queue.polls

    @property
    def held(self) -> int:
        """How many polls are held now, as ``idle="long_poll"`` does."""
        return self._queue.held

    @property
    def refused(self) -> int:
        """How many calls showed a wrong token."""
        return self._queue.refused

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @override
    def __repr__(self) -> str:
        with self._queue.lock:
            where = f"{HOST}:{self._port}" if self._server else "stopped"
            tasks, answers = len(self._queue.tasks), len(self._queue.answers)
        return f"<LocalHub {where}: tasks {tasks}, answered {answers}>"

    @override
    def _switched(self) -> None:
        self._queue.wake_all()

    def _next_id(self) -> str:
        ids = (f"task-{number}" for number in self._numbers)
        return next(id_ for id_ in ids if id_ not in self._queue.tasks)


def _check_times(times: int) -> int:
    if times < 1:
        problem = f"times is {times!r}; give a number, at least 1"
        raise ConfigError(problem)
    return times
