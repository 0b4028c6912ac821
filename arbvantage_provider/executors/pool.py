"""A pool of processes in which one that dies costs its own call, and no other.

Each process has a pipe and a thread of its own in the parent. The pool of the
standard library has one queue for all, so whatever breaks one process breaks it.
"""

import atexit
import os
import threading
import weakref
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

from typing_extensions import override

from arbvantage_provider.exceptions import ConfigError
from arbvantage_provider.executors.calls import pack_call, unpack_outcome
from arbvantage_provider.executors.importing import check_pool
from arbvantage_provider.executors.process import ProcessDiedError, WorkerProcess

T = TypeVar("T")
_CLOSED: Final = "the pool is shut down, and takes no more calls"


def count_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Job(Future[Any]):
    """The future of one call.

    Attributes:
        call: as ``run_packed`` takes it.
        begun: done when a process takes the call up, or none ever will.
    """

    def __init__(self, call: bytes) -> None:
        super().__init__()
        self.call = call
        self.begun: Future[None] = Future()

    def begin(self) -> bool:
        """Whether it is to be run, and was not cancelled."""
        runs = self.set_running_or_notify_cancel()
        self.begun.set_result(None)
        return runs

    def refuse(self, error: BaseException) -> None:
        """End it without a run."""
        if self.begin():
            self.set_exception(error)


class ProcessPool(Executor):
    """Processes that run one call each at a time, all started by ``spawn``.

    A process that dies ends its own call with an error and is replaced. ``kill`` ends
    one call. The processes end with the one that made the pool, and never hold up its
    exit. Nothing is started before the first call, or ``start``.

    Args:
        max_workers: how many processes; as many as there are cores if left out. A
            provider that is given the class itself has no more of them than slots.

    Raises:
        ConfigError: if that is no number above 0.
    """

    def __init__(self, max_workers: int | None = None) -> None:
        size = count_cores() if max_workers is None else max_workers
        if type(size) is not int or size < 1:
            raise ConfigError(f"max_workers is {max_workers!r}; give a number above 0")
        self._size = size
        self._modules: tuple[str, ...] = ()
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._started: list[Future[None]] = []
        self._running: dict[Future[Any], WorkerProcess] = {}
        self._processes: set[WorkerProcess] = set()
        # Held while a process starts, which takes longer than ``submit`` may.
        self._spawning = threading.Lock()
        self._closed = self._killed = False

    def start(self, modules: Iterable[str] = ()) -> None:
        """Start every process, and wait until one is ready for its first call.

        The others become ready in the background.

        Args:
            modules: what each imports first, so that no call pays for it.

        Raises:
            ProcessDiedError: if it ends while it starts; stderr has its traceback.
            RuntimeError: if the pool is shut down.
        """
        self._modules = tuple(sorted({*self._modules, *modules}))
        with self._lock:
            self._start_threads()
        for started in wait(self._started, return_when=FIRST_COMPLETED).done:
            started.result()

    @property
    def size(self) -> int:
        """How many processes it has at most."""
        return self._size

    @override
    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Run ``fn`` in a process: it, its arguments and its result are pickled.

        Raises:
            UnsendableError: if they cannot be.
            RuntimeError: if the pool is shut down.
        """
        job = Job(pack_call(fn, args, kwargs))
        with self._lock:
            self._start_threads()
            self._jobs.put(job)
        return job

    def kill(self, future: Future[Any]) -> bool:
        """Kill the process that runs a call; whether one did.

        The future ends with ``ProcessDiedError``, and the process is replaced.
        """
        with self._lock:
            process = self._running.get(future)
            if process is not None:
                process.kill()
        return process is not None

    @override
    def shutdown(
        self,
        wait: bool = True,
        *,
        cancel_futures: bool = False,
        kill_workers: bool = False,
    ) -> None:
        """Take no more calls, and let the processes end.

        Args:
            wait: whether to wait for that.
            cancel_futures: whether calls that wait for a process never run.
            kill_workers: whether processes end at once, whatever they do.
        """
        with self._lock:
            self._closed = True
            if cancel_futures or kill_workers:
                self._cancel_waiting()
            for _ in self._threads:
                self._jobs.put(None)
        if kill_workers:
            with self._spawning:
                self._killed = True
                for process in list(self._processes):
                    process.kill()
        for thread in self._threads if wait else ():
            thread.join()

    def _cancel_waiting(self) -> None:
        try:
            while (job := self._jobs.get_nowait()) is not None:
                job.cancel()
                job.begin()
        except Empty:
            return

    def _start_threads(self) -> None:
        if self._closed:
            raise RuntimeError(_CLOSED)
        if self._threads:
            return
        check_pool()
        for number in range(1, self._size + 1):
            started: Future[None] = Future()
            name = f"process-pool-{number}"
            thread = threading.Thread(
                target=self._attend, args=(name, started), name=name, daemon=True
            )
            self._started.append(started)
            self._threads.append(thread)
            thread.start()
        _pools.add(self)

    # --- one thread, and the processes that it has one after another -----------

    def _attend(self, name: str, started: Future[None]) -> None:
        """Give calls to a process, and to the next one when it died."""
        job: Job | None = None
        more = True
        while more:
            try:
                process = self._start_process(name)
            except BaseException as error:  # noqa: BLE001 - it belongs to who waits for it
                _tell(started, error)
                # One call pays for each start that fails, so they do not go on alone.
                job = job or self._jobs.get()
                if job is not None:
                    job.refuse(error)
                more, job = job is not None, None
                continue
            _tell(started)
            more, job = self._feed(process, job)
            self._processes.discard(process)

    def _start_process(self, name: str) -> WorkerProcess:
        with self._spawning:
            if self._killed:
                raise RuntimeError(_CLOSED)
            process = WorkerProcess(name, self._modules)
            self._processes.add(process)
        try:
            process.wait_until_ready()
        except BaseException:
            self._processes.discard(process)
            raise
        return process

    def _feed(self, process: WorkerProcess, job: Job | None) -> tuple[bool, Job | None]:
        """Give it calls until it died, or there are no more.

        Returns:
            Whether another process is to follow, and the call that waits for it.
        """
        while True:
            job = job or self._jobs.get()
            if job is None:
                process.end()
                return False, None
            if not process.is_usable():
                process.end()
                return True, job
            if job.begin():
                self._run(process, job)
            job = None

    def _run(self, process: WorkerProcess, job: Job) -> None:
        with self._lock:
            self._running[job] = process
        try:
            settle = partial(_settle, job, process.run(job.call))
        except ProcessDiedError as error:
            settle = partial(job.set_exception, error)
        except BaseException as error:  # noqa: BLE001 - such as no memory for what came
            process.kill()
            settle = partial(job.set_exception, error)
        with self._lock:
            del self._running[job]
        settle()


def _settle(job: Job, outcome: bytes) -> None:
    try:
        value = unpack_outcome(outcome)
    except BaseException as error:  # noqa: BLE001 - it belongs to the caller
        job.set_exception(error)
    else:
        job.set_result(value)


def _tell(started: Future[None], error: BaseException | None = None) -> None:
    """Say how the first start of a process went."""
    if started.done():
        return
    if error is None:
        started.set_result(None)
    else:
        started.set_exception(error)


_pools: "weakref.WeakSet[ProcessPool]" = weakref.WeakSet()


@atexit.register
def _kill_all() -> None:
    """Before Python waits for the processes, as it does for all of multiprocessing."""
    for pool in list(_pools):
        pool.shutdown(wait=False, kill_workers=True)
