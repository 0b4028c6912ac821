"""An action's limit with keys: for each account, or for a field of the payload."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from patience import wait_for
from pydantic import BaseModel
from their_monitors import Reserving, Stubborn, ThreeMethods
from typing_extensions import override

from arbvantage_provider import ConfigError, Provider, RateLimitedError, TaskContext
from arbvantage_provider.rate_limit import (
    LimitedTask,
    NoRateLimitMonitor,
    PerKey,
    Reservation,
    SlidingWindowRateLimitMonitor,
)
from arbvantage_provider.rate_limit.keyed import hash_key
from arbvantage_provider.testing import LocalHub, running

HOUR = 3600.0
SECRET = "account-secret-1"


def once() -> SlidingWindowRateLimitMonitor:
    return SlidingWindowRateLimitMonitor(1, HOUR)


def make(limit: Any, *, handler: Any = None, **settings: Any) -> Provider:
    provider = Provider("tested", shutdown_timeout=5, **settings)

    def limited(customer: str = "") -> str:
        return customer

    register = provider.actions.register(
        "limited", rate_limit_monitor=limit, max_wait=0
    )
    register(handler or limited)
    return provider


def by_customer(task: LimitedTask) -> Any:
    return task.payload["customer"]


def read_lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def test_each_customer_has_a_limit_of_its_own(hub: LocalHub) -> None:
    with running(make(PerKey(once, by_customer)), hub):
        statuses = [
            hub.submit("limited", {"customer": name}).result().status
            for name in ("acme", "acme", "bolt", "bolt", "acme")
        ]

    assert statuses == ["success", "limit", "success", "limit", "limit"]


class Account(BaseModel):
    key: str


def read_account(task: LimitedTask) -> Any:
    account = task.account
    return account.key if isinstance(account, Account) else account.get("key")


@pytest.mark.parametrize("schema", [None, Account, {"key": str}], ids=str)
def test_each_account_has_a_limit_of_its_own_declared_or_not(
    hub: LocalHub, schema: Any
) -> None:
    provider = Provider("tested")
    provider.actions.register(
        "limited",
        account_schema=schema,
        rate_limit_monitor=PerKey(once, read_account),
        max_wait=0,
    )(lambda: None)
    with running(provider, hub):
        statuses = [
            hub.submit("limited", {}, {"key": key}).result().status
            for key in (SECRET, SECRET, "other", SECRET)
        ]

    assert statuses == ["success", "limit", "success", "limit"]


def test_the_function_is_told_the_task_as_its_handler_receives_it(
    hub: LocalHub,
) -> None:
    told: list[LimitedTask] = []

    def key(task: LimitedTask) -> None:
        told.append(task)

    with running(make(PerKey(once, key)), hub):
        hub.submit("limited", {"customer": "acme"}, {"key": SECRET}, id="t-1").result()

    (task,) = told
    assert (task.id, task.action) == ("t-1", "limited")
    assert (task.payload, task.account) == ({"customer": "acme"}, {"key": SECRET})


@pytest.mark.parametrize("account", [b"", b"nonsense", b"[1]"])
def test_an_account_that_is_none_is_an_empty_dict_to_the_function(
    hub: LocalHub, account: bytes
) -> None:
    told: list[Any] = []

    def key(task: LimitedTask) -> None:
        told.append(task.account)

    with running(make(PerKey(once, key)), hub):
        assert hub.submit("limited", {}, account).result().status == "success"

    assert told == [{}]


def test_those_who_wait_for_one_key_do_not_hold_up_another(hub: LocalHub) -> None:
    provider = make(PerKey(once, by_customer))
    provider.actions.set_rate_limit(
        "limited", PerKey(once, by_customer), max_wait=2 * HOUR
    )
    with running(provider, hub):
        hub.submit("limited", {"customer": "acme"}).result()
        waiting = [hub.submit("limited", {"customer": "acme"}) for _ in range(1)]
        wait_for(lambda: provider.snapshot().limits["limited"].waiting == 1)
        others = [hub.submit("limited", {"customer": f"c{n}"}) for n in range(20)]
        assert {handle.result().status for handle in others} == {"success"}
        assert waiting[0].results == ()


def test_monitors_that_block_are_asked_for_each_key_by_itself(hub: LocalHub) -> None:
    made: list[Stubborn] = []

    def make_monitor() -> Stubborn:
        # The first one is made to see that it can be.
        made.append(Stubborn(spending=len(made) == 1))
        return made[-1]

    provider = make(PerKey(make_monitor, by_customer))
    provider.actions.set_rate_limit(
        "limited", PerKey(make_monitor, by_customer), max_wait=60
    )
    del made[:]
    made.append(Stubborn())
    with running(provider, hub):
        stuck = hub.submit("limited", {"customer": "acme"})
        wait_for(lambda: len(made) == 2 and made[1].asked.is_set())
        others = [hub.submit("limited", {"customer": f"c{n}"}) for n in range(10)]
        assert {handle.result().status for handle in others} == {"success"}
        made[1].release.set()
        assert stuck.result().status == "success"


def test_a_monitor_that_reserves_is_given_the_hash_of_the_key(hub: LocalHub) -> None:
    keys: list[str | None] = []

    def reserve(patience: float, key: str | None) -> Reservation:
        keys.append(key)
        return Reservation(granted=True, wait=0.0)

    with running(make(PerKey(Reserving(reserve), by_customer)), hub):
        hub.submit("limited", {"customer": "acme"}).result()

    assert keys == [hash_key("acme")]


def fail(task: LimitedTask) -> Any:
    raise ValueError(task.account["key"] + task.payload["customer"])


def leave(task: LimitedTask) -> Any:
    raise SystemExit(task.account["key"])


ODD: list[Callable[[LimitedTask], Any]] = [
    fail,
    leave,
    lambda task: {task.payload["customer"]: 1},
    lambda task: [task.account["key"]],
    lambda task: 1.5,
]


@pytest.mark.parametrize("key", ODD)
@pytest.mark.parametrize(
    ("policy", "status"), [("closed", "limit"), ("open", "success")]
)
def test_a_key_that_cannot_be_read_is_handled_by_the_policy_and_logged_once(
    hub: LocalHub, tmp_path: Path, key: Any, policy: Any, status: str
) -> None:
    log = tmp_path / "log"
    provider = make(PerKey(once, key), on_monitor_error=policy, log_file=str(log))
    with running(provider, hub):
        handles = [
            hub.submit("limited", {"customer": "customer-7"}, {"key": SECRET})
            for _ in range(3)
        ]
        statuses = {handle.result().status for handle in handles}
        errors = provider.snapshot().limits["limited"].errors

    told = [
        line for line in read_lines(log) if line["event"] == "rate limit key unread"
    ]
    assert (statuses, errors, len(told)) == ({status}, 3, 1)
    assert told[0]["limit"] == "limited"
    shown = log.read_text("utf-8") + str([handle.result().result for handle in handles])
    assert SECRET not in shown
    assert policy == "open" or "customer-7" not in shown


def test_the_line_about_a_key_names_the_place_in_the_users_function(
    hub: LocalHub, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with running(make(PerKey(once, fail), log_file=str(log)), hub):
        hub.submit("limited", {"customer": "a"}, {"key": SECRET}).result()

    (line,) = [line for line in read_lines(log) if "reason" in line and "limit" in line]
    number = fail.__code__.co_firstlineno + 1
    assert line["reason"] == f"ValueError at line {number} of {Path(__file__).name}"


def test_nothing_of_an_account_is_in_the_log_or_the_figures(
    hub: LocalHub, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    provider = make(
        PerKey(once, lambda task: task.account["key"]),
        log_file=str(log),
        log_level="DEBUG",
    )
    with running(provider, hub):
        for _ in range(3):
            hub.submit("limited", {}, {"key": SECRET}).result()
        figures = provider.snapshot().limits["limited"]

    assert (figures.keys, figures.refused) == (1, 2)
    for text in (
        log.read_text("utf-8"),
        repr(provider.snapshot()),
        repr(provider.actions),
    ):
        assert SECRET not in text
        assert hash_key(SECRET) not in text


def test_while_no_key_has_room_a_new_one_waits_as_at_a_limit(
    hub: LocalHub, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    provider = make(PerKey(once, by_customer, max_keys=2), log_file=str(log))
    with running(provider, hub):
        statuses = [
            hub.submit("limited", {"customer": name}).result().status
            for name in ("a", "b", "c", "d", "a")
        ]
        keys = provider.snapshot().limits["limited"].keys

    assert statuses == ["success", "success", "limit", "limit", "limit"]
    assert keys == 2
    told = [line for line in read_lines(log) if "room" in line["event"]]
    assert [line["max_keys"] for line in told] == [2]


def test_a_monitor_that_cannot_be_made_is_handled_by_the_policy(hub: LocalHub) -> None:
    def make_monitor(key: str) -> ThreeMethods:
        raise OSError(key)

    for policy, status in (("closed", "limit"), ("open", "success")):
        provider = make(PerKey(make_monitor, by_customer), on_monitor_error=policy)
        with running(provider, hub):
            handle = hub.submit("limited", {"customer": "acme"})
            assert handle.result().status == status


def test_a_handler_that_changes_its_payload_counts_for_the_key_that_it_had(
    hub: LocalHub,
) -> None:
    limit = PerKey(lambda: SlidingWindowRateLimitMonitor(2, HOUR), by_customer)
    provider = Provider("tested", shutdown_timeout=5)

    @provider.actions.register(
        "limited",
        payload_schema={"customer": str},
        rate_limit_monitor=limit,
        max_wait=0,
    )
    async def take(payload: dict[str, str], context: TaskContext) -> None:
        if payload.pop("customer") == "acme":
            async with context.rate_limit:
                return
        else:
            raise RateLimitedError(HOUR, closes="action")

    with running(provider, hub):
        statuses = [
            hub.submit("limited", {"customer": name}).result().status
            for name in ("acme", "acme", "bolt", "bolt")
        ]
        figures = provider.snapshot().limits["limited"]

    assert statuses == ["success", "limit", "limit", "limit"]
    assert (figures.passed, figures.errors) == (3, 0)
    assert figures.closed_for > HOUR - 60


class UnreadableError(RateLimitedError):
    """Raises when it is read whom it closes."""

    @override
    def __getattribute__(self, name: str) -> Any:
        if name == "closes":
            raise SystemExit
        return super().__getattribute__(name)


def test_an_error_that_cannot_be_read_closes_nothing_and_ends_nothing(
    hub: LocalHub,
) -> None:
    def handler(customer: str) -> None:
        raise UnreadableError(HOUR)

    with running(make(None, handler=handler), hub):
        statuses = [
            hub.submit("limited", {"customer": "acme"}).result().status
            for _ in range(2)
        ]

    assert statuses == ["limit", "limit"]


def test_what_an_api_says_of_one_account_closes_the_limit_of_that_one_alone(
    hub: LocalHub,
) -> None:
    def handler(customer: str) -> None:
        if customer == "acme":
            raise RateLimitedError(HOUR, closes="action")

    provider = make(PerKey(NoRateLimitMonitor, by_customer), handler=handler)
    with running(provider, hub):
        statuses = [
            hub.submit("limited", {"customer": name}).result().status
            for name in ("bolt", "acme", "bolt", "acme")
        ]
        closed_for = provider.snapshot().limits["limited"].closed_for

    assert statuses == ["success", "limit", "success", "limit"]
    assert HOUR - 60 < closed_for <= HOUR


def test_tasks_that_wait_get_keys_when_the_limit_has_some_now(hub: LocalHub) -> None:
    class Locked(ThreeMethods):
        @override
        def check_rate_limits(self) -> dict[str, Any]:
            return {"rate_limited": True, "wait_time": 0.02}

    provider = make(Locked(most=0))
    provider.actions.set_rate_limit("limited", Locked(most=0), max_wait=60)
    with running(provider, hub):
        names = ("acme", "bolt", "acme")
        handles = [hub.submit("limited", {"customer": name}) for name in names]
        wait_for(lambda: provider.snapshot().limits["limited"].waiting == 3)
        provider.actions.set_rate_limit("limited", PerKey(once, by_customer))
        results = [handle.result() for handle in handles]

    assert [result.status for result in results] == ["success", "success", "limit"]


def test_a_limit_with_keys_is_not_for_a_provider() -> None:
    with pytest.raises(ConfigError, match=r"rate_limit_monitor: .* give it to the a"):
        Provider("tested", rate_limit_monitor=PerKey(once, by_customer))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_two_providers_share_the_limits_of_one_object() -> None:
    limit = PerKey(once, by_customer)
    statuses: list[str] = []
    with (
        LocalHub() as one,
        LocalHub() as two,
        running(make(limit), one),
        running(make(limit), two),
    ):
        task = {"customer": "acme"}
        handles = [hub.submit("limited", task) for hub in (one, two) * 4]
        statuses += [handle.result().status for handle in handles]

    assert sorted(statuses) == ["limit"] * 7 + ["success"]
