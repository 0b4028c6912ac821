"""Handlers that raise whatever Python can raise, and errors that are broken."""

# Some exceptions are broken on purpose.
# ruff: noqa: PLE0307
# pyright: basic

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, field_validator

from arbvantage_provider import (
    ActionError,
    InvalidPayloadError,
    Provider,
    RateLimitedError,
)

Run = Callable[..., dict[str, Any]]
Raising = Callable[..., Callable[[], Any]]


class UnfinishedError(ActionError):
    """A user's own error that forgets its base."""

    def __init__(self, sku: str) -> None:
        self.sku = sku


class UnfinishedLimitError(RateLimitedError):
    def __init__(self) -> None:
        pass


def test_an_error_that_forgets_its_base_is_answered(run: Run, raising: Raising) -> None:
    assert run(raising(UnfinishedError("a")))["status"] == "error"
    assert run(raising(UnfinishedLimitError()))["status"] in ("limit", "error")


@pytest.mark.parametrize(
    "message", [404, None, ValueError("x"), b"\xff", "\ud800", ["a"]]
)
def test_a_message_that_is_no_text_is_answered(
    run: Run, message: Any, raising: Raising
) -> None:
    response = run(raising(ActionError(message)))
    assert response["status"] == "error"
    assert isinstance(response["message"], str)


def test_data_that_is_no_json_is_left_out(run: Run, raising: Raising) -> None:
    response = run(raising(ActionError("failed", object())))
    assert response == {"status": "error", "message": "failed", "data": None}


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("no good"), "ValueError: no good"),
        (ValueError(), "ValueError"),
        (KeyError("k"), "KeyError: 'k'"),
        (SystemExit(3), "SystemExit: 3"),
        (SystemExit("bye"), "SystemExit: bye"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (GeneratorExit(), "GeneratorExit"),
        (asyncio.CancelledError(), "CancelledError"),
        (TimeoutError("of its own"), "TimeoutError: of its own"),
        (StopAsyncIteration("s"), "StopAsyncIteration: s"),
        (MemoryError(), "MemoryError"),
        (RecursionError("deep"), "RecursionError: deep"),
        (
            ExceptionGroup("two", [ValueError("a")]),
            "ExceptionGroup: two (1 sub-exception)",
        ),
        (
            BaseExceptionGroup("two", [KeyboardInterrupt()]),
            "BaseExceptionGroup: two (1 sub-exception)",
        ),
        (InvalidPayloadError("no"), "InvalidPayloadError: no"),
        (ValueError("\ud800"), "ValueError: ?"),
    ],
)
def test_whatever_a_handler_raises_is_answered(
    run: Run, error: BaseException, message: str, raising: Raising
) -> None:
    for handler in (raising(error), raising(error, awaited=True)):
        response = run(handler)
        assert (response["status"], response["message"]) == ("error", message)


class BadTextError(Exception):
    def __str__(self) -> str:
        raise ValueError

    __repr__ = __str__


class ExitingTextError(Exception):
    def __str__(self) -> str:
        raise SystemExit(4)

    __repr__ = __str__


class NoTextError(Exception):
    def __str__(self) -> str:
        return 5  # pyright: ignore[reportReturnType]


@pytest.mark.parametrize("kind", [BadTextError, ExitingTextError, NoTextError])
def test_an_exception_whose_text_fails_is_answered(
    make: Callable[..., Provider], kind: type[Exception], raising: Raising
) -> None:
    provider = make(log_level="ERROR")
    provider.actions.register("sync")(raising(kind()))
    provider.actions.register("async")(raising(kind(), awaited=True))
    for name in ("sync", "async"):
        response = provider.process_task(name, {})
        message = f"{kind.__name__}: its message cannot be read"
        assert response == {"status": "error", "message": message, "data": None}


def test_a_message_of_any_length_is_cut(run: Run, raising: Raising) -> None:
    response = run(raising(ValueError("x" * 1_000_000)))
    assert response["message"].startswith("ValueError: xxx")
    assert len(response["message"]) < 20_000


def test_endless_recursion_is_answered(run: Run) -> None:
    def handler() -> Any:
        return handler()

    assert run(handler)["message"].startswith("RecursionError")


def test_stop_iteration_is_answered(run: Run, raising: Raising) -> None:
    assert run(raising(StopIteration(1)))["message"] == "StopIteration: 1"
    assert run(raising(StopIteration(1), awaited=True))["message"].startswith(
        "RuntimeError"
    )


def test_a_handler_that_exits_the_program_is_answered(run: Run) -> None:
    def handler() -> None:
        sys.exit("bye")

    assert run(handler)["message"] == "SystemExit: bye"


def test_an_async_handler_that_cancels_itself_is_answered(run: Run) -> None:
    async def handler() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    response = run(handler)
    assert (response["status"], response["message"]) == ("error", "CancelledError")


def test_an_async_handler_whose_task_exits_the_program_is_answered(run: Run) -> None:
    async def leave() -> None:
        raise SystemExit(9)

    async def handler() -> None:
        await asyncio.create_task(leave())

    assert run(handler)["message"] == "SystemExit: 9"


def test_errors_of_a_task_group_are_answered(run: Run) -> None:
    async def handler() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.Event().wait())
            raise ValueError

    assert run(handler)["message"].startswith("ExceptionGroup: ")


@pytest.mark.parametrize(
    "error", [SystemExit(5), KeyboardInterrupt(), RuntimeError("v")]
)
def test_a_validator_that_raises_anything_is_answered(
    run: Run, error: BaseException
) -> None:
    class Checked(BaseModel):
        a: int

        @field_validator("a")
        @classmethod
        def check(cls, value: int) -> int:
            raise error

    response = run(lambda payload: payload, '{"a": 1}', payload_schema=Checked)
    assert response["status"] == "error"
    assert response["message"].startswith(type(error).__name__)


@pytest.mark.parametrize("wait_time", [-1, float("nan"), float("inf")])
def test_a_limit_has_finite_seconds(wait_time: float) -> None:
    with pytest.raises(ValueError, match="finite seconds"):
        RateLimitedError(wait_time)
