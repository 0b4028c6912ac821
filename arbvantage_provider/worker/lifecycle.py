"""One run of a provider at a time, which any thread may ask to stop."""

import asyncio
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial

from arbvantage_provider.exceptions import ProviderError
from arbvantage_provider.observe.redaction import Redactor
from arbvantage_provider.worker.worker import Worker


class Lifecycle:
    """Whether a provider runs, and how to end that.

    Args:
        name: the provider's name, for errors.
        redactor: cuts the token out of what a run raises.

    Attributes:
        worker: of the run that is, or of the last one; ``None`` before the first.
        is_stopped: whether the run is over, or was asked to end.
    """

    def __init__(self, name: str, redactor: Redactor) -> None:
        self.worker: Worker | None = None
        self.is_stopped: bool = False
        self._name = name
        self._redactor = redactor
        # Reentrant: a signal handler may call ``stop`` on the thread that is in here.
        self._lock = threading.RLock()
        self._request_stop: Callable[[], object] | None = None
        self._stop_asked = False

    @contextmanager
    def run(self, worker: Worker, stopping: asyncio.Event) -> Generator[None]:
        """The block is a run on the running loop; ``stop`` sets ``stopping``.

        Raises:
            ProviderError: if there is a run already.
        """
        loop = asyncio.get_running_loop()
        with self._lock:
            if self._request_stop is not None:
                raise ProviderError(f"{self._name!r} is running already")
            if self._stop_asked:
                stopping.set()
            self.is_stopped = self._stop_asked
            self._stop_asked = False
            self.worker = worker
            self._request_stop = partial(loop.call_soon_threadsafe, stopping.set)
        try:
            yield
        except BaseException as error:
            self._redactor.scrub(error)
            raise
        finally:
            with self._lock:
                self._request_stop = None
                self.is_stopped = True

    def stop(self) -> None:
        """Ask the run to end; before the first one, ask for that one.

        It may be called from any thread, and returns at once.
        """
        with self._lock:
            self.is_stopped = True
            if self._request_stop is not None:
                self._request_stop()
            elif self.worker is None:
                self._stop_asked = True
