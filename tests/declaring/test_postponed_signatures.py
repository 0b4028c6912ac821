"""Annotations that are text, resolved where they were written."""

# pyright: basic

import importlib.util
import inspect
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Optional

import pytest
from pydantic import BaseModel

from arbvantage_provider import HandlerSignatureError, LifespanError, Provider

Run = Callable[..., dict[str, Any]]

DECORATORS = """
from __future__ import annotations

import functools
import inspect

from pydantic import BaseModel


class Extra(BaseModel):
    note: str


class Item(BaseModel):
    wrong: str


def without(name):
    def decorate(function):
        @functools.wraps(function)
        def call(*args, **kwargs):
            return function(*args, **{name: "filled"}, **kwargs)

        signature = inspect.signature(function)
        kept = [p for n, p in signature.parameters.items() if n != name]
        call.__signature__ = signature.replace(parameters=kept)
        return call

    return decorate


def with_extra(function):
    def call(*args, extra: Extra, **kwargs):
        return [function(*args, **kwargs), extra.note]

    signature = inspect.signature(function)
    own = inspect.signature(call).parameters["extra"]
    parameters = [*signature.parameters.values(), own]
    call.__signature__ = signature.replace(parameters=parameters)
    call.__wrapped__ = function
    return call


class Renamed:
    def __init__(self, function):
        self.function = function
        self.__signature__ = inspect.signature(function)
        self.__wrapped__ = function

    def __call__(self, **kwargs):
        return self.function(**kwargs)


def bare(function):
    def call(**kwargs):
        return function(**kwargs)

    call.__signature__ = inspect.Signature(
        [inspect.Parameter("extra", inspect.Parameter.KEYWORD_ONLY, annotation="Extra")]
    )
    return call


def bare_of(function):
    def call(**kwargs):
        return function(**kwargs)

    call.__signature__ = inspect.signature(function)
    return call


def bare_copy_of(function):
    call = bare_of(function)
    call.__module__ = function.__module__
    call.__annotations__ = function.__annotations__
    return call


def circular(function):
    call = functools.wraps(function)(bare_of(function))
    call.__wrapped__ = call
    return call


class Holding:
    def __init__(self, function):
        self._function = function
        self.__signature__ = inspect.signature(function)

    def __call__(self, **kwargs):
        return self._function(**kwargs)


def logged(function):
    @functools.wraps(function)
    def call(*args, **kwargs):
        return function(*args, **kwargs)

    return call
"""

HANDLERS = """
from __future__ import annotations

import functools

from decorators import (
    Holding,
    Renamed,
    bare,
    bare_copy_of,
    bare_of,
    circular,
    logged,
    with_extra,
    without,
)
from pydantic import BaseModel


class Item(BaseModel):
    beds: int


@without("key")
def reduced(item: Item, key: str) -> Item:
    return item


@with_extra
def extended(item: Item) -> list[object]:
    return item.beds


@Renamed
def renamed(item: Item) -> Item:
    return item


@bare
def made(extra) -> str:
    return extra.note


@logged
@logged
@without("key")
@logged
def deep(item: Item, key: str) -> Item:
    return item


@bare_of
def held(item: Item) -> Item:
    return item


@bare_copy_of
def copied(item: Item) -> Item:
    return item


@circular
def looped(item: Item) -> Item:
    return item


@Holding
def kept(item: Item) -> Item:
    return item


held_partial = functools.partial(bare_of(held))


class Service:
    class Own(BaseModel):
        beds: int

    @without("key")
    def method(self, item: Item, key: str) -> Item:
        return item

    @without("key")
    def nested(self, item: Own, key: str) -> Own:
        return item


partial = functools.partial(reduced)
method = Service().method
nested = Service().nested


def make_local():
    class Local(BaseModel):
        beds: int

    def handler(item: Local) -> int:
        return isinstance(item, Local)

    @without("key")
    def wrapped(item: Local, key: str) -> int:
        return isinstance(item, Local)

    return handler, wrapped


@without("key")
def broken(item: Missing, key: str):
    pass


@without("key")
def broken_result(item: Item, key: str) -> Missing:
    pass


async def lifespan() -> Missing:
    yield 1
"""


