"""The validator of a compiled schema, exact where pydantic's own is not.

Two things get lost, and are given back here, before the first task comes:

* In a union, pydantic takes the member that fits best. A text that a check of
  ``leaves`` has looked at fits less well than a text, so that ``datetime | str`` would
  never be a ``datetime``.
* A number of JSON with a fraction or an exponent is a float before it is a ``Decimal``
  or an ``int``, so that ``0.10`` would be ``0.1``, and ``1e23`` another number. Where
  such a one stands, the document is read a second time, with the digits that it has.

Source: https://docs.pydantic.dev/latest/concepts/unions/#smart-mode
"""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cache
from inspect import unwrap
from typing import Any, Final, TypeAlias

import jiter
from pydantic import TypeAdapter, ValidationError
from pydantic_core import CoreConfig, PydanticKnownError, SchemaValidator, to_json

from arbvantage_provider.schema.digits import (
    FLOATS,
    SEVERAL,
    UNREAD,
    Floats,
    Reread,
    may_lose_digits,
    parse,
    refuse_several,
    take_integral,
)
from arbvantage_provider.schema.parts import Node, map_parts
from arbvantage_provider.schema.scalars import FULL_FORMS, read_check
from arbvantage_provider.schema.violations import resolve

Check: TypeAlias = Callable[[bytes], Any]

_DECIMALS: Final = frozenset({"decimal", "fraction"})
_WHOLE: Final = frozenset({"int", "enum", "literal"})


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
        core = _rewrite(core, _rank)
        check = _build(core, config)
    if not kinds & (_DECIMALS | _WHOLE):
        return check
    hurried = _rewrite(core, _hurry)
    if hurried != core:
        check = _build(hurried, config)
    exact = cache(lambda: _build(_rewrite(core, _look_up), config))
    needs = None
    if kinds & _DECIMALS:
        needs = _ANY.search if "json" in kinds else _MAY_BE_FLOAT.search
    return _ExactCheck(check, exact, needs)


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


def _rewrite(node: Node, change: Callable[[Node, str], Node], inside: str = "") -> Node:
    """The node with all in it changed, from the innermost on.

    ``change`` is told where the node stands: in a ``union``, in one of the
    ``definitions``, which may be, too, or in neither.
    """
    here = "union" if node["type"] == "union" else inside

    def change_part(part: Node, word: str) -> Node:
        return _rewrite(part, change, "definitions" if word == "definitions" else here)

    made = map_parts(node, change_part)
    # Others refer to what stands in its place.
    ref = {"ref": made.pop("ref")} if "ref" in made else {}
    return change(made, inside) | ref


# --- unions -----------------------------------------------------------------------


def _rank(node: Node, inside: str) -> Node:
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


# --- digits -----------------------------------------------------------------------

_MAY_BE_FLOAT: Final = re.compile(rb"[\[:,\s]-?[0-9]+[.eE]")
_ANY: Final = re.compile(b"")


def _hurry(node: Node, inside: str) -> Node:
    """A type that raises ``Reread`` where a float stands for it.

    What is strict takes none, but by a check, which raises it. Any other integer is
    strict here: what it is no more is looked at again, with ``_look_up``.
    """
    if node["type"] != "int" or node.get("strict"):
        return node
    if inside == "union":
        return _watch(_find_float, node)
    strict = {
        "type": "default",
        "schema": {**node, "strict": True},
        "on_error": "default",
        "default_factory": _raise_reread,
    }
    # Nobody takes that for the default of a field.
    return {"type": "json-or-python", "json_schema": strict, "python_schema": strict}


def _raise_reread() -> None:
    raise Reread


def _find_float(value: object) -> None:
    if isinstance(value, float) and value.is_integer():
        raise Reread


def _watch(look: Callable[[object], None], node: Node) -> Node:
    """The node, before which ``look`` is shown the value."""

    def choose(value: object) -> str:
        look(value)
        return _NO

    return {"type": "tagged-union", "discriminator": choose, "choices": {_NO: node}}


