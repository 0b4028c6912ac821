"""Dataclasses, TypedDicts, NamedTuples and recursive types, as strict as a dict."""

import copy
import dataclasses
import enum
import inspect
from collections.abc import (
    Collection,
    Generator,
    Iterable,
    Mapping,
    MutableMapping,
    Sequence,
)
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    RootModel,
    TypeAdapter,
)
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema
from typing_extensions import is_typeddict

from arbvantage_provider.schema.strict_core import make_strict


def compile_class(type_: Any, *, closed: bool = False) -> Any:
    """A type that has parts, with these as strict as those of a dict schema.

    What has a configuration of its own, as each ``BaseModel`` has, keeps it.

    Args:
        type_: a class, or what a ``type X = …`` that holds itself is called.
        closed: whether keys that a class does not know are refused.

    Raises:
        PydanticUserError: or another of ``problems.UNBUILDABLE``, if pydantic
            cannot validate it.
    """
    adapter: TypeAdapter[Any] = TypeAdapter(type_)
    adapter.rebuild(raise_errors=True)
    if inspect.isclass(type_) and not has_parts(type_):
        return type_
    return Annotated[type_, MadeStrict(type_, closed, adapter.core_schema)]


def compile_tagged(union: Any, discriminator: Any, *, closed: bool = False) -> Any:
    """A union whose members are told apart by one field, as strict as a class.

    pydantic looks for the tags in its own schema of each member, where no check
    stands before them.

    Args:
        union: of models, dataclasses and ``TypedDict``s.
        discriminator: the field's name, or a ``Discriminator``.
        closed: whether keys that a class does not know are refused.

    Raises:
        PydanticUserError: or another of ``problems.UNBUILDABLE``, if the members
            cannot be told apart.
    """
    adapter: TypeAdapter[Any] = TypeAdapter(name_tags(union, discriminator))
    adapter.rebuild(raise_errors=True)
    return Annotated[
        union, MadeStrict(union, closed, adapter.core_schema, discriminator)
    ]


def name_tags(union: Any, discriminator: Any) -> Any:
    """The union as pydantic wants it declared."""
    return Annotated[union, Field(discriminator=discriminator)]


def split_discriminator(metadata: Iterable[Any]) -> tuple[Any, list[Any]]:
    """The discriminator in the metadata of an ``Annotated``, if any, and the rest."""
    discriminator: Any = None
    others: list[Any] = []
    for part in metadata:
        if isinstance(part, Discriminator):
            discriminator = part
            continue
        if isinstance(part, FieldInfo) and part.discriminator is not None:
            discriminator, part = part.discriminator, copy.copy(part)  # noqa: PLW2901
            part.discriminator = None
        others.append(part)
    return discriminator, others


def has_parts(class_: Any) -> bool:
    """Whether it is a class that pydantic reads as its parts, and no ``BaseModel``."""
    if issubclass(class_, BaseModel):
        return False
    if dataclasses.is_dataclass(class_) or is_typeddict(class_) or is_lazy(class_):
        return True
    return hasattr(class_, "_fields") and issubclass(class_, tuple)


def is_lazy(type_: Any) -> bool:
    """Whether pydantic validates it when the handler looks at it, which is too late."""
    return (get_origin(type_) or type_) in (Iterable, Generator)


def may_be_key(declared: Any) -> bool:
    """Whether a text may stand for it, as the keys of a JSON object are text."""
    if isinstance(declared, Mapping | list):
        return False
    kind: Any = get_origin(declared) or declared
    if not inspect.isclass(kind):
        return True
    is_object = has_parts(kind) or issubclass(kind, BaseModel)
    is_one = issubclass(kind, str | bytes | enum.Enum)
    is_container = issubclass(kind, Collection) and not is_one
    return issubclass(kind, RootModel) or not (is_container or is_object)


def is_hashable(compiled: Any) -> bool:
    """Whether a value of the type may be in a set, where that can be known."""
    origin = get_origin(compiled)
    if origin is Annotated:
        return is_hashable(get_args(compiled)[0])
    if origin in {Union, UnionType}:
        return any(map(is_hashable, get_args(compiled)))
    if origin is tuple:
        return all(map(is_hashable, get_args(compiled)))
    kind = origin or compiled
    if not inspect.isclass(kind):
        return True
    is_abstract = kind in {Sequence, Mapping, MutableMapping}  # a list or a dict
    return not is_abstract and kind.__hash__ is not None


@dataclass(frozen=True)
class MadeStrict:
    """Stands first in an ``Annotated``, so that all else stands around it.

    Attributes:
        type_: what it stands behind.
        closed: whether keys that a class does not know are refused.
        core: what pydantic built of it.
        discriminator: what tells the members of a union apart, if anything does.
    """

    type_: Any
    closed: bool
    core: CoreSchema = dataclasses.field(compare=False, repr=False)
    discriminator: Any = None

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        # Each use has a copy of its own, as pydantic changes what it is given.
        return handler.generate_schema(
            _Built(make_strict(self.core, closed=self.closed))
        )


@dataclass(frozen=True)
class _Built:
    """What pydantic asks for a schema, so that it knows the definitions in it."""

    core: CoreSchema

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return self.core
