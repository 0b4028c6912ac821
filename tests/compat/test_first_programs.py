"""Programs of the shapes that the product was asked for with: they run unchanged."""

import inspect
import os
import threading
import time
from datetime import datetime
from typing import Any, Dict, List, Optional

import pytest

import arbvantage_provider
from arbvantage_provider import (
    ActionNotFoundError,
    AuthenticationError,
    ConnectionError,  # noqa: A004 - the name is the contract's
    InvalidPayloadError,
    Provider,
    ProviderResponse,
)
from arbvantage_provider.rate_limit import (
    AdvancedRateLimitMonitor,
    RateLimitMonitor,
    TimeBasedRateLimitMonitor,
)
from arbvantage_provider.testing import LocalHub, running


class Library(Provider):
    """Configured by the environment, with its actions inside ``__init__``."""

    def __init__(self, monitor: RateLimitMonitor | None = None) -> None:
        super().__init__(
            name=os.getenv("LIBRARY_NAME", "library"),
            auth_token=os.getenv("LIBRARY_TOKEN"),
            hub_url=os.getenv("LIBRARY_HUB", "hub-grpc:50051"),
            execution_timeout=int(os.getenv("LIBRARY_TIMEOUT", "5")),
            rate_limit_monitor=monitor,
        )

        @self.actions.register(
            name="lend",
            description="Lend a book",
            payload_schema={"title": str, "days": int, "note": Optional[str]},
        )
        def lend(title: str, days: int, note: Optional[str] = None) -> Dict[str, Any]:
            return {"title": title, "days": days, "note": note}

        @self.actions.register(
            name="sort_shelf",
            description="Sort what is given",
            payload_schema={"books": list, "options": dict},
        )
        def sort_shelf(books: list[Any], options: dict[str, Any]) -> Dict[str, Any]:
            try:
                ordered = sorted(books, reverse=options.get("reverse", False))
                return {"status": "success", "sorted": ordered}
            except TypeError as error:
                return {"status": "error", "message": str(error)}


def test_a_provider_that_is_configured_by_the_environment_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with LocalHub(token="shelf-token") as hub:
        monkeypatch.setenv("LIBRARY_TOKEN", "shelf-token")
        monkeypatch.setenv("LIBRARY_HUB", hub.url)
        provider = Library()
        thread = threading.Thread(target=provider.start)
        thread.start()
        result = hub.submit("lend", {"title": "Rīga", "days": 14}).result()
        provider.stop()
        thread.join(20)

    assert result.data == {"title": "Rīga", "days": 14, "note": None}


def test_a_dict_with_a_status_and_more_is_data_and_one_with_a_message_a_response() -> (
    None
):
    library = Library()

    good = library.process_task("sort_shelf", {"books": [2, 1], "options": {}})
    bad = library.process_task("sort_shelf", {"books": [2, "a"], "options": {}})

    assert good["data"] == {"status": "success", "sorted": [1, 2]}
    assert (bad["status"], bad["data"]) == ("error", None)


NESTED = {
    "reader": {
        "name": {"first": str, "last": str},
        "born": datetime,
        "contact": {
            "email": str,
            "addresses": List[Dict[str, str]],
            "guardians": List[{"name": str, "phone": str}],  # pyright: ignore[reportInvalidTypeForm]
        },
        "wishes": {"language": str, "alerts": {"email": bool, "sms": bool}},
        "loans": List[
            {"title": str, "from": datetime, "until": Optional[datetime]}  # pyright: ignore[reportInvalidTypeForm]
        ],
    },
    "meta": {"source": str, "tags": List[str], "extra": Dict[str, Any]},
}


def make_reader() -> dict[str, Any]:
    return {
        "reader": {
            "name": {"first": "Ada", "last": "L."},
            "born": "1990-05-17",
            "contact": {
                "email": "ada@example.org",
                "addresses": [{"street": "Brīvības", "no": "1"}],
                "guardians": [{"name": "Eve", "phone": "1"}],
            },
            "wishes": {"language": "lv", "alerts": {"email": True, "sms": False}},
            "loans": [{"title": "Rīga", "from": "2026-01-31T09:30:00Z"}],
        },
        "meta": {"source": "desk", "tags": ["new"], "extra": {"vip": 1.5}},
    }


@pytest.fixture
def readers() -> Provider:
    provider = Provider("readers")

    @provider.actions.register(
        name="add_reader", description="Add a reader", payload_schema=NESTED
    )
    def add_reader(payload: Dict[str, Any]) -> ProviderResponse:
        try:
            reader = payload["reader"]
            for loan in reader["loans"]:
                assert loan["from"] > datetime.fromisoformat("2000-01-01T00:00:00Z")
                assert loan["until"] is None
            return ProviderResponse(
                status="success",
                message="added",
                data={"name": f"{reader['name']['first']}", "born": reader["born"]},
            )
        except Exception as e:  # noqa: BLE001 - as such programs do
            return ProviderResponse(status="error", message=f"failed: {e!s}")

    return provider


def test_a_deeply_nested_dict_reaches_the_handler_under_its_own_keys(
    readers: Provider,
) -> None:
    response = readers.process_task("add_reader", make_reader())

    assert response == {
        "status": "success",
        "message": "added",
        "data": {"name": "Ada", "born": "1990-05-17T00:00:00"},
    }


