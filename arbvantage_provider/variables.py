"""The environment variable of each setting, and what messages call a setting.

A provider reads the environment only where it is made by ``Provider.from_env``. So a
message names a variable only where setting it would help.
"""

from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

ENVIRONMENT: Final[Mapping[str, str]] = {
    "name": "PROVIDER_NAME",
    "auth_token": "PROVIDER_AUTH_TOKEN",
    "auth_token_file": "PROVIDER_AUTH_TOKEN_FILE",
    "hub_url": "HUB_GRPC_URL",
    "tls.roots": "PROVIDER_TLS_ROOTS",
    "tls.certificate": "PROVIDER_TLS_CERTIFICATE",
    "tls.key": "PROVIDER_TLS_KEY",
    "tls.server_name": "PROVIDER_TLS_SERVER_NAME",
    "max_receive_bytes": "PROVIDER_MAX_RECEIVE_BYTES",
    "max_send_bytes": "PROVIDER_MAX_SEND_BYTES",
    "execution_timeout": "TASK_EXECUTION_TIMEOUT",
    "on_monitor_error": "PROVIDER_ON_MONITOR_ERROR",
    "max_concurrency": "PROVIDER_MAX_CONCURRENCY",
    "timezone": "PROVIDER_TIMEZONE",
    "response_format": "PROVIDER_RESPONSE_FORMAT",
    "connect_timeout": "PROVIDER_CONNECT_TIMEOUT",
    "shutdown_timeout": "PROVIDER_SHUTDOWN_TIMEOUT",
    "poll_interval": "PROVIDER_POLL_INTERVAL",
    "journal": "PROVIDER_JOURNAL",
    "journal_max_age": "PROVIDER_JOURNAL_MAX_AGE",
    "journal_sync": "PROVIDER_JOURNAL_SYNC",
    "log_level": "PROVIDER_LOG_LEVEL",
    "log_file": "PROVIDER_LOG_FILE",
}
"""The environment variable of each setting, and of each part of ``tls``."""

_READ: ContextVar[Collection[str]] = ContextVar("read", default=())


def list_read() -> Collection[str]:
    """The settings whose variables count here."""
    return _READ.get()


@contextmanager
def reading(settings: Collection[str]) -> Generator[None]:
    """In the block, the variables of these settings count."""
    token = _READ.set(settings)
    try:
        yield
    finally:
        _READ.reset(token)


def name_setting(name: str) -> str:
    """What a message calls a setting: ``hub_url (HUB_GRPC_URL)`` where that is read."""
    is_read = name in _READ.get() and name in ENVIRONMENT
    return f"{name} ({ENVIRONMENT[name]})" if is_read else name


def name_source(name: str) -> str:
    """The same where it is not known which of the two was meant to be set."""
    variable = ENVIRONMENT[name]
    if name in _READ.get():
        return f"{name} ({variable})"
    return f"the argument {name} ({variable} is not read here)"


def show_variables(*names: str) -> str:
    """`` (HUB_GRPC_URL)``, behind what says how an argument is given; or nothing."""
    read = [ENVIRONMENT[name] for name in names if name in _READ.get()]
    return f" ({', '.join(read)})" if read else ""
