"""The table "What fits" of docs/schemas.md is what schemas do."""

import datetime as dt
import json
import re
import uuid
from collections.abc import Callable
from decimal import Decimal

from arbvantage_provider import Provider

ReadTable = Callable[[str, str], list[list[str]]]

TYPES = {
    kind.__name__: kind
    for kind in (
        *(bool, bytes, float, int, str, Decimal, uuid.UUID),
        *(dt.date, dt.datetime, dt.time, dt.timedelta),
    )
}


def fits(type_name: str, text: str) -> bool:
    provider = Provider("x", log_level="ERROR")
    schema = {"value": TYPES[type_name]}
    provider.actions.register("take", payload_schema=schema)(lambda: None)
    answer = provider.process_task("take", f'{{"value": {text}}}')
    return bool(answer["status"] == "success")


def test_what_fits_and_what_does_not_is_as_shown(read_table: ReadTable) -> None:
    for cells in read_table("schemas.md", "## What fits"):
        ((name,), good, bad) = (re.findall(r"`([^`]+)`", cell) for cell in cells)
        assert good
        assert [json.loads(text) for text in good if not fits(name, text)] == []
        assert [json.loads(text) for text in bad if fits(name, text)] == []


def test_every_type_of_the_grammar_has_its_line(read_table: ReadTable) -> None:
    plain = read_table("schemas.md", "## The grammar")[0][0]
    lines = read_table("schemas.md", "## What fits")
    assert set(re.findall(r"\w+", plain)) == {line[0].strip("`") for line in lines}
    assert set(TYPES) == {line[0].strip("`") for line in lines}
