"""Tools for function calling, in the form of OpenAI's chat completions.

Source: https://platform.openai.com/docs/api-reference/chat/create, ``tools``
"""

from typing import Any, Final

from arbvantage_provider.actions import Actions
from arbvantage_provider.export.catalogue import describe
from arbvantage_provider.export.names import name_tools
from arbvantage_provider.export.schema_walk import Node

_LONGEST: Final = 1024
"""Characters of a description; a longer one is refused by some of the APIs."""


def export_openai(actions: Actions) -> list[dict[str, Any]]:
    """The actions as functions that a model can call.

    The parameters are the payload. The account is left out, as credentials are
    the caller's and no model's. ``strict`` is false: its rules, such as no
    optional parameters, are not those of a payload. What a function is called is
    what ``name_tools`` says.

    Args:
        actions: a provider's actions.
    """
    catalogue = describe(actions)
    described = {action.name: action for action in catalogue.actions}
    return [
        _describe_tool(
            tool,
            described[name].description,
            {"properties": {}, **catalogue.describe_arguments(described[name])},
        )
        for tool, name in name_tools(actions).items()
    ]


def _describe_tool(name: str, description: str, parameters: Node) -> Node:
    function: Node = {"name": name}
    if description:
        function["description"] = _shorten(description)
    return {
        "type": "function",
        "function": function | {"parameters": parameters, "strict": False},
    }


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
