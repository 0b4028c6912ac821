"""Whether something is a monitor that a provider, or an action, can keep to."""

from arbvantage_provider.rate_limit.keyed import PerKey
from arbvantage_provider.rate_limit.monitor import RateLimitMonitor, find_async_problem


def find_monitor_problem(monitor: object, *, takes_keys: bool) -> str:
    """What is wrong with a monitor, as an error may say it; ``""``: nothing.

    Args:
        monitor: what was given.
        takes_keys: whether it may be a ``PerKey``.
    """
    if monitor is None or (isinstance(monitor, PerKey) and takes_keys):
        return ""
    if isinstance(monitor, PerKey):
        return (
            f"rate_limit_monitor: {monitor!r} has keys, and a provider takes tasks "
            "before their keys are known; give it to the actions"
        )
    if not isinstance(monitor, RateLimitMonitor):
        return (
            f"rate_limit_monitor is {monitor!r}; give an instance of a RateLimitMonitor"
        )
    problem = find_async_problem(monitor)
    return f"rate_limit_monitor: {problem}" if problem else ""
