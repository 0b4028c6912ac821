"""What handlers share: a database, and prices that are kept fresh in the background.

Both are opened once, when the provider starts, and closed when it has ended. Run it
on an embedded hub, with the tasks in ``lifespan.jsonl``::

    arbvantage run examples/lifespan.py --local-hub --tasks examples/lifespan.jsonl

One action alone opens what it needs for that one task::

    arbvantage call examples/lifespan.py quote item=tea currency=EUR
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing

from arbvantage_provider import ActionError, Inject, Provider

provider = Provider.from_env(name="shop", log_level="WARNING")


class Rates:
    """What one euro is worth, by currency."""

    def __init__(self) -> None:
        self.by_currency: dict[str, float] = {}

    async def refresh(self) -> None:
        """Ask for the rates; an HTTP client would wait here."""
        await asyncio.sleep(0.01)
        self.by_currency = {"EUR": 1.0, "USD": 1.08}

    async def keep_fresh(self) -> None:
        """Ask again and again."""
        while True:
            await asyncio.sleep(60)
            await self.refresh()


@provider.lifespan
def database() -> Iterator[sqlite3.Connection]:
    """A sync lifespan runs on a thread, so it may block."""
    # Sync handlers run on several threads, and SQLite locks for them.
    with closing(sqlite3.connect(":memory:", check_same_thread=False)) as connection:
        connection.execute("CREATE TABLE prices (item TEXT, euros REAL)")
        connection.execute("INSERT INTO prices VALUES ('tea', 4.2), ('mug', 11)")
        yield connection


@provider.lifespan
async def rates() -> AsyncIterator[Rates]:
    """A task of its own lives as long as the provider."""
    rates = Rates()
    await rates.refresh()
    async with asyncio.TaskGroup() as group:
        refreshing = group.create_task(rates.keep_fresh())
        yield rates
        refreshing.cancel()


@provider.actions.register()
def price(item: str, connection: Inject[sqlite3.Connection]) -> float:
    """What an item costs, in euros."""
    row = connection.execute("SELECT euros FROM prices WHERE item = ?", [item])
    found = row.fetchone()
    if found is None:
        raise ActionError(f"there is no {item}")
    return float(found[0])


@provider.actions.register()
async def quote(
    item: str,
    currency: str,
    *,
    connection: Inject[sqlite3.Connection],
    rates: Inject[Rates],
) -> dict[str, object]:
    """What an item costs, in any currency."""
    euros = await asyncio.to_thread(price, item, connection)
    return {"item": item, currency: round(euros * rates.by_currency[currency], 2)}


if __name__ == "__main__":
    provider.start()
