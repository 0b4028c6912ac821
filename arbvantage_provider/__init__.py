"""Typed workers for a hub that hands out tasks over gRPC.

A provider takes tasks, validates the payload, runs the action that the task
names, and gives the result back::

    from arbvantage_provider import Provider

    provider = Provider("weather", auth_token="…", hub_url="hub-grpc:50051")

    @provider.actions.register()
    async def forecast(city: str, days: int = 3) -> dict[str, object]:
        ...

    provider.start()

What is listed in ``__all__`` is public, as it is in ``rate_limit``,
``testing`` and ``exceptions``; the rest may change. Names are imported on
first use, so that the command line answers at once.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from arbvantage_provider.actions import Action, Actions
    from arbvantage_provider.connection import TLS
    from arbvantage_provider.context import TaskContext
    from arbvantage_provider.exceptions import (
        ActionError,
        ActionNotFoundError,
        ActionTimeoutError,
        AuthenticationError,
        ConfigError,
        ConnectionError,  # noqa: A004 - the name is the contract's
        DuplicateActionError,
        HandlerSignatureError,
        HubError,
        InvalidPayloadError,
        JournalError,
        LifespanError,
        ProtocolError,
        ProviderError,
        RateLimitedError,
        RateLimitUnavailableError,
        RegistrationError,
        SchemaError,
    )
    from arbvantage_provider.executors.pool import ProcessPool
    from arbvantage_provider.handlers.inject import Inject
    from arbvantage_provider.logger import Logger
    from arbvantage_provider.middleware import Outcome, TaskInfo
    from arbvantage_provider.provider import Provider
    from arbvantage_provider.responses import ProviderResponse
    from arbvantage_provider.retry import Retry
    from arbvantage_provider.schema.dict_schema import optional
    from arbvantage_provider.schema.strict import StrictModel
    from arbvantage_provider.settings import ProviderSettings
    from arbvantage_provider.worker.metrics.snapshot import LimitFigures, Snapshot

__version__ = "0.1.0"

__all__ = [
    "TLS",
    "Action",
    "ActionError",
    "ActionNotFoundError",
    "ActionTimeoutError",
    "Actions",
    "AuthenticationError",
    "ConfigError",
    "ConnectionError",
    "DuplicateActionError",
    "HandlerSignatureError",
    "HubError",
    "Inject",
    "InvalidPayloadError",
    "JournalError",
    "LifespanError",
    "LimitFigures",
    "Logger",
    "Outcome",
    "ProcessPool",
    "ProtocolError",
    "Provider",
    "ProviderError",
    "ProviderResponse",
    "ProviderSettings",
    "RateLimitUnavailableError",
    "RateLimitedError",
    "RegistrationError",
    "Retry",
    "SchemaError",
    "Snapshot",
    "StrictModel",
    "TaskContext",
    "TaskInfo",
    "__version__",
    "optional",
]

_ROOMS = {
    "Action": "actions",
    "Actions": "actions",
    "Inject": "handlers.inject",
    "LimitFigures": "worker.metrics.snapshot",
    "Logger": "logger",
    "Outcome": "middleware",
    "ProcessPool": "executors.pool",
    "Provider": "provider",
    "ProviderResponse": "responses",
    "ProviderSettings": "settings",
    "Retry": "retry",
    "Snapshot": "worker.metrics.snapshot",
    "StrictModel": "schema.strict",
    "TLS": "connection",
    "TaskContext": "context",
    "TaskInfo": "middleware",
    "optional": "schema.dict_schema",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its room when it is first asked for."""
    if name not in __all__:
        problem = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(problem)
    room = importlib.import_module(f"{__name__}.{_ROOMS.get(name, 'exceptions')}")
    value = getattr(room, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
