"""A gRPC channel to a hub."""

from typing import Final

from grpc import aio

MAX_MESSAGE: Final = 64 * 1024 * 1024
"""Bytes of the largest task that is taken, and of the largest result."""

OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", MAX_MESSAGE),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # A hub that comes back is found within seconds; the stock limit is minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    # What is sent again, and when, is decided in the worker alone.
    ("grpc.enable_retries", 0),
)


def open_channel(url: str) -> aio.Channel:
    """A channel to ``host:port``; it belongs to the running event loop."""
    return aio.insecure_channel(url, options=OPTIONS)
