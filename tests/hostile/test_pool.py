"""The same in processes: whatever happens there, it costs its own task one error."""

import os
import signal
from collections.abc import Callable
from typing import Any

import misbehaving
import pytest

from arbvantage_provider import ProcessPool
from arbvantage_provider.testing import HubResult

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
HANDLERS = (
    *(misbehaving.fail, misbehaving.recurse, misbehaving.take_all_memory),
    *(misbehaving.give, misbehaving.crash, misbehaving.leave_at_once),
    *(misbehaving.kill_itself, misbehaving.close_all, misbehaving.fork_and_return),
)
SETTINGS: dict[str, Any] = {"executor": ProcessPool}
Ask = Callable[..., HubResult]
# A process tells of these what it can: the words, and not what pickle refuses.
UNSENDABLE = {
    *("a generator", "an async generator", "a coroutine in a list", "a deep list"),
}


@pytest.mark.parametrize("case", misbehaving.ERRORS)
def test_whatever_is_raised_in_a_process_comes_back(ask: Ask, case: str) -> None:
    result = ask("fail", {"case": case})
    assert (result.status, result.message) == ("error", case)


@pytest.mark.parametrize("case", misbehaving.RETURNED)
def test_whatever_is_returned_in_a_process_is_data_or_an_error(
    ask: Ask, case: str
) -> None:
    result = ask("give", {"case": case})
    if case in UNSENDABLE:
        assert "the result of 'give' cannot be sent" in result.message
    elif misbehaving.RETURNED[case][1] == "success":
        assert result.status == "success"
    else:
        assert misbehaving.RETURNED[case][1] in result.message
    assert misbehaving.SECRET not in result.message


@pytest.mark.parametrize(
    ("action", "code"),
    [
        ("crash", -signal.SIGSEGV),
        ("leave_at_once", 7),
        ("kill_itself", -signal.SIGKILL),
    ],
)
def test_a_process_that_dies_is_replaced(ask: Ask, action: str, code: int) -> None:
    message = f"the process of {action!r} died (exit code {code:d})"
    assert ask(action).message == message


def test_a_process_whose_descriptors_are_closed_is_replaced(ask: Ask) -> None:
    assert "died" in ask("close_all").message


def test_a_copy_of_a_process_does_not_answer_for_it(ask: Ask) -> None:
    assert ask("fork_and_return").data == os.EX_SOFTWARE


@pytest.mark.parametrize(
    ("action", "message"),
    [("recurse", "RecursionError: maximum"), ("take_all_memory", "MemoryError")],
)
def test_what_a_process_runs_out_of_is_an_error(
    ask: Ask, action: str, message: str
) -> None:
    assert ask(action).message.startswith(message)
