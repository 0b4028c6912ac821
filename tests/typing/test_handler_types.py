"""What type checkers know of handlers, and which wrong ones they refuse.

mypy and pyright read this file; running it shows that it is true as well. An error
that is expected is ignored by name, and both report an ignored error that is none.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, assert_type

import pytest
from pydantic import BaseModel
from typing_extensions import TypedDict

from arbvantage_provider import (
    Actions,
    HandlerSignatureError,
    Provider,
    RegistrationError,
    TaskContext,
)


class CreateUser(BaseModel):
    name: str


class Address(BaseModel):
    street: str


@dataclass
class Move:
    street: str


class Rename(TypedDict):
    name: str


def greet(name: str, *, loud: bool = False) -> str:
    return name.upper() if loud else name.title()


async def greet_later(name: str) -> str:
    return name


def test_register_gives_the_very_type_of_a_handler() -> None:
    register = Provider("users").actions.register

    same = register()(greet)

    assert same is greet
    assert_type(same("Ann", loud=True), str)
    assert_type(same(name="Ann"), str)
    with pytest.raises(AttributeError):
        same(5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError):
        same("Ann", shy=True)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


def test_register_gives_the_very_type_of_an_async_handler() -> None:
    same = Provider("users").actions.register()(greet_later)

    later: Callable[[str], Coroutine[Any, Any, str]] = same
    now: Callable[[str], str] = same  # type: ignore[assignment] # pyright: ignore[reportAssignmentType]
    del later, now
    assert_type(asyncio.run(same(name="Ann")), str)


def test_register_gives_the_type_of_a_method() -> None:
    class Users(Provider):
        def find(self, user_id: int, /) -> str:
            return f"user {user_id}"

    users = Users("users")

    assert_type(users.actions.register()(users.find), Callable[[int], str])


def test_handles_keeps_the_type_of_a_sync_handler() -> None:
    provider = Provider("users")

    @provider.actions.handles(CreateUser)
    def create(user: CreateUser) -> dict[str, str]:
        return {"created": user.name}

    assert_type(create, Callable[[CreateUser], dict[str, str]])
    assert_type(create(CreateUser(name="Ann")), dict[str, str])
    with pytest.raises(AttributeError):
        create(Address(street="x"))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def test_handles_keeps_the_type_of_an_async_handler() -> None:
    provider = Provider("users")

    @provider.actions.handles(CreateUser, name="create_user", timeout=2.5)
    async def create(user: CreateUser) -> dict[str, str]:
        return {"created": user.name}

    later: Callable[[CreateUser], Coroutine[Any, Any, dict[str, str]]] = create
    now: Callable[[CreateUser], dict[str, str]] = create  # type: ignore[assignment] # pyright: ignore[reportAssignmentType]
    del later, now
    ann = CreateUser(name="Ann")
    assert_type(asyncio.run(create(ann)), dict[str, str])


def test_handles_keeps_the_other_parameters() -> None:
    provider = Provider("users")

    @provider.actions.handles(CreateUser, account_schema={"key": str})
    def create(
        user: CreateUser, account: dict[str, str], *, notify: bool = False
    ) -> list[object]:
        return [user.name, account["key"], notify]

    ann = CreateUser(name="Ann")
    assert_type(create(ann, {"key": "k"}, notify=True), list[object])
    assert_type(create(ann, account={"key": "k"}), list[object])
    create(ann, {"key": "k"}, notify="no")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError):
        create(ann)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


def test_handles_takes_dataclasses_typed_dicts_and_methods() -> None:
    class Users(Provider):
        def rename(self, payload: Rename, context: TaskContext, /) -> str:
            return f"{context.id}{payload['name']}"

    users = Users("users")

    @users.actions.handles(Move)
    def move(payload: Move) -> str:
        return payload.street

    rename = users.actions.handles(Rename)(users.rename)
    assert_type(move, Callable[[Move], str])
    assert_type(rename, Callable[[Rename, TaskContext], str])


def test_handles_refuses_a_handler_of_another_model() -> None:
    provider = Provider("users")

    def create(user: Address) -> None:
        del user

    with pytest.raises(HandlerSignatureError):
        provider.actions.handles(CreateUser)(create)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def test_handles_refuses_an_async_handler_of_another_model() -> None:
    provider = Provider("users")

    async def create(user: dict[str, str]) -> None:
        del user

    with pytest.raises(HandlerSignatureError):
        provider.actions.handles(CreateUser)(create)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def test_handles_refuses_a_handler_whose_model_comes_second() -> None:
    provider = Provider("users")

    def create(context: TaskContext, user: CreateUser) -> None:
        del context, user

    with pytest.raises(HandlerSignatureError):
        provider.actions.handles(CreateUser)(create)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def test_handles_refuses_a_handler_without_parameters() -> None:
    provider = Provider("users")

    def create() -> None:
        raise NotImplementedError

    with pytest.raises(HandlerSignatureError):
        provider.actions.handles(CreateUser)(create)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def test_handles_refuses_what_is_no_model() -> None:
    provider = Provider("users")

    def create(user: Any) -> None:
        del user

    schema = {"name": str}
    with pytest.raises(RegistrationError):
        provider.actions.handles(schema)(create)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def test_a_group_is_included_by_typed_arguments() -> None:
    group, provider = Actions(), Provider("users")
    group.register()(greet)

    provider.actions.include(group, prefix="users.")

    assert list(provider.actions) == ["users.greet"]
    with pytest.raises(AttributeError):
        provider.actions.include(provider)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError):
        provider.actions.include(group, "crm.")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
