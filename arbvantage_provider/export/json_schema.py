"""JSON Schema 2020-12: one document with all types and actions.

Source: https://json-schema.org/draft/2020-12
"""

from typing import Any, Final

from arbvantage_provider.actions import Actions
from arbvantage_provider.export.catalogue import Described, describe
from arbvantage_provider.export.schema_walk import Node, drop_tags

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def export_json_schema(actions: Actions, *, name: str) -> dict[str, Any]:
    """What each action takes and gives, as one JSON Schema document.

    ``actions`` maps each action's name to its ``description``, and to the schemas
    of its ``payload``, of its ``account`` where it reads one, and of its
    ``result``, the ``data`` of a success, where it declares one. ``$defs`` holds
    the types that they refer to.

    Args:
        actions: a provider's actions.
        name: the provider's name, as the document's title.
    """
    catalogue = describe(actions)
    return {
        "$schema": _DIALECT,
        "title": name,
        "actions": {action.name: _describe(action) for action in catalogue.actions},
        "$defs": {name: drop_tags(node) for name, node in catalogue.types.items()},
    }


def _describe(action: Described) -> Node:
    parts = {
        "payload": action.payload,
        "account": action.account,
        "result": action.result,
    }
    schemas = {
        part: drop_tags(node) for part, node in parts.items() if node is not None
    }
    description = {"description": action.description} if action.description else {}
    return description | schemas
