"""Wrong settings of a shared limit are refused where it is built, without a server."""

import math
import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest
from redis import ConnectionPool

from arbvantage_provider.exceptions import ConfigError
from arbvantage_provider.rate_limit import RedisRateLimitMonitor
from arbvantage_provider.rate_limit.redis.client import RedisAddress

URL = "redis://127.0.0.1:6379/0"
NO_NUMBER: list[Any] = [
    *(math.nan, math.inf, -math.inf, True, "1", b"1", None, Decimal(1), 10**400),
]
NOT_POSITIVE = [0, -1, -0.5, *NO_NUMBER]
NO_COUNT = [0, -1, 0.5, 1.0, 10**10, *NO_NUMBER]
SECRET = "s3cr3t"


def build(**settings: Any) -> RedisRateLimitMonitor:
    right: dict[str, Any] = {"url": URL, "key": "k", "requests_per_minute": 60}
    return RedisRateLimitMonitor(**right | settings)


@pytest.mark.parametrize("value", NOT_POSITIVE)
@pytest.mark.parametrize(
    "name", ["requests_per_minute", "connect_timeout", "command_timeout"]
)
def test_what_is_no_positive_number_is_refused_by_name_and_value(
    name: str, value: Any
) -> None:
    with pytest.raises(ConfigError) as caught:
        build(**{name: value})

    assert str(caught.value).startswith(f"{name} is {value!r}; give ")


@pytest.mark.parametrize("value", NO_COUNT)
@pytest.mark.parametrize("name", ["burst_size", "max_connections"])
def test_what_is_no_count_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        build(**{name: value})

    assert str(caught.value).startswith(f"{name} is {value!r}; give a whole number")


@pytest.mark.parametrize(
    "value", [1.01, 2, *(each for each in NOT_POSITIVE if each is not None)]
)
def test_what_is_no_share_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        build(fallback_share=value)

    assert str(caught.value) == (
        f"fallback_share is {value!r}; give a part of the limit, above 0, at most 1"
    )


@pytest.mark.parametrize("rate", [600_000.1, 10**9])
def test_a_rate_that_no_server_counts_exactly_is_refused(rate: float) -> None:
    with pytest.raises(ConfigError, match="give at most 600000"):
        build(requests_per_minute=rate)


@pytest.mark.parametrize(("rate", "burst"), [(60, 31_622_401), (0.001, 600)])
def test_a_burst_that_takes_over_a_year_to_come_back_is_refused(
    rate: float, burst: int
) -> None:
    with pytest.raises(ConfigError) as caught:
        build(requests_per_minute=rate, burst_size=burst)

    most = int(366 * 24 * 60 * rate)
    assert str(caught.value) == (
        f"burst_size is {burst}; give at most {most}, "
        "which take a year to come back at that rate"
    )
    build(requests_per_minute=rate, burst_size=most)


@pytest.mark.parametrize("key", ["", "a{b", "a}b", b"a", 1, None])
def test_a_key_that_is_no_name_is_refused(key: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        build(key=key)

    assert str(caught.value) == (
        f"key is {key!r}; give the limit's name: "
        "a text that is not empty, without braces"
    )


@pytest.mark.parametrize(
    "url",
    [
        *(None, 6379, b"redis://127.0.0.1", "", "127.0.0.1:6379", "redis:", "redis://"),
        *("http://127.0.0.1", "redis://:6379", "redis:///0", "unix://", "unix:///"),
        *("redis://h:0", "redis://h:99999", "redis://h:port", "redis://h/zero"),
        *("redis://h/0/1", "redis://h#f", "redis://[::1", "unix://h/redis.sock"),
        *(f"redis://:{SECRET}/x@h", f"redis://u:1/{SECRET}@h", f"redis://u:1?{SECRET}@h"),
        *(f"redis://u:{SECRET}?@h", f"redis://u:{SECRET}#@h", f"redis://:{SECRET}@"),
    ],
)  # fmt: skip
def test_a_url_that_cannot_be_used_is_refused_and_never_shown(url: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        build(url=url)

    assert "redis://user:password@host:6379/0" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "option",
    ["db=one", "nonsense=1", "ssl_cert_reqs=sometimes", "max_connections=many"],
)
def test_a_wrong_option_of_the_client_is_refused(option: str) -> None:
    with pytest.raises(ConfigError, match=r"^url redis.*://h: \w+: ") as caught:
        build(url=f"rediss://user:{SECRET}@h?{option}")

    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"redis://u:{SECRET}@h:1/2?password={SECRET}", "redis://h:1/2"),
        (f"REDISS://:{SECRET}@Example.com", "rediss://Example.com"),
        ("valkey://h", "valkey://h"),
        ("valkeys://[::1]:6380", "valkeys://[::1]:6380"),
        (f"unix://u:{SECRET}@/run/redis.sock?db=1", "unix:///run/redis.sock"),
    ],
)
def test_it_shows_its_place_and_no_password(url: str, shown: str) -> None:
    monitor = build(url=url, key="weather", requests_per_minute=0.5, burst_size=3)

    assert repr(monitor) == (
        f"RedisRateLimitMonitor('{shown}', key='weather', requests_per_minute=0.5, "
        "burst_size=3)"
    )
    assert SECRET not in str(vars(monitor))


@pytest.mark.parametrize("before", [" ", "\n", "\t "], ids=repr)
@pytest.mark.parametrize(
    ("scheme", "kind"),
    [
        ("redis", "Connection"),
        ("rediss", "SSLConnection"),
        ("valkey", "Connection"),
        ("valkeys", "SSLConnection"),
    ],
)
def test_what_stands_before_a_url_by_mistake_changes_nothing(
    before: str, scheme: str, kind: str
) -> None:
    pools: Any = ConnectionPool

    pool = pools.from_url(RedisAddress(f"{before}{scheme}://h").url)

    assert pool.connection_class.__name__ == kind


def test_without_redis_py_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)

    with pytest.raises(ConfigError) as caught:
        build()

    assert str(caught.value) == (
        "a limit in Redis needs the package redis: "
        'pip install "arbvantage_provider[redis]", or pip install ".[redis]" in a clone'
    )


def test_who_has_no_shared_limit_never_imports_redis_py() -> None:
    code = (
        "import sys, arbvantage_provider.provider\n"
        "from arbvantage_provider.rate_limit import RedisRateLimitMonitor\n"
        "assert 'redis' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
