"""``handle_task_exception`` in the programs of users, old ones included."""

# Hooks take more than they use.
# pyright: basic

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from arbvantage_provider import (
    ActionError,
    Provider,
    ProviderResponse,
    RateLimitedError,
)
from arbvantage_provider.schemas import BaseAccount, BasePayload
from arbvantage_provider.schemas import ProviderResponse as EarlierResponse

TOKEN = "token-of-this-provider"
Hook = Callable[[Any, BaseException, str, Any, Any], Any]
DEFAULT = {"status": "error", "message": "ValueError: boom", "data": None}


@pytest.fixture(params=["plain", "unified"])
def ask(request: pytest.FixtureRequest) -> Callable[..., dict[str, Any]]:
    """Makes a provider with this hook, fails one task; the response, unwrapped."""

    def ask_once(
        hook: Hook, error: BaseException | None = None, account: Any = None
    ) -> dict[str, Any]:
        class Hooked(Provider):
            handle_task_exception = hook  # pyright: ignore[reportAssignmentType]

        provider = Hooked(
            "hooked",
            auth_token=TOKEN,
            response_format=request.param,
            log_level="CRITICAL",
            execution_timeout=30,
        )

        @provider.actions.register()
        def boom(payload: dict[str, Any]) -> None:
            raise error or ValueError("boom")

        raw = b"" if account is None else json.dumps(account).encode()
        response = json.loads(provider.dispatch("boom", b'{"x": 1}', raw))
        assert (
            provider.process_task("boom", {"x": 1}, account).keys() == response.keys()
        )
        if request.param == "unified":
            assert list(response["data"]) == [
                "provider",
                "action",
                "timezone",
                "now",
                "now_utc",
                "response",
            ]
            response["data"] = response["data"]["response"] or None
        return dict(response)

    return ask_once


def test_a_hook_may_return_a_response(ask: Callable[..., Any]) -> None:
    def hook(
        self: Any, e: BaseException, action: str, payload: Any, account: Any
    ) -> Any:
        return ProviderResponse("warning", f"{action}: {e}", {"payload": payload})

    expected = {
        "status": "warning",
        "message": "boom: boom",
        "data": {"payload": {"x": 1}},
    }
    assert ask(hook) == expected


def test_a_hook_may_return_what_handle_response_makes(ask: Callable[..., Any]) -> None:
    def hook(
        self: Any, e: BaseException, action: str, payload: Any, account: Any
    ) -> Any:
        response = EarlierResponse(status="error", message=str(e), data={"a": 1})
        return self._handle_response(response, action=action)

    assert ask(hook) == {"status": "error", "message": "boom", "data": {"a": 1}}


def test_a_hook_may_return_a_dict(ask: Callable[..., Any]) -> None:
    def hook(self: Any, *args: Any) -> Any:
        return {"status": "limit", "message": "later", "data": {"wait_time": 1}}

    assert ask(hook) == {
        "status": "limit",
        "message": "later",
        "data": {"wait_time": 1},
    }


def test_a_hook_may_ask_its_base(ask: Callable[..., Any]) -> None:
    def hook(
        self: Any, e: BaseException, action: str, payload: Any, account: Any
    ) -> Any:
        return Provider.handle_task_exception(self, e, action, payload, account)

    error = ValueError(f"{TOKEN} and secret-of-account")
    response = ask(hook, error, {"k": "secret-of-account"})
    assert response == {
        "status": "error",
        "message": "ValueError: *** and ***",
        "data": None,
    }


def test_a_hook_sees_payload_and_account_as_json(ask: Callable[..., Any]) -> None:
    seen: list[Any] = []

    def hook(
        self: Any, e: BaseException, action: str, payload: Any, account: Any
    ) -> Any:
        seen.append((type(e), action, payload, account))
        return ProviderResponse("error", "seen")

    ask(hook, account={"k": [1]})
    ask(hook)
    assert seen[0] == (ValueError, "boom", {"x": 1}, {"k": [1]})
    assert seen[-1] == (ValueError, "boom", {"x": 1}, None)


