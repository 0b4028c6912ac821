"""What is there to be injected, and which of it a parameter gets."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, get_origin

from arbvantage_provider.exceptions import LifespanError
from arbvantage_provider.handlers.defaults import EMPTY
from arbvantage_provider.handlers.inject import Need, show_kind
from arbvantage_provider.worker.lifespan.lifespan import Lifespan


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """One value that may be injected.

    Attributes:
        kind: the type that it is offered under.
        lifespan: what makes it; ``None``: the program gave it.
        value: the value, once it is made; it is never shown.
    """

    kind: Any
    lifespan: Lifespan | None
    value: Any = field(default=None, repr=False)


class UnmetError(Exception):
    """Nothing, or more than one thing, may fill a parameter."""


def take(need: Need, offers: Sequence[Offer]) -> Offer | None:
    """The offer for a parameter; ``None``: its default is for it.

    Raises:
        UnmetError: if there is none, or more than one.
    """
    found = find_offers(need.kind, offers)
    if len(found) == 1:
        return found[0]
    if not found and need.default is not EMPTY:
        return None
    raise UnmetError(_describe(need.kind, found, offers))


def fill(lifespan: Lifespan, offers: Sequence[Offer]) -> dict[str, Any]:
    """The arguments for a lifespan that needs what earlier ones made.

    Raises:
        LifespanError: if nothing, or more than one thing, may fill a parameter.
    """
    values: dict[str, Any] = {}
    for need in lifespan.needs:
        try:
            offer = take(need, offers)
        except UnmetError as error:
            problem = f"parameter {need.parameter!r}: {error}"
            raise LifespanError(lifespan.name, problem) from None
        values[need.parameter] = need.default if offer is None else offer.value
    return values


def find_offers(kind: Any, offers: Sequence[Offer]) -> list[Offer]:
    """The best offers for a type: the type itself first, then its subclasses.

    In both, what the program gave comes before what a lifespan makes.
    """
    exact = [offer for offer in offers if offer.kind == kind]
    below = [offer for offer in offers if _is_below(offer.kind, kind)]
    for offered in (exact, below):
        given = [offer for offer in offered if offer.lifespan is None]
        if offered:
            return given or offered
    return []


def _is_below(offered: Any, kind: Any) -> bool:
    if not (_is_class(offered) and _is_class(kind)):
        return False
    try:
        return kind in offered.__mro__ or issubclass(offered, kind)
    except TypeError:  # a protocol that cannot be checked at run time
        return False


def _is_class(kind: Any) -> bool:
    return isinstance(kind, type) and get_origin(kind) is None


def _describe(kind: Any, found: Sequence[Offer], offers: Sequence[Offer]) -> str:
    name = show_kind(kind)
    if found:
        problem = f"{len(found)} provide {name}: {_list(found)}"
        return f"{problem}; ask for one of them by its own type, or give each a NewType"
    there = f"there is {_list(offers)}" if offers else "there is nothing to inject"
    remedy = "write a @provider.lifespan that is annotated to yield it, or call"
    return f"nothing provides {name}; {there}; {remedy} provider.provide({name}, value)"


def _list(offers: Sequence[Offer]) -> str:
    return ", ".join(
        f"{show_kind(offer.kind)} ({_name_source(offer)})" for offer in offers
    )


def _name_source(offer: Offer) -> str:
    return f"lifespan {offer.lifespan.name!r}" if offer.lifespan else "provide()"