def test_what_does_not_fit_in_a_deeply_nested_dict_is_named_by_its_path(
    readers: Provider,
) -> None:
    payload = make_reader()
    del payload["reader"]["contact"]["guardians"][0]["phone"]
    payload["reader"]["loans"][0]["from"] = 5

    response = readers.process_task("add_reader", payload)

    assert [error["path"] for error in response["data"]["errors"]] == [
        "reader.contact.guardians[0].phone",
        "reader.loans[0].from",
    ]


def test_a_start_that_fails_is_told_apart_by_its_errors() -> None:
    try:
        Provider("tested").start()
    except ConnectionError as e:
        pytest.fail(f"a missing token is no connection: {e}")
    except AuthenticationError as e:
        assert "auth_token" in str(e)


def test_the_errors_are_what_programs_catch() -> None:
    assert issubclass(ActionNotFoundError, LookupError)
    assert issubclass(InvalidPayloadError, ValueError)
    assert issubclass(ConnectionError, OSError)


class CountingMonitor(RateLimitMonitor):
    """A window of the wall clock, kept in a store that others share."""

    def __init__(
        self, store: dict[str, int], most: int = 2, window: int = 3600
    ) -> None:
        self.store, self.most, self.window_size = store, most, window

    def check_rate_limits(self) -> Optional[Dict[str, Any]]:
        count = int(self.store.get(self._key(), 0))
        if count < self.most:
            return None
        wait_time = self.window_size - (int(time.time()) % self.window_size)
        return {
            "rate_limited": True,
            "wait_time": wait_time,
            "current_count": count,
            "limit": self.most,
        }

    def handle_throttling(self, wait_time: float = 60) -> None:
        time.sleep(wait_time)  # noqa: TID251 - as such programs do

    def make_safe_request(self, request_func: Any, *args: Any, **kwargs: Any) -> Any:
        limits = self.check_rate_limits()
        if limits and limits.get("rate_limited"):
            self.handle_throttling(limits["wait_time"])
        self.store[self._key()] = self.store.get(self._key(), 0) + 1
        return request_func(*args, **kwargs)

    def _key(self) -> str:
        return f"window:{int(time.time()) // self.window_size}"


def test_a_monitor_of_the_users_own_holds_back_what_is_over_the_limit() -> None:
    provider = Library(CountingMonitor({}, most=2))
    with LocalHub() as hub, running(provider, hub):
        handles = [hub.submit("lend", {"title": "x", "days": 1}) for _ in range(3)]
        for handle in handles[:2]:
            assert handle.result().status == "success"
        assert handles[2].handed_out == 0


def test_two_providers_share_one_monitor() -> None:
    store: dict[str, int] = {}
    monitor = CountingMonitor(store, most=100)
    first, second = Library(monitor), Library(monitor)
    with (
        LocalHub() as one,
        LocalHub() as two,
        running(first, one),
        running(second, two),
    ):
        for hub in (one, two):
            hub.submit("lend", {"title": "x", "days": 1}).result()

    assert sum(store.values()) == 2


def test_built_in_monitors_are_made_and_asked_as_programs_do() -> None:
    spaced = TimeBasedRateLimitMonitor(min_delay=2.0)
    bucket = AdvancedRateLimitMonitor(requests_per_minute=10, burst_size=20)

    for monitor in (spaced, bucket):
        assert monitor.check_rate_limits() is None
        assert monitor.make_safe_request(max, 1, 3) == 3

    limits = spaced.check_rate_limits()
    assert limits is not None
    assert limits["rate_limited"]
    assert 0 < limits["wait_time"] <= 2
    assert Library(bucket).rate_limit_monitor is bucket


def test_an_action_may_ask_a_monitor_of_its_own() -> None:
    provider = Provider("api")
    limit = TimeBasedRateLimitMonitor(min_delay=0.01)

    @provider.actions.register(
        name="call_api",
        description="Call an API, at most so often",
        payload_schema={"endpoint": str, "params": dict},
    )
    def call_api(payload: dict[str, Any]) -> ProviderResponse:
        limits = limit.check_rate_limits()
        if limits and limits.get("rate_limited"):
            limit.handle_throttling(limits["wait_time"])
        limit.make_safe_request(lambda: None)
        return ProviderResponse(status="success", data=payload["params"])

    for number in range(3):
        task = {"endpoint": "/x", "params": {"n": number}}
        assert provider.process_task("call_api", task)["data"] == {"n": number}


def test_the_constructor_takes_the_documented_arguments_in_order() -> None:
    parameters = inspect.signature(Provider.__init__).parameters
    defaults = {name: p.default for name, p in parameters.items()}

    assert list(parameters)[1:6] == [
        "name",
        "auth_token",
        "hub_url",
        "execution_timeout",
        "rate_limit_monitor",
    ]
    assert defaults["hub_url"] == "hub-grpc:50051"
    assert defaults["execution_timeout"] == 1


def test_every_public_name_can_be_imported() -> None:
    for name in arbvantage_provider.__all__:
        assert getattr(arbvantage_provider, name) is not None
    assert set(arbvantage_provider.__all__) <= set(dir(arbvantage_provider))
    with pytest.raises(AttributeError, match="no attribute 'Providr'"):
        _ = arbvantage_provider.Providr
