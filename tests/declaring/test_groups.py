"""Groups of actions that are declared without a provider, and included in some."""

import pytest

from arbvantage_provider import Actions, DuplicateActionError, Provider
from arbvantage_provider.testing import LocalHub, running

crm = Actions()


@crm.register(description="Find a customer.")
def find(name: str) -> dict[str, str]:
    return {"found": name}


@crm.register(account_schema={"api_key": str})
def forget(name: str) -> None:
    """Forget a customer."""


def test_a_group_is_included_in_several_providers() -> None:
    first, second = Provider("first"), Provider("second")
    first.actions.include(crm)
    second.actions.include(crm, prefix="crm.")

    assert list(first.actions) == ["find", "forget"]
    assert list(second.actions) == ["crm.find", "crm.forget"]
    assert list(crm) == ["find", "forget"]
    response = second.process_task("crm.find", {"name": "Ada"})
    assert response["data"] == {"found": "Ada"}


def test_an_included_action_names_itself_by_its_whole_name() -> None:
    provider = Provider("tested")
    provider.actions.include(crm, prefix="crm.")

    payload = provider.process_task("crm.find", {"name": 5})["message"]
    account = provider.process_task("crm.forget", {"name": "Ada"}, {"api_key": 5})

    assert "the payload of 'crm.find' does not fit" in payload
    assert "the account of 'crm.forget' does not fit" in account["message"]


def test_a_name_that_is_taken_is_refused_and_nothing_is_included() -> None:
    provider = Provider("tested")

    @provider.actions.register("forget")
    def forget_all() -> None:
        """Another one."""

    with pytest.raises(DuplicateActionError, match="forget"):
        provider.actions.include(crm)

    assert list(provider.actions) == ["forget"]


def test_a_group_is_not_included_twice_under_one_name() -> None:
    provider = Provider("tested")
    provider.actions.include(crm)

    with pytest.raises(DuplicateActionError, match="find"):
        provider.actions.include(crm)


def test_an_included_action_takes_tasks_of_a_hub() -> None:
    provider = Provider("tested")
    provider.actions.include(crm, prefix="crm.")
    with LocalHub() as hub, running(provider, hub):
        result = hub.submit("crm.find", {"name": "Ada"}).result()

    assert result.data == {"found": "Ada"}