@pytest.mark.parametrize(
    "error", [ActionError("own", {"a": 1}), RateLimitedError(2), SystemExit(3)]
)
def test_a_hook_sees_whatever_a_handler_raises(
    ask: Callable[..., Any], error: BaseException
) -> None:
    seen: list[BaseException] = []

    def hook(self: Any, e: BaseException, *args: Any) -> Any:
        seen.append(e)
        return ProviderResponse("error", "seen")

    assert ask(hook, error)["message"] == "seen"
    assert seen[0] is error


@pytest.mark.parametrize(
    "raised", [ZeroDivisionError(), SystemExit(2), KeyboardInterrupt(), GeneratorExit()]
)
def test_a_hook_that_raises_leaves_the_default(
    ask: Callable[..., Any], raised: BaseException
) -> None:
    def hook(self: Any, *args: Any) -> Any:
        raise raised

    assert ask(hook) == DEFAULT


def test_a_hook_that_raises_the_same_error_leaves_the_default(
    ask: Callable[..., Any],
) -> None:
    def hook(self: Any, e: BaseException, *args: Any) -> Any:
        raise e

    assert ask(hook) == DEFAULT


def test_a_hook_that_exits_leaves_the_default(ask: Callable[..., Any]) -> None:
    def hook(self: Any, *args: Any) -> Any:
        sys.exit(1)

    assert ask(hook) == DEFAULT


def test_a_hook_that_returns_nothing_makes_no_success(ask: Callable[..., Any]) -> None:
    def hook(self: Any, *args: Any) -> None:
        return None

    assert ask(hook) == DEFAULT


async def hook_async(self: Any, *args: Any) -> ProviderResponse:
    return ProviderResponse("error", "late")


@pytest.mark.parametrize("returned", [object(), b"\xff", float("nan")])
def test_a_hook_that_returns_no_json_leaves_the_default(
    ask: Callable[..., Any], returned: Any
) -> None:
    def hook(self: Any, *args: Any) -> Any:
        return returned

    assert ask(hook) == DEFAULT


def test_an_async_hook_leaves_the_default_and_no_warning(
    ask: Callable[..., Any],
) -> None:
    assert ask(hook_async) == DEFAULT


def test_a_program_of_the_earlier_sdk_runs_unchanged() -> None:
    class Pay(BasePayload):
        amount: int

    class Keys(BaseAccount):
        key: str

    class Earlier(Provider):
        def __init__(self) -> None:
            super().__init__(
                name="earlier",
                auth_token=TOKEN,
                hub_url="localhost:1",
                log_level="CRITICAL",
            )
            self.actions.register(
                name="pay",
                description="Pays.",
                payload_schema=Pay,
                account_schema=Keys,
            )(self.pay)
            self.actions.register(
                name="any", description="", payload_schema=Pay, account_schema=Keys
            )(self.any)

        def pay(self, payload: Pay, account: Keys) -> EarlierResponse:
            self.logger.info("paying", amount=payload.amount)
            if payload.amount < 0:
                raise ValueError
            return EarlierResponse(status="success", data={"paid": payload.amount})

        def any(self, **kwargs: Any) -> EarlierResponse:
            amount = kwargs["payload"].amount
            return EarlierResponse(
                status="success",
                message="ok",
                data={"a": amount, "k": kwargs["account"].key},
            )

        def handle_task_exception(self, e, action, payload, account):
            response = EarlierResponse(
                status="error", message=f"{action} failed: {e!r}"
            )
            return self._handle_response(response, action=action)

    provider = Earlier()
    keys = {"key": "k"}
    assert provider.process_task("pay", {"amount": 1}, keys)["data"] == {"paid": 1}
    assert provider.process_task("any", {"amount": 1}, keys)["data"] == {
        "a": 1,
        "k": "k",
    }
    assert provider.process_task("pay", {"amount": -1}, keys) == {
        "status": "error",
        "message": "pay failed: ValueError()",
        "data": None,
    }
    assert provider.actions.get_action("pay") is provider.actions["pay"]
    assert provider.actions.get_action("nothing") is None
    assert list(provider.actions.get_actions()) == ["pay", "any"]


def test_models_of_the_earlier_sdk_are_plain_models() -> None:
    assert issubclass(BasePayload, BaseModel)
    assert issubclass(BaseAccount, BaseModel)
