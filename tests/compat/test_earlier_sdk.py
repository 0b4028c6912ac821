"""Programs of the earlier SDK: each name that they use works here."""

from typing import Any

import pytest

from arbvantage_provider import Provider
from arbvantage_provider.rate_limit import (
    AdvancedRateLimitMonitor,
    CustomRateLimitMonitor,
)
from arbvantage_provider.schemas import BaseAccount, BasePayload, ProviderResponse


class Message(BasePayload):
    text: str
    loud: bool = False


class Login(BaseAccount):
    api_key: str


class Legacy(Provider):
    """Logs with fields, answers exceptions itself, takes models and keywords."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(name="legacy", auth_token="legacy-token-1", **settings)
        self.seen: list[tuple[Any, ...]] = []

        @self.actions.register(
            name="say",
            description="Say it",
            payload_schema=Message,
            account_schema=Login,
        )
        def say(payload: Message, account: Login) -> ProviderResponse:
            self.logger.info("saying", text=payload.text, loud=payload.loud)
            text = payload.text.upper() if payload.loud else payload.text
            return ProviderResponse(
                status="success",
                data={"text": text, "key": len(account.api_key)},
                metadata={"cached": False},
            )

        @self.actions.register(
            name="whatever",
            description="Takes what there is",
            payload_schema={"a": int, "b": str},
        )
        def whatever(**kwargs: Any) -> dict[str, Any]:
            return {"keys": sorted(kwargs), "a": kwargs["a"], "all": kwargs["payload"]}

        @self.actions.register(name="fail", description="Fails", payload_schema={})
        def fail() -> None:
            message = "deep inside"
            raise KeyError(message)

    def handle_task_exception(
        self, e: BaseException, action: str, payload: Any, account: Any
    ) -> Any:
        self.seen.append((type(e), action, payload, account))
        response = ProviderResponse(status="error", message=f"sorry: {e}")
        return self._handle_response(response, action=action)


def test_models_for_payload_and_account_are_passed_whole(
    capsys: pytest.CaptureFixture[str],
) -> None:
    response = Legacy().process_task(
        "say", {"text": "hi", "loud": True}, {"api_key": "abc"}
    )

    assert response["data"] == {"text": "HI", "key": 3}
    assert "text=hi" in capsys.readouterr().err


def test_keywords_take_all_that_there_is() -> None:
    data = Legacy().process_task("whatever", {"a": 1, "b": "x"})["data"]

    assert data == {
        "keys": [
            "a",
            "b",
            "context",
            "logger",
            "now",
            "now_utc",
            "payload",
            "provider",
            "timezone",
        ],
        "a": 1,
        "all": {"a": 1, "b": "x"},
    }


def test_exceptions_are_answered_by_the_programs_own_method() -> None:
    provider = Legacy()

    response = provider.process_task("fail", {}, {"api_key": "abc"})

    assert response == {
        "status": "error",
        "message": "sorry: 'deep inside'",
        "data": None,
    }
    assert provider.seen == [(KeyError, "fail", {}, {"api_key": "abc"})]


def test_a_response_of_the_programs_own_method_is_wrapped_once() -> None:
    response = Legacy(response_format="unified").process_task("fail", {})

    assert response["message"] == "sorry: 'deep inside'"
    assert response["data"]["action"] == "fail"
    assert response["data"]["response"] == {}


def test_actions_are_looked_up_as_programs_do() -> None:
    actions = Legacy().actions
    action = actions.get_action("whatever")

    assert action is not None
    assert (action.description, action.payload_schema) == (
        "Takes what there is",
        {"a": int, "b": str},
    )
    assert actions.get_action("nothing") is None
    assert list(actions.get_actions()) == ["say", "whatever", "fail"]


def test_a_response_needs_no_message() -> None:
    assert ProviderResponse(status="success").message == ""


def test_monitors_take_the_earlier_arguments() -> None:
    advanced = AdvancedRateLimitMonitor(
        min_delay=0.5,
        max_calls_per_second=2,
        warning_threshold=0.8,
        critical_threshold=0.9,
    )
    window = CustomRateLimitMonitor(60, 2)

    assert [advanced.make_safe_request(lambda: 1), window.try_spend()] == [1, 0.0]
    assert window.try_spend() == 0.0
    assert window.try_spend() > 0
