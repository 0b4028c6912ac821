"""What a limit's settings may be; anything else is refused by name and value."""

import math
from fractions import Fraction
from typing import Final

from arbvantage_provider.exceptions import ConfigError

LONGEST = 366 * 24 * 3600.0
"""The longest wait for one permit, in seconds: beyond a year it is a mistake."""


MOST = 1_000_000_000
"""The most permits one limit may have: beyond it, it is none."""


MOST_COUNTED: Final = 600_000
"""The highest rate a minute of a limit that is counted in whole microseconds."""


def check_seconds(name: str, value: object) -> float:
    """``value`` as seconds, above 0 and at most a year.

    Raises:
        ConfigError: if it is anything else.
    """
    number = _number(value)
    if not 0 < number <= LONGEST:
        raise _refusal(name, value, f"seconds above 0, at most {LONGEST:.0f}")
    return number


def check_count(name: str, value: object) -> int:
    """``value`` as a whole number, at least 1 and at most ``MOST``.

    Raises:
        ConfigError: if it is anything else.
    """
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST:
        return value
    raise _refusal(name, value, f"a whole number, at least 1, at most {MOST}")


def check_part(name: str, value: object) -> float:
    """``value`` as a part of a whole, above 0 and at most 1.

    Raises:
        ConfigError: if it is anything else.
    """
    number = _number(value)
    if not 0 < number <= 1:
        raise _refusal(name, value, "a part of the limit, above 0, at most 1")
    return number


def check_rate(name: str, value: object, period: float) -> float:
    """``value`` as calls in ``period`` seconds: finite, above one in a year.

    Raises:
        ConfigError: if it is anything else.
    """
    number = _number(value)
    if not period / LONGEST <= number < math.inf:
        raise _refusal(name, value, "a finite number above 0, at least one in a year")
    return number


def check_interval(name: str, value: object) -> int:
    """``value``, calls per minute, as whole microseconds for one, rounded up.

    Raises:
        ConfigError: if it is anything else, or so high that rounding loses over 1 %.
    """
    if check_rate(name, value, 60.0) > MOST_COUNTED:
        allowed = f"at most {MOST_COUNTED}, where one process asks another"
        raise _refusal(name, value, allowed)
    return math.ceil(60_000_000 / Fraction(str(value)))


def check_burst(name: str, value: object, interval: int) -> int:
    """``value`` as a count of permits that take at most a year to come back.

    Args:
        name: the setting's.
        value: the setting.
        interval: microseconds for one permit to come back.

    Raises:
        ConfigError: if it is anything else.
    """
    count = check_count(name, value)
    most = max(int(LONGEST * 1e6) // interval, 1)
    if count > most:
        allowed = f"at most {most}, which take a year to come back at that rate"
        raise _refusal(name, value, allowed)
    return count


def check_calls_per_second(name: str, value: object) -> tuple[int, float]:
    """``value`` as a count of calls and the seconds of their window.

    A whole number is that many in any second. A number below 1 is one call in a
    longer window: 0.5 is one in any 2 seconds. Others, such as 2.5, have no
    window of one second that would be neither more nor less.

    Raises:
        ConfigError: if it is anything else.
    """
    number = check_rate(name, value, 1.0)
    if number < 1:
        return 1, 1 / number
    if number > MOST or not number.is_integer():
        allowed = f"a whole number, at most {MOST}, or a fraction below 1"
        raise _refusal(name, value, allowed)
    return int(number), 1.0


def check_thresholds(warning: object, critical: object) -> tuple[float, float]:
    """Both thresholds as shares of the limit, in order.

    Raises:
        ConfigError: if one is outside 0 to 1, or the warning is the higher one.
    """
    low = _check_share("warning_threshold", warning)
    high = _check_share("critical_threshold", critical)
    if low > high:
        allowed = f"at most critical_threshold, which is {critical!r}"
        name = "warning_threshold"
        raise _refusal(name, warning, allowed)
    return low, high


def _check_share(name: str, value: object) -> float:
    number = _number(value)
    if not 0 <= number <= 1:
        raise _refusal(name, value, "a share of the limit, from 0 to 1")
    return number


def _number(value: object) -> float:
    """NaN stands for what is no number: it is outside of every range."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _refusal(name: str, value: object, allowed: str) -> ConfigError:
    return ConfigError(f"{name} is {value!r}; give {allowed}")
