"""The embedded hub by itself: what it says, keeps to itself, and waits for."""

import math
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from arbvantage_provider.local_hub.local_hub import LocalHub
from arbvantage_provider.local_hub.results import HubResult
from arbvantage_provider.local_hub.server import DaemonThreads
from arbvantage_provider.protos import hub_pb2, hub_pb2_grpc


def take(hub: LocalHub, token: str = "") -> None:
    with grpc.insecure_channel(hub.url) as channel:
        request = hub_pb2.ProviderRequest(auth_token=token)
        hub_pb2_grpc.HubStub(channel).GetTask(request, timeout=10)


def answer(hub: LocalHub, *ids: str) -> None:
    with grpc.insecure_channel(hub.url) as channel:
        for id_ in ids:
            message = hub_pb2.TaskResult(id=id_)
            hub_pb2_grpc.HubStub(channel).SubmitTaskResult(message, timeout=10)


def make_result(text: str) -> HubResult:
    return HubResult(
        id="task-1",
        provider="p",
        status="success",
        action="a",
        payload="payload-canary",
        result=text,
        account="account-canary",
    )


def test_no_repr_shows_token_account_or_payload() -> None:
    with LocalHub(token="token-canary") as hub:
        handle = hub.submit("a", {"k": "payload-canary"}, {"k": "account-canary"})
        shown = repr([hub, handle, make_result("{}")])
    assert "canary" not in shown
    assert f"<LocalHub {hub.url}: tasks 1, answered 0>" in shown
    assert "<TaskHandle 'task-1': action 'a', handed out 0, results 0>" in shown


def test_a_stopped_hub_says_so() -> None:
    assert repr(LocalHub()) == "<LocalHub stopped: tasks 0, answered 0>"


def test_a_result_that_never_comes_says_how_far_the_task_came() -> None:
    with LocalHub() as hub:
        handle = hub.submit("a")
        with pytest.raises(TimeoutError) as before:
            handle.result(timeout=0)
        take(hub)
        with pytest.raises(TimeoutError) as after:
            handle.result(timeout=0)
    assert str(before.value) == (
        "no result after 0 s: 'task-1' (a) was never handed out; "
        "the hub was polled 0 times"
    )
    assert str(after.value) == (
        "no result after 0 s: 'task-1' (a) was handed out once, but not answered; "
        "the hub was polled once"
    )


def test_a_wrong_token_is_named_where_results_are_missing() -> None:
    with LocalHub("token-canary") as hub:
        handle = hub.submit("a")
        with pytest.raises(grpc.RpcError):
            take(hub, "wrong-canary")
        with pytest.raises(TimeoutError, match="wrong token was shown once") as caught:
            handle.result(timeout=0)
    assert "canary" not in str(caught.value)


def test_join_names_some_of_the_tasks_that_are_late() -> None:
    hub = LocalHub()
    for _ in range(7):
        hub.submit("a")
    with pytest.raises(TimeoutError, match=r"'task-5' .* and 2 more tasks; the hub"):
        hub.join(timeout=0)


def test_join_ends_when_all_are_answered() -> None:
    with LocalHub() as hub:
        for id_ in ("a", "b", ""):
            hub.submit("action", id=id_)
        answer(hub, "a", "b")
        hub.join(timeout=0)


def test_completed_gives_first_results_in_order_of_arrival() -> None:
    with LocalHub() as hub:
        for id_ in ("a", "b", "c"):
            hub.submit("action", id=id_)
        answer(hub, "b", "c", "a")
        assert [result.id for result in hub.completed(timeout=0)] == ["b", "c", "a"]


def test_completed_ends_when_the_hub_is_stopped() -> None:
    with LocalHub() as hub:
        hub.submit("a")
        stopper = threading.Timer(0.01, hub.stop)
        stopper.start()
        assert list(hub.completed()) == []
        stopper.join()


def test_completed_gives_up_after_its_timeout() -> None:
    hub = LocalHub()
    hub.submit("a")
    with pytest.raises(TimeoutError, match=r"^no further result after 0 s: 'task-1'"):
        next(hub.completed(timeout=0))


def test_wait_until_gives_up_after_its_timeout() -> None:
    with pytest.raises(TimeoutError, match=r"^not so after 0 s: the hub was polled 0"):
        LocalHub().wait_until(lambda: False, timeout=0)


