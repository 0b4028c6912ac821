"""Each row of the table of errors, as ``process_task`` and ``dispatch`` tell it."""

# Some handlers have no annotations.
# pyright: basic

import asyncio
import json
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from arbvantage_provider import (
    ActionError,
    ActionNotFoundError,
    ActionTimeoutError,
    InvalidPayloadError,
    Provider,
    RateLimitedError,
)

Run = Callable[..., dict[str, Any]]
Raising = Callable[..., Callable[[], Any]]


def test_a_payload_that_does_not_fit(run: Run) -> None:
    schema = {"user": {"name": str, "tags": [int]}}
    response = run(
        lambda user: user, '{"user": {"tags": ["a"]}}', payload_schema=schema
    )
    missing = {
        "path": "user.name",
        "type": "missing",
        "message": "Field required",
    }
    wrong = {
        "path": "user.tags[0]",
        "type": "int_type",
        "message": "Input should be a valid integer",
    }
    assert response == {
        "status": "error",
        "message": "InvalidPayloadError: the payload of 'action_0' does not fit: "
        "user.name: Field required (and 1 more)",
        "data": {"errors": [missing, wrong]},
    }


def test_an_account_that_does_not_fit(run: Run) -> None:
    schema = {"keys": {"id": str}}
    response = run(lambda: 1, {}, {"keys": {"id": 5}}, account_schema=schema)
    message = "Input should be a valid string"
    assert response == {
        "status": "error",
        "message": "InvalidPayloadError: the account of 'action_0' does not fit: "
        f"account.keys.id: {message}",
        "data": {
            "errors": [
                {"path": "account.keys.id", "type": "string_type", "message": message}
            ]
        },
    }


@pytest.mark.parametrize("account", [None, b"", ""])
def test_an_account_that_is_declared_and_missing(run: Run, account: Any) -> None:
    response = run(lambda: 1, {}, account, account_schema={"key": str})
    assert response == {
        "status": "error",
        "message": "InvalidPayloadError: 'action_0' needs an account, and the task "
        "has none",
        "data": {
            "errors": [
                {"path": "account", "type": "missing", "message": "Field required"}
            ]
        },
    }


def test_a_payload_that_is_no_object(run: Run) -> None:
    problem = "expected an object, found an array at byte 0"
    assert run(lambda: 1, b"[]") == {
        "status": "error",
        "message": "InvalidPayloadError: the payload of 'action_0' is no strict JSON "
        f"object: {problem}",
        "data": {"errors": [{"path": "", "type": "json_invalid", "message": problem}]},
    }


def test_no_such_action(provider: Provider) -> None:
    for name in ("create_user", "delete_user", "ping"):
        provider.actions.register(name)(lambda: None)
    actions = ["create_user", "delete_user", "ping"]
    assert provider.process_task("create_usr", {}) == {
        "status": "error",
        "message": "ActionNotFoundError: no action 'create_usr'; did you mean "
        "'create_user'?",
        "data": {"actions": actions, "nearest": "create_user"},
    }
    assert provider.process_task("zzz", {}) == {
        "status": "error",
        "message": "ActionNotFoundError: no action 'zzz'",
        "data": {"actions": actions, "nearest": None},
    }


def test_of_many_actions_the_nearest_is_found_without_comparing_them_all() -> None:
    names = [f"action_{number:04}" for number in range(960)]
    called: list[str] = []

    def note(frame: Any, event: str, _: object) -> None:
        if event == "call":
            called.append(frame.f_code.co_name)

    sys.setprofile(note)
    try:
        near = ActionNotFoundError("actoin_0815", names).nearest
        far = ActionNotFoundError("no_such", names).nearest
    finally:
        sys.setprofile(None)
    assert (near, far) == ("action_0815", None)
    assert 0 < called.count("ratio") <= 64


@pytest.mark.parametrize("name", ["", "x" * 100_000, "\ud800", "a\nb", "\u0000", "😀"])
def test_a_hostile_name_of_an_action_is_answered(provider: Provider, name: str) -> None:
    response = provider.process_task(name, {})
    assert response["status"] == "error"
    assert response["message"].startswith("ActionNotFoundError: no action ")
    assert len(response["message"]) < 1000


def test_a_handler_words_its_own_failure(run: Run) -> None:
    def handler() -> None:
        raise ActionError("no such city", data={"city": "Atlantis"})

    assert run(handler) == {
        "status": "error",
        "message": "no such city",
        "data": {"city": "Atlantis"},
    }


class OutOfStockError(ActionError):
    """A user's own error."""

    def __init__(self, sku: str) -> None:
        super().__init__(f"{sku} is out of stock", {"sku": sku})


def test_an_error_of_ones_own_is_as_its_author_meant_it(
    run: Run, raising: Raising
) -> None:
    assert run(raising(OutOfStockError("a"))) == {
        "status": "error",
        "message": "a is out of stock",
        "data": {"sku": "a"},
    }


def test_a_sync_handler_past_its_deadline(run: Run) -> None:
    release = threading.Event()
    response = run(lambda: release.wait(30), timeout=0.05)
    release.set()
    assert response == {
        "status": "error",
        "message": "ActionTimeoutError: 'action_0' was not done within 0.05 s",
        "data": {"timeout": 0.05},
    }


def test_an_async_handler_past_its_deadline_is_cancelled(run: Run) -> None:
    ended: list[str] = []

    async def handler() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    response = run(handler, timeout=0.05)
    assert response == {
        "status": "error",
        "message": "ActionTimeoutError: 'action_0' was not done within 0.05 s",
        "data": {"timeout": 0.05},
    }
    assert ended == ["cancelled"]


@pytest.mark.parametrize("ending", ["returns", "raises"])
def test_an_async_handler_that_swallows_its_deadline_is_too_late(
    run: Run, ending: str
) -> None:
    async def handler() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if ending == "raises":
                raise ValueError from None
        return "late"

    response = run(handler, timeout=0.05)
    assert response["message"].startswith("ActionTimeoutError")


def test_a_limit_that_a_handler_meets(run: Run, raising: Raising) -> None:
    assert run(raising(RateLimitedError(2.5, "too many"))) == {
        "status": "limit",
        "message": "too many",
        "data": {"wait_time": 2.5},
    }
    assert run(raising(RateLimitedError(3)))["data"] == {"wait_time": 3.0}


def test_dispatch_says_the_same_as_process_task(
    provider: Provider, raising: Raising
) -> None:
    provider.actions.register("fail")(raising(KeyError("k")))
    raw = provider.dispatch("fail", b"{}")
    assert isinstance(raw, bytes)
    assert json.loads(raw) == provider.process_task("fail", {})


def test_the_tree_of_errors_fits_the_builtin_one() -> None:
    assert issubclass(ActionNotFoundError, LookupError)
    assert issubclass(InvalidPayloadError, ValueError)
    assert issubclass(ActionTimeoutError, TimeoutError)
