"""Constraints that no value can be held against, such as ``ge=1`` on a text.

pydantic takes them with any type, and fails at each value.
"""

import datetime as dt
import enum
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from decimal import Decimal
from functools import partial
from typing import Any, Final, TypeAlias

from arbvantage_provider.schema.parts import list_choices

_Node: TypeAlias = Mapping[str, Any]

_VALUES: Final[tuple[Any, ...]] = (
    *("", b"", False, 0, 0.0, Decimal(1), uuid.UUID(int=0), [], (), set[Any](), {}),
    *(frozenset[Any](), dt.date.min, dt.datetime.now(dt.UTC), dt.time.min),
    dt.timedelta(),
)
_SAMPLES: Final[Mapping[str, Any]] = {
    **{type(value).__name__.lower(): value for value in _VALUES},
    "typed-dict": {},
}
"""A value of each kind; it does not matter which one."""
_OF_PYDANTIC: Final = "pydantic._internal._validators"
_UNMADE: Final = "_apply_constraint_with_incompatibility_info"
_LENGTHS: Final = ("min_length", "max_length")


_INNER: Final[Mapping[str, str]] = {
    **dict.fromkeys(("function-before", "function-after"), "schema"),
    **dict.fromkeys(("default", "nullable"), "schema"),
    "json-or-python": "json_schema",
    "lax-or-strict": "lax_schema",
}


def find_unfit(node: _Node, definitions: Mapping[str, _Node]) -> str:
    """What is wrong with the constraints that stand right on a type; ``""``: nothing."""
    if node["type"] == "function-after":
        return _find_unfit_call(node, definitions)
    if node["type"] == "function-before":
        return find_unfit(node["schema"], definitions)
    if node["type"] != "chain":
        return _find_contradiction(node)
    found = [find_unfit(step, definitions) for step in node["steps"][1:]]
    return _find_unfit_text(node, definitions) or next(filter(None, found), "")


def _find_unfit_call(node: _Node, definitions: Mapping[str, _Node]) -> str:
    check = node["function"]["function"]
    if not (isinstance(check, partial) and check.func.__module__ == _OF_PYDANTIC):
        return ""
    for kind, sample in _list_samples(node["schema"], definitions):
        try:
            check(sample)
        except (TypeError, AttributeError) as error:
            if isinstance(error, AttributeError) and kind not in _SAMPLES:
                continue  # a class compares what a bare instance lacks
            ((word, value),) = check.keywords.items()
            return _refuse(word, value, kind)
        except Exception:  # noqa: BLE001, S112 - the sample does not fit; others may
            continue
    return ""


def _find_unfit_text(node: _Node, definitions: Mapping[str, _Node]) -> str:
    """What is only for texts is applied in a step of its own."""
    steps: list[_Node] = node["steps"]
    first, second = steps[0], steps[-1]
    given: Any = second.get("function") or {}
    if getattr(given.get("function"), "__name__", "") != _UNMADE:
        return ""
    word = next((w for w in ("pattern", *_LENGTHS) if w in second["schema"]), "")
    for kind, sample in _list_samples(first, definitions):
        if word and not isinstance(sample, str):
            return _refuse(word, second["schema"][word], kind)
    return ""


def _refuse(word: str, value: Any, kind: str) -> str:
    return (
        f"{word}={value!r} cannot be applied to {kind}; leave it out, or write it at a "
        f"type that it is for"
    )


def _list_samples(
    node: _Node, definitions: Mapping[str, _Node], above: frozenset[str] = frozenset()
) -> Iterator[tuple[str, Any]]:
    """What the type is called and a value of it; of each, if there are several."""
    kind, parts = node["type"], list[_Node]()
    if kind in {"enum", "literal"}:
        yield from _list_members(node)
    elif kind in {"model", "dataclass"}:
        with suppress(TypeError):  # no bare instance can be made
            yield node["cls"].__name__, object.__new__(node["cls"])
    elif kind in _SAMPLES:
        yield kind.replace("typed-dict", "dict"), _SAMPLES[kind]
    elif kind == "definition-ref" and node["schema_ref"] not in above:
        above |= {node["schema_ref"]}
        parts = [definitions[node["schema_ref"]]]
    else:
        parts = _list_inner(node)
    for part in parts:
        yield from _list_samples(part, definitions, above)


def _list_inner(node: _Node) -> list[_Node]:
    """What a node makes its value by, where that is known."""
    if node["type"] == "union":
        return [*list_choices(node)]
    if node["type"] == "chain":
        return [node["steps"][-1]]
    word = _INNER.get(node["type"])
    return [node[word]] if word else []


def _list_members(node: _Node) -> Iterable[tuple[str, Any]]:
    members: list[Any] = node.get("members") or node.get("expected") or []
    for member in members[:1]:
        is_enum = isinstance(member, enum.Enum)
        yield type(member).__name__ if is_enum else f"Literal[{member!r}]", member


def _find_contradiction(node: _Node) -> str:
    """Bounds that no value keeps."""
    step = node.get("multiple_of")
    if step is not None and not step > 0:
        return f"multiple_of={step!r} is for no number; write one greater than 0"
    low = [(word, node[word]) for word in ("ge", "gt") if node.get(word) is not None]
    high = [(word, node[word]) for word in ("le", "lt") if node.get(word) is not None]
    if all(node.get(word) is not None for word in _LENGTHS):
        low.append((_LENGTHS[0], node[_LENGTHS[0]]))
        high.append((_LENGTHS[1], node[_LENGTHS[1]]))
    for word, bound in (*low, *high):
        if bound != bound:  # noqa: PLR0124 - as only what is not a number
            return f"{word}={bound!r} is kept by no value; write a number"
    for (word, bound), (other, limit) in ((a, b) for a in low for b in high):
        if word.startswith("m") is not other.startswith("m"):
            continue
        is_open = word == "gt" or other == "lt"
        if bound > limit or (bound == limit and is_open):
            return f"no value keeps both {word}={bound!r} and {other}={limit!r}"
    return ""
