"""What is there to be injected, and which of it a parameter gets."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, get_origin

from arbvantage_provider.exceptions import LifespanError
from arbvantage_provider.handlers.defaults import EMPTY
from arbvantage_provider.handlers.inject import Dependency, show_kind
from arbvantage_provider.worker.lifespan.lifespan import Lifespan


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """One value that may be injected.

    Attributes:
        kind: the type that it goes by.
        lifespan: what makes it; ``None``: the program gave it.
        value: the value, once it is made; it is never shown.
    """

    kind: Any
    lifespan: Lifespan | None
    value: Any = field(default=None, repr=False)


class UnmetError(Exception):
    """Nothing, or more than one thing, may fill a parameter."""


def resolve(
    dependency: Dependency, candidates: Sequence[Candidate]
) -> Candidate | None:
    """The candidate for a parameter; ``None``: its default is for it.

    Raises:
        UnmetError: if there is none, or more than one.
    """
    found = find_candidates(dependency.kind, candidates)
    if len(found) == 1:
        return found[0]
    if not found and dependency.default is not EMPTY:
        return None
    raise UnmetError(_describe(dependency.kind, found, candidates))


def fill(lifespan: Lifespan, candidates: Sequence[Candidate]) -> dict[str, Any]:
    """The arguments for a lifespan that needs what earlier ones made.

    Raises:
        LifespanError: if nothing, or more than one thing, may fill a parameter.
    """
    values: dict[str, Any] = {}
    for dependency in lifespan.dependencies:
        try:
            candidate = resolve(dependency, candidates)
        except UnmetError as error:
            problem = f"parameter {dependency.parameter!r}: {error}"
            raise LifespanError(lifespan.name, problem) from None
        values[dependency.parameter] = (
            dependency.default if candidate is None else candidate.value
        )
    return values


def find_candidates(kind: Any, candidates: Sequence[Candidate]) -> list[Candidate]:
    """The best candidates for a type: the type itself first, then its subclasses.

    In both, what the program gave comes before what a lifespan makes.
    """
    exact = [candidate for candidate in candidates if candidate.kind == kind]
    below = [candidate for candidate in candidates if _is_below(candidate.kind, kind)]
    for matching in (exact, below):
        given = [candidate for candidate in matching if candidate.lifespan is None]
        if matching:
            return given or matching
    return []


def _is_below(matching: Any, kind: Any) -> bool:
    if not (_is_class(matching) and _is_class(kind)):
        return False
    try:
        return kind in matching.__mro__ or issubclass(matching, kind)
    except TypeError:  # a protocol that cannot be checked at run time
        return False


def _is_class(kind: Any) -> bool:
    return isinstance(kind, type) and get_origin(kind) is None


def _describe(
    kind: Any, found: Sequence[Candidate], candidates: Sequence[Candidate]
) -> str:
    name = show_kind(kind)
    if found:
        problem = f"{len(found)} provide {name}: {_list(found)}"
        return f"{problem}; ask for one of them by its own type, or give each a NewType"
    there = (
        f"there is {_list(candidates)}" if candidates else "there is nothing to inject"
    )
    remedy = "write a @provider.lifespan that is annotated to yield it, or call"
    return f"nothing provides {name}; {there}; {remedy} provider.provide({name}, value)"


def _list(candidates: Sequence[Candidate]) -> str:
    return ", ".join(
        f"{show_kind(candidate.kind)} ({_name_source(candidate)})"
        for candidate in candidates
    )


def _name_source(candidate: Candidate) -> str:
    return (
        f"lifespan {candidate.lifespan.name!r}" if candidate.lifespan else "provide()"
    )
