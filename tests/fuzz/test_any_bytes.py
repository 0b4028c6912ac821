"""Any bytes, any message and any schema: an answer, and never an exception."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from targets import compile_, decode, validate

from arbvantage_provider.protos import hub_pb2

PARTS = [
    *(b"{", b"}", b"[", b"]", b'"', b":", b",", b"\\", b"\\u0000", b"\\ud800"),
    *(b'"name":"a"', b'"tags":[', b'"more":{}', b'"":', b'"when?":1e999', b"NaN"),
    *(b"\xff", b"\xef\xbb\xbf", b"\0\0", b'{"key":"a"}', b"-0", b"1" * 400),
]
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "tags", "more", "when?", "", "class"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
contents = (
    st.binary(max_size=50)
    | st.lists(st.sampled_from(PARTS), max_size=12).map(b"".join)
    | json_values.map(lambda value: json.dumps(value).encode())
)
texts = st.text(max_size=20) | st.sampled_from(["echo", "typed", "rate_limited", ""])
often = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow]
)


@often
@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_message_or_none(data: bytes) -> None:
    decode(data)


@often
@given(id_=texts, action=texts, payload=contents, account=contents)
def test_any_message_has_an_answer(
    id_: str, action: str, payload: bytes, account: bytes
) -> None:
    message = hub_pb2.Task(id=id_, action=action, payload=payload, account=account)
    decode(message.SerializeToString())


@often
@given(payload=contents, account=contents, cut=st.integers(0, 60))
def test_any_payload_and_account_have_an_answer(
    payload: bytes, account: bytes, cut: int
) -> None:
    validate(payload + b"\0\0" + account)
    validate(payload[:cut] + account + payload[cut:])


@often
@given(data=st.binary(min_size=4, max_size=60))
def test_any_schema_is_compiled_or_refused(data: bytes) -> None:
    compile_(data)
