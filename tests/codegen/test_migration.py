"""A provider with dict schemas becomes a typed one that answers as before."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arbvantage_provider import Provider

Generate = Callable[..., str]
Load = Callable[[str], Any]

LEGACY = """
from datetime import datetime
from typing import Any, Dict, List, Optional

from arbvantage_provider import Provider, ProviderResponse


class UserProvider(Provider):
    def __init__(self):
        super().__init__("users", log_level="CRITICAL", execution_timeout=30)

        @self.actions.register(
            name="create_user",
            description="Create a new user",
            payload_schema={
                "user": {
                    "personal_info": {"first-name": str, "born": datetime},
                    "contacts": List[{"name": str, "phone": Optional[str]}],
                    "addresses": List[Dict[str, str]],
                },
                "metadata": {"tags": List[str], "custom_fields": Dict[str, Any]},
                "age": Optional[int],
            },
            account_schema={"api_key": str},
        )
        def create_user(payload: Dict, account: Dict) -> Dict:
            user = payload["user"]
            return ProviderResponse(
                status="success",
                message="User created",
                data={
                    "name": user["personal_info"]["first-name"],
                    "born": user["personal_info"]["born"].year,
                    "phones": [contact["phone"] for contact in user["contacts"]],
                    "cities": [address.get("city") for address in user["addresses"]],
                    "tags": payload["metadata"]["tags"],
                    "fields": payload["metadata"]["custom_fields"],
                    "age": payload["age"],
                    "key": account["api_key"][:1],
                },
            )

        @self.actions.register(
            name="greet", payload_schema={"name": str, "times": Optional[int]}
        )
        def greet(name: str, times: int = 2):
            return {"greeting": [f"Hello, {name}!"] * times}


provider = UserProvider()
"""

TYPED = """
from typing import Any

from arbvantage_provider import Provider, ProviderResponse
from models import CreateUserAccount, CreateUserPayload, GreetPayload


class UserProvider(Provider):
    def __init__(self) -> None:
        super().__init__("users", log_level="CRITICAL", execution_timeout=30)

        @self.actions.register(
            name="create_user",
            description="Create a new user",
            payload_schema=CreateUserPayload,
            account_schema=CreateUserAccount,
        )
        def create_user(
            payload: CreateUserPayload, account: CreateUserAccount
        ) -> ProviderResponse:
            user = payload.user
            return ProviderResponse(
                status="success",
                message="User created",
                data={
                    "name": user.personal_info.first_name,
                    "born": user.personal_info.born.year,
                    "phones": [contact.phone for contact in user.contacts],
                    "cities": [address.get("city") for address in user.addresses],
                    "tags": payload.metadata.tags,
                    "fields": payload.metadata.custom_fields,
                    "age": payload.age,
                    "key": account.api_key[:1],
                },
            )

        @self.actions.register(name="greet", payload_schema=GreetPayload)
        def greet(name: str, times: int | None = 2) -> dict[str, Any]:
            return {"greeting": [f"Hello, {name}!"] * (times or 0)}


provider = UserProvider()
"""

USER = """{
    "user": {
        "personal_info": {"first-name": "Ann", "born": "2000-02-29"},
        "contacts": [{"name": "Bob"}, {"name": "Eve", "phone": "1", "more": 2}],
        "addresses": [{"city": "Riga"}, {}]
    },
    "metadata": {"tags": ["a"], "custom_fields": {"a": [1, null]}},
    "age": 5.0
}"""
ACCOUNT = '{"api_key": "secret"}'
TASKS: list[tuple[str, str, str]] = [
    ("create_user", USER, ACCOUNT),
    ("create_user", USER.replace("5.0", "null"), ACCOUNT),
    ("create_user", USER.replace(',\n    "age": 5.0', ""), ACCOUNT),
    ("create_user", USER.replace("5.0", '"5"'), ACCOUNT),
    ("create_user", USER.replace("5.0", "true"), ACCOUNT),
    ("create_user", USER.replace('"2000-02-29"', "951782400"), ACCOUNT),
    ("create_user", USER.replace('"2000-02-29"', '"951782400"'), ACCOUNT),
    ("create_user", USER.replace("first-name", "first_name"), ACCOUNT),
    ("create_user", USER.replace('"Bob"', "null"), ACCOUNT),
    ("create_user", USER.replace('"Riga"', "1"), ACCOUNT),
    ("create_user", USER.replace('["a"]', '["a", 1]'), ACCOUNT),
    ("create_user", USER, '{"api_key": 1}'),
    ("create_user", USER, ""),
    ("create_user", "{}", ACCOUNT),
    ("create_user", '{"age": NaN}', ACCOUNT),
    ("greet", '{"name": "Ann"}', ""),
    ("greet", '{"name": "Ann", "times": 1}', ""),
    ("greet", '{"name": "Ann", "times": 1.5}', ""),
    ("greet", '{"name": "Ann", "times": 3, "other": 1}', ""),
]


@pytest.fixture
def providers(
    generate: Generate, load: Load, folder: Path
) -> tuple[Provider, Provider]:
    """The legacy provider, and the one that was rewritten with the models."""
    generate(LEGACY)
    (folder / "typed.py").write_text(TYPED)
    load("models")
    return load("program").provider, load("typed").provider


def test_the_typed_provider_gives_the_responses_of_the_legacy_one(
    providers: tuple[Provider, Provider],
) -> None:
    for action, payload, account in TASKS:
        before, after = (p.process_task(action, payload, account) for p in providers)
        assert after == before


def test_the_tasks_succeed_and_fail(providers: tuple[Provider, Provider]) -> None:
    answers = [providers[1].process_task(*task)["status"] for task in TASKS]
    assert answers == ["success"] * 3 + ["error"] * 12 + ["success"] * 2 + [
        *("error", "success")
    ]


def test_the_signatures_are_those_that_were_written_by_hand(
    generate: Generate,
) -> None:
    code = generate(LEGACY)
    assert (
        "    def create_user(\n"
        "        payload: CreateUserPayload, account: CreateUserAccount\n"
        "    ) -> dict[str, Any]: ...\n" in code
    )
    assert "    def greet(name: str, times: int | None = 2) -> Any: ...\n" in code
