"""AsyncAPI 3.0: the tasks that a provider receives and the results that it sends.

Source: https://www.asyncapi.com/docs/reference/specification/v3.0.0
"""

from typing import Any, Final

from arbvantage_provider.actions import Actions
from arbvantage_provider.export.catalogue import Described, describe
from arbvantage_provider.export.names import name_tools
from arbvantage_provider.export.responses import (
    OTHER,
    describe_other,
    describe_response,
)
from arbvantage_provider.export.schema_walk import Node, drop_tags, point, transform

_PREFIX: Final = "#/components/schemas/"
_ABOUT: Final = (
    "Tasks come from a hub over gRPC, and their results go back there. On the wire, "
    "the payload and the account of a task, and the result, are JSON text."
)
_CHANNELS: Final = {"tasks": "/Hub/GetTask", "results": "/Hub/SubmitTaskResult"}


def export_asyncapi(
    actions: Actions, *, name: str, version: str = "0.1.0", unified: bool = False
) -> dict[str, Any]:
    """What a provider receives and sends, as an AsyncAPI 3.0 document.

    Each action has a message in the channel ``tasks`` and one in ``results``, and
    the operations ``receive_NAME`` and ``send_NAME``; NAME is the action's, or
    what ``name_tools`` makes of it.

    Args:
        actions: a provider's actions.
        name: the provider's name.
        version: the version of these actions.
        unified: whether the provider's ``response_format`` is ``unified``.
    """
    catalogue = describe(actions, reserved=[OTHER])
    keys = {action: key for key, action in name_tools(actions).items()}
    schemas = {OTHER: describe_other(unified=unified), **catalogue.types}
    tasks: Node = {}
    results: Node = {}
    operations: Node = {}
    for action in catalogue.actions:
        key = keys[action.name]
        response = describe_response(action, provider=name, unified=unified)
        tasks[key] = _describe_message(action, "Task", _list_task_fields(action))
        result = {"status": {"type": "string"}, "result": response}
        results[key] = _describe_message(action, "Result", result)
        operations[f"receive_{key}"] = _describe_operation("receive", "tasks", key)
        operations[f"send_{key}"] = _describe_operation("send", "results", key)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": name, "version": version, "description": _ABOUT},
        "defaultContentType": "application/json",
        "channels": {
            "tasks": {"address": _CHANNELS["tasks"], "messages": tasks},
            "results": {"address": _CHANNELS["results"], "messages": results},
        },
        "operations": operations,
        "components": {
            "schemas": {key: _write(schemas[key]) for key in sorted(schemas)}
        },
    }


def _list_task_fields(action: Described) -> Node:
    account = {} if action.account is None else {"account": action.account}
    return {"payload": action.payload, **account}


def _describe_message(action: Described, kind: str, fields: Node) -> Node:
    properties = {
        "id": {"type": "string"},
        "action": {"const": action.name},
        **fields,
    }
    optional = () if action.account_required else ("account",)
    description = {"description": action.description} if action.description else {}
    return {
        "name": action.name,
        "title": f"{kind}: {action.name}",
        **description,
        "correlationId": {"location": "$message.payload#/id"},
        "payload": _write(
            {
                "type": "object",
                "properties": properties,
                "required": [key for key in properties if key not in optional],
            }
        ),
    }


def _describe_operation(action: str, channel: str, key: str) -> Node:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{key}"}],
    }


def _write(schema: Node) -> Node:
    """A schema in AsyncAPI's own format, which is JSON Schema of draft 7."""
    return point(transform(drop_tags(schema), _write_as_draft_7), _PREFIX)


def _write_as_draft_7(node: Node) -> Node:
    if "prefixItems" in node:
        node = dict(node)
        if "items" in node:
            node["additionalItems"] = node.pop("items")
        node["items"] = node.pop("prefixItems")
    if "$ref" in node and len(node) > 1:  # nothing beside a reference was read then
        others = {key: value for key, value in node.items() if key != "$ref"}
        node = {**others, "allOf": [{"$ref": node["$ref"]}, *node.get("allOf", ())]}
    return node
