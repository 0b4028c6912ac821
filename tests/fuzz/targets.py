"""What is fuzzed: each target takes any bytes, and raises nothing.

``program.py`` lets a coverage-guided fuzzer choose the bytes; the tests here let
Hypothesis do so, and run what once failed again.
"""

import json
import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Final

import jiter
from declarations import Reader, read_schema
from google.protobuf.message import DecodeError

from arbvantage_provider import Provider
from arbvantage_provider.exceptions import InvalidPayloadError, SchemaError
from arbvantage_provider.hub.wire import decode_reply, decode_task, encode_result
from arbvantage_provider.protos import hub_pb2
from arbvantage_provider.schema.compiled_schema import compile_schema
from arbvantage_provider.task import Pause, Result, Task

STATUSES: Final = {"success", "error", "warning", "limit"}
MODEL: Final[dict[str, Any]] = {
    "name": str,
    "when?": float | None,
    "tags": [{"": int, "class": list}],
    "more": dict[str, bool | None],
}
provider = Provider("fuzzed", log_level="CRITICAL", execution_timeout=3_600)


@provider.actions.register()
def echo(payload: dict[str, Any]) -> dict[str, Any]:
    """Give back what came."""
    return {"echo": payload}


@provider.actions.register(payload_schema=MODEL, account_schema={"key": str})
def typed(payload: dict[str, Any], account: dict[str, Any]) -> Any:
    """Give back what fits."""
    return [payload, account]


def decode(data: bytes) -> None:
    """Bytes as a message of a hub, to an answer, to the message that goes back."""
    try:
        message = hub_pb2.Task.FromString(data)
    except DecodeError:
        return
    task = decode_task(message)
    assert decode_reply(message, message.id) is None
    if isinstance(task, Pause):
        assert 0 <= task.seconds < math.inf
    if not isinstance(task, Task):
        assert not message.id
        return
    assert (decode_reply(message, "another") == task) is bool(message.action)
    answer = dispatch(task.action, task.payload, task.account)
    result = Result(task=task, status=json.loads(answer)["status"], text=answer)
    sent = hub_pb2.TaskResult.FromString(encode_result(result, "fuzzed", "token"))
    assert (sent.id, sent.action) == (message.id, message.action)
    assert sent.payload == message.payload.decode("utf-8", "replace")
    assert sent.account == message.account.decode("utf-8", "replace")


def validate(data: bytes) -> None:
    """Bytes as a payload and an account; two zero bytes part them."""
    payload, _, account = data.partition(b"\0\0")
    response = json.loads(dispatch("echo", payload))
    if response["status"] == "success":
        expected = json.loads(payload, parse_constant=refuse)
        assert response["data"] == {"echo": expected}
    dispatch("typed", payload, account)


def compile_(data: bytes) -> None:
    """Bytes as a dict schema, and the rest of them as a payload."""
    reader = Reader(data)
    declared = read_schema(reader)
    with warnings.catch_warnings(action="ignore"):  # they are for the author
        try:
            schema = compile_schema("fuzzed", "payload", declared)
        except SchemaError:
            return
    for payload in (reader.rest(), b"{}", json.dumps(reader.keys).encode()):
        try:
            schema.validate(payload)
        except InvalidPayloadError as error:
            check_errors(error)


TARGETS: Final[Mapping[str, Callable[[bytes], None]]] = {
    "decode": decode,
    "validate": validate,
    "compile": compile_,
}


def dispatch(action: str, payload: bytes, account: bytes = b"") -> bytes:
    """The answer, which is strict JSON of three keys whatever the task is."""
    answer = provider.dispatch(action, payload, account)
    response: Any = jiter.from_json(
        answer, allow_inf_nan=False, catch_duplicate_keys=True
    )
    assert response.keys() == {"status", "message", "data"}
    assert response["status"] in STATUSES
    assert isinstance(response["message"], str)
    assert len(response["message"]) < 20_000
    return answer


def check_errors(error: InvalidPayloadError) -> None:
    assert error.errors
    for each in error.errors:
        assert each["type"]
        assert each["message"]
        json.dumps(each).encode()


def refuse(constant: str) -> None:
    problem = f"{constant} is no JSON"
    raise AssertionError(problem)
