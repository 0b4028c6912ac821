"""The payload that the benches send: the nested ``create_user``.

It imports nothing of the package, so that a floor can use it.
"""

# pyright: basic

from datetime import datetime
from typing import Any

from pydantic import BaseModel


class PersonalInfo(BaseModel):
    """A part of ``CreateUser``."""

    first_name: str
    last_name: str
    date_of_birth: datetime
    gender: str
    nationality: str


class EmergencyContact(BaseModel):
    """A part of ``CreateUser``."""

    name: str
    relationship: str
    phone: str


class ContactInfo(BaseModel):
    """A part of ``CreateUser``."""

    email: str
    phone: str
    addresses: list[dict[str, str]]
    emergency_contacts: list[EmergencyContact]


class Notifications(BaseModel):
    """A part of ``CreateUser``."""

    email: bool
    sms: bool
    push: bool


class PrivacySettings(BaseModel):
    """A part of ``CreateUser``."""

    profile_visibility: str
    data_sharing: bool


class Preferences(BaseModel):
    """A part of ``CreateUser``."""

    language: str
    timezone: str
    notifications: Notifications
    privacy_settings: PrivacySettings


class Subscription(BaseModel):
    """A part of ``CreateUser``."""

    service: str
    plan: str
    start_date: datetime
    end_date: datetime | None = None
    features: list[str]


class User(BaseModel):
    """A part of ``CreateUser``."""

    personal_info: PersonalInfo
    contact_info: ContactInfo
    preferences: Preferences
    subscriptions: list[Subscription]


class Metadata(BaseModel):
    """A part of ``CreateUser``."""

    source: str
    created_by: str
    tags: list[str]
    custom_fields: dict[str, Any]


class CreateUser(BaseModel):
    """The nested payload."""

    user: User
    metadata: Metadata


def make_user(items: int) -> dict[str, Any]:
    """A payload for ``CreateUser`` with so many items in each list."""
    subscription = {
        "service": "news",
        "plan": "basic",
        "start_date": "2026-01-31T09:30:00Z",
        "features": ["daily", "weekly"],
    }
    contact = {"name": "Eve", "relationship": "sister", "phone": "+371 2000000"}
    return {
        "user": {
            "personal_info": {
                "first_name": "Ada",
                "last_name": "Berzina",
                "date_of_birth": "1990-05-17T00:00:00Z",
                "gender": "f",
                "nationality": "LV",
            },
            "contact_info": {
                "email": "ada@example.org",
                "phone": "+371 2000001",
                "addresses": [{"street": "Brivibas 1", "city": "Riga"}] * items,
                "emergency_contacts": [contact] * items,
            },
            "preferences": {
                "language": "lv",
                "timezone": "Europe/Riga",
                "notifications": {"email": True, "sms": False, "push": True},
                "privacy_settings": {
                    "profile_visibility": "friends",
                    "data_sharing": False,
                },
            },
            "subscriptions": [subscription] * items,
        },
        "metadata": {
            "source": "web",
            "created_by": "signup",
            "tags": ["new"] * items,
            "custom_fields": {"campaign": "spring", "score": 0.5},
        },
    }


def respond_user(payload: CreateUser) -> dict[str, Any]:
    """The handler, for the nested model."""
    name = payload.user.personal_info.first_name
    return {"name": name, "source": payload.metadata.source}
