"""A file of tasks: one JSON object a line."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from arbvantage_provider.cli.errors import UsageError, suggest
from arbvantage_provider.cli.input import read_input
from arbvantage_provider.text import drop_mark

KEYS = ("action", "payload", "account")
_EXAMPLE = '{"action": "greet", "payload": {"name": "Ann"}}'


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskLine:
    """One line of a file of tasks.

    Attributes:
        number: which line of the file it is, counted from 1.
        action: what is to be run.
        payload: compact JSON of the payload.
        account: compact JSON of the account; empty where the line has none.
    """

    number: int
    action: str
    payload: bytes
    account: bytes


def read_tasks(path: str) -> list[TaskLine]:
    """Every task of a file, or of stdin for ``-``; blank lines are skipped.

    Raises:
        UsageError: if it cannot be read, and for the first line that is no task, with
            the file's name and the line's number, counted from 1.
    """
    return list(_iterate_tasks(path, read_input(path, f"--tasks {path}")))


def _iterate_tasks(path: str, content: bytes) -> Iterator[TaskLine]:
    for number, raw in enumerate(content.split(b"\n"), 1):
        try:
            # Files that were joined have a mark in the middle, too.
            if (line := drop_mark(raw)).strip():
                yield _read_task(number, line)
        except ValueError as error:
            place = f"{'stdin' if path == '-' else path}, line {number}"
            problem = f"{place}: {error}; a task is a line such as {_EXAMPLE}"
            raise UsageError(problem) from None


def _read_task(number: int, line: bytes) -> TaskLine:
    task = _read_object(line)
    for key in task:
        if key not in KEYS:
            problem = f"there is no key {key!r}{suggest(key, list(KEYS))}"
            raise ValueError(problem)
    action, account = task.get("action"), task.get("account")
    if "action" not in task:
        problem = "'action' is missing"
        raise ValueError(problem)
    if not isinstance(action, str):
        problem = "'action' must be text"
        raise ValueError(problem)  # noqa: TRY004 - about the file, not the program
    action.encode()
    if "payload" not in task:
        problem = "'payload' is missing; it is {} for an action that takes nothing"
        raise ValueError(problem)
    return TaskLine(
        number=number,
        action=action,
        payload=_encode("payload", task.get("payload")),
        account=b"" if account is None else _encode("account", account),
    )


def _read_object(line: bytes) -> dict[str, Any]:
    try:
        task = json.loads(line.decode())
    except (ValueError, RecursionError) as error:
        problem = f"this is no JSON ({error})"
        raise ValueError(problem) from None
    if not isinstance(task, dict):
        problem = "this is no JSON object"
        raise ValueError(problem)  # noqa: TRY004 - about the file, not the program
    return cast("dict[str, Any]", task)


def _encode(key: str, value: object) -> bytes:
    """Compact JSON; half a surrogate pair stays, for the provider to refuse."""
    if not isinstance(value, dict):
        problem = f"{key!r} must be an object"
        raise ValueError(problem)  # noqa: TRY004 - about the file, not the program
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")
