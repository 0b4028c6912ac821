"""What type checkers know of the public API.

mypy and pyright read this file; running it shows that it is true as well.
"""

from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Literal, Self, assert_type

import pytest
from pydantic import BaseModel, SecretStr

from arbvantage_provider import (
    TLS,
    Action,
    Actions,
    ConfigError,
    Provider,
    ProviderResponse,
    ProviderSettings,
    TaskContext,
)
from arbvantage_provider.rate_limit import (
    AdvancedRateLimitMonitor,
    TimeBasedRateLimitMonitor,
)


class Order(BaseModel):
    item: str
    count: int = 1


class Shop(Provider):
    def restocked(self) -> Self:
        return self


def test_register_keeps_the_type_of_a_handler() -> None:
    provider = Provider("shop")

    @provider.actions.register()
    def order(item: str, count: int = 1) -> dict[str, int]:
        return {item: count}

    assert_type(order("tea", count=2), dict[str, int])
    order(5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def test_register_keeps_the_type_of_an_async_handler() -> None:
    provider = Provider("shop")

    @provider.actions.register(name="order", payload_schema=Order, timeout=2.5)
    async def order(payload: Order, context: TaskContext) -> ProviderResponse:
        return ProviderResponse("success", context.id, payload.item)

    handler: Callable[[Order, TaskContext], Coroutine[Any, Any, ProviderResponse]] = (
        order
    )
    assert handler is order


def test_register_takes_every_kind_of_schema() -> None:
    actions = Provider("shop").actions
    limit = TimeBasedRateLimitMonitor(min_delay=0.5)

    @actions.register("a", "in words", {"item": str, "tags": [str]}, {"key": str})
    def a(payload: dict[str, Any], account: Mapping[str, str]) -> list[str]:
        return [*payload, *account]

    @actions.register("b", account_schema=Order, rate_limit_monitor=limit)
    def b(account: Order) -> None:
        del account

    assert_type(a({}, {}), list[str])
    assert_type(actions, Actions)
    assert_type(actions["a"], Action)
    assert_type(actions.get_action("a"), Action | None)
    assert_type(actions.get_actions(), dict[str, Action])
    assert_type(list(actions), list[str])


def test_a_provider_is_built_from_typed_arguments() -> None:
    provider = Provider(
        "shop",
        "token",
        "127.0.0.1:50051",
        2.5,
        AdvancedRateLimitMonitor(requests_per_minute=60),
        max_concurrency=4,
        timezone="Europe/Riga",
        response_format="unified",
        connect_timeout=1,
        shutdown_timeout=0,
        poll_interval=0.5,
        tls=TLS(roots=Path("ca.pem"), server_name="hub.example"),
        max_receive_bytes=1_000_000,
        max_send_bytes=1_000_000,
        log_level="ERROR",
        log_file=None,
    )
    assert_type(provider, Provider)
    assert_type(provider.name, str)
    assert_type(provider.settings, ProviderSettings)
    assert_type(provider.settings.max_concurrency, int)
    assert_type(
        provider.snapshot().state,
        Literal["new", "connecting", "running", "stopping", "stopped"],
    )


async def fetch_token() -> str:
    return "token"


def test_a_token_may_be_a_function_or_a_file() -> None:
    assert_type(Provider("shop", lambda: "token"), Provider)
    assert_type(Provider("shop", fetch_token), Provider)
    assert_type(Provider("shop", SecretStr("token")), Provider)
    assert_type(Provider("shop", auth_token_file=Path("token")), Provider)
    assert_type(Provider("shop", lambda: 5), Provider)  # type: ignore[arg-type, return-value] # pyright: ignore[reportArgumentType]


def test_a_subclass_stays_itself() -> None:
    shop = Shop.from_env(name="shop")
    assert_type(shop, Shop)
    assert_type(Shop("shop"), Shop)
    assert_type(shop.restocked(), Shop)


def test_a_task_in_process_gives_a_dict_or_bytes() -> None:
    provider = Provider("shop", log_level="CRITICAL")
    assert_type(provider.process_task("order", {"item": "tea"}), dict[str, Any])
    assert_type(provider.process_task("order", b"{}", "{}"), dict[str, Any])
    assert_type(provider.dispatch("order", b"{}"), bytes)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(TypeError):
        Provider()  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    with pytest.raises(ConfigError):
        Provider("shop", response_format="flat")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
