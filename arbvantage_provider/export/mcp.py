"""Tools of the Model Context Protocol.

Source: https://modelcontextprotocol.io/specification/2025-11-25/server/tools
"""

from typing import Any, Final

from arbvantage_provider.actions import Actions
from arbvantage_provider.export.catalogue import Catalogue, Described, describe
from arbvantage_provider.export.names import name_tools
from arbvantage_provider.export.schema_walk import Node

ACTION: Final = "arbvantage/action"
"""The key of a tool's ``_meta`` that holds the name of its action."""


def export_mcp(actions: Actions) -> list[dict[str, Any]]:
    """The actions as MCP tools, as ``tools/list`` gives them.

    The arguments are the payload. The account is left out, as credentials are
    the caller's and no model's. A result is described where it is an object, which
    MCP asks for. What a tool is called is what ``name_tools`` says.

    Args:
        actions: a provider's actions.
    """
    catalogue = describe(actions)
    described = {action.name: action for action in catalogue.actions}
    return [
        _describe_tool(tool, described[name], catalogue)
        for tool, name in name_tools(actions).items()
    ]


def _describe_tool(tool: str, action: Described, catalogue: Catalogue) -> Node:
    made: Node = {"name": tool}
    if tool != action.name:
        made["title"] = action.name
    if action.description:
        made["description"] = action.description
    made["inputSchema"] = catalogue.describe_arguments(action)
    if action.result is not None:
        result = catalogue.take_out(action.result)
        if result.get("type") == "object":
            made["outputSchema"] = result
    if tool != action.name:
        made["_meta"] = {ACTION: action.name}
    return made
