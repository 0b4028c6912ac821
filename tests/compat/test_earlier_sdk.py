"""Programs of the earlier SDK: each name that they use works here."""

import threading
from typing import Any, Optional

import pytest
from typing_extensions import TypeAliasType

from arbvantage_provider import ConfigError, HandlerSignatureError, Provider
from arbvantage_provider.rate_limit import (
    AdvancedRateLimitMonitor,
    CustomRateLimitMonitor,
    SlidingWindowRateLimitMonitor,
    TimeBasedRateLimitMonitor,
)
from arbvantage_provider.schemas import BaseAccount, BasePayload, ProviderResponse
from arbvantage_provider.testing import LocalHub, running


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
    window = CustomRateLimitMonitor(window_size=60, max_requests=2, timezone="UTC")
    kinds = (AdvancedRateLimitMonitor, TimeBasedRateLimitMonitor)
    for kind in (*kinds, CustomRateLimitMonitor, SlidingWindowRateLimitMonitor):
        kind(timezone="UTC")

    assert [advanced.make_safe_request(lambda: 1), window.try_spend()] == [1, 0.0]
    assert window.try_spend() == 0.0
    assert window.try_spend() > 0


class Patient(Provider):
    """Sets what it wants to differ after the base class is done, as programs do."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(name="patient", auth_token="patient-token-1", **settings)
        self.name = "renamed"
        self.execution_timeout = 30
        self.timezone = "Europe/Riga"
        self.auth_token = "patient-token-2"
        self.rate_limit_monitor = TimeBasedRateLimitMonitor(min_delay=0.001)

        @self.actions.register(name="tell", description="Tell", payload_schema={})
        def tell(context: Any, provider: Any, timezone: str) -> dict[str, Any]:
            return {"t": context.timeout, "p": provider["name"], "z": timezone}

        @self.actions.register(name="leak", description="Leak", payload_schema={})
        def leak() -> None:
            problem = "patient-token-1 and patient-token-2"
            raise ValueError(problem)


def test_settings_are_assigned_after_the_base_class_is_made() -> None:
    provider = Patient()
    data = provider.process_task("tell", {})["data"]
    assert data == {"t": 30, "p": "renamed", "z": "Europe/Riga"}
    assert provider.settings.execution_timeout == 30
    assert provider.auth_token == "patient-token-2"


def test_settings_that_were_assigned_are_what_a_hub_sees() -> None:
    provider = Patient()
    with LocalHub(token="patient-token-2") as hub:
        provider.hub_url = hub.url
        thread = threading.Thread(target=provider.start)
        thread.start()
        told = hub.submit("tell", {}).result().data
        # From the next task on, though it runs already.
        provider.execution_timeout = 20
        again = hub.submit("tell", {}).result().data
        running = provider.running
        provider.running = False
        thread.join(20)
    assert told == {"t": 30, "p": "renamed", "z": "Europe/Riga"}
    assert again == told | {"t": 20}
    assert [running, provider.running, thread.is_alive()] == [True, False, False]
    assert {result.provider for result in hub.submissions} == {"renamed"}


def test_a_token_that_was_assigned_is_hidden_as_the_first_one_is() -> None:
    message = Patient().process_task("leak", {})["message"]
    assert message == "ValueError: *** and ***"


def test_a_program_may_end_its_run_before_it_starts() -> None:
    provider = Patient()
    assert provider.running
    provider.running = False
    with LocalHub(token="patient-token-2") as hub:
        provider.start(hub_url=hub.url)
    assert not provider.running


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("execution_timeout", 0, "execution_timeout"),
        ("execution_timeout", "soon", "execution_timeout"),
        ("timezone", "Europe/Rigga", "did you mean 'Europe/Riga'"),
        ("hub_url", "", "hub_url"),
        ("name", "", "name"),
        ("rate_limit_monitor", 3, "rate_limit_monitor"),
    ],
)
def test_what_cannot_be_used_is_refused_and_changes_nothing(
    name: str, value: Any, said: str
) -> None:
    provider = Patient()
    before = getattr(provider, name)
    with pytest.raises(ConfigError, match=said):
        setattr(provider, name, value)
    assert getattr(provider, name) == before


Text = TypeAliasType("Text", str)
UNSAID = object()


@pytest.mark.parametrize("default", [UNSAID, None, "none"], ids=["", "None", "text"])
@pytest.mark.parametrize("kind", [str, str | None, Optional[str], Text, "str"], ids=str)
@pytest.mark.parametrize("schema", [None, {"businesses": list}], ids=["bare", "dict"])
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_an_account_that_is_a_text_is_the_json_that_came(
    kind: Any, default: Any, schema: Any, *, is_async: bool
) -> None:
    def offers(businesses: list[Any], account: Any) -> Any:
        return [businesses, account]

    async def offers_async(businesses: list[Any], account: Any) -> Any:
        return [businesses, account]

    handler: Any = offers_async if is_async else offers
    handler.__annotations__["account"] = kind
    if default is not UNSAID:
        handler.__defaults__ = (default,)
    provider = Provider("offers", execution_timeout=30)
    provider.actions.register("offers", "Offers", payload_schema=schema)(handler)

    given = provider.process_task("offers", {"businesses": [1]}, '{"key":  "k"}')
    absent = provider.process_task("offers", {"businesses": [1]})

    assert given["data"] == [[1], '{"key":  "k"}']
    assert absent["data"] == [[1], "" if default is UNSAID else default]


def test_an_account_that_is_a_text_comes_from_a_hub_as_it_was_sent() -> None:
    provider = Provider("offers", execution_timeout=30)

    @provider.actions.register()
    def offers(businesses: list[Any], account: str = None) -> str:  # type: ignore[assignment] # pyright: ignore[reportArgumentType]  # noqa: RUF013
        return account.replace("secret", "kept")

    with LocalHub() as hub, running(provider, hub):
        task = hub.submit("offers", {"businesses": []}, account={"key": "secret-one"})
        assert task.result().data == '{"key":"kept-one"}'


def test_a_declared_account_is_no_text() -> None:
    def offers(account: str) -> None:
        pass

    with pytest.raises(HandlerSignatureError, match="annotate it with dict"):
        Provider("p").actions.register(account_schema={"key": str})(offers)
