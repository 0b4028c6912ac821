"""What ``typing`` has for other places is refused with what to write instead."""

# pyright: basic

import typing
from collections.abc import Callable, Generator, Hashable
from dataclasses import InitVar
from typing import Annotated, Any, ParamSpec, TypeVar

import pytest
from pydantic import Field
from typing_extensions import ReadOnly, TypeVarTuple

from arbvantage_provider import Provider, SchemaError, TaskContext

P = ParamSpec("P")
T = TypeVar("T")
of_typing: Any = typing
FORMS: list[tuple[Any, str]] = [
    (typing.Final[int], "Final is for names that are set once; write int here"),
    (typing.Final, "Final is for .*; write the type itself here"),
    (typing.ClassVar[list[int]], r"ClassVar is for .*; write list\[int\] here"),
    (InitVar[int], "InitVar is for arguments of a dataclass; write int here"),
    (InitVar, "InitVar is for .*; write the type itself here"),
    (typing.Required[int], "Required is for keys of a TypedDict; write int here"),
    (typing.NotRequired[int], r"NotRequired is for .*; write int \| None here"),
    (ReadOnly[int], "ReadOnly is for keys of a TypedDict; write int here"),
    (typing.NoReturn, "NoReturn has no values; leave it out"),
    (typing.Never, "Never has no values; leave it out"),
    (typing.Self, "Self is for methods of a class; write the class by its name"),
    (typing.LiteralString, "LiteralString is for texts of a program; write str"),
    (P, "P stands for parameters of a function; write the type of the value"),
    (of_typing.Concatenate[int, P], "Concatenate stands for parameters"),
    (TypeVarTuple("Ts"), "Ts stands for parameters"),
    (T, "the type variable T may be anything; write Any, or what it is"),
    (Generator, r"Generator runs code, and JSON has arrays; write list\[…\]"),
    (Generator[int, None, None], "Generator runs code"),
    (Hashable, r"Hashable does not say what comes; write it, such as str \| int"),
]


@pytest.mark.parametrize(("form", "message"), FORMS)
def test_a_form_for_other_places_is_refused(
    register: Callable[..., None], form: Any, message: str
) -> None:
    def handler(field: Any) -> None:
        """Never registered."""

    described: Any = Annotated[form, Field(description="d")]
    for annotation in (form, list[form], dict[str, form], described):
        handler.__annotations__ = {"field": annotation}
        with pytest.raises(SchemaError, match=message) as caught:
            register(handler)
        assert caught.value.path.startswith("signature.field")
        with pytest.raises(SchemaError, match=message) as caught:
            register(lambda: None, payload_schema={"o": [{"field": annotation}]})
        assert caught.value.path.startswith("payload_schema.o[].field")


def test_a_variable_that_says_something_stands_for_that(
    receive: Callable[[Any, str], Any],
) -> None:
    several, bound = TypeVar("several", int, str), TypeVar("bound", bound=int)
    received = receive({"a": several, "b": bound}, '{"a": "x", "b": 1.0}')
    assert received == {"a": "x", "b": 1}


@pytest.mark.parametrize("schema", [TaskContext, {"a": TaskContext}])
@pytest.mark.parametrize("role", ["payload", "account"])
def test_the_context_is_no_schema(
    register: Callable[..., None], role: str, schema: Any
) -> None:
    with pytest.raises(SchemaError, match="annotate a parameter") as caught:
        register(lambda: None, **{f"{role}_schema": schema})
    assert caught.value.path in {f"{role}_schema", f"{role}_schema.a"}


def test_the_context_is_filled_in_whatever_it_is_called(provider: Provider) -> None:
    @provider.actions.register()
    def one(account: TaskContext) -> str:
        return account.action

    @provider.actions.register()
    async def other(payload: TaskContext | None, account: TaskContext | None) -> Any:
        return payload and account and [payload.action, account.action]

    assert provider.process_task("one", {})["data"] == "one"
    assert provider.process_task("other", {})["data"] == ["other", "other"]
