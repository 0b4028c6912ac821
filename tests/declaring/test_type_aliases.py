"""An alias is what it stands for, wherever a type may stand."""

# Aliases are made at run time, as ``type X = …`` came with Python 3.12.
# pyright: basic, reportGeneralTypeIssues=false
# ruff: noqa: S102, UP045
# mypy: disable-error-code="valid-type, misc"

import json
import logging
import sys
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, Generic, NewType, Optional, TypeVar

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypeAliasType, TypedDict

from arbvantage_provider import (
    ConfigError,
    HandlerSignatureError,
    Inject,
    Provider,
    ProviderResponse,
    RegistrationError,
    SchemaError,
    TaskContext,
)
from arbvantage_provider.export import export_json_schema
from arbvantage_provider.testing import LocalHub, running

Bind = Callable[..., Any]
Run = Callable[..., dict[str, Any]]
make_alias: Any = TypeAliasType  # type checkers know its call at the top only
T = TypeVar("T")
U = TypeVar("U")


class Room(BaseModel):
    beds: int


class Key(TypedDict):
    key: str


class Box(BaseModel, Generic[T]):
    item: T


class Pool:
    pass


RoomAlias = make_alias("RoomAlias", Room)
Twice = make_alias("Twice", RoomAlias)
Maybe = make_alias("Maybe", RoomAlias | None)
Rooms = make_alias("Rooms", list[RoomAlias])
Count = make_alias("Count", Annotated[int, Field(ge=1, description="how many")])
Whole = make_alias("Whole", int)
Pair = make_alias("Pair", tuple[T, T], type_params=(T,))
Swapped = make_alias("Swapped", dict[U, T], type_params=(T, U))
Same = make_alias("Same", T, type_params=(T,))
Boxed = make_alias("Boxed", Box[T], type_params=(T,))
Declared = make_alias("Declared", {"beds": int})
Tree = make_alias("Tree", "dict[str, Tree]")
Odd = make_alias("Odd", "int | list[Even]")
Even = make_alias("Even", "dict[str, Odd]")
Unknown = make_alias("Unknown", "list[Missing]")
Injected = make_alias("Injected", Inject[Pool])
InjectedAny = make_alias("InjectedAny", Inject[T], type_params=(T,))
NewRoom = NewType("NewRoom", RoomAlias)
NewText = NewType("NewText", str)
UNKNOWN = r"alias Unknown .*Missing"

ROOM = {"beds": 1}
FIELDS: dict[str, tuple[Any, Any, Any]] = {
    "a model": (RoomAlias, ROOM, Room(beds=1)),
    "an alias of an alias": (Twice, ROOM, Room(beds=1)),
    "of an optional": (Maybe, ROOM, Room(beds=1)),
    "null of an optional": (Maybe, None, None),
    "in an optional": (Optional[RoomAlias], ROOM, Room(beds=1)),
    "in a union": (RoomAlias | int, ROOM, Room(beds=1)),
    "another of a union": (RoomAlias | int, 5, 5),
    "in a list": (list[RoomAlias], [ROOM], [Room(beds=1)]),
    "of a list": (Rooms, [ROOM], [Room(beds=1)]),
    "in a dict": (dict[str, RoomAlias], {"a": ROOM}, {"a": Room(beds=1)}),
    "in a dict schema": ({"a": RoomAlias}, {"a": ROOM}, {"a": Room(beds=1)}),
    "of a dict schema": (Declared, ROOM, ROOM),
    "in Annotated": (Annotated[RoomAlias, Field(title="x")], ROOM, Room(beds=1)),
    "generic": (Pair[int], [1, 2], (1, 2)),
    "generic with a model": (Pair[RoomAlias], [ROOM, ROOM], (Room(beds=1),) * 2),
    "generic in another order": (Swapped[int, str], {"a": 1}, {"a": 1}),
    "generic with numbers as keys": (Swapped[str, int], {"1": "a"}, {1: "a"}),
    "generic and nothing else": (Same[RoomAlias], ROOM, Room(beds=1)),
    "generic without its type": (Pair, [1, "a"], (1, "a")),
    "a generic model": (Boxed[int], {"item": 1}, Box[int](item=1)),
    "recursive": (Tree, {"a": {"b": {}}}, {"a": {"b": {}}}),
    "recursive by another": (Odd, [{"a": [{"b": 3}]}], [{"a": [{"b": 3}]}]),
    "a new type of an alias": (NewRoom, ROOM, Room(beds=1)),
    "a new type of text": (NewText, "a", "a"),
}


def annotated(name: str, annotation: Any) -> Callable[..., Any]:
    """A handler that returns its one parameter."""
    namespace: dict[str, Any] = {}
    exec(f"def handler({name}): return {name}", namespace)
    namespace["handler"].__annotations__[name] = annotation
    handler: Callable[..., Any] = namespace["handler"]
    return handler


