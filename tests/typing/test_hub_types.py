"""What type checkers know of the local hub.

mypy and pyright read this file; running it shows that it is true as well.
"""

from collections.abc import Iterator
from typing import Any, assert_type

from arbvantage_provider import Provider
from arbvantage_provider.testing import HubResult, LocalHub, TaskHandle, running


def test_a_result_of_the_hub_is_typed() -> None:
    provider = Provider("shop", log_level="ERROR")

    @provider.actions.register()
    def order(item: str) -> dict[str, str]:
        return {"ordered": item}

    with LocalHub(token="any") as hub, running(provider, hub) as started:
        assert_type(hub, LocalHub)
        assert_type(hub.url, str)
        assert_type(started, Provider)

        handle = hub.submit("order", {"item": "tea"}, account={"key": "k"})
        assert_type(handle, TaskHandle)
        assert_type(handle.result(timeout=10), HubResult)
        assert_type(handle.results, tuple[HubResult, ...])
        assert_type(handle.handed_out, int)
        assert_type(hub.completed(), Iterator[HubResult])
        assert_type(hub.submissions, tuple[HubResult, ...])

    result = handle.result()
    assert_type(result.status, str)
    assert_type(result.message, str)
    assert_type(result.data, Any)
    assert_type(result.response, dict[str, Any])
    assert result.data == {"ordered": "tea"}
