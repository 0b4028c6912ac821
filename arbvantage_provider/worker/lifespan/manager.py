"""A provider's lifespans, and what it was given ready: what may be injected."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, get_origin

from arbvantage_provider.actions import Action, Actions
from arbvantage_provider.annotations import AliasError, resolve_aliases
from arbvantage_provider.exceptions import ConfigError, HandlerSignatureError
from arbvantage_provider.handlers.defaults import EMPTY
from arbvantage_provider.handlers.inject import (
    Need,
    find_misuse,
    is_injected,
    read_kind,
)
from arbvantage_provider.worker.lifespan.lifespan import (
    NOTHING,
    Lifespan,
    read_lifespan,
)
from arbvantage_provider.worker.lifespan.resolver import (
    Offer,
    UnmetError,
    fill,
    find_offers,
    take,
)
from arbvantage_provider.worker.lifespan.runner import open_lifespans

LEAST_GRACE: Final = 1.0
"""Seconds that closing has at least, where ``shutdown_timeout`` is shorter."""


class Lifespans:
    """What may be injected into the handlers of one provider.

    Args:
        grace: seconds that closing may take.
        logger: the provider's.
    """

    def __init__(self, *, grace: float, logger: Any) -> None:
        self._grace = max(grace, LEAST_GRACE)
        self._logger = logger
        self._declared: list[Lifespan] = []
        self._ready: dict[Any, Offer] = {}

    def add(self, function: Any) -> None:
        """Declare a lifespan.

        Raises:
            LifespanError: if it cannot be one.
        """
        self._declared.append(read_lifespan(function))

    def provide(self, kind: Any, value: Any) -> None:
        """Offer a value that is there; it stands in for a lifespan of that type.

        Raises:
            ConfigError: if ``kind`` is no type.
        """
        kind = _check_kind(kind)
        self._ready[kind] = Offer(kind=kind, lifespan=None, value=value)

    @asynccontextmanager
    async def open(
        self, actions: Actions, stopping: asyncio.Event
    ) -> AsyncGenerator[Mapping[Any, Any]]:
        """All lifespans are open in the block, which has the values by their types.

        If ``stopping`` is set before they are, there are no values.

        Raises:
            HandlerSignatureError: if nothing, or more than one thing, may fill a
                parameter; before any is opened, where annotations tell.
            LifespanError: if one fails to open, or to close.
        """
        ready, lifespans = [*self._ready.values()], self._list_used()
        chosen = [*actions.get_actions().values()]
        _check_lifespans(lifespans, ready)
        _check_actions(chosen, lifespans, ready)
        async with open_lifespans(
            lifespans, ready, stopping=stopping, grace=self._grace, logger=self._logger
        ) as offers:
            yield {} if offers is None else _resolve(chosen, offers)

    @asynccontextmanager
    async def open_for(self, action: Action) -> AsyncGenerator[Mapping[Any, Any]]:
        """Those are open in the block that one action needs.

        Raises:
            HandlerSignatureError: as ``open`` does.
            LifespanError: if one fails to open, or to close.
        """
        ready, lifespans = [*self._ready.values()], self._list_used()
        _check_actions([action], lifespans, ready)
        needed = _find_needed(action.plan.needs, lifespans, ready)
        used = [lifespan for lifespan in lifespans if lifespan in needed]
        async with open_lifespans(
            used,
            ready,
            stopping=asyncio.Event(),
            grace=self._grace,
            logger=self._logger,
        ) as offers:
            yield _resolve([action], offers or ())

    def _list_used(self) -> list[Lifespan]:
        """The lifespans that no ready value stands in for."""
        return [each for each in self._declared if each.kind not in self._ready]


def _check_kind(kind: Any) -> Any:
    """The type that a value is given under; what is none may be a secret."""
    try:
        kind = resolve_aliases(kind)
    except AliasError as error:
        raise ConfigError(f"provide(type, value): {error}") from error
    known_by = read_kind(kind)
    is_type = inspect.isclass(known_by) or hasattr(known_by, "__supertype__")
    if not is_type and get_origin(known_by) is None:
        problem = f"the first argument is of the type {type(kind).__name__!r}"
        raise ConfigError(f"provide(type, value): {problem}; give the type first")
    if is_injected(kind) or known_by is NOTHING:
        raise ConfigError("provide(type, value): give the type alone")
    misuse = find_misuse(known_by)
    if misuse:
        raise ConfigError(f"provide(type, value): {misuse}")
    return known_by


def _offer(lifespans: Iterable[Lifespan]) -> list[Offer]:
    """What lifespans offer by their annotations."""
    return [
        Offer(kind=lifespan.kind, lifespan=lifespan)
        for lifespan in lifespans
        if lifespan.kind is not NOTHING
    ]


def _check_lifespans(lifespans: Sequence[Lifespan], ready: Sequence[Offer]) -> None:
    """See that each has what it needs from those before it, if annotations tell."""
    for index, lifespan in enumerate(lifespans):
        offers = [*ready, *_offer(lifespans[:index])]
        if _tell(offers):
            fill(lifespan, offers)


def _check_actions(
    actions: Iterable[Action], lifespans: Sequence[Lifespan], ready: Sequence[Offer]
) -> None:
    """See that each has what it needs, before any is opened, if annotations tell."""
    offers = [*ready, *_offer(lifespans)]
    if _tell(offers):
        _resolve(actions, offers)


def _tell(offers: Iterable[Offer]) -> bool:
    return all(offer.kind is not EMPTY for offer in offers)


def _resolve(actions: Iterable[Action], offers: Sequence[Offer]) -> dict[Any, Any]:
    """The values that actions need, by the types that they ask for."""
    values: dict[Any, Any] = {}
    for action in actions:
        for need in action.plan.needs:
            try:
                offer = take(need, offers)
            except UnmetError as error:
                raise HandlerSignatureError(
                    action.name, need.parameter, str(error)
                ) from None
            if offer is not None:
                values[need.kind] = offer.value
    return values


def _find_needed(
    needs: Iterable[Need], lifespans: Sequence[Lifespan], ready: Sequence[Offer]
) -> set[Lifespan]:
    """The lifespans that make what is needed, and what these need themselves."""
    offers = [*ready, *_offer(lifespans)]
    needed: set[Lifespan] = set()
    for need in needs:
        # Where nothing says that it makes the type, what says nothing may do so.
        found = find_offers(need.kind, offers) or find_offers(EMPTY, offers)
        for maker in (offer.lifespan for offer in found):
            if maker is not None and maker not in needed:
                before = lifespans[: lifespans.index(maker)]
                needed |= {maker, *_find_needed(maker.needs, before, ready)}
    return needed
