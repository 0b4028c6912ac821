"""Handlers that return what is no JSON, or far too much of it."""

from collections.abc import Callable

import misbehaving
import pytest

from arbvantage_provider.testing import HubResult

HANDLERS = (misbehaving.give, misbehaving.give_async, misbehaving.give_much)
Ask = Callable[..., HubResult]


@pytest.mark.parametrize("action", ["give", "give_async"])
@pytest.mark.parametrize("case", misbehaving.RETURNED)
def test_what_a_handler_returns_is_data_or_one_error_that_says_where(
    ask: Ask, case: str, action: str
) -> None:
    result = ask(action, {"case": case})
    expected = misbehaving.RETURNED[case][1]
    if expected == "success":
        assert (result.status, result.message) == ("success", "")
    else:
        assert result.status == "error"
        assert expected in result.message
        assert misbehaving.SECRET not in result.message


@pytest.mark.once
def test_fifty_megabytes_are_given_and_seventy_are_told_of(ask: Ask) -> None:
    assert len(ask("give_much", {"megabytes": 50}).data) == 50_000_000
    refused = ask("give_much", {"megabytes": 70})
    assert refused.status == "error"
    assert "70000043" in refused.message.replace(",", "")
