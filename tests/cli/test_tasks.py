"""A file of tasks, one JSON object a line."""

from pathlib import Path

import pytest

from arbvantage_provider.cli.errors import UsageError
from arbvantage_provider.cli.tasks import TaskLine, read_tasks


def read(folder: Path, content: bytes) -> list[TaskLine]:
    file = folder / "tasks.jsonl"
    file.write_bytes(content)
    return read_tasks(str(file))


def test_objects_become_compact_json(tmp_path: Path) -> None:
    line = '{"action": "a", "payload": {"b": [1, "é"]}, "account": {"key": "k"}}'
    assert read(tmp_path, line.encode()) == [
        TaskLine(
            number=1,
            action="a",
            payload='{"b":[1,"é"]}'.encode(),
            account=b'{"key":"k"}',
        )
    ]


def test_the_account_may_be_left_out(tmp_path: Path) -> None:
    (task,) = read(tmp_path, b'{"action": "a", "payload": {}}')
    assert task.account == b""


def test_blank_lines_and_a_byte_order_mark_are_skipped(tmp_path: Path) -> None:
    line = b'{"action": "a", "payload": {}}\r\n'
    marked = b"\xef\xbb\xbf" + line
    tasks = read(tmp_path, marked + b"\n  \n" + marked + b"\xef\xbb\xbf\r\n")
    assert [task.number for task in tasks] == [1, 4]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_another_encoding_is_named(tmp_path: Path, encoding: str) -> None:
    text = '\ufeff{"action": "a", "payload": {}}'.removeprefix(
        "" if encoding.endswith("be") else "\ufeff"
    )
    with pytest.raises(
        UsageError, match=rf"it is UTF-{encoding[4:6]}, which is not UTF-8; save it"
    ):
        read(tmp_path, text.encode(encoding))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"no", "this is no JSON (Expecting value: line 1 column 1 (char 0))"),
        (b"\xff", "this is no JSON ('utf-8' codec can't decode"),
        (b"[" * 100_000, "this is no JSON"),
        (b"[]", "this is no JSON object"),
        (b'{"payload": {}}', "'action' is missing"),
        (b'{"action": 1, "payload": {}}', "'action' must be text"),
        (b'{"action": "\\ud800", "payload": {}}', "surrogates not allowed"),
        (b'{"action": "a"}', "'payload' is missing; it is {} for an action"),
        (b'{"action": "a", "payload": null}', "'payload' must be an object"),
        (b'{"action": "a", "payload": []}', "'payload' must be an object"),
        (b'{"action": "a", "payload": {}, "account": 1}', "'account' must be an"),
        (b'{"action": "a", "payload": {}, "acount": {}}', "mean 'account'?"),
    ],
)
def test_a_line_that_is_no_task_is_named(
    tmp_path: Path, line: bytes, message: str
) -> None:
    with pytest.raises(UsageError) as error:
        read(tmp_path, b'{"action": "a", "payload": {}}\n\n' + line)
    assert f"{tmp_path / 'tasks.jsonl'}, line 3: " in error.value.message
    assert message in error.value.message
    assert error.value.exit_code == 2
