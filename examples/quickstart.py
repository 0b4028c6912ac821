"""A small shop as a provider: a model, a dict schema, an async handler, an account.

Run it on an embedded hub, with the tasks in ``quickstart.jsonl``::

    arbvantage run examples/quickstart.py --local-hub --tasks examples/quickstart.jsonl

Run it against a real hub, with its token in ``PROVIDER_AUTH_TOKEN``::

    HUB_GRPC_URL=hub-grpc:50051 arbvantage run examples/quickstart.py
"""

import asyncio
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from arbvantage_provider import ActionError, Provider, ProviderResponse

provider = Provider.from_env(name="shop")

PRICES = {"tea": Decimal("4.20"), "coffee": Decimal("6.90"), "mug": Decimal("11.00")}
STOCK = {"tea": 120, "coffee": 0, "mug": 3}


class Item(BaseModel):
    """One line of an order."""

    sku: Literal["tea", "coffee", "mug"]
    quantity: Annotated[int, Field(ge=1, le=100)]


class Order(BaseModel):
    """What a customer wants."""

    customer: Annotated[str, Field(min_length=1)]
    items: Annotated[list[Item], Field(min_length=1)]
    deliver_on: date | None = None


@provider.lifespan
def announce() -> Iterator[None]:
    """Say what is to be seen before the first task runs."""
    provider.logger.info("tasks of quickstart.jsonl end with errors: those are meant")
    yield


@provider.actions.register(payload_schema=Order)
def place_order(order: Order) -> dict[str, Any]:
    """Place an order and say what it costs."""
    for item in order.items:
        if STOCK[item.sku] < item.quantity:
            message = f"only {STOCK[item.sku]} of {item.sku} left"
            raise ActionError(message, {"sku": item.sku, "left": STOCK[item.sku]})
    total = sum(PRICES[item.sku] * item.quantity for item in order.items)
    return {"customer": order.customer, "total": total, "deliver_on": order.deliver_on}


@provider.actions.register(
    name="quote",
    description="Price a basket; the schema is a dict, and so is the payload.",
    payload_schema={"basket": [{"sku": str, "quantity": int}], "currency": str},
)
def quote(payload: dict[str, Any]) -> dict[str, Any]:
    """Price what is for sale, and list what is not."""
    known = [line for line in payload["basket"] if line["sku"] in PRICES]
    unknown = [line["sku"] for line in payload["basket"] if line["sku"] not in PRICES]
    total = sum(PRICES[line["sku"]] * line["quantity"] for line in known)
    status = "warning" if unknown else "success"
    return {
        "status": status,
        "message": f"not for sale: {', '.join(unknown)}" if unknown else "",
        "data": {"total": total, "currency": payload["currency"]},
    }


@provider.actions.register()
async def track_parcel(parcel: str, detailed: bool = False) -> dict[str, Any]:
    """Ask the carrier where a parcel is; the signature is the schema."""
    await asyncio.sleep(0.02)  # where an HTTP client would wait for the carrier
    where = {"parcel": parcel, "status": "in transit"}
    return where | {"stops": ["Riga", "Vilnius"]} if detailed else where


@provider.actions.register(account_schema={"api_key": str, "shop_id": int})
def refund(order_id: str, cents: int, account: dict[str, Any]) -> ProviderResponse:
    """Pay an order back, with the shop's own credentials."""
    return ProviderResponse(
        status="success",
        message=f"refunded {order_id}",
        data={"shop": account["shop_id"], "cents": cents},
    )


@provider.actions.register(timeout=0.2)
async def export_ledger(year: int) -> None:
    """Never done in time: what a deadline looks like."""
    await asyncio.sleep(year)


@provider.actions.register()
def print_invoice(order_id: str) -> None:
    """Always fails: what an exception looks like."""
    message = f"no printer for {order_id}"
    raise RuntimeError(message)


if __name__ == "__main__":
    provider.start()
