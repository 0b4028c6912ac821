"""``**options: Unpack[Options]``: the keys of a ``TypedDict`` as parameters."""

import inspect
import typing
from collections.abc import Iterator
from dataclasses import replace
from typing import (
    Annotated,
    Any,
    Final,
    NotRequired,
    ParamSpecKwargs,
    Required,
    TypeVar,
    get_args,
    get_origin,
)

import typing_extensions
from typing_extensions import ReadOnly, is_typeddict, override

from arbvantage_provider.annotations import resolve_aliases, substitute
from arbvantage_provider.exceptions import HandlerSignatureError
from arbvantage_provider.handlers.signature import Signature
from arbvantage_provider.handlers.types import is_unsaid

ABSENT: Final = object()
"""The default of a key that need not be there: it is not passed then."""
_NO_EXTRA: Final = (None, getattr(typing_extensions, "NoExtraItems", None))
_QUALIFIERS: Final = {Required, NotRequired, ReadOnly, Annotated}
_UNPACK: Final = (typing.Unpack, typing_extensions.Unpack)
_KEYWORD_ONLY: Final = inspect.Parameter.KEYWORD_ONLY


class Option(inspect.Parameter):
    """One key of the ``TypedDict``. It may be any text, as a parameter's name may not."""

    def __init__(self, key: str, annotation: Any, default: Any) -> None:
        super().__init__(
            "option", _KEYWORD_ONLY, default=default, annotation=annotation
        )
        self._key = key

    @property
    @override
    def name(self) -> str:
        """The key."""
        return self._key

    @override
    def replace(self, **changes: Any) -> "Option":
        """One with another annotation or default."""
        annotation = changes.get("annotation", self.annotation)
        return Option(self._key, annotation, changes.get("default", self.default))


def expand_options(action: str, signature: Signature) -> Signature:
    """The signature with each key as a parameter that is passed by name.

    Raises:
        HandlerSignatureError: if ``Unpack`` has no ``TypedDict``, stands on ``*args``,
            or repeats a parameter.
    """
    parameters: list[inspect.Parameter] = []
    for each in signature.parameters:
        if problem := _find_problem(each):
            raise HandlerSignatureError(action, each.name, problem)
        is_options = each.kind is each.VAR_KEYWORD and _is_unpacked(each.annotation)
        parameters += _list_options(_open(each.annotation)) if is_options else [each]
    names = [each.name for each in parameters]
    for each in parameters:
        if isinstance(each, Option) and names.count(each.name) > 1:
            problem = "it is a parameter, and a key of the TypedDict of **, too"
            raise HandlerSignatureError(action, each.name, problem)
    return replace(signature, parameters=tuple(parameters))


def find_kwargs_problem(signature: Signature) -> str:
    """Why ``**kwargs`` of one type are refused beside fields; ``""``: they are not."""
    for each in signature.parameters:
        said = each.annotation
        is_any = is_unsaid(said) or isinstance(said, TypeVar | ParamSpecKwargs)
        if each.kind is each.VAR_KEYWORD and not is_any:
            return (
                f"**{each.name} receives no keys of the payload by this annotation; "
                "name them in a TypedDict, and write Unpack[…] around it"
            )
    return ""


def _open(annotation: Any) -> Any:
    is_annotated = get_origin(annotation) is Annotated
    return get_args(annotation)[0] if is_annotated else annotation


def _is_unpacked(annotation: Any) -> bool:
    return get_origin(_open(annotation)) in _UNPACK


def _find_problem(parameter: inspect.Parameter) -> str:
    annotation = parameter.annotation
    is_unpacked = _is_unpacked(annotation)
    if any(map(_is_unpacked, get_args(annotation))) and not is_unpacked:
        return "Unpack[…] stands alone; leave out what is around it"
    if parameter.kind is not parameter.VAR_KEYWORD:
        is_lost = is_unpacked or getattr(annotation, "__unpacked__", False)
        return _MISPLACED[parameter.kind is parameter.VAR_POSITIONAL] if is_lost else ""
    if is_typeddict(get_origin(annotation) or annotation):
        return "this says that each value is such a dict; write Unpack[…] around it"
    return _find_misuse(*get_args(_open(annotation))) if is_unpacked else ""


def _find_misuse(inside: Any) -> str:
    class_ = get_origin(inside) or inside
    if not is_typeddict(class_):
        return f"Unpack takes a TypedDict, and not {inside!r}"
    has_extra = getattr(class_, "__extra_items__", None) not in _NO_EXTRA
    if has_extra or hasattr(class_, "__pydantic_config__"):
        return (
            "each key is a parameter here, so that extra_items and __pydantic_config__ "
            f"have no effect; leave them out, or write payload: {class_.__name__}"
        )
    return ""


_MISPLACED: Final = (
    "Unpack is for what has no parameter of its own; write **name: Unpack[…]",
    "*args is always empty; a payload has names: write **name: Unpack[…]",
)


def _list_options(annotation: Any) -> Iterator[Option]:
    (inside,) = get_args(annotation)
    class_: Any = get_origin(inside) or inside
    parameters = getattr(class_, "__parameters__", ())
    hints = typing_extensions.get_type_hints(class_, include_extras=True)
    for key, hint in hints.items():
        required = key in class_.__required_keys__
        said: Any = hint
        metadata: tuple[Any, ...] = ()
        while (origin := get_origin(said)) in _QUALIFIERS:
            said, *more = get_args(said)
            # What stands inside comes first, as in nested ``Annotated``.
            metadata = (*more, *metadata)
            if origin in {Required, NotRequired}:
                # Under postponed annotations only the hint knows.
                required = origin is Required
        said = Annotated[(said, *metadata)] if metadata else said
        type_ = resolve_aliases(substitute(said, parameters, get_args(inside)))
        yield Option(key, type_, inspect.Parameter.empty if required else ABSENT)
