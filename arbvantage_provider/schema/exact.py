"""The validator of a compiled schema, exact where pydantic's own is not.

Two things get lost, and are given back here, before the first task comes:

* In a union, pydantic takes the member that fits best. A text that a check of
  ``leaves`` has looked at fits less well than a text, so that ``datetime | str`` would
  never be a ``datetime``.
* A number of JSON is a float before it is a ``Decimal``, so that ``0.10`` would be
  ``0.1``.

Source: https://docs.pydantic.dev/latest/concepts/unions/#smart-mode
"""

import math
import re
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from inspect import unwrap
from typing import Any, Final, TypeAlias

import jiter
from pydantic import TypeAdapter, ValidationError
from pydantic_core import CoreConfig, PydanticCustomError, SchemaValidator, to_json

from arbvantage_provider.schema.document import list_floats
from arbvantage_provider.schema.leaves import FULL_FORMS, read_check, take_integral
from arbvantage_provider.schema.parts import Node, map_parts
from arbvantage_provider.schema.violations import resolve

Check: TypeAlias = Callable[[bytes], Any]

_DECIMALS: Final = frozenset({"decimal", "fraction"})


def make_check(adapter: TypeAdapter[Any], config: CoreConfig | None = None) -> Check:
    """What validates the JSON text of a payload.

    Args:
        adapter: of the compiled schema.
        config: what it was made with, if with any.
    """
    core: Node = dict(adapter.core_schema)
    kinds = frozenset(_list_kinds(core))
    check: Check = adapter.validator.validate_json
    if "union" in kinds:
        core = _rewrite(core, _rank, inside=False)
        check = _build(core, config)
    if kinds & _DECIMALS:
        exact = _build(_rewrite(core, _look_up, inside=False), config)
        # A text of JSON in a document without floats may hold some.
        check = _DecimalCheck(exact if "json" in kinds else check, exact)
    return check


def _list_kinds(node: Node) -> Iterator[str]:
    kinds = {node["type"]}

    def collect(part: Node, _: str) -> Node:
        kinds.update(_list_kinds(part))
        return part

    map_parts(node, collect)
    return iter(kinds)


def _build(core: Any, config: CoreConfig | None) -> Check:
    try:
        # Else a class brings the validator that pydantic has built of it.
        validator = SchemaValidator(core, config, _use_prebuilt=False)
    except TypeError:  # an older release of pydantic, where no class does
        validator = SchemaValidator(core, config)
    return validator.validate_json


def _rewrite(node: Node, change: Callable[[Node, bool], Node], *, inside: bool) -> Node:
    """The node with all in it changed, from the innermost on.

    ``change`` is told whether the node may stand in a union; what others refer to may.
    """
    union = inside or node["type"] == "union"
    made = map_parts(
        node,
        lambda part, word: _rewrite(
            part, change, inside=union or word == "definitions"
        ),
    )
    # Others refer to what stands in its place.
    ref = {"ref": made.pop("ref")} if "ref" in made else {}
    return change(made, inside) | ref


# --- unions -----------------------------------------------------------------------


def _rank(node: Node, inside: bool) -> Node:  # noqa: FBT001 - as ``_rewrite`` calls it
    """A checked type that fits as well as the type itself would, without the check."""
    if inside and node["type"] == "chain":
        return _rank_text(node)
    if inside and node["type"] == "function-before":
        return _rank_value(node)
    return node


def _rank_text(node: Node) -> Node:
    fits = FULL_FORMS.get(node["steps"][0].get("pattern"))
    if fits is None:
        return node
    return _choose(
        lambda value: isinstance(value, str) and fits(value) is not None,
        node["steps"][-1],
        node,
    )


def _rank_value(node: Node) -> Node:
    function: Any = unwrap(node["function"]["function"])
    if function is take_integral:
        return _choose(
            lambda value: isinstance(value, float), _rank_last(node), node["schema"]
        )
    # An enum in two places is a definition, which the node only refers to.
    is_enum = (
        node["schema"]["type"] == "enum" or read_check(function).get("kind") == "enum"
    )
    return _rank_last(node) if is_enum else node


def _choose(test: Callable[[Any], bool], yes: Node, no: Node) -> Node:
    """One node or the other, which then reads the JSON itself.

    The tags stand in the places that pydantic names; payloads have no such keys.
    """

    def choose(value: object) -> str:
        return _YES if test(value) else _NO

    return {
        "type": "tagged-union",
        "discriminator": choose,
        "choices": {_YES: yes, _NO: no},
    }