Use = Callable[[LocalHub], object]

MISUSES: list[tuple[Use, str]] = [
    (lambda hub: hub.fail_polls("UNAVAILBLE"), "did you mean 'UNAVAILABLE'.*ABORTED"),
    (lambda hub: hub.fail_submits("OK"), "^no status 'OK'; There are: CANCELLED, "),
    (lambda hub: hub.revoke_token("?"), "no status"),
    (lambda hub: hub.fail_polls("ABORTED", times=0), "times is 0; .* at least 1"),
    (lambda hub: hub.pace(-1), "seconds is -1; give finite seconds"),
    (lambda hub: hub.pace(math.inf), "seconds is inf"),
    (lambda hub: setattr(hub, "latency", -1), "latency is -1; give seconds"),
    (lambda hub: setattr(hub, "lease", "5"), "lease is '5'"),
    (lambda hub: setattr(hub, "idle", "notfound"), "did you mean 'not_found'"),
    (lambda hub: setattr(hub, "idle", "?"), "one of empty, not_found, long_poll"),
]


@pytest.mark.parametrize(("use", "message"), MISUSES)
def test_a_wrong_value_is_refused_with_what_to_write(use: Use, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        use(LocalHub())


def test_an_id_cannot_be_submitted_twice() -> None:
    hub = LocalHub()
    hub.submit("a", id="x")
    with pytest.raises(ValueError, match=r"a task 'x' already; .* redeliver\(\)"):
        hub.submit("a", id="x")


@pytest.mark.parametrize(
    ("payload", "error", "message"),
    [
        ([1], TypeError, "a mapping, not list; .* give its bytes"),
        ({"n": math.nan}, ValueError, "not JSON compliant"),
        ({"at": object()}, TypeError, "not JSON serializable"),
        ({"text": "\ud800"}, ValueError, "surrogates not allowed"),
    ],
)
def test_a_payload_that_is_no_json_object_is_refused(
    payload: Any, error: type[Exception], message: str
) -> None:
    hub = LocalHub()
    with pytest.raises(error, match=message):
        hub.submit("a", payload)
    assert hub.submit("a").id == "task-1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the result of 'task-1' is not JSON"),
        ('{"data": NaN}', "the result of 'task-1' is not JSON"),
        ("[]", "the result of 'task-1' is JSON, but not an object"),
    ],
)
def test_a_result_that_is_no_json_object_says_so(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _ = make_result(text).response


def test_a_hub_has_an_address_from_its_start_on() -> None:
    hub = LocalHub()
    with pytest.raises(RuntimeError, match=r"hub\.start\(\)"):
        _ = hub.url
    with hub:
        url = hub.url
    assert hub.url == url


def test_starting_and_stopping_twice_changes_nothing() -> None:
    with LocalHub() as hub:
        url = hub.url
        hub.start()
        assert hub.url == url
        hub.stop()
        hub.stop()


def test_two_hubs_cannot_share_a_port() -> None:
    with LocalHub() as hub:
        port = int(hub.url.partition(":")[2])
        with pytest.raises(OSError, match=f"{port}; give port=0 for a free port"):
            LocalHub(port=port).start()


def test_an_error_on_a_thread_reaches_the_future() -> None:
    threads = DaemonThreads()
    error = threads.submit(int, "no number").exception(timeout=10)
    threads.shutdown()
    assert isinstance(error, ValueError)


FORGETFUL = """
from arbvantage_provider.local_hub.local_hub import LocalHub

hub = LocalHub(idle="long_poll", long_poll=3_600)
hub.start()
print(hub.url, flush=True)
hub.wait_until(lambda: hub.held == 1, timeout=30)
"""


def test_a_hub_that_nobody_stops_does_not_keep_the_process() -> None:
    command = [sys.executable, "-c", FORGETFUL]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        with grpc.insecure_channel(process.stdout.readline().strip()) as channel:
            request = hub_pb2.ProviderRequest()
            poll = hub_pb2_grpc.HubStub(channel).GetTask.future(request, timeout=30)
            _, errors = process.communicate(timeout=30)
            assert isinstance(poll.exception(timeout=30), grpc.RpcError)
    assert (process.returncode, errors) == (0, "")
