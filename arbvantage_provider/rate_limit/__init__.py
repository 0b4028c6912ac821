"""Limits on how often something is done, such as calls of an API with a quota.

``docs/rate-limits.md`` tells which monitor to take and how to write one.
"""

from arbvantage_provider.rate_limit.keyed import LimitedTask, PerKey
from arbvantage_provider.rate_limit.local import (
    AdvancedRateLimitMonitor,
    CustomRateLimitMonitor,
    SlidingWindowRateLimitMonitor,
    TimeBasedRateLimitMonitor,
)
from arbvantage_provider.rate_limit.monitor import (
    LocalRateLimitMonitor,
    NoRateLimitMonitor,
    RateLimitMonitor,
    RateLimits,
    Reservation,
    ReservingRateLimitMonitor,
)
from arbvantage_provider.rate_limit.redis.monitor import RedisRateLimitMonitor

__all__ = [
    "AdvancedRateLimitMonitor",
    "CustomRateLimitMonitor",
    "LimitedTask",
    "LocalRateLimitMonitor",
    "NoRateLimitMonitor",
    "PerKey",
    "RateLimitMonitor",
    "RateLimits",
    "RedisRateLimitMonitor",
    "Reservation",
    "ReservingRateLimitMonitor",
    "SlidingWindowRateLimitMonitor",
    "TimeBasedRateLimitMonitor",
]
