"""A server that is away, slow, restarted or not for us: what then holds."""

import asyncio
import logging
import math
import os
import re
import shutil
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import pytest
from redis_server import RedisServer
from taker import Taker
from tls_front import behind_tls, make_certificate

from arbvantage_provider.clock import Clock, SystemClock
from arbvantage_provider.exceptions import RateLimitUnavailableError
from arbvantage_provider.rate_limit import RedisRateLimitMonitor, Reservation
from arbvantage_provider.rate_limit.redis.circuit_breaker import HOLD_OFF

T = TypeVar("T")
LOGGER = "arbvantage_provider.rate_limit"
PASSWORD = "p@ss/w?rd"
ENCODED = "p%40ss%2Fw%3Frd"


def on_loop(monitor: RedisRateLimitMonitor, work: Coroutine[Any, Any, T]) -> T:
    """What an async function returns, on an event loop of its own."""

    async def run() -> T:
        try:
            return await work
        finally:
            await monitor.close_async()

    return asyncio.run(run())


def share(server: RedisServer, *rate: Any, **settings: Any) -> RedisRateLimitMonitor:
    """A monitor that gives a busy machine time to answer."""
    patient = {"connect_timeout": 30, "command_timeout": 30}
    return RedisRateLimitMonitor(server.url, "k", *rate, **patient | settings)


