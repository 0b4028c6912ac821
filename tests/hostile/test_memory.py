"""Memory runs out, or the stack does: it costs one task, and never the provider."""

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from patience import wait_for
from pydantic import BaseModel, field_serializer, field_validator
from steady import check, register
from typing_extensions import override

from arbvantage_provider import Outcome, Provider, TaskInfo
from arbvantage_provider.hub import client
from arbvantage_provider.observe.redaction import AccountSecrets
from arbvantage_provider.testing import LocalHub, running
from arbvantage_provider.worker.delivery.journal import JournalWriter
from arbvantage_provider.worker.delivery.submitter import Submitter
from arbvantage_provider.worker.delivery.tracker import TaskTracker
from arbvantage_provider.worker.execution.dispatcher import Dispatcher

Make = Callable[..., Provider]
RAISED: list[type[BaseException]] = [MemoryError, RecursionError]


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    with LocalHub() as hub:
        yield hub


@pytest.fixture(params=RAISED)
def lack(request: Any) -> type[BaseException]:
    """What is raised where there is no more of it."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def provider(make_provider: Make, lack: type[BaseException]) -> Provider:
    provider = make_provider()
    register(provider)

    class Greedy(BaseModel):
        size: int = 1

        @field_serializer("size")
        def write(self, size: int) -> int:
            raise lack(size)

        @field_validator("size")
        @classmethod
        def read(cls, size: int) -> int:
            raise lack(size)

    class TextlessError(Exception):
        @override
        def __str__(self) -> str:
            raise lack

    async def encode() -> dict[str, Any]:
        return {"parts": [Greedy()]}

    def validate(payload: Greedy) -> int:
        return payload.size

    def tell() -> NoReturn:
        raise TextlessError

    provider.actions.register("encode")(Greedy)
    provider.actions.register("encode inside")(encode)
    provider.actions.register("validate")(validate)
    provider.actions.register("tell")(tell)
    return provider


@pytest.fixture
def check_it(hub: LocalHub, provider: Provider) -> Iterator[Callable[[str], str]]:
    """Runs a task, which must end with an error; its message."""
    with running(provider, hub):

        def run(action: str) -> str:
            result = hub.submit(action, {"size": 1}, {"key": "sesame-street"}).result(
                20
            )
            assert result.status == "error"
            return result.message

        yield run
        check(provider, hub)


@pytest.mark.parametrize("action", ["encode", "encode inside", "validate", "tell"])
def test_what_runs_out_in_a_users_class_costs_one_error(
    check_it: Callable[[str], str], action: str, lack: type[BaseException]
) -> None:
    message = check_it(action)
    assert lack.__name__ in message or "cannot" in message


def test_what_runs_out_while_secrets_are_cut_tells_no_secret(
    check_it: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    lack: type[BaseException],
) -> None:
    def read(_: AccountSecrets) -> NoReturn:
        raise lack

    with monkeypatch.context() as patch:
        patch.setattr(AccountSecrets, "values", property(read))
        message = check_it("tell")
    assert message == (
        f"the task failed, and its error cannot be told: {lack.__name__}"
    )


def test_what_runs_out_in_a_middleware_costs_nothing(
    provider: Provider, hub: LocalHub, lack: type[BaseException]
) -> None:
    @provider.middleware
    def lacking(_: TaskInfo) -> Generator[None, Outcome, None]:
        outcome = yield
        raise lack(outcome.status)

    with running(provider, hub):
        assert hub.submit("greet", {"name": "Ann"}).result(20).status == "success"
        check(provider, hub)


def test_a_result_that_there_is_no_memory_to_send_becomes_a_short_error(
    make_provider: Make, hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = make_provider()
    provider.actions.register("write")(lambda: "x" * 100_000)
    encode = client.encode_result

    def encode_small(result: Any, *args: Any) -> Any:
        if len(result.text) > 50_000:
            raise MemoryError
        return encode(result, *args)

    monkeypatch.setattr(client, "encode_result", encode_small)
    with running(provider, hub):
        handle = hub.submit("write")
        result = handle.result(20)

    assert result.status == "error"
    assert result.message.endswith("(there is no memory left to send it)")
    assert len(handle.results) == 1


def test_a_result_that_the_hub_may_have_stays_as_it_is_without_memory(
    make_provider: Make, hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = make_provider()
    provider.actions.register("write")(lambda: "x" * 100_000)
    encode, calls = client.encode_result, iter([False, True])

    def encode_seldom(result: Any, *args: Any) -> Any:
        if next(calls, False):
            raise MemoryError
        return encode(result, *args)

    monkeypatch.setattr(client, "encode_result", encode_seldom)
    handle = hub.submit("write")
    hub.fail_submits("UNAVAILABLE", 1, id=handle.id)
    with running(provider, hub):
        assert handle.result(20).status == "success"


def test_a_task_that_there_is_no_memory_to_read_is_counted_and_the_others_go_on(
    make_provider: Make, hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = make_provider()
    register(provider)
    decode, calls = client.decode_task, iter([True])

    def decode_seldom(message: Any) -> Any:
        if message.id and next(calls, False):
            raise MemoryError
        return decode(message)

    monkeypatch.setattr(client, "decode_task", decode_seldom)
    hub.submit("greet", {"name": "Ann"})
    second = hub.submit("greet", {"name": "Bob"})
    with running(provider, hub):
        assert second.result(20).status == "success"
        assert provider.snapshot().tasks_oversized == 1


# --- what nothing else catches -----------------------------------------------------


@pytest.fixture
def runs() -> list[int]:
    """One for each run of ``count``."""
    return []


@pytest.fixture(params=["memory", "journal"])
def kept(
    make_provider: Make, tmp_path: Path, request: Any, runs: list[int]
) -> Provider:
    """A provider with a journal, and one without."""
    journal = tmp_path / "tasks.journal" if request.param == "journal" else None
    provider = make_provider(journal=journal)

    @provider.actions.register()
    def count() -> int:
        runs.append(1)
        return len(runs)

    register(provider)
    return provider


class Lacking:
    """Raises in place of a method, once."""

    def __init__(self, patch: pytest.MonkeyPatch, error: type[BaseException]) -> None:
        self._patch = patch
        self._error = error

    def at(self, owner: type, name: str) -> None:
        """Raise the first time that this is called."""
        method: Any = getattr(owner, name)
        calls = iter([True])

        def fail(*args: Any, **options: Any) -> Any:
            if next(calls, False):
                raise self._error
            return method(*args, **options)

        self._patch.setattr(owner, name, fail)


@pytest.fixture(params=[MemoryError, RecursionError, ValueError, SystemExit])
def lacking(monkeypatch: pytest.MonkeyPatch, request: Any) -> Lacking:
    return Lacking(monkeypatch, request.param)


BEFORE: list[tuple[type, str]] = [(Submitter, "fit"), (TaskTracker, "note_result")]
"""What is called once a task has its answer, before the hub has it."""


@pytest.mark.parametrize(("owner", "name"), BEFORE, ids=["size", "journal"])
def test_what_fails_after_a_handler_costs_its_task_one_error(
    kept: Provider,
    runs: list[int],
    hub: LocalHub,
    lacking: Lacking,
    owner: type,
    name: str,
) -> None:
    lacking.at(owner, name)
    with running(kept, hub):
        handle = hub.submit("count")
        result = handle.result(20)
        handle.redeliver()
        hub.wait_until(lambda: len(handle.results) == 2)
        assert hub.submit("greet", {"name": "Ann"}).result(20).status == "success"

    assert result.status == "error"
    assert handle.results[1] == result
    assert runs == [1]


def test_what_fails_once_the_hub_has_a_result_is_made_good(
    kept: Provider, runs: list[int], hub: LocalHub, lacking: Lacking
) -> None:
    lacking.at(TaskTracker, "_keep")
    with running(kept, hub):
        handle = hub.submit("count")
        hub.wait_until(lambda: len(hub.submissions) == 2)
        handle.redeliver()
        hub.wait_until(lambda: len(hub.submissions) == 3)

    assert {result.data for result in handle.results} == {1}
    assert runs == [1]


def test_a_task_whose_error_cannot_be_told_is_answered_when_it_comes_again(
    kept: Provider, runs: list[int], hub: LocalHub, lacking: Lacking
) -> None:
    lacking.at(TaskTracker, "note_result")
    lacking.at(Dispatcher, "fail")
    with running(kept, hub):
        handle = hub.submit("count")
        wait_for(lambda: runs == [1] and kept.snapshot().slots_taken == 0)
        handle.redeliver()
        result = handle.result(20)

    assert result.message == "the task failed, and its error cannot be told"
    assert runs == [1]


@pytest.mark.parametrize(
    ("kept", "owner", "name"),
    [
        ("memory", TaskTracker, "_find_result"),
        ("journal", TaskTracker, "_find_result"),
        ("journal", JournalWriter, "note_arrival"),
    ],
    indirect=["kept"],
)
def test_a_task_that_cannot_be_noted_is_run_when_it_comes_again(
    kept: Provider, hub: LocalHub, lacking: Lacking, owner: type, name: str
) -> None:
    lacking.at(owner, name)
    with running(kept, hub):
        handle = hub.submit("count")
        wait_for(lambda: kept.snapshot().tasks_oversized == 1)
        handle.redeliver()
        assert handle.result(20).data == 1
