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
    Dependency,
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
    Candidate,
    UnmetError,
    fill,
    find_candidates,
    resolve,
)
from arbvantage_provider.worker.lifespan.runner import open_lifespans

LEAST_GRACE: Final = 1.0
"""Seconds that closing has at least, where ``shutdown_timeout`` is shorter."""


class LifespanManager:
    """What may be injected into the handlers of one provider.

    Args:
        grace: seconds that closing may take.
        logger: the provider's.
    """

    def __init__(self, *, grace: float, logger: Any) -> None:
        self._grace = max(grace, LEAST_GRACE)
        self._logger = logger
        self._declared: list[Lifespan] = []
        self._ready: dict[Any, Candidate] = {}

    def add(self, function: Any) -> None:
        """Declare a lifespan.

        Raises:
            LifespanError: if it cannot be one.
        """
        self._declared.append(read_lifespan(function))

    def provide(self, kind: Any, value: Any) -> None:
        """Provide a value that is there; it stands in for a lifespan of that type.

        Raises:
            ConfigError: if ``kind`` is no type.
        """
        kind = _check_kind(kind)
        self._ready[kind] = Candidate(kind=kind, lifespan=None, value=value)

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
        ) as candidates:
            yield {} if candidates is None else _resolve(chosen, candidates)

    @asynccontextmanager
    async def open_for(self, action: Action) -> AsyncGenerator[Mapping[Any, Any]]:
        """Those are open in the block that one action needs.

        Raises:
            HandlerSignatureError: as ``open`` does.
            LifespanError: if one fails to open, or to close.
        """
        ready, lifespans = [*self._ready.values()], self._list_used()
        _check_actions([action], lifespans, ready)
        needed = _find_needed(action.plan.dependencies, lifespans, ready)
        used = [lifespan for lifespan in lifespans if lifespan in needed]
        async with open_lifespans(
            used,
            ready,
            stopping=asyncio.Event(),
            grace=self._grace,
            logger=self._logger,
        ) as candidates:
            yield _resolve([action], candidates or ())

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


def _list_promised(lifespans: Iterable[Lifespan]) -> list[Candidate]:
    """What lifespans promise by their annotations."""
    return [
        Candidate(kind=lifespan.kind, lifespan=lifespan)
        for lifespan in lifespans
        if lifespan.kind is not NOTHING
    ]


def _check_lifespans(lifespans: Sequence[Lifespan], ready: Sequence[Candidate]) -> None:
    """See that each has what it needs from those before it, if annotations tell."""
    for index, lifespan in enumerate(lifespans):
        candidates = [*ready, *_list_promised(lifespans[:index])]
        if _are_typed(candidates):
            fill(lifespan, candidates)


def _check_actions(
    actions: Iterable[Action], lifespans: Sequence[Lifespan], ready: Sequence[Candidate]
) -> None:
    """See that each has what it needs, before any is opened, if annotations tell."""
    candidates = [*ready, *_list_promised(lifespans)]
    if _are_typed(candidates):
        _resolve(actions, candidates)


def _are_typed(candidates: Iterable[Candidate]) -> bool:
    return all(candidate.kind is not EMPTY for candidate in candidates)


def _resolve(
    actions: Iterable[Action], candidates: Sequence[Candidate]
) -> dict[Any, Any]:
    """The values that actions need, by the types that they ask for."""
    values: dict[Any, Any] = {}
    for action in actions:
        for dependency in action.plan.dependencies:
            try:
                candidate = resolve(dependency, candidates)
            except UnmetError as error:
                raise HandlerSignatureError(
                    action.name, dependency.parameter, str(error)
                ) from None
            if candidate is not None:
                values[dependency.kind] = candidate.value
    return values


def _find_needed(
    dependencies: Iterable[Dependency],
    lifespans: Sequence[Lifespan],
    ready: Sequence[Candidate],
) -> set[Lifespan]:
    """The lifespans that make what is needed, and what these need themselves."""
    candidates = [*ready, *_list_promised(lifespans)]
    needed: set[Lifespan] = set()
    for dependency in dependencies:
        # Where nothing says that it makes the type, what says nothing may do so.
        found = find_candidates(dependency.kind, candidates) or find_candidates(
            EMPTY, candidates
        )
        for maker in (candidate.lifespan for candidate in found):
            if maker is not None and maker not in needed:
                before = lifespans[: lifespans.index(maker)]
                needed |= {maker, *_find_needed(maker.dependencies, before, ready)}
    return needed