def _look_up(node: Node, _: str) -> Node:
    kind = node["type"]
    if kind == "json":
        function = {"type": "no-info", "function": _read_inner}
        return {"type": "function-wrap", "function": function, "schema": node}
    if kind == "int" and not node.get("strict"):
        strict = {"strict": node["strict"]} if "strict" in node else {}
        return _choose_exact(node, {"type": kind, **strict}, _read_int)
    if kind in _DECIMALS:
        # It fits as well as pydantic says of a float.
        return _choose_exact(node, {"type": kind, "strict": False}, _read_decimal)
    return node


def _choose_exact(node: Node, plain: Node, read: Callable[[Any], Any]) -> Node:
    """Of a float, what ``read`` makes of what the ``plain`` type makes of it."""
    steps = [
        plain,
        {"type": "function-plain", "function": {"type": "no-info", "function": read}},
        {**node, "strict": False},
    ]
    looked_up = {"type": "chain", "steps": steps}
    return _choose(lambda value: isinstance(value, float), looked_up, node)


def _read_inner(value: Any, handler: Check) -> Any:
    """What a ``Json`` holds: a text that is a document of its own."""
    floats = Floats()
    try:
        raw = value.encode()
        jiter.from_json(raw)
        floats.add(raw)
    except (AttributeError, ValueError):
        return handler(value)  # which says what is wrong
    return _within(floats, handler, value)


def _read_int(value: int) -> object:
    whole = take_integral(float(value))
    if type(whole) is not int:
        raise PydanticKnownError("int_from_float")
    return whole


def _read_decimal(value: Decimal | Fraction) -> Decimal | Fraction:
    """What pydantic made of a float, with the digits that the document has."""
    floats, given = FLOATS.get(), float(value)
    if floats is None or given not in floats.texts:
        return value
    if given in floats.respelled:
        raise refuse_several()
    text = floats.texts[given]
    if parse(text) is None:
        raise PydanticKnownError("decimal_parsing")
    return type(value)(text)


@dataclass(frozen=True, slots=True)
class _ExactCheck:
    """Validates JSON text, where no number loses a digit on its way to its type.

    Attributes:
        plain: for a document without floats; it raises ``Reread`` of one for an integer.
        exact: makes what takes floats as ``FLOATS`` has them.
        may_be_decimal: whether there may be one for a decimal; ``None``: there is no
            decimal.
    """

    plain: Check
    exact: Callable[[], Check]
    may_be_decimal: Callable[[bytes], object] | None

    def __call__(self, raw: bytes) -> Any:
        if self.may_be_decimal is None or not self.may_be_decimal(raw):
            token = FLOATS.set(UNREAD)
            try:
                return self.plain(raw)
            except Reread:
                pass
            finally:
                FLOATS.reset(token)
        floats = Floats()
        if self.may_be_decimal is not None or may_lose_digits(raw):
            floats.add(raw)
        return _within(floats, lambda raw: self._check(raw, floats), raw)

    def _check(self, raw: bytes, floats: Floats) -> Any:
        exact = self.exact()
        try:
            return exact(raw)
        except ValidationError as error:
            places = [
                each["loc"]
                for each in error.errors(include_url=False, include_input=False)
                if each["type"] == SEVERAL
            ]
            if not places:
                raise
        return exact(_tell_apart(raw, places, floats))


def _within(floats: Floats, check: Check, raw: Any) -> Any:
    token = FLOATS.set(floats)
    try:
        return check(raw)
    finally:
        FLOATS.reset(token)


def _tell_apart(
    raw: bytes, places: list[tuple[int | str, ...]], floats: Floats
) -> bytes:
    """The document, with a float of its own at each place, and its text in ``floats``."""
    document: Any = jiter.from_json(raw)
    written: Any = jiter.from_json(raw, float_mode="lossless-float")
    last: dict[float, float] = {}
    for place in places:
        holder, last_step = document, None
        value, text = document, written
        for step in resolve(place, document, SEVERAL):
            holder, last_step, value, text = value, step, value[step], text[step]
        if not isinstance(value, float):  # what a validator made, or a text held
            continue
        own = last.get(value, value)
        while own in floats.texts:
            own = math.nextafter(own, 0 if value > 1 else 2)
        last[value] = holder[last_step] = own
        floats.texts[own] = str(text)
    return to_json(document)
