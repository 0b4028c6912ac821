"""The token of the moment, and which calls may show it.

A token that is refused is read once more. While it is not known whether the new one
is taken, one call of each kind shows it, and the others wait: so a revoked token
costs a hub a few calls, however many slots there are.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Final, Literal

from arbvantage_provider.exceptions import AuthenticationError, ProviderError
from arbvantage_provider.hub.tokens import Secrets, TokenSource

Kind = Literal["poll", "result"]
KINDS: Final[frozenset[Kind]] = frozenset({"poll", "result"})

READ_TIMEOUT: Final = 30.0
"""Seconds that a source has to give a token in place of a refused one."""


@dataclass(frozen=True, slots=True, eq=False)
class Token:
    """A token as it was read once; another reading is another one."""

    text: str = field(repr=False)


class Auth:
    """Lets calls through with the token of the moment.

    Each call is between ``take`` and ``release``.

    Args:
        source: where the token comes from.
        secrets: told each token before it is shown.

    Attributes:
        calm: the token, where each call may show it at once and none has to be
            given back; ``None``: ask ``take``.
    """

    def __init__(self, source: TokenSource, secrets: Secrets) -> None:
        self.source: TokenSource = source
        self._secrets = secrets
        self.calm: Token | None = None
        self._token: Token = self._keep(source.look() or "")
        self._failure = ""
        self._may_read = True
        self._reading: asyncio.Task[None] | None = None
        self._doubted: set[Kind] = set()
        self._probes: dict[Kind, Token] = {}
        self._waiting: list[asyncio.Future[None]] = []

    async def open(self, seconds: float) -> None:
        """Have a token.

        Raises:
            ConfigError, AuthenticationError: if the source has none for ``seconds``.
        """
        self._token = self._keep(await self._read(seconds))
        self._settle()

    async def take(self, kind: Kind) -> Token:
        """The token to show; waits while another call finds out if it is taken.

        Raises:
            AuthenticationError: if the hub refused it for good.
        """
        known = self.source.look()
        if known is not None and known != self._token.text:
            self._token = self._keep(known)
        while self._is_closed(kind):
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            await waiter
        if kind in self._doubted:
            self._probes[kind] = self._token
        return self._token

    def accept(self, kind: Kind, token: Token) -> None:
        """The hub answered a call that showed ``token``."""
        if token is self._token:
            self._may_read = True
            self._doubted.discard(kind)
            self._settle()

    def release(self, kind: Kind, token: Token) -> None:
        """A call with ``token`` is over, in whatever way."""
        if self._probes.get(kind) is token:
            del self._probes[kind]
            self._settle()
            self._wake()

    async def replace(self, token: Token, refusal: str) -> None:
        """Have another one in place of ``token``, which the hub refused.

        Args:
            token: as it was taken.
            refusal: what is said where there is no other one.

        Raises:
            AuthenticationError: if there is none, or this one is new already.
        """
        if token is self._token and not self._failure:
            if self._reading is None:
                self.calm = None
                # A task of its own: the call that asks for it may be cancelled.
                renewal = self._renew(refusal)
                self._reading = asyncio.create_task(renewal, name="reading the token")
            await asyncio.shield(self._reading)
        self._check()

    def redact(self, text: str) -> str:
        """A hub's words, which may quote the token, however short that is."""
        text = self._secrets.redact(text)
        return text.replace(self._token.text, "***") if self._token.text else text

    def close(self) -> None:
        """Stop reading."""
        if self._reading is not None:
            self._reading.cancel()

    async def _renew(self, refusal: str) -> None:
        """Read a token once, and doubt it; without another one, fail."""
        former = self._token
        try:
            if self._may_read:
                self._may_read = False
                self._token = self._keep(await self._read(READ_TIMEOUT))
            if self._token.text == former.text:
                self._failure = refusal
        except ProviderError as error:
            self._failure = f"{refusal}; there is no other one: {error}"
        finally:
            self._doubted = set(KINDS)
            self._reading = None
            self._wake()

    async def _read(self, seconds: float) -> str:
        try:
            async with asyncio.timeout(seconds):
                return await self.source.read()
        except TimeoutError:
            problem = f"{self.source.setting} gave no token within {seconds:g} s"
            raise AuthenticationError(problem) from None

    def _keep(self, text: str) -> Token:
        self._secrets.add(text)
        return Token(text)

    def _settle(self) -> None:
        """See whether there is nothing that a call would have to ask for."""
        is_odd = self._doubted or self._probes or self._reading or self._failure
        self.calm = None if is_odd or self.source.is_watched else self._token

    def _is_closed(self, kind: Kind) -> bool:
        self._check()
        return self._reading is not None or kind in self._probes

    def _check(self) -> None:
        if self._failure:
            raise AuthenticationError(self._failure)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)
