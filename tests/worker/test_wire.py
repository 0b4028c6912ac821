"""Each row of "What a hub may do": what the provider does then."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from arbvantage_provider import AuthenticationError, ProtocolError, Provider
from arbvantage_provider.testing import LocalHub, running

Make = Callable[..., Provider]


@pytest.mark.parametrize("idle", ["empty", "not_found", "long_poll"])
def test_an_idle_hub_of_any_kind_is_served_when_tasks_come(
    hub: LocalHub, make_provider: Make, idle: Any
) -> None:
    hub.idle = idle
    with running(make_provider(), hub):
        hub.wait_until(lambda: hub.polls >= 1)
        handles = [hub.submit("echo", {"text": str(n)}) for n in range(20)]
        hub.join(timeout=20)

    assert [handle.result().data["text"] for handle in handles] == [
        str(n) for n in range(20)
    ]


def test_a_hub_that_asks_for_a_pause_is_left_alone(
    hub: LocalHub, make_provider: Make
) -> None:
    hub.pace(60)
    with running(make_provider(), hub):
        hub.wait_until(lambda: hub.polls >= 1)
        hub.submit("echo")
        with pytest.raises(TimeoutError):
            hub.wait_until(lambda: hub.polls >= 2, timeout=0.5)

    assert hub.polls == 1


@pytest.mark.parametrize("code", ["UNAUTHENTICATED", "PERMISSION_DENIED"])
def test_a_token_that_is_refused_at_the_start_ends_the_provider(
    hub: LocalHub, make_provider: Make, code: str
) -> None:
    hub.revoke_token(code)

    with pytest.raises(AuthenticationError, match="PROVIDER_AUTH_TOKEN") as caught:
        make_provider().start(hub_url=hub.url, auth_token="token-nobody-knows")

    assert hub.refused == 1
    assert "token-nobody-knows" not in str(caught.value)


def test_a_token_that_is_refused_in_mid_run_ends_the_provider(
    hub: LocalHub, make_provider: Make, eventually: Any
) -> None:
    provider = make_provider()
    with pytest.raises(AuthenticationError), running(provider, hub):
        hub.submit("echo").result()
        hub.revoke_token()
        eventually(lambda: provider.snapshot().state == "stopped")

    assert hub.refused <= 5


@pytest.mark.parametrize(
    "code",
    [
        "UNAVAILABLE",
        "DEADLINE_EXCEEDED",
        "RESOURCE_EXHAUSTED",
        "ABORTED",
        "INTERNAL",
        "UNKNOWN",
        "CANCELLED",
    ],
)
def test_a_poll_that_fails_is_tried_again(
    hub: LocalHub, make_provider: Make, code: str
) -> None:
    hub.fail_polls(code, times=3)
    with running(make_provider(), hub):
        assert hub.submit("echo", {"text": "a"}).result(20).data == {"text": "a"}


def test_a_poll_that_fails_after_a_success_resubmits_nothing(
    hub: LocalHub, make_provider: Make
) -> None:
    with running(make_provider(), hub):
        first = hub.submit("echo")
        first.result()
        hub.fail_polls("UNAVAILABLE", times=2)
        second = hub.submit("echo")
        second.result(20)

    assert [len(handle.results) for handle in (first, second)] == [1, 1]


@pytest.mark.parametrize("code", ["UNIMPLEMENTED", "INVALID_ARGUMENT"])
def test_what_is_no_hub_ends_the_provider(
    hub: LocalHub, make_provider: Make, code: str
) -> None:
    hub.fail_polls(code)

    with pytest.raises(ProtocolError, match="no hub, or speaks another protocol"):
        make_provider().start(hub_url=hub.url, auth_token=str(hub.token))


@pytest.mark.parametrize("code", ["UNAVAILABLE", "INTERNAL", "DATA_LOSS"])
def test_a_result_that_is_not_taken_is_sent_again_unchanged(
    hub: LocalHub, make_provider: Make, runs: list[Any], code: str
) -> None:
    hub.fail_submits(code, times=3)
    with running(make_provider(), hub):
        result = hub.submit("echo", {"text": "once"}).result(20)

    assert result.data == {"text": "once"}
    assert runs == ["once"]


def test_a_lost_acknowledgement_costs_no_second_run(
    hub: LocalHub, make_provider: Make, runs: list[Any]
) -> None:
    hub.fail_submits("UNAVAILABLE", recorded=True)
    with running(make_provider(), hub):
        handle = hub.submit("echo", {"text": "once"})
        hub.wait_until(lambda: len(handle.results) == 2, timeout=20)
        hub.submit("echo", {"text": "next"}).result()

    first, second = handle.results
    assert first == second
    assert runs == ["once", "next"]


@pytest.mark.parametrize(
    "code",
    ["INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION"],
)
def test_a_result_that_is_refused_for_good_is_dropped_and_the_provider_lives(
    hub: LocalHub, make_provider: Make, code: str
) -> None:
    hub.fail_submits(code)
    provider = make_provider(max_concurrency=1)
    with running(provider, hub):
        refused = hub.submit("echo")
        assert hub.submit("echo", {"text": "next"}).result(20).data == {"text": "next"}

    assert refused.results == ()
    figures = provider.snapshot()
    assert (figures.tasks_answered, figures.tasks_refused) == (1, 1)


def test_a_result_that_is_too_large_becomes_a_short_error(make_provider: Make) -> None:
    with LocalHub(max_message_bytes=20_000) as hub, running(make_provider(), hub):
        result = hub.submit("echo", {"text": "x" * 15_000}).result(20)

    assert result.status == "error"
    assert result.message.startswith("the result of 'echo' is too large to send: 15")
    assert result.payload.endswith("... (cut: too large to send)")


def test_the_next_task_may_come_with_the_answer_to_a_result(
    hub: LocalHub, make_provider: Make
) -> None:
    hub.next_on_submit = True
    for _ in range(50):
        hub.submit("echo")
    with running(make_provider(max_concurrency=1), hub):
        hub.join(timeout=20)
        polls = hub.polls

    assert polls < 50
    assert len(hub.submissions) == 50


def test_an_acknowledgement_with_the_same_id_is_no_task(
    hub: LocalHub, make_provider: Make, runs: list[Any]
) -> None:
    hub.acknowledge_with_id = True
    with running(make_provider(), hub):
        hub.submit("echo", {"text": "a"}).result()
        hub.submit("echo", {"text": "b"}).result()

    assert runs == ["a", "b"]


def test_a_hub_that_dies_while_a_handler_runs_gets_the_result_when_it_is_back(
    hub: LocalHub, make_provider: Make, gate: Any
) -> None:
    with running(make_provider(), hub):
        handle = hub.submit("hold")
        gate.wait_for()
        hub.stop()
        gate.end.set()
        hub.start()
        assert handle.result(30).data == {"held": True}

    assert len(handle.results) == 1


def test_a_message_over_the_receive_limit_does_not_end_the_polling(
    make_provider: Make, eventually: Any
) -> None:
    provider = make_provider(max_receive_bytes=16_384)
    with LocalHub() as hub, running(provider, hub):
        hub.submit("echo", {"text": "x" * 20_000})
        eventually(lambda: provider.snapshot().tasks_oversized >= 1)
        polls = hub.polls
        hub.wait_until(lambda: hub.polls > polls)

    assert provider.snapshot().tasks_taken == 0


def test_ids_and_names_may_hold_anything(hub: LocalHub, make_provider: Make) -> None:
    names = ["", "a" * 1_000_000, "quote'\"", "new\nline", "\x00", "é😀"]
    with running(make_provider(), hub):
        handles = [
            hub.submit(name, id=f"id {number}{name[:10]}")
            for number, name in enumerate(names)
        ]
        results = [handle.result(30) for handle in handles]

    assert {result.status for result in results} == {"error"}
    assert [result.action for result in results] == names


def test_one_bad_task_in_ten_costs_the_others_nothing(
    hub: LocalHub, make_provider: Make
) -> None:
    bad = ["nope", "with_account", "refuse"]
    for number in range(1_000):
        name = bad[number % 3] if number % 10 == 0 else "echo"
        hub.submit(name, {"text": str(number)}, id=str(number))
    with running(make_provider(log_level="CRITICAL"), hub):
        hub.join(timeout=60)

    counts = {"success": 0, "error": 0}
    for result in hub.submissions:
        counts[result.status] += 1
    assert counts == {"success": 900, "error": 100}
    assert threading.active_count() < 400


def test_a_next_task_that_is_too_large_does_not_change_the_result_it_came_with(
    hub: LocalHub, make_provider: Make, runs: list[Any], eventually: Any
) -> None:
    hub.next_on_submit = True
    provider = make_provider(max_receive_bytes=20_000, max_concurrency=1)
    first = hub.submit("echo", {"text": "a"})
    hub.submit("echo", {"text": "x" * 30_000})
    with running(provider, hub):
        eventually(lambda: provider.snapshot().tasks_oversized == 1)
        hub.submit("echo", {"text": "b"}).result()

    assert [result.status for result in first.results] == ["success"]
    assert runs == ["a", "b"]
    assert provider.snapshot().tasks_answered == 2
