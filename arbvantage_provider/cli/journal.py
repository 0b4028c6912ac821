"""``arbvantage journal``: what a journal holds; never a payload, an account or a result."""

import datetime as dt
import time
from collections import Counter
from typing import Any

from arbvantage_provider.cli.errors import UsageError
from arbvantage_provider.cli.output import format_json, open_output, say
from arbvantage_provider.exceptions import JournalError
from arbvantage_provider.worker.delivery.journal import Row, list_rows

_LONGEST = 60


def show_journal(path: str, *, as_json: bool, everything: bool) -> None:
    """Print the tasks of a journal, for people or as JSON.

    Args:
        path: of the file, which may be in use.
        as_json: whether one JSON object a line is printed.
        everything: whether tasks that are done are printed, too.
    """
    try:
        rows = list_rows(path)
    except JournalError as error:
        raise UsageError(str(error)) from error
    now = time.time()
    with open_output() as emit:
        for row in rows:
            if everything or row.taken is None or row.problem:
                emit(format_json(_to_json(row)) if as_json else _format(row, now))
    say(_summarize(rows))


def _to_json(row: Row) -> dict[str, Any]:
    return {
        "id": row.id,
        "action": row.action,
        "state": _name_state(row),
        "status": row.status,
        "arrived": _format_time(row.arrived),
        "started": _format_time(row.started),
        "taken": _format_time(row.taken),
        "runs": row.runs,
        "result_bytes": row.size,
        "damaged": row.problem,
    }


def _format(row: Row, now: float) -> str:
    age = dt.timedelta(seconds=max(int(now - row.arrived), 0))
    status = f" {row.status}, {row.size} bytes" if row.status else ""
    state = f"{_name_state(row)}{status}"
    if row.problem:
        state = f"damaged: {row.problem}"
        return f"{_shorten(row.id)}  {_shorten(row.action)}  row {row.number} {state}"
    return f"{_shorten(row.id)}  {_shorten(row.action)}  {state}  {age} old"


def _name_state(row: Row) -> str:
    """How far a task is, in one word."""
    if row.problem:
        return "damaged"
    if row.taken is not None:
        return "done"
    if row.status is not None:
        return "answered"
    return "waiting" if row.started is None else "started"


def _summarize(rows: list[Row]) -> str:
    counts = Counter(map(_name_state, rows))
    states = ("waiting", "started", "answered", "done", "damaged")
    listed = ", ".join(f"{counts[state]} {state}" for state in states if counts[state])
    number = f"{len(rows)} task{'s' * (len(rows) > 1)}"
    return f"{number}: {listed}" if rows else "no tasks"


def _shorten(text: str) -> str:
    """Names come from a hub, and may hold anything."""
    is_plain = text.replace("\u200d", "").isprintable()  # it joins emoji
    shown = text if is_plain and text else repr(text)
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"


def _format_time(moment: float | None) -> str | None:
    if moment is None:
        return None
    return dt.datetime.fromtimestamp(moment, dt.UTC).isoformat(timespec="seconds")
