"""OpenAPI 3.1: an operation for each action, as a gateway to a hub would offer it.

Source: https://spec.openapis.org/oas/v3.1.0
"""

from typing import Any, Final
from urllib.parse import quote

from arbvantage_provider.actions import Actions
from arbvantage_provider.export.catalogue import Described, describe
from arbvantage_provider.export.responses import (
    OTHER,
    describe_other,
    describe_response,
)
from arbvantage_provider.export.schema_walk import Node, point

_PREFIX: Final = "#/components/schemas/"


def export_openapi(
    actions: Actions, *, name: str, version: str = "0.1.0", unified: bool = False
) -> dict[str, Any]:
    """What each action takes and gives, as an OpenAPI 3.1 document.

    An action is ``POST /actions/NAME``, with the payload and the account in one
    JSON object. The response is the provider's own, with its status inside, so
    HTTP's 200 says that the task was answered, not that it went well.

    Args:
        actions: a provider's actions.
        name: the provider's name.
        version: the version of these actions.
        unified: whether the provider's ``response_format`` is ``unified``.
    """
    catalogue = describe(actions, reserved=[OTHER])
    schemas = {OTHER: describe_other(unified=unified), **catalogue.types}
    paths = {
        f"/actions/{quote(action.name, safe='')}": {
            "post": _describe_operation(action, provider=name, unified=unified)
        }
        for action in catalogue.actions
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": name, "version": version},
        "paths": paths,
        "components": {
            "schemas": {key: _point(schemas[key]) for key in sorted(schemas)}
        },
    }


def _describe_operation(action: Described, *, provider: str, unified: bool) -> Node:
    response = describe_response(action, provider=provider, unified=unified)
    description = {"description": action.description} if action.description else {}
    return {
        "operationId": action.name,
        **description,
        "requestBody": {"required": True, "content": _hold(_describe_body(action))},
        "responses": {
            "200": {"description": "The task was answered.", "content": _hold(response)}
        },
    }


def _describe_body(action: Described) -> Node:
    parts = {"payload": action.payload}
    if action.account is not None:
        parts["account"] = action.account
    required = ["payload", "account"] if action.account_required else ["payload"]
    return {
        "type": "object",
        "properties": parts,
        "required": required,
        "additionalProperties": False,
    }


def _hold(schema: Node) -> Node:
    return {"application/json": {"schema": _point(schema)}}


def _point(schema: Node) -> Node:
    """References, those of discriminators too, to where OpenAPI keeps types."""
    return point(schema, _PREFIX)
