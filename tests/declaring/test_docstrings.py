"""Descriptions of actions and fields from a handler's docstring."""

# pyright: basic

from typing import Annotated, Any

import pytest
from pydantic import Field

from arbvantage_provider import InvalidPayloadError, Provider, optional


def describe(provider: Provider, handler: Any) -> dict[str, str]:
    provider.actions.register("asked")(handler)
    fields = provider.actions["asked"].payload.fields
    return {name: field.description for name, field in fields.items()}


def test_parameters_are_described_by_the_args_section(provider: Provider) -> None:
    def asked(city: str, days: int = 3, unit: str = "C") -> None:
        """Tell the weather.

        It takes its time.

        Args:
            city: where,
                in the local spelling: as on the map
            days (int): how many

            unit: C or F

        Returns:
            nothing: at all
        """

    assert describe(provider, asked) == {
        "city": "where, in the local spelling: as on the map",
        "days": "how many",
        "unit": "C or F",
    }
    assert provider.actions["asked"].description == "Tell the weather."


def test_a_field_of_its_own_wins_over_the_docstring(provider: Provider) -> None:
    def asked(city: Annotated[str, Field(description="its own")]) -> None:
        raise NotImplementedError

    asked.__doc__ = "Args:\n  city: the docstring's"

    assert describe(provider, asked) == {"city": "its own"}


@pytest.mark.parametrize("doc", [None, "", "Args:", "Args:\n\n", "Args: no", "a\n\nb"])
def test_a_docstring_may_say_nothing(provider: Provider, doc: str | None) -> None:
    def asked(city: str) -> None:
        raise NotImplementedError

    asked.__doc__ = doc

    assert describe(provider, asked) == {"city": ""}


def test_an_optional_dict_may_be_left_out_or_null(provider: Provider) -> None:
    schema = {"address": optional({"city": str, "notes": optional([{"text": str}])})}

    @provider.actions.register(payload_schema=schema)
    def asked(payload: dict[str, Any]) -> Any:
        return payload["address"]

    given = {"address": {"city": "Riga"}}
    assert provider.process_task("asked", {})["data"] is None
    assert provider.process_task("asked", {"address": None})["data"] is None
    assert provider.process_task("asked", given)["data"] == {
        "city": "Riga",
        "notes": None,
    }
    errors = provider.process_task("asked", {"address": {"notes": [{}]}})["data"]
    assert [error["path"] for error in errors["errors"]] == [
        "address.city",
        "address.notes[0].text",
    ]


def test_unknown_keys_are_refused_where_that_is_asked_for(provider: Provider) -> None:
    schema = {"user": {"name": str}}
    register = provider.actions.register
    register("strict", payload_schema=schema, extra="forbid")(lambda payload: payload)
    register("lenient", payload_schema=schema)(lambda payload: payload)
    payload = {"user": {"name": "Ada", "nmae": "x"}, "more": 1}

    errors = provider.process_task("strict", payload)["data"]["errors"]
    assert [error["path"] for error in errors] == ["user.nmae", "more"]
    assert provider.process_task("lenient", payload)["data"] == {
        "user": {"name": "Ada"}
    }


def test_a_signature_may_refuse_unknown_keys_too(provider: Provider) -> None:
    @provider.actions.register(extra="forbid")
    def asked(city: str) -> None:
        """Takes one key."""

    response = provider.process_task("asked", {"city": "Riga", "ctiy": 1})

    assert response["message"].startswith(InvalidPayloadError.__name__)
    assert response["data"]["errors"][0]["path"] == "ctiy"


def test_an_optional_parameter_need_not_be_there(provider: Provider) -> None:
    @provider.actions.register()
    def asked(city: str | None) -> dict[str, Any]:
        return {"city": city}

    assert provider.process_task("asked", {})["data"] == {"city": None}


def test_the_values_of_a_dict_parameter_are_checked(provider: Provider) -> None:
    @provider.actions.register()
    def asked(payload: dict[str, int]) -> dict[str, int]:
        return payload

    assert provider.process_task("asked", {"a": 1})["data"] == {"a": 1}
    errors = provider.process_task("asked", {"a": "1"})["data"]["errors"]
    assert errors[0]["path"] == "a"
