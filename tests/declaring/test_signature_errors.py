"""What is wrong with a handler is said where it is registered."""

# Handlers are wrong on purpose.
# ruff: noqa: RUF043, S102
# pyright: basic

import functools
import math
import typing
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from arbvantage_provider import HandlerSignatureError, RegistrationError

Register = Callable[..., None]


class Foreign:
    """A class that has no JSON form."""


class Model(BaseModel):
    a: int


class Other(BaseModel):
    a: int


def generates(a: int) -> Iterator[int]:
    yield a


async def generates_async(a: int) -> AsyncIterator[int]:
    yield a


class Generates:
    def __call__(self) -> Iterator[int]:
        yield 1


@pytest.mark.parametrize(
    "handler", [generates, generates_async, Generates(), functools.partial(generates)]
)
def test_a_generator_is_no_handler(register: Register, handler: Any) -> None:
    with pytest.raises(HandlerSignatureError, match="'wrong': .*generator.*return"):
        register(handler)


@pytest.mark.parametrize("handler", [5, None, "text", Foreign()])
def test_what_cannot_be_called_is_no_handler(register: Register, handler: Any) -> None:
    with pytest.raises(HandlerSignatureError, match="'wrong': .*cannot be called"):
        register(handler)


@pytest.mark.parametrize("handler", [math.hypot, max])
def test_a_builtin_without_signature_is_no_handler(
    register: Register, handler: Any
) -> None:
    with pytest.raises(HandlerSignatureError, match="signature cannot be read"):
        register(handler)


def needs_more(a, missing):
    return a, missing


def needs_keyword(a, *, missing):
    return a, missing


def needs_positional(missing, /, a):
    return a, missing


@pytest.mark.parametrize("handler", [needs_more, needs_keyword, needs_positional])
@pytest.mark.parametrize("schema", [{"a": int}, Model])
def test_a_parameter_that_nothing_fills_is_refused(
    register: Register, handler: Any, schema: Any
) -> None:
    with pytest.raises(HandlerSignatureError, match="nothing can fill it") as caught:
        register(handler, payload_schema=schema)
    assert caught.value.parameter == "missing"
    assert "'missing'" in str(caught.value)
    assert "payload" in str(caught.value)


@pytest.mark.parametrize(
    "annotation",
    ["Nowhere", "list[Nowhere]", "1/0", "{}['x']", "x y", "undefined.name", "[][0]"],
)
def test_an_annotation_that_does_not_resolve_is_refused(
    register: Register, annotation: str
) -> None:
    def handler(a: int, b: int) -> None:
        return None

    handler.__annotations__["b"] = annotation
    with pytest.raises(HandlerSignatureError, match="cannot be resolved") as caught:
        register(handler)
    assert caught.value.parameter == "b"
    assert repr(annotation) in str(caught.value)


CONTRADICTIONS: dict[str, tuple[Any, str, Any, str]] = {
    "a plain type": ({"a": int}, "a", str, "int"),
    "an int for a float": ({"a": float}, "a", int, "float"),
    "a list for a dict": ({"a": {"b": int}}, "a", list, "dict"),
    "a list for a text": ({"a": str}, "a", list[int], "str"),
    "a field of a model": (Model, "a", str, "int"),
    "another model": (Model, "payload", Other, "Other"),
    "a model for a dict": ({"a": int}, "payload", Model, "Model"),
    "a text for the whole": ({"a": int}, "payload", str, "dict"),
    "a list for the whole": ({"a": int}, "payload", list[int], "dict"),
    "a list for a whole model": (Model, "payload", list[int], "dict"),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_an_annotation_that_contradicts_the_schema_is_refused(
    register: Register, case: str
) -> None:
    schema, parameter, annotation, mentioned = CONTRADICTIONS[case]
    namespace: dict[str, Any] = {}
    exec(f"def handler({parameter}): ...", namespace)
    namespace["handler"].__annotations__[parameter] = annotation
    with pytest.raises(HandlerSignatureError) as caught:
        register(namespace["handler"], payload_schema=schema)
    assert caught.value.parameter == parameter
    assert mentioned in str(caught.value)
    assert "_Before" not in str(caught.value)
    assert " at 0x" not in str(caught.value)


@pytest.mark.parametrize("annotation", [str, int, list[int], list])
def test_a_payload_without_schema_must_be_an_object(
    register: Register, annotation: Any
) -> None:
    def handler(payload: Any) -> None:
        return None

    handler.__annotations__["payload"] = annotation
    with pytest.raises(RegistrationError, match="'wrong': .*payload"):
        register(handler)


def test_a_parameter_without_json_form_is_refused(register: Register) -> None:
    def handler(a: int, client: Foreign) -> None:
        return None

    with pytest.raises(RegistrationError, match="Foreign") as caught:
        register(handler)
    assert "client" in str(caught.value)


@pytest.mark.parametrize(
    ("schema", "annotation"),
    [
        ({"a": int}, float),
        ({"a": bool}, int),
        ({"a": int | None}, int),
        ({"a": Annotated[int, Field(ge=1)]}, int),
        ({"a": Literal["x"]}, str),
        ({"a": {"b": int}}, dict),
        ({"a": [int]}, typing.Sequence),
        ({"a": Model}, Model),
        ({"a": Model}, dict),
        ({"a": list}, object),
        ({"a": int}, typing.TypeVar("T")),
        ({"a": int}, Any),
    ],
)
def test_an_annotation_that_agrees_is_taken(
    register: Register, schema: Any, annotation: Any
) -> None:
    def handler(a: Any) -> None:
        return None

    handler.__annotations__["a"] = annotation
    register(handler, payload_schema=schema)
