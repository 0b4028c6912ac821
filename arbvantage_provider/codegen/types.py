"""Types as Python source."""

import inspect
from collections import OrderedDict, defaultdict, deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, Field

from arbvantage_provider.codegen.constraints import read_constraints
from arbvantage_provider.codegen.names import Scope
from arbvantage_provider.codegen.values import Values

_ANY_CONTENTS: Final[Mapping[type, tuple[Any, ...]]] = {
    list: (Any,),
    set: (Any,),
    frozenset: (Any,),
    tuple: (Any, ...),
    deque: (Any,),
    dict: (str, Any),
    OrderedDict: (str, Any),
    defaultdict: (str, Any),
}
"""The arguments that a bare container stands for in JSON."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TypeFormatter:
    """Writes types for one place.

    Attributes:
        scope: the names of the module.
        classes: the names of the generated classes, by the ids of their types.
        avoid: names that mean something else in this place.
        with_constraints: whether ``Annotated`` is kept.
    """

    scope: Scope
    classes: Mapping[int, str]
    avoid: Collection[str] = ()
    with_constraints: bool = True

    @property
    def values(self) -> Values:
        """Writes values for the same place."""
        return Values(self.scope, self.avoid)

    def inside(self, avoid: Collection[str]) -> "TypeFormatter":
        """The same for a place where other names are taken."""
        return replace(self, avoid=avoid)

    def spell(self, type_: Any) -> str:
        """An expression for a type.

        Raises:
            UnspeakableError: if there is none.
        """
        special = self._spell_special(type_)
        if special:
            return special
        origin, args = get_origin(type_), get_args(type_)
        if origin is None:
            return self._spell_class(type_)
        if origin is Annotated:
            return self.annotate(args[0], args[1:])
        return self._spell_generic(origin, args, is_bare=not hasattr(type_, "__args__"))

    def _spell_special(self, type_: Any) -> str:
        if id(type_) in self.classes:
            return self.classes[id(type_)]
        if type_ is None or type_ is type(None):
            return "None"
        if type_ is Any or type_ is object:
            return self._refer_typing("Any")
        return "..." if type_ is Ellipsis else ""

    def annotate(self, type_: Any, metadata: tuple[Any, ...]) -> str:
        """``Annotated[type_, …]``, or the type where nothing is left to say."""
        spelled = self.spell(type_)
        if not self.with_constraints:
            return spelled
        words, rest = read_constraints(metadata)
        parts = [self.values.spell(part) for part in rest]
        if words:
            parts.append(self.values.call(Field, words))
        if not parts:
            return spelled
        return f"{self._refer_typing('Annotated')}[{', '.join([spelled, *parts])}]"

    def _spell_class(self, type_: Any) -> str:
        if type_ in _ANY_CONTENTS:
            return self._spell_generic(type_, (), is_bare=True)
        if inspect.isclass(type_) and issubclass(type_, BaseModel):
            generic = type_.__pydantic_generic_metadata__
            if generic["origin"] is not None:
                return self._spell_generic(generic["origin"], generic["args"])
        return self.values.refer(type_)

    def _spell_generic(
        self, origin: Any, args: tuple[Any, ...], *, is_bare: bool = False
    ) -> str:
        if origin in (Union, UnionType):
            return " | ".join(dict.fromkeys(map(self.spell, args)))
        if origin is Literal:
            values = ", ".join(map(self.values.spell, args))
            return f"{self._refer_typing('Literal')}[{values}]"
        name = self.values.refer(origin)
        if is_bare:
            args = _ANY_CONTENTS.get(origin, ())
        if not args:
            return name if is_bare else f"{name}[()]"
        return f"{name}[{', '.join(map(self.spell, args))}]"

    def _refer_typing(self, name: str) -> str:
        return self.scope.refer("typing", name, self.avoid)
