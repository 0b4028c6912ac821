"""Messages of the wire to values of the house, and back.

Source: ``proto/hub.proto``.
"""

import math
from typing import Any, Final

import jiter
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from arbvantage_provider.protos import hub_pb2
from arbvantage_provider.task import Pause, Result, Task

PACING_ACTION = "rate_limited"
"""The action of a Task without id that asks a provider to stop polling."""


def _make_text_result() -> Any:
    """``TaskResult`` with bytes for its strings, which are the same on the wire.

    What is UTF-8 already is neither decoded nor encoded then.
    """
    result = DescriptorProto()
    hub_pb2.TaskResult.DESCRIPTOR.CopyToProto(result)
    for field in result.field:
        field.type = FieldDescriptorProto.TYPE_BYTES
    file = FileDescriptorProto(name="result", syntax="proto3", message_type=[result])
    pool = DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return GetMessageClass(pool.FindMessageTypeByName(result.name))


_TextResult: Final = _make_text_result()


def encode_request(provider: str, token: str) -> hub_pb2.ProviderRequest:
    """What GetTask is called with."""
    return hub_pb2.ProviderRequest(provider=provider, auth_token=token)


def decode_task(message: hub_pb2.Task) -> Task | Pause | None:
    """A reply to GetTask: a task, a wish to be left alone, or nothing to do.

    A Task without id is no task, whatever else it holds, except for the pacing
    action, whose payload is ``{"wait_time": seconds}``.
    """
    if message.id:
        return Task(
            id=message.id,
            action=message.action,
            payload=message.payload,
            account=message.account,
        )
    if message.action == PACING_ACTION:
        return Pause(seconds=_read_wait_time(message.payload))
    return None


def decode_reply(message: hub_pb2.Task, submitted: str) -> Task | None:
    """A reply to SubmitTaskResult: the next task, or an acknowledgement.

    Only a Task with another id than the ``submitted`` one, and with an action,
    is handed out.
    """
    if not message.id or message.id == submitted or not message.action:
        return None
    task = decode_task(message)
    return task if isinstance(task, Task) else None


def encode_result(result: Result, provider: str, token: str) -> bytes:
    """What SubmitTaskResult is called with; the task's texts are echoed.

    A payload or account that is not UTF-8 cannot stand in a proto string: each
    bad byte becomes U+FFFD.

    Raises:
        EncodeError: if it is longer than any message can be, or there is no memory.
    """
    task = result.task
    message: bytes = _TextResult(
        id=task.id.encode(),
        provider=provider.encode(),
        auth_token=token.encode(),
        status=result.status.encode(),
        action=task.action.encode(),
        payload=_as_text(task.payload),
        result=result.text,
        account=_as_text(task.account),
    ).SerializeToString()
    return message


def _as_text(raw: bytes) -> bytes:
    return raw if raw.isascii() else raw.decode("utf-8", "replace").encode()


def _read_wait_time(payload: bytes) -> float:
    """The seconds to pause; one second where the payload does not say."""
    try:
        content = jiter.from_json(payload, allow_inf_nan=False)
        seconds = float(content["wait_time"])
    except (ValueError, TypeError, KeyError, OverflowError):
        return 1.0
    return max(seconds, 0.0) if math.isfinite(seconds) else 1.0
