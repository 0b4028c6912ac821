"""pydantic's validation errors as violations that hold no input value.

``hide_input_in_errors`` cleans only the text of an error, so the parts are taken
one by one: the path, the kind, and a message from which every value of the
input is cut out, as a validator's author may have put one in.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, cast, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticKnownError
from pydantic_core.core_schema import ErrorType

from arbvantage_provider.exceptions import Violation
from arbvantage_provider.schema.scalars import FORMS
from arbvantage_provider.text import escape

MOST: Final = 100
"""A payload with more errors than this has only the first of them listed."""

MOST_WORDED: Final = 10_000
"""A payload with more errors than this is told how many, and none is listed: pydantic
tells all of its errors or none, and a million of them take seconds and a gigabyte."""
MOST_SEARCHED: Final = 10_000_000
"""Characters of authors' messages times texts of the input; a tenth of a second."""

_PLAIN_KEY: Final = re.compile(r"[^.\[\]\"\s]+")


def describe_violations(
    error: ValidationError, document: object, root: str = ""
) -> list[Violation]:
    """What does not fit, at most ``MOST`` places.

    Args:
        error: what pydantic found.
        document: the parsed JSON that it looked at.
        root: what every path begins with; ``""`` or ``account``.
    """
    count = error.error_count()
    if count > MOST_WORDED:
        message = f"{count} places do not fit, too many to list"
        return [Violation(path=root, type="too_many_errors", message=message)]
    found = error.errors(include_url=False, include_input=True)[:MOST]
    authored = [detail for detail in found if not _is_pydantics(detail)]
    texts = frozenset(_leaf_texts(document)) if authored else None
    if (
        texts
        and sum(len(each["msg"]) for each in authored) * len(texts) > MOST_SEARCHED
    ):
        texts = None
    return [_describe(detail, document, root=root, texts=texts) for detail in found]


def _describe(
    detail: ErrorDetails, document: object, *, root: str, texts: frozenset[str] | None
) -> Violation:
    steps = resolve(detail["loc"], document, detail["type"])
    pattern = str(detail.get("ctx", {}).get("pattern"))
    kind, message = FORMS.get(pattern, (detail["type"], ""))
    return Violation(
        path=format_path(steps, root),
        type=kind,
        message=message or _word_message(detail, texts),
    )


def format_path(steps: Sequence[int | str], root: str = "") -> str:
    """``user.addresses[0].zip``; a key that is no plain word is quoted."""
    path = root
    for step in steps:
        if isinstance(step, int):
            path += f"[{step}]"
        elif _PLAIN_KEY.fullmatch(step) and escape(step) == step:
            path += f".{step}" if path else step
        else:
            quoted = step.replace("\\", "\\\\").replace('"', '\\"')
            path += f'["{escape(quoted)}"]'
    return path


def resolve(loc: tuple[int | str, ...], document: object, kind: str) -> list[int | str]:
    """The steps of ``loc`` that lead through the document.

    pydantic puts the members of unions and the names of its functions between
    them; these are no part of the input.
    """
    steps: list[int | str] = []
    for position, step in enumerate(loc):
        last = position == len(loc) - 1
        if isinstance(document, dict) and step in document:
            document = cast("dict[object, object]", document)[step]
        elif isinstance(document, list) and isinstance(step, int):
            items = cast("list[object]", document)
            document = items[step] if step < len(items) else None
        elif not (last and kind == "missing"):
            continue
        steps.append(step)
    return steps


_KNOWN: Final = frozenset(get_args(ErrorType))
_AUTHORED: Final = frozenset({"value_error", "assertion_error"})
_REWORDED: Final = {
    "uuid_parsing": "Input should be a valid UUID",
    "url_parsing": "Input should be a valid URL",
    "url_syntax_violation": "Input should be a valid URL",
    "union_tag_invalid": "Input should have {discriminator} as one of {expected_tags}",
    "union_tag_not_found": "Input should have {discriminator}, which tells what it is",
}
"""pydantic quotes a part of the input in some of these, and its own words in others."""
_UNKNOWN: Final = {"discriminator": "its tag", "expected_tags": "those expected"}


def _word_message(detail: ErrorDetails, others: frozenset[str] | None) -> str:
    """The message without any text or number of the input.

    What pydantic words itself names only what was expected; what the author of
    a validator worded may hold anything, and any longer text of other fields.
    """
    kind, message = detail["type"], detail["msg"]
    if kind in _REWORDED:
        given = detail.get("ctx", {}) if _is_pydantics(detail) else {}
        return _REWORDED[kind].format_map(_UNKNOWN | given)
    if _is_pydantics(detail):
        return message
    if others is None:
        return _UNSEARCHED
    texts = {text for text in others if len(text) >= _OF_OTHERS and text in message}
    texts |= {text for text in _leaf_texts(detail["input"]) if text and text in message}
    for text in sorted(texts, key=len, reverse=True):
        message = _cut(text, message)
    return message


def _cut(text: str, message: str) -> str:
    if len(text) >= _EVEN_INSIDE_WORDS:
        return message.replace(text, "…")
    return re.sub(rf"(?<!\w){re.escape(text)}(?!\w)", "…", message)


_UNSEARCHED: Final = "Value error, …"
"""In place of a message that would take long to search for texts of the input."""
_EVEN_INSIDE_WORDS: Final = 4
_OF_OTHERS: Final = 6


def _is_pydantics(detail: ErrorDetails) -> bool:
    """Whether pydantic worded the message; an author may use its kinds."""
    kind = detail["type"]
    if kind not in _KNOWN or kind in _AUTHORED:
        return False
    try:
        known = PydanticKnownError(cast("ErrorType", kind), detail.get("ctx"))
    except (TypeError, ValueError, KeyError):
        return False
    return known.message() == detail["msg"]


def _leaf_texts(value: object) -> Iterator[str]:
    """Each text and number in the input, as a message may spell it."""
    if isinstance(value, str):
        yield value
        yield repr(value)[1:-1]
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)
    elif isinstance(value, Mapping):
        for key, child in cast("Mapping[object, object]", value).items():
            yield from _leaf_texts(key)
            yield from _leaf_texts(child)
    elif isinstance(value, Iterable):
        for child in cast("Iterable[object]", value):
            yield from _leaf_texts(child)
    elif isinstance(value, BaseModel):
        yield from _leaf_texts(value.__dict__)
