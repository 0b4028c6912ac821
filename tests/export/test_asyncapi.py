"""``export_asyncapi``."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from arbvantage_provider import Provider
from arbvantage_provider.actions import Actions
from arbvantage_provider.export import export_asyncapi

Validator: TypeAlias = Callable[[dict[str, Any]], Any]
FILE = Path(__file__).with_name("asyncapi-3.0.0.json")
SCHEMA: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("unified", [False, True])
def test_the_document_is_asyncapi(
    shop: Provider,
    validator_7: Validator,
    unified: bool,  # noqa: FBT001 - of parametrize
) -> None:
    document = export_asyncapi(shop.actions, name="shop", unified=unified)
    validator_7(SCHEMA).validate(document)


def test_the_schema_of_asyncapi_refuses_what_is_none(validator_7: Validator) -> None:
    document = export_asyncapi(Actions(), name="idle")
    validator = validator_7(SCHEMA)
    validator.validate(document)
    assert not validator.is_valid({**document, "asyncapi": "2.0.0"})
    operation = {"action": "take", "channel": {"$ref": "#/channels/tasks"}}
    assert not validator.is_valid({**document, "operations": {"a": operation}})


def test_a_task_is_received_and_its_result_sent(shop: Provider) -> None:
    document = export_asyncapi(shop.actions, name="shop", version="2.1")
    assert document["info"]["version"] == "2.1"
    for verb, channel in (("receive", "tasks"), ("send", "results")):
        operation = document["operations"][f"{verb}_users_create"]
        assert operation["action"] == verb
        assert operation["channel"] == {"$ref": f"#/channels/{channel}"}
        (message,) = operation["messages"]
        assert message == {"$ref": f"#/channels/{channel}/messages/users_create"}
        assert document["channels"][channel]["messages"]["users_create"]["name"] == (
            "users.create"
        )


@pytest.fixture
def message_of(validator_7: Validator) -> Callable[..., Any]:
    """Makes the validator of a message."""

    def find(document: dict[str, Any], channel: str, message: str) -> Any:
        payload = document["channels"][channel]["messages"][message]["payload"]
        return validator_7({**document, **payload})

    return find


def test_a_message_is_as_described(
    shop: Provider, message_of: Callable[..., Any]
) -> None:
    document = export_asyncapi(shop.actions, name="shop")
    task = {"id": "1", "action": "count", "payload": {"what": "a"}}
    assert message_of(document, "tasks", "count").is_valid(task)
    assert not message_of(document, "tasks", "count").is_valid({**task, "payload": {}})
    assert not message_of(document, "tasks", "order").is_valid(task)
    answer = shop.process_task("count", {"what": "a"})
    result = {"id": "1", "action": "count", "status": "success", "result": answer}
    message_of(document, "results", "count").validate(result)


def test_a_message_without_the_account_that_is_needed_does_not_fit(
    message_of: Callable[..., Any],
) -> None:
    actions = Actions()
    register = actions.register("a", payload_schema={}, account_schema={"key": str})
    register(lambda: None)
    document = export_asyncapi(actions, name="x")
    task: dict[str, Any] = {"id": "1", "action": "a", "payload": {}}
    assert not message_of(document, "tasks", "a").is_valid(task)
    assert message_of(document, "tasks", "a").is_valid(
        {**task, "account": {"key": "k"}}
    )


def test_types_are_written_as_draft_7_reads_them(
    message_of: Callable[..., Any],
) -> None:
    actions = Actions()
    schema = {"pair": tuple[int, str]}
    actions.register("a", payload_schema=schema)(lambda: None)
    document = export_asyncapi(actions, name="x")
    assert "prefixItems" not in json.dumps(document)
    fits = message_of(document, "tasks", "a").is_valid
    task = {"id": "1", "action": "a"}
    assert fits({**task, "payload": {"pair": [1, "a"]}})
    assert not fits({**task, "payload": {"pair": ["a", 1]}})
    assert not fits({**task, "payload": {"pair": [1, "a", 2]}})


def test_nothing_stands_beside_a_reference(shop: Provider) -> None:
    document = export_asyncapi(shop.actions, name="shop")
    size = document["components"]["schemas"]["Order"]["properties"]["size"]
    assert size == {"allOf": [{"$ref": "#/components/schemas/Size"}], "default": "s"}