@pytest.mark.parametrize("case", FIELDS)
def test_a_field_is_what_its_alias_stands_for(bind: Bind, case: str) -> None:
    annotation, given, expected = FIELDS[case]
    assert bind(annotated("room", annotation), json.dumps({"room": given})) == expected


@pytest.mark.parametrize("case", FIELDS)
def test_a_field_of_a_dict_schema_is_what_its_alias_stands_for(
    bind: Bind, case: str
) -> None:
    annotation, given, expected = FIELDS[case]
    text = json.dumps({"room": given})
    handler = annotated("room", Any)
    assert bind(handler, text, payload_schema={"room": annotation}) == expected


@pytest.mark.parametrize(
    ("annotation", "given"),
    [
        (Count, 0),
        (Annotated[Whole, Field(ge=1)], 0),
        (Pair[int], [1, "a"]),
        (Tree, {"a": 1}),
        (Odd, [{"a": "b"}]),
        (Whole, "1"),
        (Swapped[Count, str], {"a": 0}),
    ],
)
@pytest.mark.parametrize("form", ["signature", "dict"])
def test_what_does_not_fit_is_refused(
    run: Run, annotation: Any, given: Any, form: str
) -> None:
    schema = {"payload_schema": {"room": annotation}} if form == "dict" else {}
    handler = annotated("room", annotation if form == "signature" else Any)
    assert run(handler, {"room": given}, **schema)["status"] == "error"


def test_it_may_stand_for_what_is_no_field(bind: Bind, provider: Provider) -> None:
    provider.provide(make_alias("Own", Pool), pool := Pool())
    alias = make_alias("alias", TaskContext)
    assert isinstance(bind(annotated("room", alias)), TaskContext)
    logger = make_alias("logger", logging.Logger)
    assert hasattr(bind(annotated("room", logger)), "info")
    for annotation in (
        Injected,
        InjectedAny[Pool],
        Inject[make_alias("Own", Pool)],
        Injected | None,
    ):
        assert bind(annotated("room", annotation)) is pool
    assert not any(action.payload.fields for action in map_actions(provider))


def map_actions(provider: Provider) -> list[Any]:
    return [*provider.actions.get_actions().values()]


def test_a_lifespan_may_yield_an_alias(bind: Bind, provider: Provider) -> None:
    pool = Pool()
    yielded = make_alias("yielded", AsyncIterator[make_alias("Own", Pool)])

    async def open_pool():
        yield pool

    open_pool.__annotations__["return"] = yielded
    provider.lifespan(open_pool)
    assert bind(annotated("room", Inject[Pool])) is pool


@pytest.mark.parametrize("role", ["payload", "account"])
@pytest.mark.parametrize("annotation", [RoomAlias, Twice, Maybe, NewRoom, Boxed[int]])
def test_the_whole_may_be_an_alias(bind: Bind, role: str, annotation: Any) -> None:
    text = '{"beds": 1, "item": 2}'
    whole = bind(annotated(role, annotation), text, text)
    assert whole == (Box[int](item=2) if annotation == Boxed[int] else Room(beds=1))


@pytest.mark.parametrize("role", ["payload", "account"])
@pytest.mark.parametrize("schema", [RoomAlias, Twice, NewRoom, Declared])
def test_a_schema_may_be_an_alias(run: Run, role: str, schema: Any) -> None:
    declared = {f"{role}_schema": schema}
    handler = annotated(role, dict)
    assert run(handler, ROOM, ROOM, **declared)["data"] == ROOM
    assert run(handler, {}, {}, **declared)["status"] == "error"


def test_a_dict_for_the_whole_may_be_an_alias(run: Run) -> None:
    numbers = make_alias("numbers", dict[str, Whole])
    assert run(annotated("payload", numbers), {"a": 1})["data"] == {"a": 1}
    assert run(annotated("payload", numbers), {"a": "1"})["status"] == "error"
    assert run(annotated("payload", Tree), {"a": {}})["data"] == {"a": {}}
    assert run(annotated("payload", Tree), {"a": 1})["status"] == "error"


def test_a_parameter_and_a_schema_agree_by_what_they_stand_for(
    bind: Bind, register: Callable[..., None]
) -> None:
    text = json.dumps(ROOM)
    assert bind(annotated("room", RoomAlias), text, payload_schema=Room) == Room(beds=1)
    assert bind(annotated("room", Room), text, payload_schema=Twice) == Room(beds=1)
    assert bind(annotated("beds", Whole), text, payload_schema=RoomAlias) == 1
    with pytest.raises(HandlerSignatureError, match="contradicts"):
        register(annotated("beds", NewText), payload_schema=RoomAlias)


