"""``arbvantage export``: the actions in a format that other programs read."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from arbvantage_provider.cli.output import format_json, open_output
from arbvantage_provider.cli.target import load_provider
from arbvantage_provider.cli.user_code import run_user_code
from arbvantage_provider.export import (
    export_asyncapi,
    export_json_schema,
    export_mcp,
    export_openai,
    export_openapi,
)
from arbvantage_provider.provider import Provider

_EXPORTS: Final[dict[str, Callable[[Provider, str], Any]]] = {
    "json-schema": lambda provider, _: export_json_schema(
        provider.actions, name=provider.name
    ),
    "openapi": lambda provider, version: _export_api(export_openapi, provider, version),
    "asyncapi": lambda provider, version: _export_api(
        export_asyncapi, provider, version
    ),
    "mcp": lambda provider, _: export_mcp(provider.actions),
    "openai": lambda provider, _: export_openai(provider.actions),
}


def export_target(target: str, *, chosen: str, version: str) -> None:
    """Print what the actions of TARGET take and give.

    Args:
        target: which provider.
        chosen: the name of the format.
        version: what an API's description says is its version.
    """
    with open_output() as emit:
        provider = load_provider(target)
        export = partial(_EXPORTS[chosen], provider, version)
        document = run_user_code(export, f"{provider.name!r} cannot be exported")
        emit(format_json(document, indent=2))


def _export_api(export: Callable[..., Any], provider: Provider, version: str) -> Any:
    unified = provider.settings.response_format == "unified"
    return export(
        provider.actions, name=provider.name, version=version, unified=unified
    )
