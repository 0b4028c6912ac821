"""What pydantic built of a class, made as strict as a dict schema.

pydantic gives a configuration to some parts of a class and not to others, such as
what a class refers to twice, and which ones depends on its release. So each part
that reads JSON is made strict by itself. A class that has a configuration of its own
keeps it, with all inside it.

Source: ``pydantic_core.core_schema``
"""

import enum
import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pydantic import TypeAdapter
from pydantic_core import CoreSchema

from arbvantage_provider.schema.parts import Node, map_parts
from arbvantage_provider.schema.scalars import (
    STRICT,
    TYPES,
    compile_scalar,
    find_marker,
)

_WITH_STRICT: Final = frozenset(
    {"bool", "int", "float", "decimal", "fraction", "complex", "str", "bytes", "enum"}
    | {"date", "time", "datetime", "timedelta", "url", "multi-host-url", "uuid"}
    | {"list", "deque", "tuple", "set", "frozenset", "dict", "ordered-dict", "counter"}
    | {"typed-dict", "dataclass", "lax-or-strict"}
)
_MARK: Final = re.compile(r"^[^\[]*")
"""The part of a reference behind which ``Class[int]`` has its arguments."""


def make_strict(schema: CoreSchema, *, closed: bool) -> CoreSchema:
    """The schema, strict wherever no class has a configuration of its own.

    What is strict has references of its own, as the same class may stand inside a
    class that keeps its configuration, too.

    Args:
        schema: a complete one, as a ``TypeAdapter`` has it.
        closed: whether keys that a class does not know are refused.
    """
    root: Node = dict(schema)
    known: list[Node] = root["definitions"] if root["type"] == "definitions" else []
    maker = _StrictMaker(closed=closed, known={each["ref"]: each for each in known})
    made = maker.make_strict(root["schema"] if known else root)
    if "ref" in made:
        maker.made[made["ref"]] = made
        made = {"type": "definition-ref", "schema_ref": made["ref"]}
    definitions = [*known, *maker.made.values()]
    whole: Any = {"type": "definitions", "schema": made, "definitions": definitions}
    return whole  # type: ignore[no-any-return]


@dataclass(frozen=True, kw_only=True, slots=True)
class _StrictMaker:
    """One walk through a schema.

    Attributes:
        closed: whether keys that a class does not know are refused.
        known: the definitions, by their references.
        made: the strict ones, by theirs.
    """

    closed: bool
    known: Mapping[str, Node]
    made: dict[str, Node] = field(default_factory=dict[str, Node])

    def make_strict(self, node: Node, *, as_key: bool = False) -> Node:
        """A node and all inside it.

        Args:
            node: what pydantic built.
            as_key: whether it reads the keys of an object, which are text.
        """
        if node["type"] == "definition-ref":
            return self._refer(node, as_key=as_key)
        if _keeps_configuration(node):
            return node
        made = map_parts(
            node,
            lambda part, word: self.make_strict(
                part, as_key=as_key or word == "keys_schema"
            ),
        )
        if "steps" in node:  # only the first reads JSON; the others, what it made
            made["steps"] = [made["steps"][0], *node["steps"][1:]]
        reference = made.pop("ref", None)
        made = _check(_set_strict(made, closed=self.closed), as_key=as_key)
        return made if reference is None else made | {"ref": self._name(reference)}

    def _refer(self, node: Node, *, as_key: bool) -> Node:
        target = self.known[node["schema_ref"]]
        if _keeps_configuration(target):
            return node
        reference = self._name(node["schema_ref"]) + ("-key" if as_key else "")
        if reference not in self.made:
            self.made[reference] = {}  # it may refer to itself
            made = self.make_strict(target, as_key=as_key)
            self.made[reference] = made | {"ref": reference}
        return node | {"schema_ref": reference}

    def _name(self, reference: str) -> str:
        mark = "closed" if self.closed else "strict"
        return _MARK.sub(rf"\g<0>-{mark}", reference, count=1)


def _keeps_configuration(node: Node) -> bool:
    if node["type"] == "model":
        return True
    if node["type"] not in {"dataclass", "typed-dict"}:
        return False
    own = getattr(node.get("cls"), "__pydantic_config__", None) is not None
    return own or bool(node.get("config", {}).keys() - {"title"})


def _set_strict(node: Node, *, closed: bool) -> Node:
    kind = node["type"]
    if kind in _WITH_STRICT:
        node = {"strict": True, **node}
    if kind == "union":
        node = {**node, "strict": False}  # its members say it, and some say no
    if kind in {"float", "decimal", "complex"}:
        node = {**node, "allow_inf_nan": False}
    if kind == "generator":  # it would be read when the handler looks at it
        node = {**node, "type": "list", "strict": True}
    if kind in {"typed-dict", "dataclass"}:
        node = {**node, "config": {**node.get("config", {}), **STRICT}}
    if kind == "tagged-union":  # JSON has the value of an enum
        tags: Any = node["choices"]
        values = {t.value: tags[t] for t in tags if isinstance(t, enum.Enum)}
        node = {**node, "choices": {**values, **tags}}
    if closed and kind in {"typed-dict", "dataclass-args"}:
        node = {**node, "extra_behavior": "forbid"}
    return node


def _check(node: Node, *, as_key: bool) -> Node:
    """The node with the check of a plain type before it, as a dict schema has it."""
    scalar = _find_leaf(node)
    marker = None if scalar is None else find_marker(scalar, as_key=as_key)
    if marker is None:
        return node
    schema: Any = node
    checked = dict(marker.wrap(schema))
    if checked["type"] == "chain":
        checked["metadata"] = _read_metadata(scalar, as_key=as_key)
    return checked


def _find_leaf(node: Node) -> Any:
    kind = node["type"]
    if kind == "literal":
        return Literal[tuple(node["expected"])]
    return node["cls"] if kind == "enum" else TYPES.get(kind)


@functools.cache
def _read_metadata(scalar: Any, *, as_key: bool) -> Any:
    """How pydantic describes a text of one form as what it stands for."""
    core: Any = TypeAdapter(compile_scalar(scalar, as_key=as_key)).core_schema
    return core.get("metadata", {})
