"""``Provider``: actions under a name, for a hub. It only composes the rooms."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar, cast

from pydantic import SecretStr
from pydantic_core import from_json
from typing_extensions import override

from arbvantage_provider.actions import Actions
from arbvantage_provider.clock import Clock, SystemClock
from arbvantage_provider.connection import TLS, FilePath
from arbvantage_provider.context import Profile
from arbvantage_provider.exceptions import AuthenticationError, ConfigError
from arbvantage_provider.executors.importing import check_start
from arbvantage_provider.executors.source import ExecutorSource, find_problem
from arbvantage_provider.hub.auth import Auth
from arbvantage_provider.hub.channel_pool import ChannelPool
from arbvantage_provider.hub.client import HubClient
from arbvantage_provider.hub.tokens import (
    FixedToken,
    TokenFile,
    TokenFromFunction,
    TokenFunction,
    TokenSource,
    run_on_thread,
)
from arbvantage_provider.logger import Logger
from arbvantage_provider.middleware import Middleware, check_middleware
from arbvantage_provider.observe.logs import make_log_writer, make_logger
from arbvantage_provider.observe.redaction import Redactor
from arbvantage_provider.rate_limit import RateLimitMonitor
from arbvantage_provider.responses import (
    ProviderResponse,
    decode_json,
    encode_json,
    respond,
)
from arbvantage_provider.settings import (
    TWO_TOKENS,
    JournalSync,
    MonitorErrorPolicy,
    ProviderSettings,
    ResponseFormat,
    find_misspelt,
    make_settings,
    read_address,
    read_environment,
    read_proxy,
)
from arbvantage_provider.task import Task
from arbvantage_provider.text import trim_token
from arbvantage_provider.variables import (
    ENVIRONMENT,
    list_read,
    name_source,
    reading,
)
from arbvantage_provider.worker.delivery.tracker import TaskTracker
from arbvantage_provider.worker.execution.dispatcher import Dispatcher
from arbvantage_provider.worker.execution.encoder import ResponseEncoder
from arbvantage_provider.worker.execution.executors import Executors
from arbvantage_provider.worker.in_process import Content, dispatch_here, process
from arbvantage_provider.worker.lifecycle import Lifecycle
from arbvantage_provider.worker.lifespan.lifespan import Made
from arbvantage_provider.worker.lifespan.manager import LifespanManager
from arbvantage_provider.worker.limits.concurrency import (
    ConcurrencyLimiter,
    WaiterBudget,
)
from arbvantage_provider.worker.limits.limits import (
    Limits,
    check_monitor,
    describe_unused,
)
from arbvantage_provider.worker.metrics.snapshot import Snapshot
from arbvantage_provider.worker.polling import Poller
from arbvantage_provider.worker.runtime.backoff import Ending
from arbvantage_provider.worker.runtime.signals import run_until_stopped
from arbvantage_provider.worker.worker import Worker

if TYPE_CHECKING:
    from arbvantage_provider.worker.delivery.journal import JournalWriter

_new: Final[Any] = tuple.__new__  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
MiddlewareT = TypeVar("MiddlewareT", bound=Middleware)
MakerT = TypeVar("MakerT", bound=Callable[..., Made])

ValueT = TypeVar("ValueT")


class _Setting(Generic[ValueT]):
    """A setting that is an attribute, too; assigning one changes the setting."""

    def __init__(self, doc: str) -> None:
        self.__doc__ = doc

    def __set_name__(self, _: type, name: str) -> None:
        self._name = name

    def __get__(self, provider: Any, _: type) -> ValueT:
        if provider is None:
            return cast("ValueT", self)
        value: ValueT = getattr(provider.settings, self._name)
        return value

    def __set__(self, provider: "Provider", value: ValueT) -> None:
        provider._change(**{self._name: value})  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - a part of it


class Provider:
    """Takes tasks from a hub, runs the actions they name, gives the results back.

    Args:
        name: what the hub knows this provider by.
        auth_token: its token, or a function that gives it, sync or async; called at
            the start, and when the hub refuses what it gave. Without a token the
            provider can be built, exported and tested, and not started.
        hub_url: ``host:port`` of the hub, or ``grpcs://host:port`` for TLS.
        execution_timeout: seconds that a handler has, where its action does not
            say. An async handler is cancelled then; a sync one cannot be, so its
            result is thrown away and its slot stays taken until it returns.
        rate_limit_monitor: a limit on all tasks of this provider. While it is
            reached, no task is pulled.
        on_monitor_error: what holds while a monitor, of the provider or an action,
            raises or does not answer: ``"closed"``, no permit is free, and it is
            asked again after a while; ``"open"``, there is no limit.
        max_concurrency: how many tasks may be in flight.
        timezone: an IANA name, such as ``Europe/Riga``, for what handlers and
            ``unified`` responses are told.
        response_format: ``plain``, or ``unified``: the data wrapped in the
            provider's name, the action and the time.
        connect_timeout: seconds to wait for the hub at the start.
        shutdown_timeout: seconds that running tasks have when the provider stops.
        poll_interval: seconds, the longest wait between two polls of an idle hub.
        journal: a file that each task and its result are kept in until the hub has
            the result, and for a while after. When the process dies, the next start
            goes on from it.
        journal_max_age: seconds; a task of the journal that had not started is run
            at the next start unless it is older.
        journal_sync: ``"normal"``: a commit survives the death of the process, and a
            power cut may cost the last moments; ``"full"``: it survives that too, as
            each is forced onto the disk, which takes as long as the disk does.
        auth_token_file: a file that holds the token, instead of ``auth_token``; read
            again when it changes.
        tls: what TLS is spoken with: roots, a certificate and its key, the hub's name.
        max_receive_bytes: how long a task may be, as a message of the hub.
        max_send_bytes: how long a result may be, with what it echoes of its task.
        executor: what sync handlers run in, instead of threads, where their action
            does not say: a ``concurrent.futures.Executor``, or a function that makes
            one, such as the class ``ProcessPool``.
        log_level: the least severe level that is logged.
        log_file: where log lines go as JSON, instead of stderr as text.

    Attributes:
        settings: all of these but the monitor, the executor and a function for the
            token; frozen.
        name, hub_url, execution_timeout, timezone, auth_token: those settings, which
            may be assigned: for the next task, or the next start.
        actions: the registry; ``@provider.actions.register()``.
        logger: logs with fields: ``self.logger.info("text", key=value)``.
        rate_limit_monitor: as given.

    Raises:
        ConfigError: if a setting cannot be used.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - each is a setting; five as in the earlier SDK
        self,
        name: str,
        auth_token: str | SecretStr | TokenFunction | None = None,
        hub_url: str = "hub-grpc:50051",
        execution_timeout: float = 1,
        rate_limit_monitor: RateLimitMonitor | None = None,
        *,
        on_monitor_error: MonitorErrorPolicy = "closed",
        max_concurrency: int = 16,
        timezone: str = "UTC",
        response_format: ResponseFormat = "plain",
        connect_timeout: float = 30,
        shutdown_timeout: float = 10,
        poll_interval: float = 1,
        journal: "str | os.PathLike[str] | None" = None,
        journal_max_age: float = 3600,
        journal_sync: JournalSync = "normal",
        auth_token_file: FilePath | None = None,
        tls: TLS | None = None,
        max_receive_bytes: int = 64 * 1024 * 1024,
        max_send_bytes: int = 64 * 1024 * 1024,
        executor: ExecutorSource | None = None,
        log_level: str = "INFO",
        log_file: str | None = None,
    ) -> None:
        self._read = list_read()
        self._token_function = auth_token if callable(auth_token) else None
        self._piped_token: TokenFile | None = None
        if self._token_function is not None and auth_token_file is not None:
            raise ConfigError(TWO_TOKENS)
        self.settings: ProviderSettings = make_settings(
            name=name,
            auth_token=None if callable(auth_token) else auth_token,
            auth_token_file=auth_token_file,
            hub_url=hub_url,
            execution_timeout=execution_timeout,
            on_monitor_error=on_monitor_error,
            max_concurrency=max_concurrency,
            timezone=timezone,
            response_format=response_format,
            connect_timeout=connect_timeout,
            shutdown_timeout=shutdown_timeout,
            poll_interval=poll_interval,
            journal=journal,
            journal_max_age=journal_max_age,
            journal_sync=journal_sync,
            tls=tls,
            max_receive_bytes=max_receive_bytes,
            max_send_bytes=max_send_bytes,
            log_level=log_level,
            log_file=log_file,
        )
        if problem := find_problem(executor):
            raise ConfigError(problem)
        self.actions: Actions = Actions(executor=executor)
        self.rate_limit_monitor = rate_limit_monitor
        self._clock: Clock = SystemClock()
        self._redactor = Redactor(self.settings.token)
        self._log = make_log_writer(self.settings.log_file)
        self.logger: Logger = self._make_logger()
        self._encoder = self._make_encoder()
        self._lifespans = LifespanManager(
            grace=self.settings.shutdown_timeout, logger=self.logger
        )
        self._dispatcher = self._make_dispatcher()
        self._dispatchers = [self._dispatcher]
        self._hub_name: str | None = None
        self._lifecycle = Lifecycle(self.name, self._redactor)

    @classmethod
    def from_env(cls, **overrides: Any) -> Self:
        """A provider with the settings of the environment.

        Args:
            overrides: arguments of the class; they win over the environment.

        Raises:
            ConfigError: if a setting is missing or cannot be used; it names the
                variable.
        """
        read = ENVIRONMENT.keys() - overrides.keys()
        if "tls" in overrides:
            read = {name for name in read if not name.startswith("tls.")}
        with reading(read):
            return cls._read_env(overrides)

    @classmethod
    def _read_env(cls, overrides: dict[str, Any]) -> Self:
        found = {**read_environment(overrides), **overrides}
        no_settings = ["rate_limit_monitor", "executor"]
        if callable(found.get("auth_token")):
            no_settings.append("auth_token")
        parts = {name: found.pop(name) for name in no_settings if name in found}
        misspelt = find_misspelt()
        try:
            make_settings(**found)
        except ConfigError as error:
            slips = [f"{n} is not read; did you mean {m}?" for n, m in misspelt.items()]
            raise ConfigError("; ".join([str(error), *slips])) from None
        provider = cls(**found, **parts)
        for variable, nearest in misspelt.items():
            text = "an environment variable is not known, and not read"
            provider.logger.warning(text, variable=variable, did_you_mean=nearest)
        return provider

    name: _Setting[str] = _Setting("What the hub knows this provider by.")
    hub_url: _Setting[str] = _Setting("The address of the hub, as it was written.")
    execution_timeout: _Setting[float] = _Setting(
        "Seconds that a handler has, where its action does not say."
    )
    timezone: _Setting[str] = _Setting("The IANA name of the provider's time zone.")

    def _change(self, **changed: Any) -> None:
        """Give settings other values: for the next task, and the next start.

        Raises:
            ConfigError: if one cannot be used; nothing changes then.
        """
        self.settings = make_settings(**{**dict(self.settings), **changed})
        self._redactor.add(self.settings.token)
        self._encoder = self._make_encoder()
        for dispatcher in self._dispatchers:
            dispatcher.reconfigure(
                encoder=self._encoder, timeout=self.settings.execution_timeout
            )

    @property
    def auth_token(self) -> str | None:
        """The token as text; ``None`` where there is none, or it comes from elsewhere."""
        return self.settings.token or None

    @auth_token.setter
    def auth_token(self, token: str | SecretStr | TokenFunction | None) -> None:
        given = None if callable(token) else token
        self._change(auth_token=given, auth_token_file=None)
        self._token_function = token if callable(token) else None

    @property
    def rate_limit_monitor(self) -> RateLimitMonitor:
        """The limit on all tasks; another one counts from the next start."""
        return self._rate_limit_monitor

    @rate_limit_monitor.setter
    def rate_limit_monitor(self, monitor: RateLimitMonitor | None) -> None:
        self._rate_limit_monitor: RateLimitMonitor = check_monitor(monitor)

    @property
    def running(self) -> bool:
        """Whether nobody has asked it to stop; ``False`` may be assigned, to do so."""
        return not self._lifecycle.is_stopped

    @running.setter
    def running(self, running: bool) -> None:
        if not running:
            self.stop()

    @property
    def has_token(self) -> bool:
        """Whether there is a token to show to the hub, or a source of one."""
        settings = self.settings
        sources = (self._token_function, settings.auth_token_file)
        return bool(settings.token) or any(source is not None for source in sources)

    # --- around the handlers -------------------------------------------------

    def lifespan(self, function: MakerT) -> MakerT:
        """A decorator for what is to be open while the provider runs.

        The function yields once: what is before the ``yield`` runs at the start,
        before the hub is connected, and what is after it when the last result is
        submitted. What it yields is injected into parameters of handlers, and of
        later lifespans, that are annotated with ``Inject[T]``, where ``T`` is what
        the function is annotated to yield.

        Args:
            function: an async generator function, or a sync one, which then runs on
                a thread; ``asynccontextmanager`` and ``contextmanager`` may be
                around it. Its parameters are ``Inject[…]``, or have defaults.

        Returns:
            the function, unchanged.

        Raises:
            LifespanError: if it does not yield, or nothing can fill a parameter.
        """
        self._lifespans.add(function)
        return function

    def provide(self, kind: Any, value: Any) -> None:
        """Inject a value that is there already into what asks for ``Inject[kind]``.

        A lifespan that makes this type is not opened then, so a test gives its
        fakes here. It counts from the next start, or the next task in process.

        Args:
            kind: a type.
            value: what stands for it; whether it is an instance is not checked.

        Raises:
            ConfigError: if ``kind`` is no type.
        """
        self._lifespans.provide(kind, value)

    def middleware(self, middleware: MiddlewareT) -> MiddlewareT:
        """A decorator: let a generator function run around each task.

        What stands before its ``outcome = yield`` runs before the task's payload is
        looked at, and the rest once there is an answer. The first that is registered
        is the outermost. A sync one runs on the loop, and must not block. What goes
        wrong in one is logged, and the task goes on.

        Raises:
            ConfigError: if it is no generator function, sync or async.
        """
        check_middleware(middleware)
        self._dispatcher.chain.middlewares.append(middleware)
        return middleware

    # --- running against a hub -----------------------------------------------

    def start(
        self, *, hub_url: str | None = None, auth_token: str | None = None
    ) -> None:
        """Run until stopped; blocks.

        On the main thread, SIGTERM and SIGINT stop the provider, and a second
        signal forces it. Elsewhere only ``stop`` does.

        Args:
            hub_url: another hub than the settings say, for this run.
            auth_token: another token, for this run.

        Raises:
            ConnectionError: if no hub answers within ``connect_timeout``. After
                the first answer the provider reconnects for ever.
            AuthenticationError: if the hub refuses the token, and the one that its
                source gives then, or there is none.
            ProtocolError: if what answers is no hub.
            HubError: if tasks were left unanswered when the provider stopped, and
                are in no journal.
            JournalError: if the journal cannot be used.
            HandlerSignatureError: if nothing provides what a handler injects.
            LifespanError: if a lifespan fails to open, or to close.
            ConfigError: if an executor cannot be made, or a file of ``tls`` or the
                token cannot be used.
            RegistrationError: if a handler cannot be sent to its executor.
            ProviderError: if it is running already, or a loop runs here, or the program
                is only imported (``if __name__ == "__main__":`` is missing).
        """
        check_start()
        try:
            run_until_stopped(
                lambda: self.serve(hub_url=hub_url, auth_token=auth_token),
                self.stop,
                self.logger,
            )
        finally:
            self._log.flush()

    async def serve(
        self, *, hub_url: str | None = None, auth_token: str | None = None
    ) -> None:
        """Run until stopped, inside another program; signals stay the program's.

        Takes and raises what ``start`` does.
        """
        check_start()
        given = {"hub_url": hub_url, "auth_token": auth_token}
        not_read = {name for name, value in given.items() if value is not None}
        with reading([name for name in self._read if name not in not_read]):
            await self._serve(hub_url, auth_token)

    async def _serve(self, hub_url: str | None, auth_token: str | None) -> None:
        if self._hub_name is not None:
            hub_url = auth_token = None
        url = hub_url or self.settings.hub_url
        # A file may be a pipe, whose writer is waited for.
        make_client = partial(self._make_client, url, auth_token)
        client: HubClient = await run_on_thread(make_client)
        stopping = asyncio.Event()
        injected: dict[Any, Any] = {}
        worker = self._make_worker(client, stopping, injected)
        with self._lifecycle.run(worker, stopping):
            async with self._lifespans.open(self.actions, stopping) as made, client:
                injected.update(made)
                self.logger.info("starting", hub=client.url, actions=len(self.actions))
                await worker.run()
                self.logger.info("stopped", answered=worker.snapshot().tasks_answered)

    def keep_local(self, hub_url: str, auth_token: str) -> None:
        """Have every start go to a hub in this process, whatever ``start`` is given.

        Neither a token nor TLS of the hub in service is used then. This is for
        ``arbvantage run --local-hub``.

        Args:
            hub_url: the address of that hub.
            auth_token: its token.
        """
        self._token_function = None
        self._hub_name = "--local-hub"  # its port is another one at each start
        self.settings = self.settings.model_copy(
            update={
                "hub_url": hub_url,
                "auth_token": SecretStr(auth_token),
                "auth_token_file": None,
                "tls": None,
            }
        )

    def stop(self) -> None:
        """Ask a running provider to drain and end; returns at once.

        It may be called from any thread, or a handler. Asked before the first
        start, it ends that one at once; asked after the end, it does nothing.
        """
        self._lifecycle.stop()

    def snapshot(self) -> Snapshot:
        """The state and the figures of this moment."""
        worker, dropped = self._lifecycle.worker, self._log.dropped
        if worker is None:
            limits = describe_unused(self.rate_limit_monitor, self.actions)
            slots = self.settings.max_concurrency
            return Snapshot(slots=slots, limits=limits, log_lines_dropped=dropped)
        return replace(worker.snapshot(), log_lines_dropped=dropped)

    # --- running one task, without a hub -------------------------------------

    def process_task(
        self, action: str, payload: Content, account: Content | None = None
    ) -> dict[str, Any]:
        """Run one task in this process and return its response.

        It is validated as JSON, its deadline is kept, and limits and executors are
        skipped.

        Args:
            action: the name of the action.
            payload: a mapping, or JSON text.
            account: the same; ``None``: the task has none.

        Returns:
            ``{"status", "message", "data"}``, as the hub would read it. What goes
            wrong is in it; nothing is raised.
        """
        answer = process(self._dispatcher, action, payload=payload, account=account)
        self._log.flush()
        response: dict[str, Any] = decode_json(answer.text)
        return response

    def dispatch(self, action: str, payload: bytes, account: bytes = b"") -> bytes:
        """The same, from the bytes of the wire to the bytes of the result.

        A sync handler runs on the calling thread, where it cannot be interrupted:
        past its deadline it is answered for when it returns.
        """
        # A named tuple's own constructor is a Python function; this is a fast path.
        task: Task = _new(Task, ("", action, payload, account))
        return dispatch_here(self._dispatcher, task).text

    def handle_task_exception(  # noqa: PLR0917 - the earlier SDK's signature
        self,
        e: BaseException,
        action: str,
        payload: Any,  # noqa: ARG002 - for those who override this
        account: Any,
    ) -> Any:
        """The response to what a handler raised; override it to word your own.

        Args:
            e: what was raised.
            action: the action's name.
            payload: the payload as parsed JSON, or ``None``.
            account: the account as parsed JSON, or ``None``.

        Returns:
            A ``ProviderResponse``, or what ``_handle_response`` makes of one.
        """
        raw = b"" if account is None else encode_json(account, "account")
        return self._encoder.describe(self._dispatcher.describe(e, raw), action)

    def _handle_response(
        self, response: ProviderResponse, action: str | None = None
    ) -> dict[str, Any]:
        """A response as the hub will read it, in the provider's format."""
        return self._encoder.describe(respond(response), action or "")

    @override
    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} at {self.hub_url}>"

    # --- composing -----------------------------------------------------------

    def _make_logger(self) -> Logger:
        return make_logger(
            self.name,
            self._log,
            level=self.settings.log_level,
            file=self.settings.log_file,
            redactor=self._redactor,
        )

    def _make_encoder(self) -> ResponseEncoder:
        profile = Profile(
            name=self.name,
            settings=self.settings.describe(),
            timezone=self.settings.zone,
            now=self._clock.now,
        )
        unified = self.settings.response_format == "unified"
        return ResponseEncoder(profile=profile, unified=unified)

    def _make_dispatcher(self) -> Dispatcher:
        overridden = (
            type(self).handle_task_exception is not Provider.handle_task_exception
        )
        return Dispatcher(
            actions=self.actions,
            profile=self._encoder.profile,
            timeout=self.settings.execution_timeout,
            clock=self._clock,
            encoder=self._encoder,
            redactor=self._redactor,
            logger=self.logger,
            lifespans=self._lifespans,
            longest=self.settings.max_receive_bytes,
            on_error=self._answer_exception if overridden else None,
        )

    def _answer_exception(self, error: BaseException, task: Task) -> object:
        payload, account = _parse(task.payload), _parse(task.account)
        return self.handle_task_exception(error, task.action, payload, account)

    def _make_client(self, url: str, token: str | None) -> HubClient:
        settings, address = self.settings, read_address(url)
        auth = Auth(self._find_token(token), self._redactor)
        channels = ChannelPool(
            address,
            settings.tls,
            proxy=read_proxy(address),
            max_receive_bytes=settings.max_receive_bytes,
            max_send_bytes=settings.max_send_bytes,
            monotonic=self._clock.monotonic,
            warn=self._warn_of_file,
        )
        if not channels.is_encrypted and not address.is_near:
            advice = f"write grpcs://{address.target} for TLS"
            text = "the token and all tasks travel in the clear"
            proxy = {"proxy": str(channels.proxy)} if channels.proxy else {}
            self.logger.warning(text, hub=url, advice=advice, **proxy)
        return HubClient(
            url=url,
            provider=self.name,
            channels=channels,
            auth=auth,
            max_send_bytes=settings.max_send_bytes,
        )

    def _find_token(self, token: str | None) -> TokenSource:
        """Where the token of a run comes from."""
        settings = self.settings
        if token is None and self._token_function is not None:
            return TokenFromFunction(self._token_function, self._redactor)
        if token is None and settings.auth_token_file is not None:
            if self._piped_token is not None:
                return self._piped_token
            source = TokenFile(
                settings.auth_token_file,
                monotonic=self._clock.monotonic,
                warn=self._warn_of_file,
            )
            self._piped_token = source if source.is_piped else None
            return source
        token = settings.token if token is None else trim_token(token)
        if not token:
            problem = f"there is no token to show; set {name_source('auth_token')}"
            raise AuthenticationError(problem)
        return FixedToken(token)

    def _warn_of_file(self, reason: str) -> None:
        text = "a changed file cannot be used; what it held before stays in use"
        self.logger.warning(text, reason=reason)

    def _make_worker(
        self, client: HubClient, stopping: asyncio.Event, injected: dict[Any, Any]
    ) -> Worker:
        settings = self.settings
        slots = settings.max_concurrency
        budget, ending = WaiterBudget(slots), Ending()
        limits = Limits(
            monitor=self.rate_limit_monitor,
            actions=self.actions,
            opens=settings.on_monitor_error == "open",
            clock=self._clock,
            ending=ending,
            slots=slots,
            budget=budget,
            logger=self.logger,
        )
        concurrency = ConcurrencyLimiter(
            clock=self._clock, ending=ending, budget=budget
        )
        poller = Poller(
            clock=self._clock,
            stopping=stopping,
            poll_interval=settings.poll_interval,
            most=limits.most_polls,
        )
        executors = Executors(
            actions=self.actions,
            dispatcher=self._dispatcher,
            logger=self.logger,
            slots=slots,
        )
        dispatcher = self._dispatcher.inject(injected)
        dispatcher.limit_of = limits.make_limit_of
        self._dispatchers[1:] = [dispatcher]
        return Worker(
            hub=client,
            dispatcher=dispatcher,
            executors=executors,
            tracker=self._make_tracker(client.url),
            limits=limits,
            concurrency=concurrency,
            poller=poller,
            clock=self._clock,
            logger=self.logger,
            stopping=stopping,
            ending=ending,
            slots=slots,
            connect_timeout=settings.connect_timeout,
            shutdown_timeout=settings.shutdown_timeout,
        )

    def _make_tracker(self, hub: str) -> TaskTracker:
        path = self.settings.journal
        open_journal = path and partial(self._open_journal, path, hub)
        return TaskTracker(
            clock=self._clock,
            open_journal=open_journal or None,
            max_age=self.settings.journal_max_age,
        )

    def _open_journal(self, path: str, hub: str) -> "JournalWriter":
        # On use, as SQLite is of no use to others.
        from arbvantage_provider.worker.delivery.journal import JournalWriter, Store  # noqa: PLC0415

        name = self._hub_name or read_address(hub).target
        sync = self.settings.journal_sync
        store = Store(path, provider=self.name, hub=name, sync=sync)
        return JournalWriter(store, clock=self._clock, logger=self.logger)


def _parse(raw: bytes) -> Any:
    try:
        return from_json(raw) if raw else None
    except ValueError:
        return None
