"""What registering costs, and what many registered actions cost a dispatch.

Run it with ``nox -s bench``.
"""

# pyright: basic, reportInvalidTypeForm=false

import statistics
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from pydantic import BaseModel, create_model

from arbvantage_provider import Actions, Provider

ROUNDS = 15


def define_by_hand() -> type[BaseModel]:
    """The models of the nested ``create_user``, as a person would define them."""
    info = create_model(
        "PersonalInfo",
        first_name=(str, ...),
        last_name=(str, ...),
        date_of_birth=(datetime, ...),
        gender=(str, ...),
        nationality=(str, ...),
    )
    emergency = create_model(
        "Emergency", name=(str, ...), relationship=(str, ...), phone=(str, ...)
    )
    contact = create_model(
        "Contact",
        email=(str, ...),
        phone=(str, ...),
        addresses=(list[dict[str, str]], ...),
        emergency_contacts=(list[emergency], ...),  # type: ignore[valid-type]
    )
    notifications = create_model(
        "Notifications", email=(bool, ...), sms=(bool, ...), push=(bool, ...)
    )
    privacy = create_model(
        "Privacy", profile_visibility=(str, ...), data_sharing=(bool, ...)
    )
    preferences = create_model(
        "Preferences",
        language=(str, ...),
        timezone=(str, ...),
        notifications=(notifications, ...),
        privacy_settings=(privacy, ...),
    )
    subscription = create_model(
        "Subscription",
        service=(str, ...),
        plan=(str, ...),
        start_date=(datetime, ...),
        end_date=(datetime | None, None),
        features=(list[str], ...),
    )
    user = create_model(
        "User",
        personal_info=(info, ...),
        contact_info=(contact, ...),
        preferences=(preferences, ...),
        subscriptions=(list[subscription], ...),  # type: ignore[valid-type]
    )
    metadata = create_model(
        "Metadata",
        source=(str, ...),
        created_by=(str, ...),
        tags=(list[str], ...),
        custom_fields=(dict[str, Any], ...),
    )
    return create_model("CreateUser", user=(user, ...), metadata=(metadata, ...))


def register_dict(schema: Any) -> None:
    """The same as a dict schema."""

    def create_user(payload: dict[str, Any]) -> None:
        """Does nothing."""

    Actions().register(payload_schema=schema)(create_user)


def compare(
    title: str, first: Callable[[], object], second: Callable[[], object]
) -> None:
    """Print the median of both, and of their ratio, round by round."""
    firsts: list[float] = []
    seconds: list[float] = []
    for _ in range(ROUNDS):
        for call, values in ((first, firsts), (second, seconds)):
            began = time.perf_counter()
            call()
            values.append(time.perf_counter() - began)
    ratio = statistics.median(s / f for f, s in zip(firsts, seconds, strict=True))
    sys.stdout.write(
        f"{title}: {statistics.median(firsts) * 1e3:.2f} ms, "
        f"{statistics.median(seconds) * 1e3:.2f} ms, ratio {ratio:.2f}\n"
    )


def make_provider(count: int) -> Provider:
    """A provider with so many actions."""
    provider = Provider("bench")

    def action(name: str) -> dict[str, str]:
        return {"name": name}

    for number in range(count):
        provider.actions.register(f"action-{number}")(action)
    return provider


def main() -> None:
    """Print both comparisons."""
    from dispatch import NESTED_SCHEMA  # noqa: PLC0415 - beside this file

    compare(
        "create_user: models by hand, dict schema",
        define_by_hand,
        lambda: register_dict(NESTED_SCHEMA),
    )
    one, many = make_provider(1), make_provider(10_000)
    raw = b'{"name": "tea"}'

    def dispatch(provider: Provider, name: str) -> Callable[[], object]:
        return lambda: [provider.dispatch(name, raw) for _ in range(2_000)]

    compare(
        "2,000 dispatches: 1 action, 10,000 actions",
        dispatch(one, "action-0"),
        dispatch(many, "action-5000"),
    )


if __name__ == "__main__":
    main()
