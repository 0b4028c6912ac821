"""``handles``: the first parameter is the payload's model."""

# pyright: basic

from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

from arbvantage_provider import (
    HandlerSignatureError,
    Provider,
    RegistrationError,
    SchemaError,
    TaskContext,
    optional,
)


class Order(BaseModel):
    sku: str
    count: int = 1


@dataclass
class Refund:
    order: str


def test_the_first_parameter_is_the_model_whatever_its_name(provider: Provider) -> None:
    @provider.actions.handles(Order)
    def place(anything: Order, context: TaskContext) -> dict[str, Any]:
        return {"sku": anything.sku, "action": context.action}

    assert provider.process_task("place", {"sku": "tea"})["data"] == {
        "sku": "tea",
        "action": "place",
    }


def test_an_async_handler_and_a_dataclass_fit_as_well(provider: Provider) -> None:
    @provider.actions.handles(Refund, name="refund", description="Pay back.")
    async def pay_back(refund: Refund) -> str:
        return refund.order

    assert provider.process_task("refund", {"order": "A-1"})["data"] == "A-1"
    assert provider.actions["refund"].description == "Pay back."


def test_a_first_parameter_without_annotation_is_the_model(provider: Provider) -> None:
    handles: Any = provider.actions.handles(Order, name="place")
    handles(lambda order: {"sku": order.sku})

    assert provider.process_task("place", {"sku": "tea"})["data"] == {"sku": "tea"}


def test_another_annotation_is_refused(provider: Provider) -> None:
    def place(order: Refund) -> None:
        """Takes another model."""

    handles: Any = provider.actions.handles(Order)
    with pytest.raises(HandlerSignatureError, match="annotated with Order") as caught:
        handles(place)

    assert caught.value.parameter == "order"


def test_a_handler_without_parameters_is_refused(provider: Provider) -> None:
    handles: Any = provider.actions.handles(Order, name="place")
    with pytest.raises(HandlerSignatureError, match="the first one must be Order"):
        handles(lambda: None)


def test_handles_without_a_model_says_what_to_write(provider: Provider) -> None:
    handles: Any = provider.actions.handles

    def place(order: Order) -> None:
        """Takes an order."""

    with pytest.raises(RegistrationError, match=r"handles\(Model\)"):
        handles(place)
    with pytest.raises(RegistrationError, match="is no class"):
        handles({"a": str})(place)
    assert len(provider.actions) == 0


@pytest.mark.parametrize("extra", ["allow", "bad", None])
def test_extra_is_one_of_two_words(provider: Provider, extra: Any) -> None:
    with pytest.raises(RegistrationError, match="give 'ignore' or 'forbid'"):
        provider.actions.register("asked", extra=extra)(lambda: None)


def test_the_whole_payload_is_not_optional(provider: Provider) -> None:
    schema = optional({"a": str})
    with pytest.raises(SchemaError, match="write the dict itself"):
        provider.actions.register("asked", payload_schema=schema)(lambda: None)
