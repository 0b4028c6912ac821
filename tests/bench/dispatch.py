"""What one dispatch in process costs, against the least that pydantic needs.

Bytes in, bytes out; three payloads; every contender in each round, one after the
other, so that a machine that slows down slows all of them. Printed are medians of
the rounds: microseconds, and the ratio to the floor of the same round.

Run it with ``nox -s bench``; ``-- --rounds 31`` for a longer look.
"""

# pyright: basic, reportMissingImports=false

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from payloads import CreateUser, make_user, respond_user
from pydantic import BaseModel
from pydantic_core import to_json

from arbvantage_provider import Provider

Dispatch = Callable[[bytes], object]
ROUND_SECONDS = 0.02


class Small(BaseModel):
    """Two fields."""

    name: str
    count: int


SMALL_SCHEMA = {"name": str, "count": int}
NESTED_SCHEMA = {
    "user": {
        "personal_info": {
            "first_name": str,
            "last_name": str,
            "date_of_birth": datetime,
            "gender": str,
            "nationality": str,
        },
        "contact_info": {
            "email": str,
            "phone": str,
            "addresses": [dict[str, str]],
            "emergency_contacts": [{"name": str, "relationship": str, "phone": str}],
        },
        "preferences": {
            "language": str,
            "timezone": str,
            "notifications": {"email": bool, "sms": bool, "push": bool},
            "privacy_settings": {"profile_visibility": str, "data_sharing": bool},
        },
        "subscriptions": [
            {
                "service": str,
                "plan": str,
                "start_date": datetime,
                "end_date": datetime | None,
                "features": [str],
            }
        ],
    },
    "metadata": {
        "source": str,
        "created_by": str,
        "tags": [str],
        "custom_fields": dict[str, Any],
    },
}


def respond_small(payload: Small) -> dict[str, Any]:
    """The handler, for the model."""
    return {"name": payload.name, "next": payload.count + 1}


def make_floor(model: type[BaseModel], handler: Callable[[Any], Any]) -> Dispatch:
    """Validate, call, write: no errors, no envelope, no deadline."""
    return lambda raw: to_json(handler(model.model_validate_json(raw)))


def make_ours(small: bool) -> dict[str, Dispatch]:  # noqa: FBT001 - which payload
    """A provider's dispatch, for each kind of declaration and handler."""
    provider = Provider("bench")
    register = provider.actions.register
    model, handler = (Small, respond_small) if small else (CreateUser, respond_user)
    schema: Any = SMALL_SCHEMA if small else NESTED_SCHEMA
    register("model", payload_schema=model)(handler)
    if small:

        def take_fields(name: str, count: int) -> dict[str, Any]:
            return {"name": name, "next": count + 1}

        def take_dict(payload: dict[str, Any]) -> dict[str, Any]:
            return {"name": payload["name"], "next": payload["count"] + 1}

        register("fields", payload_schema=schema)(take_fields)
        register("dict", payload_schema=schema)(take_dict)
    else:

        def take_parts(user: dict[str, Any], metadata: dict[str, Any]) -> Any:
            name = user["personal_info"]["first_name"]
            return {"name": name, "source": metadata["source"]}

        def take_nested(payload: dict[str, Any]) -> dict[str, Any]:
            name = payload["user"]["personal_info"]["first_name"]
            return {"name": name, "source": payload["metadata"]["source"]}

        register("fields", payload_schema=schema)(take_parts)
        register("dict", payload_schema=schema)(take_nested)
    dispatch = provider.dispatch
    return {
        "provider, model": lambda raw: dispatch("model", raw),
        "provider, fields": lambda raw: dispatch("fields", raw),
        "provider, dict": lambda raw: dispatch("dict", raw),
    }


def make_neighbours(model: type[BaseModel], handler: Any) -> dict[str, Dispatch]:
    """The same with the argument validation of two other libraries."""
    from fast_depends import inject  # noqa: PLC0415 - for the bench only
    from mcp.server.mcpserver.utilities.func_metadata import (  # noqa: PLC0415
        func_metadata,
    )

    def take(payload: Any) -> Any:
        return handler(payload)

    take.__annotations__ = {"payload": model, "return": Any}
    injected = inject(take)
    metadata = func_metadata(take)

    def call_mcp(raw: bytes) -> object:
        # Its own call of a sync function goes through a thread, which costs more
        # than all the rest: here it is called at once.
        arguments = metadata.validate_arguments({"payload": json.loads(raw)})
        return to_json(take(**arguments))

    return {
        "FastDepends, inject": lambda raw: to_json(injected(payload=json.loads(raw))),
        "MCP SDK, arguments": call_mcp,
    }


def measure(contenders: dict[str, Dispatch], raw: bytes, rounds: int) -> None:
    """Print a row for each contender."""
    counts = {name: _calibrate(call, raw) for name, call in contenders.items()}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            times[name].append(_time(call, raw, counts[name]))
    floor = times["floor"]
    for name, values in times.items():
        ratios = [value / base for value, base in zip(values, floor, strict=True)]
        microseconds = statistics.median(values) * 1e6
        ratio = statistics.median(ratios)
        sys.stdout.write(f"  {name:22}{microseconds:10.2f} µs{ratio:8.2f}\n")


def _time(call: Dispatch, raw: bytes, count: int) -> float:
    began = time.perf_counter()
    for _ in range(count):
        call(raw)
    return (time.perf_counter() - began) / count


def _calibrate(call: Dispatch, raw: bytes) -> int:
    _time(call, raw, 20)
    return max(int(ROUND_SECONDS / _time(call, raw, 20)), 3)


def main() -> None:
    """Print one table for each payload."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument(
        "--floor", action="store_true", help="one round, without the neighbours"
    )
    options = parser.parse_args()
    rounds = 1 if options.floor else options.rounds
    cases = {
        "small: 2 fields": (Small, respond_small, {"name": "tea", "count": 3}),
        "middle: create_user": (CreateUser, respond_user, make_user(1)),
        "large: 200 items a list": (CreateUser, respond_user, make_user(200)),
    }
    for title, (model, handler, payload) in cases.items():
        raw = json.dumps(payload).encode()
        contenders = {
            "floor": make_floor(model, handler),
            **make_ours(model is Small),
            **({} if options.floor else make_neighbours(model, handler)),
        }
        sys.stdout.write(f"{title} ({len(raw):,} bytes), median of {rounds} rounds\n")
        measure(contenders, raw, rounds)


if __name__ == "__main__":
    main()
