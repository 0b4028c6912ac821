"""The actions of a provider in the formats of others, one module for each.

All are made from the models that validate. ``catalogue`` describes them once;
``generator`` knows what a validator takes, ``string_formats`` the text that it reads,
``names`` what may be called what, ``schema_walk`` the way through a JSON Schema.
"""

from arbvantage_provider.export.asyncapi import export_asyncapi
from arbvantage_provider.export.json_schema import export_json_schema
from arbvantage_provider.export.mcp import export_mcp
from arbvantage_provider.export.names import name_tools
from arbvantage_provider.export.openai import export_openai
from arbvantage_provider.export.openapi import export_openapi

__all__ = [
    "export_asyncapi",
    "export_json_schema",
    "export_mcp",
    "export_openai",
    "export_openapi",
    "name_tools",
]