_YES, _NO = "\ufffeyes", "\ufffeno"


class _Nothing:
    """No value is one."""


def _rank_last(node: Node) -> Node:
    """The node, whose value any other member of a union is better than."""
    return {
        "type": "lax-or-strict",
        "strict": False,
        "strict_schema": {"type": "is-instance", "cls": _Nothing},
        "lax_schema": node,
    }


# --- decimals ---------------------------------------------------------------------

_MAY_BE_FLOAT: Final = re.compile(rb"[\[:,\s]-?[0-9]+[.eE]")
_TEXTS: ContextVar[dict[float, str | None]] = ContextVar("_TEXTS")
"""What the floats of a document are written as; ``None`` for one that is written in
more than one way."""
_SEVERAL: Final = "decimal_number"


def _look_up(node: Node, _: bool) -> Node:  # noqa: FBT001 - as ``_rewrite`` calls it
    if node["type"] == "json":
        function = {"type": "no-info", "function": _read_inner}
        return {"type": "function-wrap", "function": function, "schema": node}
    if node["type"] not in _DECIMALS:
        return node
    kind = node["type"]
    steps = [
        {"type": kind, "strict": False},  # fits as well as pydantic says of a float
        {"type": "function-plain", "function": {"type": "no-info", "function": _exact}},
        {**node, "strict": False},
    ]
    looked_up = {"type": "chain", "steps": steps}
    return _choose(lambda value: isinstance(value, float), looked_up, node)


def _exact(value: Decimal | Fraction) -> Decimal | Fraction:
    """What pydantic made of a float, with the digits that the document has."""
    text = _TEXTS.get().get(float(value), "")
    if text is None:
        raise PydanticCustomError(
            _SEVERAL, "This number is written in more than one way; write it as text"
        )
    return type(value)(text) if text else value


def _list_texts(raw: bytes) -> dict[float, str | None]:
    """What ``_TEXTS`` is for a valid document."""
    texts: dict[float, str | None] = {}
    for _, number in list_floats(raw):
        value, text = float(number), number.decode()
        texts[value] = text if texts.get(value, text) == text else None
    return texts


def _read_inner(value: Any, handler: Callable[[Any], Any]) -> Any:
    """What a ``Json`` holds: a text that is a document of its own."""
    try:
        raw = value.encode()
        jiter.from_json(raw)
    except (AttributeError, ValueError):
        return handler(value)  # which says what is wrong
    token = _TEXTS.set(_list_texts(raw))
    try:
        return handler(value)
    finally:
        _TEXTS.reset(token)


@dataclass(frozen=True, slots=True)
class _DecimalCheck:
    """Validates JSON text, where a number that is a decimal keeps all its digits.

    Attributes:
        plain: for a document without floats.
        exact: takes what ``_TEXTS`` says of a float.
    """

    plain: Check
    exact: Check

    def __call__(self, raw: bytes) -> Any:
        if _MAY_BE_FLOAT.search(raw) is None:
            return self.plain(raw)
        texts = _list_texts(raw)
        token = _TEXTS.set(texts)
        try:
            return self._check(raw, texts)
        finally:
            _TEXTS.reset(token)

    def _check(self, raw: bytes, texts: dict[float, str | None]) -> Any:
        try:
            return self.exact(raw)
        except ValidationError as error:
            places = [
                each["loc"]
                for each in error.errors(include_url=False, include_input=False)
                if each["type"] == _SEVERAL
            ]
            if not places:
                raise
        return self.exact(_tell_apart(raw, places, texts))


def _tell_apart(
    raw: bytes, places: list[tuple[int | str, ...]], texts: dict[float, str | None]
) -> bytes:
    """The document, with a float of its own at each place, and its text in ``texts``."""
    document: Any = jiter.from_json(raw)
    written: Any = jiter.from_json(raw, float_mode="lossless-float")
    last: dict[float, float] = {}
    for place in places:
        holder, last_step = document, None
        value, text = document, written
        for step in resolve(place, document, _SEVERAL):
            holder, last_step, value, text = value, step, value[step], text[step]
        if not isinstance(value, float):  # what a validator made, or a text held
            continue
        own = last.get(value, value)
        while own in texts:
            own = math.nextafter(own, 0 if value > 1 else 2)
        last[value] = holder[last_step] = own
        texts[own] = str(text)
    return to_json(document)