def test_handles_takes_an_alias(provider: Provider) -> None:
    provider.actions.handles(Twice, name="room")(annotated("first", RoomAlias))
    assert provider.process_task("room", ROOM)["data"] == ROOM


RESULTS: dict[str, tuple[Any, Any]] = {
    "a model": (RoomAlias, {"beds": "x"}),
    "a list of models": (Rooms, [{"beds": "x"}]),
    "an optional": (Maybe, {"beds": "x"}),
    "beside a response": (
        make_alias("Answer", ProviderResponse | RoomAlias),
        {"beds": "x"},
    ),
    "generic": (Pair[RoomAlias], [ROOM, {"beds": "x"}]),
    "a TypedDict": (make_alias("KeyAlias", Key), {"key": 5}),
}


@pytest.mark.parametrize("case", RESULTS)
def test_a_result_is_checked_by_what_its_alias_stands_for(
    run: Run, provider: Provider, case: str
) -> None:
    promised, returned = RESULTS[case]

    def handler():
        return returned

    handler.__annotations__["return"] = promised
    assert "does not fit" in run(handler)["message"]
    exported = export_json_schema(provider.actions, name="x")
    assert "result" in exported["actions"]["action_0"]


def test_an_export_describes_what_an_alias_stands_for(provider: Provider) -> None:
    provider.actions.register("count")(annotated("count", Count))
    provider.actions.register("room")(annotated("room", RoomAlias))
    types = export_json_schema(provider.actions, name="x")["$defs"]
    count = types["CountPayload"]["properties"]["count"]
    assert (count["minimum"], count["description"]) == (1, "how many")
    assert types["RoomPayload"]["properties"]["room"]["$ref"] == "#/$defs/Room"


@pytest.mark.parametrize("name", ["room", "payload", "account"])
def test_what_cannot_be_resolved_is_refused_by_the_parameters_name(
    register: Callable[..., None], name: str
) -> None:
    with pytest.raises(HandlerSignatureError, match=UNKNOWN) as caught:
        register(annotated(name, Unknown))
    assert caught.value.parameter == name


def test_what_cannot_be_resolved_is_refused_everywhere(
    register: Callable[..., None], provider: Provider
) -> None:
    for schema in (Unknown, {"a": Unknown}, {"a": [Unknown]}):
        with pytest.raises(SchemaError, match=UNKNOWN):
            register(annotated("a", Any), payload_schema=schema)
    with pytest.raises(ConfigError, match=UNKNOWN):
        provider.provide(Unknown, 5)

    def handler():
        return None

    handler.__annotations__["return"] = Unknown
    with pytest.raises(RegistrationError, match=UNKNOWN):
        register(handler)


def test_it_is_what_it_stands_for_with_a_hub(make: Callable[..., Provider]) -> None:
    provider = make()
    provider.actions.register("room")(annotated("room", RoomAlias))
    with LocalHub(token="token-of-this-provider") as hub, running(provider, hub):
        assert hub.submit("room", {"room": ROOM}).result(20).data == ROOM
        assert hub.submit("room", {"room": {}}).result(20).status == "error"


STATEMENTS = """
from pydantic import BaseModel
from arbvantage_provider import TaskContext

class Room(BaseModel):
    beds: int

type Alias = Room
type Later = list[Second]
type Second = Room
type Pair[T] = tuple[T, T]
type Swapped[K, V] = dict[V, K]
type Tree = dict[str, Tree]
type Grown[T] = T | list[Grown[T]]
type Context = TaskContext
type Unknown = Missing

def room(alias: Alias, later: Later, pair: Pair[Alias], swapped: Swapped[int, str],
         tree: Tree, grown: Grown[int], context: Context):
    kinds = [type(each).__name__ for each in (alias, later[0], pair[1], context)]
    return [*kinds, swapped, tree, grown]

def unknown(unknown: Unknown):
    pass
"""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="a statement of Python 3.12")
def test_the_statement_is_the_same(run: Run, register: Callable[..., None]) -> None:
    module: dict[str, Any] = {"__name__": __name__}
    exec(STATEMENTS, module)
    payload = {
        "alias": ROOM,
        "later": [ROOM],
        "pair": [ROOM, ROOM],
        "swapped": {"a": 1},
        "tree": {"a": {}},
        "grown": [1, [2]],
    }
    kinds = ["Room", "Room", "Room", "TaskContext"]
    expected = [*kinds, {"a": 1}, {"a": {}}, [1, [2]]]
    assert run(module["room"], payload)["data"] == expected
    for wrong in ({"tree": {"a": 1}}, {"grown": [1, ["2"]]}, {"swapped": {"a": "b"}}):
        assert run(module["room"], payload | wrong)["status"] == "error"
    with pytest.raises(HandlerSignatureError, match=UNKNOWN):
        register(module["unknown"])
