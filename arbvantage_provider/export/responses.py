"""What a task is answered with, as JSON Schema.

Source: ``worker.execution.encoder``, which writes the answers in these two forms.
"""

from typing import Final

from arbvantage_provider.export.catalogue import Described
from arbvantage_provider.export.schema_walk import DEFINITIONS, Node

OTHER: Final = "OtherResponse"
"""The name of the type of all responses but successes."""

_NOTHING: Final[Node] = {"type": "object", "maxProperties": 0}
"""What wrapped data is where there is none."""

_OTHER_DATA: Final = (
    "Where the payload or the account does not fit, `errors` lists each `path`, "
    "`type` and `message`. With the status limit, `wait_time` is in seconds."
)


def describe_other(*, unified: bool) -> Node:
    """A response that is no success.

    Args:
        unified: whether the data is wrapped.
    """
    text = {"type": "string"}
    data: Node = {"description": _OTHER_DATA}
    data = _wrap(data, action=text, provider=text) if unified else data
    return {"title": OTHER} | _respond({"enum": ["error", "warning", "limit"]}, data)


def describe_response(action: Described, *, provider: str, unified: bool) -> Node:
    """What an action answers with.

    Args:
        action: the action.
        provider: the provider's name.
        unified: whether the data is wrapped.
    """
    data: Node = {} if action.result is None else action.result
    if unified:
        data = {"anyOf": [data, _NOTHING]} if _takes_null(data) else data
        names = {"action": {"const": action.name}, "provider": {"const": provider}}
        data = _wrap(data, **names)
    success = _respond({"const": "success"}, data)
    return {"anyOf": [success, {"$ref": DEFINITIONS + OTHER}]}


def _takes_null(node: Node) -> bool:
    return node.get("type") == "null" or any(map(_takes_null, node.get("anyOf", ())))


def _respond(status: Node, data: Node) -> Node:
    return {
        "type": "object",
        "properties": {"status": status, "message": {"type": "string"}, "data": data},
        "required": ["status", "message", "data"],
    }


def _wrap(data: Node, *, action: Node, provider: Node) -> Node:
    moment = {"type": "string", "format": "date-time"}
    properties = {
        "provider": provider,
        "action": action,
        "timezone": {"type": "string"},
        "now": moment,
        "now_utc": moment,
        "response": data,
    }
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
    }