def ask_until_answered(ask: Callable[[], T]) -> T:
    """What it answers, as soon as the server is found to be there again."""
    while True:
        try:
            return ask()
        except RateLimitUnavailableError:
            SystemClock().sleep(0.01)


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """What takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def share_silent(listener: socket.socket, **settings: Any) -> RedisRateLimitMonitor:
    url = f"redis://127.0.0.1:{listener.getsockname()[1]}"
    return RedisRateLimitMonitor(url, "k", 60, **settings)


def test_a_server_that_is_away_is_an_error_that_says_where_and_why(
    own_redis: RedisServer,
) -> None:
    url = own_redis.url.replace("//", "//limiter:pass-word@")
    monitor = RedisRateLimitMonitor(url, "k", 60)
    own_redis.kill()

    for ask in (
        lambda: monitor.reserve(0),
        monitor.check_rate_limits,
        lambda: monitor.make_safe_request(int),
        lambda: on_loop(monitor, monitor.reserve_async(0)),
        lambda: on_loop(monitor, monitor.check_rate_limits_async()),
        lambda: on_loop(monitor, monitor.make_safe_request_async(asyncio.sleep, 0)),
    ):
        with pytest.raises(RateLimitUnavailableError) as caught:
            ask()
        assert own_redis.url in str(caught.value)
        assert "refused" in str(caught.value)
        assert "pass-word" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_the_log_tells_of_an_outage_once_and_of_its_end(
    own_redis: RedisServer, caplog: pytest.LogCaptureFixture, clock: Clock
) -> None:
    caplog.set_level(logging.INFO, LOGGER)
    with closing(share(own_redis, 60, 9, clock=clock)) as monitor:
        for _ in range(2):
            assert monitor.reserve(0).granted
            own_redis.kill()
            for _ in range(9):
                with pytest.raises(RateLimitUnavailableError):
                    monitor.reserve(0)
                clock.sleep(HOLD_OFF / 2)
            own_redis.start()
            clock.sleep(HOLD_OFF)
            assert monitor.reserve(0).granted

    logged = [(each.levelname, each.getMessage()) for each in caplog.records]
    assert [level for level, _ in logged] == ["WARNING", "INFO"] * 2
    for _, text in logged[::2]:
        assert text.startswith(f"{monitor!r} is unavailable; trying on: no permit from")
    for _, text in logged[1::2]:
        assert text == f"{monitor!r} is available again"


def test_after_a_failure_only_one_asks_at_a_time(
    silent: socket.socket, clock: Clock
) -> None:
    monitor = share_silent(silent, command_timeout=0.05, clock=clock)

    for _ in range(3):
        for _ in range(50):
            with pytest.raises(RateLimitUnavailableError, match="Timeout"):
                monitor.reserve(0)
        clock.sleep(HOLD_OFF)

    silent.setblocking(False)  # noqa: FBT003 - its only argument
    for _ in range(3):
        silent.accept()[0].close()
    with pytest.raises(BlockingIOError):
        silent.accept()


def test_a_silent_server_never_blocks_the_loop(silent: socket.socket) -> None:
    monitor = share_silent(silent, command_timeout=0.5)
    turns = 0

    async def count() -> None:
        nonlocal turns
        asking = asyncio.create_task(monitor.reserve_async(0))
        while not asking.done():
            await asyncio.sleep(0.001)
            turns += 1
        with pytest.raises(RateLimitUnavailableError, match="Timeout"):
            await asking

    on_loop(monitor, count())

    assert turns > 2


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_a_server_that_hangs_is_an_outage_that_ends_by_itself(
    own_redis: RedisServer,
) -> None:
    with closing(share(own_redis, 60, 9, command_timeout=0.2)) as monitor:
        ask_until_answered(lambda: monitor.reserve(0))
        own_redis.freeze()

        with pytest.raises(RateLimitUnavailableError, match="Timeout"):
            monitor.reserve(0)
        own_redis.thaw()
        found = ask_until_answered(lambda: monitor.reserve(0))

    assert found.granted


def test_a_server_that_was_restarted_needs_no_second_try(
    own_redis: RedisServer,
) -> None:
    monitor = share(own_redis, 60, 9)

    async def reserve_twice() -> list[bool]:
        granted = [(await monitor.reserve_async(0)).granted for _ in range(2)]
        own_redis.kill()
        own_redis.start()
        return [*granted, (await monitor.reserve_async(0)).granted]

    with closing(monitor):
        assert on_loop(monitor, reserve_twice()) == [True] * 3
        own_redis.kill()
        own_redis.start()
        assert monitor.reserve(0).granted
        own_redis.kill()
        own_redis.start()
        assert monitor.reserve(0).granted
    assert monitor.count_free() == 4


async def take(monitor: Taker, count: int) -> None:
    """Take permits in turn, until all that take have so many."""
    while len(monitor.moments) < count:
        try:
            found = await monitor.reserve_async(math.inf)
        except RateLimitUnavailableError:
            found = Reservation(granted=False, wait=0.01)
        await asyncio.sleep(found.wait)


def restart(server: RedisServer, monitor: Taker) -> None:
    """Restart the server at three moments in the middle."""
    for number in (50, 100, 150):
        while len(monitor.moments) < number:
            SystemClock().sleep(0.001)
        server.kill()
        SystemClock().sleep(0.02)
        server.start()


def test_the_limit_holds_through_restarts_of_a_server_that_forgets(
    own_redis: RedisServer,
) -> None:
    monitor = Taker(own_redis.url, "k", 12_000, 10)

    async def take_and_restart() -> None:
        restarting = asyncio.to_thread(restart, own_redis, monitor)
        await asyncio.gather(restarting, *(take(monitor, 200) for _ in range(10)))

    on_loop(monitor, take_and_restart())

    moments = sorted(monitor.moments)
    for first, later in zip(moments, moments[10:], strict=False):
        assert later - first >= 5000
    for first, later in zip(moments, moments[50:], strict=False):
        assert later - first >= 41 * 5000


def test_a_share_of_the_limit_holds_while_the_server_is_away(
    own_redis: RedisServer, caplog: pytest.LogCaptureFixture, clock: Clock
) -> None:
    monitor = share(own_redis, 60, 8, fallback_share=0.25, clock=clock)
    own_redis.kill()

    fresh = [monitor.reserve(math.inf).wait for _ in range(4)]
    look = monitor.check_rate_limits()
    impatient = monitor.reserve(1)
    clock.sleep(1000)
    rested = [monitor.reserve(math.inf).wait for _ in range(3)]

    assert fresh == [0, 0, 4, 8]
    assert look is not None
    assert look["wait_time"] == 12
    assert impatient == Reservation(granted=False, wait=12)
    assert rested == [0, 0, 4]
    assert "until it can, this process has 0.25 of the limit" in caplog.text


def test_a_share_has_a_burst_of_one_at_least(
    own_redis: RedisServer, clock: Clock
) -> None:
    monitor = share(own_redis, 60, 2, fallback_share=0.1, clock=clock)
    own_redis.kill()

    waits = [on_loop(monitor, monitor.reserve_async(math.inf)).wait for _ in range(3)]
    look = on_loop(monitor, monitor.check_rate_limits_async("other"))

    assert waits == [0, 10, 20]
    assert look is None


def test_a_share_begins_where_the_limit_was_left(own_redis: RedisServer) -> None:
    with closing(share(own_redis, 6, 4, fallback_share=0.5)) as monitor:
        for _ in range(4):
            monitor.reserve(0)
        own_redis.kill()

        found = monitor.reserve(0)

    assert not found.granted
    assert 10 < found.wait <= 20


def test_the_limit_begins_where_the_share_was_left(own_redis: RedisServer) -> None:
    with closing(share(own_redis, 6, 4, fallback_share=0.5)) as monitor:
        own_redis.kill()
        lent = [monitor.reserve(0).granted for _ in range(3)]
        own_redis.start()
        SystemClock().sleep(HOLD_OFF)

        found = monitor.reserve(0)
        limits = monitor.check_rate_limits()

    assert lent == [True, True, False]
    assert not found.granted
    assert limits is not None
    assert limits["wait_time"] <= 10


def test_a_permit_that_was_lent_is_not_given_back(own_redis: RedisServer) -> None:
    monitor = share(own_redis, 6, 2, fallback_share=0.5)
    own_redis.kill()
    permit = monitor.reserve(0)

    monitor.release(permit)
    on_loop(monitor, monitor.release_async(permit))

    assert permit.granted
    assert not monitor.reserve(0).granted


def test_giving_back_while_the_server_is_away_loses_the_permit(
    own_redis: RedisServer,
) -> None:
    with closing(share(own_redis, 6, 2)) as monitor:
        permits = [monitor.reserve(0), monitor.reserve(0)]
        own_redis.kill()

        monitor.release(permits[1])
        on_loop(monitor, monitor.release_async(permits[0]))
        own_redis.start()

        assert not ask_until_answered(lambda: monitor.reserve(0)).granted


def test_a_replica_is_an_outage_until_it_is_promoted(own_redis: RedisServer) -> None:
    monitor = share(own_redis, 6, 3)

    async def fail_over() -> bool:
        await monitor.reserve_async(0)
        own_redis.ask("REPLICAOF", "127.0.0.1", 1)
        with pytest.raises(RateLimitUnavailableError, match=r"ReadOnly|READONLY"):
            await monitor.reserve_async(0)
        own_redis.ask("REPLICAOF", "NO", "ONE")
        while True:
            try:
                return (await monitor.reserve_async(0)).granted
            except RateLimitUnavailableError:
                await asyncio.sleep(0.01)

    with closing(monitor):
        assert on_loop(monitor, fail_over())
        own_redis.ask("REPLICAOF", "127.0.0.1", 1)
        with pytest.raises(RateLimitUnavailableError, match=r"ReadOnly|READONLY"):
            monitor.reserve(0)
        own_redis.ask("REPLICAOF", "NO", "ONE")
        assert ask_until_answered(lambda: monitor.reserve(0)).granted
    assert monitor.count_free() == 0


@pytest.mark.parametrize("credentials", [f":{ENCODED}", f"default:{ENCODED}"])
def test_a_password_lets_in_and_is_never_shown(credentials: str) -> None:
    with RedisServer("--requirepass", PASSWORD) as server:
        url = server.url.replace("//", f"//{credentials}@")
        with closing(RedisRateLimitMonitor(url, "k", 60)) as monitor:
            assert monitor.reserve(0).granted
    assert repr(monitor) == (
        f"RedisRateLimitMonitor('{server.url}', key='k', requests_per_minute=60, "
        "burst_size=1)"
    )


@pytest.mark.parametrize("credentials", ["", ":wrong-secret@", "limiter:wrong-secret@"])
def test_a_wrong_password_is_an_outage_and_is_never_shown(
    credentials: str, caplog: pytest.LogCaptureFixture
) -> None:
    with RedisServer("--requirepass", PASSWORD) as server:
        url = server.url.replace("//", f"//{credentials}")
        monitor = RedisRateLimitMonitor(url, "k", 60)
        with (
            closing(monitor),
            pytest.raises(
                RateLimitUnavailableError, match=r"Authentication|NOAUTH"
            ) as caught,
        ):
            monitor.reserve(0)
    assert server.url in caplog.text
    for text in (repr(monitor), str(caught.value), caplog.text):
        assert "wrong-secret" not in text
        assert "limiter" not in text


def test_a_user_of_the_server_needs_no_more_than_the_page_says(
    own_redis: RedisServer,
) -> None:
    page = Path(__file__).parents[2] / "docs" / "rate-limits.md"
    (rules,) = re.findall(r"`(~rate_limit:[^`]+)`", page.read_text(encoding="utf-8"))
    own_redis.ask("ACL", "SETUSER", "limiter", "on", ">pass-word", *rules.split())
    url = own_redis.url.replace("//", "//limiter:pass-word@")

    with closing(RedisRateLimitMonitor(url, "k", 60, 2)) as monitor:
        permits = [monitor.reserve(9, key) for key in (None, None, None, "task")]
        monitor.release(permits[2])
        monitor.release(permits[3], "task")
        again = on_loop(monitor, monitor.reserve_async(0, "task"))

    assert all(each.granted for each in [*permits, again])


def test_what_the_server_says_of_a_user_does_not_name_it(
    own_redis: RedisServer,
) -> None:
    own_redis.ask("ACL", "SETUSER", "limiter", "on", ">pass-word")
    url = own_redis.url.replace("//", "//limiter:pass-word@")

    with (
        closing(RedisRateLimitMonitor(url, "k", 60)) as monitor,
        pytest.raises(RateLimitUnavailableError) as caught,
    ):
        monitor.reserve(0)

    assert "no permissions" in str(caught.value)
    assert "limiter" not in str(caught.value)


def test_a_password_in_an_option_is_never_shown(own_redis: RedisServer) -> None:
    url = f"{own_redis.url}?username=somebody&password=wrong-secret"
    monitor = RedisRateLimitMonitor(url, "k", 60)

    with (
        closing(monitor),
        pytest.raises(RateLimitUnavailableError, match="Authentication") as caught,
    ):
        monitor.reserve(0)

    assert "wrong-secret" not in repr(monitor) + str(caught.value)
    assert "somebody" not in repr(monitor) + str(caught.value)


def test_a_socket_of_the_machine_is_a_place_too(tmp_path: Path) -> None:
    path = tmp_path / "redis.sock"
    with (
        RedisServer("--unixsocket", str(path)),
        closing(RedisRateLimitMonitor(f"unix://{path}", "k", 60)) as monitor,
    ):
        granted = [monitor.reserve(0).granted for _ in range(2)]
    assert granted == [True, False]
    assert f"'unix://{path}'" in repr(monitor)


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl for a certificate")
@pytest.mark.parametrize("scheme", ["rediss", "valkeys"])
def test_tls_checks_the_certificate(
    scheme: str, own_redis: RedisServer, tmp_path: Path
) -> None:
    certificate, key = make_certificate(tmp_path)
    with behind_tls(own_redis.port, certificate, key) as port:
        trusted = f"{scheme}://localhost:{port}/0?ssl_ca_certs={certificate}"
        with closing(RedisRateLimitMonitor(trusted, "k", 60, 2)) as monitor:
            granted = [monitor.reserve(0).granted]
            granted.append(on_loop(monitor, monitor.reserve_async(0)).granted)
        unknown = RedisRateLimitMonitor(f"{scheme}://localhost:{port}", "k", 60)
        with closing(unknown), pytest.raises(RateLimitUnavailableError, match="verify"):
            unknown.reserve(0)
    assert granted == [True, True]
