"""What type checkers know of lifespans, and of what is injected.

mypy and pyright read this file; running it shows that it is true as well.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, assert_type

import pytest

from arbvantage_provider import Inject, LifespanError, Provider


class Pool:
    size = 5


def test_what_is_injected_is_of_its_type() -> None:
    provider = Provider("shop")
    provider.provide(Pool, Pool())

    @provider.actions.register()
    async def order(
        item: str, pool: Inject[Pool], other: Inject[Pool] | None = None
    ) -> int:
        assert_type(pool, Pool)
        assert_type(other, Pool | None)
        return len(item) + pool.size

    same: Callable[[str, Pool], Coroutine[Any, Any, int]] = order
    assert same is order
    with pytest.raises(AttributeError):
        order("tea", "pool").send(None)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    assert provider.process_task("order", {"item": "tea"})["data"] == 8


def test_a_name_may_stand_for_what_is_injected() -> None:
    ThePool = Inject[Pool]  # noqa: N806 - a type

    def order(pool: ThePool) -> None:
        assert_type(pool, Pool)

    order(Pool())


def test_a_lifespan_keeps_its_type() -> None:
    provider = Provider("shop")

    @provider.lifespan
    async def pool() -> AsyncIterator[Pool]:
        yield Pool()

    @provider.lifespan
    def hook(pool: Inject[Pool]) -> Iterator[None]:
        assert_type(pool, Pool)
        yield

    @provider.lifespan
    @asynccontextmanager
    async def managed() -> AsyncGenerator[Pool]:
        yield Pool()

    assert_type(pool(), AsyncIterator[Pool])
    assert_type(hook(Pool()), Iterator[None])
    manager: AbstractAsyncContextManager[Pool] = managed()
    del manager


def test_what_does_not_yield_is_no_lifespan() -> None:
    def pool() -> Pool:
        return Pool()

    with pytest.raises(LifespanError):
        Provider("shop").lifespan(pool)  # type: ignore[type-var] # pyright: ignore[reportArgumentType]
