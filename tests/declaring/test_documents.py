"""What is no strict JSON object is refused, with the place and without the text."""

# Handlers take more than they use.
# pyright: basic

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from arbvantage_provider import Provider


class Loose(BaseModel):
    value: float = 0
    more: Any = None


SCHEMAS: dict[str, Any] = {
    "no schema": None,
    "a dict": {"value": float | None, "more": Any | None},
    "a model": Loose,
}
REFUSED: dict[str, bytes] = {
    "nothing": b"",
    "spaces": b" \n ",
    "null": b"null",
    "true": b"true",
    "a list": b"[]",
    "a text": b'"value"',
    "a number": b"1",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"value": 1}'.encode("utf-16"),
    "UTF-16 without mark": '{"value": 1}'.encode("utf-16-le"),
    "Latin-1": '{"more": "é"}'.encode("latin-1"),
    "a lone byte": b"\xff",
    "a byte of a key": b'{"\xff": 1}',
    "an overlong slash": b'{"more": "\xc0\xaf"}',
    "a surrogate in bytes": b'{"more": "\xed\xa0\x80"}',
    "a leading surrogate": b'{"more": "\\ud800"}',
    "a leading surrogate and a letter": b'{"more": "\\ud800a"}',
    "two leading surrogates": b'{"more": "\\ud800\\ud800"}',
    "a trailing surrogate": b'{"more": "\\udc00"}',
    "a surrogate in a key": b'{"\\ud800": 1}',
    "an open object": b"{",
    "half an object": b'{"value"',
    "half a text": b'{"value": "',
    "garbage after": b"{} x",
    "two objects": b"{}{}",
    "a zero byte after": b"{}\x00",
    "a comment": b"{} // no",
    "a comma at the end": b'{"value": 1,}',
    "a list with a comma at the end": b'{"more": [1,]}',
    "single quotes": b"{'value': 1}",
    "no quotes": b"{value: 1}",
    "a raw line end in a text": b'{"more": "a\nb"}',
    "a raw zero byte in a text": b'{"more": "\x00"}',
    "a wrong escape": b'{"more": "\\x41"}',
    "a leading zero": b'{"value": 01}',
    "a plus": b'{"value": +1}',
    "no digit after the point": b'{"value": 1.}',
    "no digit before the point": b'{"value": .5}',
    "hexadecimal": b'{"value": 0x10}',
    "True": b'{"more": True}',
    "NaN": b'{"value": NaN}',
    "NaN in an untyped part": b'{"more": [NaN]}',
    "Infinity": b'{"value": Infinity}',
    "-Infinity": b'{"more": -Infinity}',
    "a number that overflows": b'{"value": 1e999}',
    "an untyped number that overflows": b'{"more": {"a": [-1e999]}}',
    "an ignored number that overflows": b'{"ignored": 1E+400}',
    "a long number that overflows": b'{"more": 1' + b"0" * 400 + b".5}",
    "many digits that overflow": b'{"more": ' + b"1" * 299 + b"e99}",
    "5,000 digits": b'{"value": ' + b"9" * 5000 + b"}",
    "5,000 untyped digits": b'{"more": ' + b"9" * 5000 + b"}",
    "a key twice": b'{"value": 1, "value": 2}',
    "a key twice by an escape": b'{"value": 1, "valu\\u0065": 2}',
    "a key twice further in": b'{"more": [{"a": 1, "a": 1}]}',
    "an ignored key twice": b'{"x": 1, "x": 1}',
    "lists 100,000 deep": b'{"more": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "objects 100,000 deep": b'{"more": ' + b'{"a":' * 100_000,
    "lists 100,000 deep at the top": b"[" * 100_000,
}


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_strict_json_object_is_refused_with_the_byte(
    provider: Provider, case: str, schema: str
) -> None:
    calls: list[Any] = []
    register = provider.actions.register("read", payload_schema=SCHEMAS[schema])
    register(lambda **kwargs: calls.append(kwargs))
    response = json.loads(provider.dispatch("read", REFUSED[case]))
    problem = response["data"]["errors"][0]["message"]
    assert response == {
        "status": "error",
        "message": "InvalidPayloadError: the payload of 'read' is no strict JSON "
        f"object: {problem}",
        "data": {"errors": [{"path": "", "type": "json_invalid", "message": problem}]},
    }
    offset = re.search(r" at byte (\d+)$", problem)
    assert offset, problem
    assert 0 <= int(offset[1]) <= len(REFUSED[case])
    assert calls == []


@pytest.mark.parametrize("case", ["null", "a lone byte", "NaN", "5,000 digits"])
def test_an_account_is_read_as_strictly(provider: Provider, case: str) -> None:
    provider.actions.register("read", account_schema={"more": str})(lambda account: 1)
    response = json.loads(provider.dispatch("read", b"{}", REFUSED[case]))
    assert response["status"] == "error"
    assert response["message"].startswith(
        "InvalidPayloadError: the account of 'read' is no strict JSON object: "
    )
    assert response["data"]["errors"][0]["path"] == "account"
    assert re.search(r" at byte \d+$", response["message"])


def test_a_text_of_more_than_64_mib_is_refused_before_it_is_parsed(
    provider: Provider,
) -> None:
    provider.actions.register("read")(lambda: None)
    raw = b"{}" + b" " * (64 * 1024 * 1024)
    response = json.loads(provider.dispatch("read", raw))
    assert response["data"]["errors"] == [
        {
            "path": "",
            "type": "json_invalid",
            "message": "67,108,866 bytes are more than the 67,108,864 that are taken",
        }
    ]


OFFSETS: list[tuple[bytes, int]] = [
    (b'{"a": \xff}', 6),
    (b'\n\n{"a":\n \xff}', 9),
    ('{"é": "é", x}'.encode(), 13),
    (b"{} x", 3),
    (b'{"a": 1,}', 8),
    (b'{"a": NaN}', 6),
    (b'{"a": 1e999}', 6),
    (b'{"b": 1.5e3,\n "a": [1, -1e999]}', 23),
    (b'{"1e999": "1e999", "a": 1e999}', 24),
    (b"[]", 0),
    (b"  []", 2),
]


@pytest.mark.parametrize(("text", "offset"), OFFSETS)
def test_the_byte_is_where_the_problem_is(
    provider: Provider, text: bytes, offset: int
) -> None:
    provider.actions.register("read")(lambda **kwargs: kwargs)
    response = json.loads(provider.dispatch("read", text))
    assert response["message"].endswith(f" at byte {offset}")


def test_the_problem_never_quotes_the_text(provider: Provider) -> None:
    provider.actions.register("read")(lambda **kwargs: kwargs)
    for text in (b'{"secretkey": secretvalue}', b'{"secretkey":1,"secretkey":2}'):
        assert b"secret" not in provider.dispatch("read", text)


TAKEN: list[str] = [
    '{"a": "\\u0000"}',
    '{"a": "\\ud83d\\ude00"}',
    '{"a": "é😀\u2028\u2029\ufeff\uffff\U0010ffff\u200d\x7f"}',
    '{"\\u0000": {"": {" ": "\\"\\\\\\/\\b\\f\\n\\r\\t"}}}',
    '{"a": [0, -0.0, 1e308, 5e-324, 123456789012345678901234567890]}',
    ' \t\r\n{ "a" : 1 } \n',
    '{"a": ' + "[" * 150 + "]" * 150 + "}",
    '{"a": ' + "1" * 4000 + "}",
    '{"1e999": "NaN, 1e999 and Infinity"}',
    '{"a": 0e999}',
    '{"a": 0.' + "0" * 400 + "1}",
]


@pytest.mark.parametrize("text", TAKEN)
def test_any_strict_object_passes_unchanged(provider: Provider, text: str) -> None:
    received: list[Any] = []
    register = provider.actions.register("read")
    register(lambda payload: received.extend([payload]))
    assert provider.process_task("read", text)["status"] == "success"
    assert received == [json.loads(text)]


@pytest.fixture(scope="module")
def echo() -> Provider:
    """Answers with the payload; one for all examples of a property."""
    provider = Provider("echo", log_level="CRITICAL", execution_timeout=30)

    @provider.actions.register("echo")
    def echo(payload: dict[str, Any]) -> dict[str, Any]:
        return {"echo": payload}

    provider.actions.register("typed", payload_schema={"value": int})(
        lambda value: value
    )
    return provider


fragments = st.sampled_from(
    [
        b"{",
        b"}",
        b"[",
        b"]",
        b'"',
        b":",
        b",",
        b"\\",
        b'"a":',
        b"1e999",
        b"\xff",
        b"\\ud800",
    ]
)


@settings(deadline=None, max_examples=200)
@given(raw=st.binary() | st.lists(fragments).map(b"".join))
def test_any_bytes_are_answered(echo: Provider, raw: bytes) -> None:
    for action in ("echo", "typed"):
        response = json.loads(echo.dispatch(action, raw))
        assert response.keys() == {"status", "message", "data"}
        assert response["status"] in {"success", "error"}
        assert isinstance(response["message"], str)


documents: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(st.text(), children, max_size=4)
    ),
    max_leaves=20,
)


@settings(deadline=None, max_examples=200)
@given(document=st.dictionaries(st.text(), documents, max_size=4))
def test_any_object_passes_there_and_back(
    echo: Provider, document: dict[str, Any]
) -> None:
    expected = {"status": "success", "message": "", "data": {"echo": document}}
    raw = json.dumps(document).encode()
    assert json.loads(echo.dispatch("echo", raw)) == expected
    response = echo.process_task("echo", document)
    assert response == expected
    assert json.dumps(response["data"]["echo"]) == json.dumps(document)


def test_the_fixture_answers(echo: Provider) -> None:
    ask: Callable[..., dict[str, Any]] = echo.process_task
    assert ask("typed", {"value": 1})["data"] == 1
