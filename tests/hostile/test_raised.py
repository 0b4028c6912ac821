"""Handlers that raise what ends a program: it costs their own task one error."""

from collections.abc import Callable

import misbehaving
import pytest

from arbvantage_provider.testing import HubResult

HANDLERS = (
    misbehaving.fail,
    misbehaving.fail_async,
    misbehaving.recurse,
    misbehaving.take_all_memory,
)
Ask = Callable[..., HubResult]


@pytest.mark.parametrize("action", ["fail", "fail_async"])
@pytest.mark.parametrize("case", misbehaving.ERRORS)
def test_whatever_a_handler_raises_costs_its_own_task_one_error(
    ask: Ask, case: str, action: str
) -> None:
    result = ask(action, {"case": case})
    assert (result.status, result.message) == ("error", case)


@pytest.mark.parametrize("action", ["fail", "fail_async"])
@pytest.mark.parametrize("case", misbehaving.BROKEN)
def test_what_cannot_be_read_of_what_is_raised_ends_no_slot(
    ask: Ask, case: str, action: str
) -> None:
    result = ask(action, {"case": case})
    assert result.status == "error"
    assert "does not let itself be read" in result.message


@pytest.mark.parametrize(
    ("action", "message"),
    [("recurse", "RecursionError: maximum"), ("take_all_memory", "MemoryError")],
)
def test_what_python_runs_out_of_is_there_for_the_next_task(
    ask: Ask, action: str, message: str
) -> None:
    result = ask(action)
    assert result.status == "error"
    assert result.message.startswith(message)


def test_a_log_of_what_was_raised_never_holds_what_cannot_be_read(
    ask: Ask, capfd: pytest.CaptureFixture[str]
) -> None:
    ask("fail", {"case": "UnspeakableError: its message cannot be read"})
    seen = capfd.readouterr()
    assert "UnspeakableError" in seen.err
    assert misbehaving.SECRET not in seen.err
