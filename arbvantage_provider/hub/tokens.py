"""Where a provider's token comes from: a text, a file, or a function."""

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from inspect import isawaitable, iscoroutinefunction
from typing import Any, Final, Protocol

from pydantic import SecretStr

from arbvantage_provider.connection import FilePath
from arbvantage_provider.exceptions import AuthenticationError, ConfigError
from arbvantage_provider.hub.files import Watched, read_bytes
from arbvantage_provider.text import trim_token
from arbvantage_provider.variables import name_setting, name_source

TokenFunction = Callable[[], str | Awaitable[str]]
"""Gives the token of now. A sync one may block: it runs on a thread of its own."""

LONGEST_TOKEN: Final = 64 * 1024
_TOKEN: Final = "auth_token"  # noqa: S105 - the setting's name
_NO_UNICODE: Final = "it holds bytes, or half of a surrogate pair, that are no UTF-8"
_FILE: Final = "auth_token_file"


class Secrets(Protocol):
    """Knows what must not be told; a ``Redactor`` is one."""

    def add(self, token: str) -> None:
        """Cut this token too from now on."""
        ...

    def redact(self, text: str) -> str:
        """``text`` without the secrets."""
        ...


class TokenSource(Protocol):
    """Where a token comes from.

    Attributes:
        setting: what errors tell to look at.
        is_watched: whether ``look`` may tell of another token.
    """

    @property
    def setting(self) -> str:
        """See above."""
        ...

    @property
    def is_watched(self) -> bool:
        """See above."""
        ...

    def look(self) -> str | None:
        """A token that is known without waiting; called before each call."""
        ...

    async def read(self) -> str:
        """The token of now.

        Raises:
            ConfigError, AuthenticationError: if there is none.
        """
        ...


class FixedToken:
    """A token that stays the same.

    Raises:
        ConfigError: if it is no Unicode text, and so cannot be sent.
    """

    is_watched: bool = False

    def __init__(self, token: str) -> None:
        self.setting: str = name_source(_TOKEN)
        if not _is_unicode(token):
            raise ConfigError(f"{name_setting(_TOKEN)}: {_NO_UNICODE}")
        self._token = token

    def look(self) -> str:
        """The token."""
        return self._token

    async def read(self) -> str:
        """The token."""
        return self._token


class TokenFile:
    """A token in a file of its own, which may change.

    Args:
        path: the file, or a pipe: UTF-8; a byte order mark and line ends are no part of the token.
        monotonic: a clock, in seconds.
        warn: told once why a change could not be used.

    Attributes:
        is_piped: whether it is a pipe, and so was read for good.

    Raises:
        ConfigError: if the file holds no token.
    """

    is_watched: bool = True

    def __init__(
        self,
        path: FilePath,
        *,
        monotonic: Callable[[], float],
        warn: Callable[[str], None],
    ) -> None:
        self.setting: str = name_source(_FILE)
        read = partial(_read_token, path)
        self._file = Watched([path], read, monotonic=monotonic, warn=warn)
        self.is_piped: bool = self._file.is_piped

    def look(self) -> str:
        """The token, as the file held it a second ago at most."""
        self._file.look()
        return self._file.value

    async def read(self) -> str:
        """The token that the file holds now."""
        self._file.read()
        return self._file.value


class TokenFromFunction:
    """A token that a function gives, called at the start and when one is refused.

    Args:
        function: sync or async; what it raises is told, without its traceback.
        secrets: are cut out of what is told.
    """

    setting: str = "the function in auth_token"
    is_watched: bool = False

    def __init__(self, function: TokenFunction, secrets: Secrets) -> None:
        self._function = function
        self._secrets = secrets

    def look(self) -> None:
        """What is not known before the function was called."""
        return

    async def read(self) -> str:
        """Call the function."""
        try:
            token = await self._call()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise self._refuse("was cancelled") from None
        except BaseException as error:  # noqa: BLE001 - a user's function may raise anything
            raise self._refuse(f"raised {_describe(error)}") from None
        if isinstance(token, SecretStr):
            token = token.get_secret_value()
        if not isinstance(token, str):
            raise self._refuse(
                f"gave a value of type {type(token).__name__}, and no str"
            )
        token = trim_token(token)
        if not token:
            raise self._refuse("gave an empty token")
        if not _is_unicode(token):
            raise self._refuse(f"gave a token that cannot be sent: {_NO_UNICODE}")
        return token

    async def _call(self) -> Any:
        function: Callable[[], Any] = self._function
        if iscoroutinefunction(function):
            return await function()
        found = await run_on_thread(function)
        # A sync function may give a coroutine; that belongs to the loop.
        return await found if isawaitable(found) else found

    def _refuse(self, problem: str) -> AuthenticationError:
        return AuthenticationError(self._secrets.redact(f"{self.setting} {problem}"))


def run_on_thread(function: Callable[[], Any]) -> asyncio.Future[Any]:
    """Run ``function`` on a thread of its own, which never holds up the exit."""
    loop = asyncio.get_running_loop()
    context = contextvars.copy_context()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(end: Callable[[], None]) -> None:
        if not future.done():
            end()

    def run() -> None:
        try:
            end = partial(future.set_result, context.run(function))
        except StopIteration:
            end = partial(future.set_exception, RuntimeError("StopIteration"))
        except BaseException as error:  # noqa: BLE001 - it belongs to the caller
            end = partial(future.set_exception, error)
        try:
            loop.call_soon_threadsafe(settle, end)
        except RuntimeError:
            return  # the loop is closed: nobody waits any more

    threading.Thread(target=run, name="auth-token", daemon=True).start()
    return future


def _read_token(path: FilePath) -> str:
    setting = name_setting(_FILE)
    raw = read_bytes(path, setting, longest=LONGEST_TOKEN)
    try:
        return trim_token(raw.decode())
    except UnicodeDecodeError:
        raise ConfigError(f"{setting}: what {path!r} holds is not UTF-8") from None


def _is_unicode(text: str) -> bool:
    """Not so where a variable of the environment holds bytes that are no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _describe(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except BaseException:  # noqa: BLE001 - a broken exception may raise anything
        return type(error).__name__
