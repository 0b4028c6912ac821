"""What is typed after an action's name, as the JSON text of a payload."""

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from arbvantage_provider.cli.errors import UsageError, suggest
from arbvantage_provider.cli.fields import PayloadField, PayloadFields

_TEXT = frozenset({"string"})
_TEXT_OR_NULL = frozenset({"string", "null"})


def read_argument(text: str) -> str:
    """What was typed, without the byte order mark of a file that a shell put there.

    A locale that is no UTF-8, such as C, leaves the bytes of other characters as halves
    of surrogate pairs.
    """
    with suppress(UnicodeError):
        text = text.encode("utf-8", "surrogateescape").decode()
    return text.removeprefix("\ufeff")


def read_pairs(
    pairs: Sequence[str],
    fields: PayloadFields,
    action: str,
    *,
    is_account: bool = False,
) -> str:
    """``KEY=VALUE`` arguments as a JSON object.

    Args:
        pairs: as typed; the first ``=`` of each parts key and value.
        fields: what the payload, or the account, holds.
        action: the action's name, for messages.
        is_account: whether they are the account's; values stay out of messages then.

    Raises:
        UsageError: for an argument without ``=``, a key given twice or one that is
            no field, and a value that is no JSON where JSON is needed.
    """
    owner = f"the account of {action!r}" if is_account else repr(action)
    payload: dict[str, str] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            raise UsageError(_refuse_argument(pair, fields))
        if key in payload:
            problem = f"{key!r} is given twice; give each field once"
            raise UsageError(problem)
        if key not in fields.top and not fields.is_open:
            raise UsageError(_refuse_key(key, fields, owner))
        shown = key if is_account else f"{key}={text}"
        payload[key] = _read_value(key, text, fields.top.get(key), shown=shown)
    members = (f"{json.dumps(key)}: {value}" for key, value in payload.items())
    return "{" + ", ".join(members) + "}"


def _read_value(key: str, text: str, field: PayloadField | None, *, shown: str) -> str:
    """JSON text: a string where the field is text, else ``text`` as it stands.

    A field that takes text among other things is given JSON where ``text`` is
    JSON, and else a string.
    """
    kinds = field.kinds if field else None
    if kinds is not None and kinds <= _TEXT_OR_NULL:
        return text if text == "null" and kinds != _TEXT else json.dumps(text)
    try:
        json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        if field is None or kinds is None or "string" in kinds:
            return json.dumps(text)
        problem = (
            f"{shown}: {key!r} is of type {field.type}, so its value must be "
            f"JSON ({error})"
        )
        raise UsageError(problem) from None
    return text


def _refuse_constant(name: str) -> NoReturn:
    problem = f"JSON has no {name}"
    raise ValueError(problem)


def _refuse_argument(argument: str, fields: PayloadFields) -> str:
    problem = f"{argument!r} is neither KEY=VALUE, nor one JSON object, nor '-'"
    if argument in fields.top:
        return f"{problem}; give the field a value: {argument}=VALUE"
    return problem


def _refuse_key(key: str, fields: PayloadFields, owner: str) -> str:
    problem = f"{owner} has no field {key!r}"
    parent, dot, inner = key.partition(".")
    if dot and parent in fields.top:
        example = json.dumps({inner: "…"}, ensure_ascii=False)
        return (
            f"{problem}; write what is inside {parent!r} as JSON: {parent}='{example}'"
        )
    if not fields.top:
        return f"{problem}; it takes none"
    names = list(fields.top)
    return f"{problem}{suggest(key, names)} (its fields: {', '.join(names)})"
