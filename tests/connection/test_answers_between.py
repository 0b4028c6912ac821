"""What a proxy or a load balancer answers in the place of a hub, by HTTP."""

import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from http_front import (
    Answer,
    Front,
    answer_compressed,
    answer_grpc,
    answer_metadata,
    answer_page,
    answer_reset,
    answer_status,
)
from patience import wait_for

from arbvantage_provider import (
    AuthenticationError,
    ConnectionError,  # noqa: A004
    ProtocolError,
    Provider,
)
from arbvantage_provider.protos import hub_pb2
from arbvantage_provider.testing import LocalHub

Make = Callable[..., Provider]
Start = Callable[..., Any]

TOKEN = "token-for-tests"
STATUSES = (400, 401, 403, 404, 413, 429, 503)
INADEQUATE_SECURITY = 12
ANSWERS: dict[str, Answer] = {
    **{f"page {status}": answer_page(status) for status in STATUSES},
    **{f"status {status}": answer_status(status) for status in (403, 404)},
    "page 200": answer_page(200),
    "status 200": answer_status(200),
    "metadata": answer_metadata(64_000),
    # gRPC makes PERMISSION_DENIED of this one.
    "reset": answer_reset(INADEQUATE_SECURITY),
}


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    with LocalHub(TOKEN) as hub:
        yield hub


@pytest.fixture
def front(hub: LocalHub) -> Iterator[Front]:
    with Front(int(hub.url.rpartition(":")[2])) as front:
        yield front


@pytest.fixture
def make(make_provider: Make, front: Front) -> Make:
    """Makes a provider that has its hub behind the front."""

    def make(**settings: Any) -> Provider:
        url = f"127.0.0.1:{front.port}"
        return make_provider(auth_token=TOKEN, hub_url=url, **settings)

    return make


@pytest.mark.parametrize("kind", ANSWERS)
def test_polls_go_on_when_something_else_answers_in_mid_run(
    hub: LocalHub, front: Front, make: Make, start: Start, kind: str
) -> None:
    run = start(make())
    hub.submit("echo").result(20)
    front.answer(ANSWERS[kind])
    wait_for(lambda: front.calls >= 2)
    front.answer(None)
    assert hub.submit("echo", {"text": "on"}).result(20).data == {"text": "on"}
    run.stop()


@pytest.mark.parametrize("kind", ANSWERS)
def test_a_result_is_sent_again_when_something_else_answered(
    hub: LocalHub,
    front: Front,
    make: Make,
    start: Start,
    gate: Any,
    kind: str,
) -> None:
    run = start(make(max_concurrency=1))
    task = hub.submit("hold")
    assert gate.begun.wait(20)
    front.answer(ANSWERS[kind])
    gate.end.set()
    wait_for(lambda: front.calls >= 2)
    front.answer(None)
    assert task.result(20).status == "success"
    run.stop()
    assert hub.refused == 0


def test_the_log_tells_that_it_was_not_the_hub(
    hub: LocalHub, front: Front, make: Make, start: Start, log: Path
) -> None:
    start(make())
    hub.submit("echo").result(20)
    front.answer(answer_page(404))
    wait_for(
        lambda: b"status: 404 (not by the hub, but on the way)" in log.read_bytes()
    )


@pytest.mark.parametrize(
    "kind", ["page 404", "page 403", "page 401", "page 503", "reset"]
)
def test_a_start_waits_for_a_hub_behind_what_answers(
    hub: LocalHub, front: Front, make: Make, start: Start, kind: str
) -> None:
    front.answer(ANSWERS[kind])
    start(make())
    wait_for(lambda: front.calls >= 2)
    front.answer(None)
    hub.submit("echo").result(20)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("page 404", "HTTP status 404"),
        ("page 403", "HTTP status 403"),
        ("page 401", "HTTP status 401"),
        ("page 503", "HTTP status 503"),
        ("page 200", "no status of gRPC"),
        ("reset", "a reset"),
    ],
)
def test_a_start_gives_up_where_no_hub_has_answered_in_time(
    front: Front, make: Make, kind: str, said: str
) -> None:
    front.answer(ANSWERS[kind])
    with pytest.raises(ConnectionError, match=f"no hub that speaks gRPC: {said}"):
        make(connect_timeout=0.5).start()
    assert front.calls >= 2


@pytest.mark.parametrize(
    ("status", "error"), [(12, ProtocolError), (16, AuthenticationError)]
)
def test_a_status_of_the_hub_counts_as_ever(
    front: Front, make: Make, status: int, error: type[Exception]
) -> None:
    front.answer(answer_grpc(grpc_status=status, grpc_message="no"))
    with pytest.raises(error):
        make().start()


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_task_that_is_compressed_is_a_task_like_others(
    front: Front, make: Make, start: Start, encoding: str
) -> None:
    provider = make()
    task = hub_pb2.Task(id="packed", action="echo", payload=b"{}")
    front.answer(answer_compressed([task.SerializeToString()], encoding))
    start(provider)
    wait_for(lambda: provider.snapshot().tasks_answered >= 1)
    assert provider.snapshot().tasks_by_status["success"] == 1


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_small_message_that_unpacks_to_a_huge_one_costs_no_memory_and_no_task(
    hub: LocalHub, front: Front, make: Make, start: Start, gate: Any, encoding: str
) -> None:
    provider = make(max_concurrency=1, max_receive_bytes=1_000_000)
    run = start(provider)
    task = hub.submit("hold")
    assert gate.begun.wait(20)
    bomb = answer_compressed([bytes(1_000_000)] * 50, encoding)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    front.answer(bomb)  # to the result, and then to polls
    gate.end.set()
    wait_for(lambda: provider.snapshot().tasks_oversized >= 3)
    front.answer(None)
    assert hub.submit("echo", {"text": "on"}).result(20).data == {"text": "on"}
    run.stop()
    # What came with an acknowledgement is lost, and the result is not sent again.
    assert (provider.snapshot().tasks_answered, task.results) == (2, ())
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 25_000