@pytest.fixture(scope="module")
def handlers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """Two modules of postponed annotations; each has an ``Item`` of its own."""
    folder = tmp_path_factory.mktemp("postponed")
    made = [_load(folder, "decorators", DECORATORS)]
    made.append(_load(folder, "handlers_of_them", HANDLERS))
    yield made[-1]
    for module in made:
        del sys.modules[module.__name__]


def _load(folder: Path, name: str, text: str) -> ModuleType:
    file = folder / f"{name}.py"
    file.write_text(text)
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "name",
    [
        *("reduced", "renamed", "deep", "partial", "method", "nested"),
        *("held", "copied", "looped", "kept", "held_partial"),
    ],
)
def test_text_in_a_signature_is_resolved_where_the_handler_is(
    run: Run, handlers: ModuleType, name: str
) -> None:
    handler = getattr(handlers, name)
    assert run(handler, {"item": {"beds": 1}})["data"] == {"beds": 1}
    assert run(handler, {"item": {"beds": "x"}})["status"] == "error"


def test_text_of_the_decorator_is_resolved_where_the_decorator_is(
    run: Run, handlers: ModuleType
) -> None:
    payload = {"item": {"beds": 1}, "extra": {"note": "x"}}
    assert run(handlers.extended, payload)["data"] == [1, "x"]
    assert run(handlers.made, payload)["data"] == "x"


def test_a_signature_may_hold_types(run: Run, handlers: ModuleType) -> None:
    def handler(**kwargs: Any) -> Any:
        return kwargs["item"].beds

    kind = inspect.Parameter.KEYWORD_ONLY
    item = inspect.Parameter("item", kind, annotation=handlers.Item)
    handler.__signature__ = inspect.Signature([item])  # type: ignore[attr-defined]
    assert run(handler, {"item": {"beds": 1}})["data"] == 1


def test_classes_of_a_function_are_found_where_the_handler_uses_them(
    run: Run, handlers: ModuleType
) -> None:
    for handler in handlers.make_local():
        assert run(handler, {"item": {"beds": 1}})["data"] is True


@pytest.mark.parametrize(
    ("name", "parameter"), [("broken", "item"), ("broken_result", "return")]
)
def test_what_is_nowhere_is_refused(
    register: Callable[..., None], handlers: ModuleType, name: str, parameter: str
) -> None:
    with pytest.raises(HandlerSignatureError, match="'Missing' cannot") as caught:
        register(getattr(handlers, name))
    assert caught.value.parameter == parameter


def test_a_lifespan_says_what_is_nowhere(
    provider: Provider, handlers: ModuleType
) -> None:
    with pytest.raises(LifespanError, match="'Missing' cannot be resolved"):
        provider.lifespan(handlers.lifespan)


def test_an_object_that_has_every_attribute_is_refused_in_time(
    register: Callable[..., None],
) -> None:
    class Remote:
        def __getattr__(self, name: str) -> "Remote":
            return Remote()

        def __call__(self, a: int) -> int:
            return a

    with pytest.raises(HandlerSignatureError):
        register(Remote())


class Order(BaseModel):
    beds: int


def test_a_name_inside_an_annotation_is_resolved(provider: Provider) -> None:
    def handler(
        one: Optional["Order"], several: list["Order"], of: dict[str, "Order | None"]
    ) -> Optional["Order"]:
        return one if [*several, *of.values()] == [one, one] else None

    provider.actions.register("tried")(handler)
    beds = {"beds": 2}
    payload = {"one": beds, "several": [beds], "of": {"x": beds}}
    answer = provider.process_task("tried", json.dumps(payload))
    assert (answer["status"], answer["data"]) == ("success", beds)


def test_an_unknown_name_inside_an_annotation_is_refused(provider: Provider) -> None:
    def handler(one: Any) -> None: ...

    handler.__annotations__["one"] = list.__class_getitem__("Missing")
    with pytest.raises(HandlerSignatureError, match=r"Missing.*cannot be resolved"):
        provider.actions.register("tried")(handler)
