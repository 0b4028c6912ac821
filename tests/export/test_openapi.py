"""``export_openapi``."""

from collections.abc import Callable
from typing import Any

import pytest
from openapi_spec_validator import validate

from arbvantage_provider import Provider
from arbvantage_provider.actions import Actions
from arbvantage_provider.export import export_openapi


@pytest.fixture
def body_of(validator: Callable[[dict[str, Any]], Any]) -> Callable[..., Any]:
    """Makes the validator of an action's request, or of its response."""

    def find(document: dict[str, Any], path: str, part: str) -> Any:
        operation = document["paths"][path]["post"]
        holder = (
            operation["requestBody"] if part == "request" else operation[part]["200"]
        )
        schema = holder["content"]["application/json"]["schema"]
        return validator({**document, **schema})

    return find


@pytest.mark.parametrize("unified", [False, True])
def test_the_document_is_openapi(shop: Provider, unified: bool) -> None:  # noqa: FBT001 - of parametrize
    validate(export_openapi(shop.actions, name="shop", unified=unified))


def test_an_action_is_an_operation(shop: Provider) -> None:
    document = export_openapi(shop.actions, name="shop", version="2.1")
    assert document["info"] == {"title": "shop", "version": "2.1"}
    assert list(document["paths"]) == [
        *("/actions/anything", "/actions/count", "/actions/order"),
        "/actions/users.create",
    ]
    operation = document["paths"]["/actions/order"]["post"]
    assert operation["operationId"] == "order"
    assert operation["description"] == "Order something."


def test_a_name_that_is_no_path_is_escaped() -> None:
    actions = Actions()
    actions.register("a/{b} ?")(lambda: None)
    document = export_openapi(actions, name="x")
    assert list(document["paths"]) == ["/actions/a%2F%7Bb%7D%20%3F"]
    validate(document)


def test_a_request_holds_what_the_action_needs(
    shop: Provider, body_of: Callable[..., Any]
) -> None:
    document = export_openapi(shop.actions, name="shop")
    order = body_of(document, "/actions/order", "request")
    item = {"sku": "A", "price": "1.50"}
    payload: dict[str, Any] = {"items": [item], "paid": {"kind": "cash"}}
    assert order.is_valid({"payload": payload, "account": {}})
    assert not order.is_valid({"payload": payload})
    assert not order.is_valid({"payload": payload, "account": {"key": 5}})
    assert not order.is_valid({"payload": {**payload, "paid": {}}, "account": {}})
    anything = body_of(document, "/actions/anything", "request")
    assert anything.is_valid({"payload": {"a": 1}})
    assert anything.is_valid({"payload": {}, "account": {"a": 1}})
    assert not body_of(document, "/actions/count", "request").is_valid(
        {"payload": {"what": "a"}, "account": {}}
    )


PAYLOADS: list[tuple[str, dict[str, Any], dict[str, Any] | None]] = [
    ("count", {"what": "a"}, None),
    ("count", {"what": 5}, None),
    (
        "order",
        {
            "items": [{"sku": "A", "price": 1.5}],
            "paid": {"kind": "card", "number": "1"},
        },
        {"key": "k"},
    ),
    ("order", {}, None),
]


@pytest.mark.parametrize("response_format", ["plain", "unified"])
@pytest.mark.parametrize(("action", "payload", "account"), PAYLOADS)
def test_a_response_is_as_described(
    shop: Provider,
    body_of: Callable[..., Any],
    response_format: Any,
    action: str,
    payload: Any,
    account: Any,
) -> None:
    unified = response_format == "unified"
    document = export_openapi(shop.actions, name="other", unified=unified)
    provider = Provider("other", response_format=response_format, log_level="CRITICAL")
    for one in shop.actions.get_actions().values():
        register = provider.actions.register(
            one.name, one.description, one.payload_schema, one.account_schema
        )
        register(one.handler)
    answer = provider.process_task(action, payload, account)
    body_of(document, f"/actions/{action}", "responses").validate(answer)


def test_discriminators_point_at_the_types_of_the_document(shop: Provider) -> None:
    document = export_openapi(shop.actions, name="shop")
    paid = document["components"]["schemas"]["Order"]["properties"]["paid"]
    assert paid["discriminator"] == {
        "propertyName": "kind",
        "mapping": {
            "card": "#/components/schemas/Card",
            "cash": "#/components/schemas/Cash",
        },
    }
