"""``**options: Unpack[Options]``, whose keys are fields of the payload."""

# pyright: basic, reportGeneralTypeIssues=false
# ruff: noqa: UP044

import typing
from collections.abc import Callable
from typing import Annotated, Any, Generic, NotRequired, Required, TypeVar

import pytest
import typing_extensions
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import ReadOnly, TypedDict, Unpack

from arbvantage_provider import HandlerSignatureError, Inject, Provider, TaskContext
from arbvantage_provider.export import export_json_schema
from arbvantage_provider.testing import LocalHub, running

Bind = Callable[..., Any]
Run = Callable[..., dict[str, Any]]
T = TypeVar("T")


class Room(BaseModel):
    beds: int


class Options(TypedDict):
    floor: Annotated[int, Field(ge=1, description="which")]
    room: NotRequired[Room]
    note: ReadOnly[NotRequired[str | None]]


class Loose(TypedDict, total=False):
    floor: Required[int]
    timezone: str


class Pair(TypedDict, Generic[T]):
    first: T
    second: NotRequired[list[T]]


class Odd(TypedDict):
    context: TaskContext
    rooms: Inject[Room]
    payload: str


Keyed = TypedDict("Keyed", {"first-name": str, "class": NotRequired[int]})


def take(name: str, **options: Unpack[Options]) -> Any:
    return name, options


async def take_async(name: str, **options: Unpack[Options]) -> Any:
    return name, options


def take_typing(name: str, **options: typing.Unpack[Options]) -> Any:
    return name, options


@pytest.mark.parametrize("handler", [take, take_async, take_typing])
def test_its_keys_are_fields(bind: Bind, handler: Any) -> None:
    text = '{"name": "a", "floor": 2, "room": {"beds": 1}, "note": null, "x": 1}'
    expected = {"floor": 2, "room": Room(beds=1), "note": None}
    assert bind(handler, text) == ("a", expected)
    assert bind(handler, '{"name": "a", "floor": 2}') == ("a", {"floor": 2})


@pytest.mark.parametrize(
    "wrong",
    [{}, {"floor": 0}, {"floor": "2"}, {"floor": 2, "room": {}}, {"floor": 1, "x": 1}],
)
def test_what_does_not_fit_is_refused(run: Run, wrong: dict[str, Any]) -> None:
    response = run(take, {"name": "a"} | wrong, extra="forbid")
    assert response["status"] == "error"


def test_an_export_knows_them(provider: Provider) -> None:
    provider.actions.register("take")(take)
    payload = export_json_schema(provider.actions, name="x")["$defs"]["TakePayload"]
    assert sorted(payload["properties"]) == ["floor", "name", "note", "room"]
    assert sorted(payload["required"]) == ["floor", "name"]
    assert payload["properties"]["floor"]["description"] == "which"
    assert "default" not in payload["properties"]["room"]


def test_a_docstring_describes_them(provider: Provider) -> None:
    def loose(**options: Unpack[Loose]) -> None:
        """Do it.

        Args:
            floor: where.
        """

    provider.actions.register()(loose)
    assert provider.actions["loose"].payload.fields["floor"].description == "where."


def test_a_key_may_be_any_text_and_any_name(bind: Bind) -> None:
    def loose(**options: Unpack[Loose]) -> Any:
        return options

    def keyed(**options: Unpack[Keyed]) -> Any:
        return options

    assert bind(loose, '{"floor": 1, "timezone": "x"}') == {"floor": 1, "timezone": "x"}
    assert bind(loose, '{"floor": 1}') == {"floor": 1}
    text = '{"first-name": "a", "class": 1}'
    assert bind(keyed, text) == {"first-name": "a", "class": 1}


def test_a_generic_one_has_its_types(bind: Bind, run: Run) -> None:
    def generic(**options: Unpack[Pair[Room]]) -> Any:
        return options

    text = '{"first": {"beds": 1}, "second": [{"beds": 2}]}'
    assert bind(generic, text) == {"first": Room(beds=1), "second": [Room(beds=2)]}
    assert run(generic, {"first": 1})["status"] == "error"


def test_a_key_may_ask_for_what_is_no_field(bind: Bind, provider: Provider) -> None:
    def odd(**options: Unpack[Odd]) -> Any:
        return options

    provider.provide(Room, room := Room(beds=1))
    options = bind(odd, '{"payload": "x"}')
    assert isinstance(options["context"], TaskContext)
    assert options["rooms"] is room
    assert options["payload"] == "x"


@pytest.mark.parametrize("is_model", [False, True])
def test_a_declared_schema_fills_them(bind: Bind, is_model: bool) -> None:  # noqa: FBT001
    class Payload(BaseModel):
        name: str
        floor: int
        room: Room | None = None

    declared = {"name": str, "floor": int, "room": Room | None, "more": int | None}
    schema = Payload if is_model else declared
    text = '{"name": "a", "floor": 2, "more": 5}'
    assert bind(take, text, payload_schema=schema) == ("a", {"floor": 2})


def test_a_declared_schema_must_agree(register: Callable[..., None]) -> None:
    with pytest.raises(HandlerSignatureError, match="contradicts") as caught:
        register(take, payload_schema={"name": str, "floor": str})
    assert caught.value.parameter == "floor"
    with pytest.raises(HandlerSignatureError, match="nothing can fill it") as caught:
        register(take, payload_schema={"name": str})
    assert caught.value.parameter == "floor"


def repeats(floor: int, **options: Unpack[Options]) -> None: ...
def of_values(**options: Options) -> None: ...
def of_model(**options: Unpack[Room]) -> None: ...  # type: ignore[misc]
def positional(*args: Unpack[tuple[int, str]]) -> None: ...
def positional_dict(*args: Unpack[Options]) -> None: ...  # type: ignore[misc]
def of_one_type(name: str, **counts: int) -> None: ...


@pytest.mark.parametrize(
    ("handler", "mentioned"),
    [
        (repeats, "key of the TypedDict"),
        (of_values, r"write Unpack\["),
        (of_model, "Unpack takes a TypedDict"),
        (positional, "always empty"),
        (positional_dict, "always empty"),
        (of_one_type, r"write Unpack\["),
    ],
)
def test_what_would_lose_a_payload_is_refused(
    register: Callable[..., None], handler: Any, mentioned: str
) -> None:
    with pytest.raises(HandlerSignatureError, match=mentioned):
        register(handler)


def test_they_come_with_a_hub(make: Callable[..., Provider]) -> None:
    provider = make()

    @provider.actions.register("floor")
    def floor(**options: typing_extensions.Unpack[Loose]) -> Any:
        return options

    with LocalHub(token="token-of-this-provider") as hub, running(provider, hub):
        assert hub.submit("floor", {"floor": 2}).result(20).data == {"floor": 2}
        assert hub.submit("floor", {}).result(20).status == "error"


class Defaulted(TypedDict, total=False):
    floor: Required[Annotated[int, Field(default=3)]]
    beds: Annotated[int, Field(default=2, ge=1)]


def test_a_default_of_a_key_counts(bind: Bind) -> None:
    def handler(**options: Unpack[Defaulted]) -> Any:
        return options

    assert bind(handler) == {"floor": 3, "beds": 2}
    assert bind(handler, '{"beds": 5}') == {"floor": 3, "beds": 5}


def test_metadata_around_it_changes_nothing(bind: Bind) -> None:
    def handler(**options: Annotated[Unpack[Loose], "what is wanted"]) -> Any:
        return options

    assert bind(handler, '{"floor": 5}') == {"floor": 5}


@pytest.mark.parametrize("around", [NotRequired, Required])
def test_a_key_may_be_said_to_be_required_inside_annotated(
    run: Run, around: Any
) -> None:
    ge, le = Annotated[int, Field(ge=1)], Field(le=5)
    floor = typing.cast("Any", Annotated)[around[ge], le]
    options = typing.cast("Any", TypedDict)("options", {"floor": floor})

    def handler(**options: Any) -> Any:
        return options

    handler.__annotations__["options"] = Unpack[options]
    assert run(handler, {"floor": 3})["data"] == {"floor": 3}
    assert run(handler)["status"] == ("success" if around is NotRequired else "error")
    for floor in (0, 6):
        assert run(handler, {"floor": floor})["status"] == "error"


def test_what_a_parameter_cannot_have_is_refused(register: Callable[..., None]) -> None:
    class Lowered(TypedDict):
        __pydantic_config__ = ConfigDict(str_to_lower=True)  # type: ignore[misc]

        name: str

    def handler(**options: Unpack[Lowered]) -> None: ...

    with pytest.raises(HandlerSignatureError, match="write payload: Lowered"):
        register(handler)


def test_it_is_refused_where_it_means_nothing(provider: Provider) -> None:
    def optional(**options: Any) -> None: ...

    optional.__annotations__["options"] = typing.Union[Unpack[Loose], None]  # noqa: UP007

    def named(options: Any) -> None: ...

    named.__annotations__["options"] = Unpack[Loose]

    for handler, remedy in [
        (optional, "leave out"),
        (named, "write **name: Unpack[…]"),
    ]:
        with pytest.raises(HandlerSignatureError) as caught:
            provider.actions.register("tried")(handler)
        assert remedy in str(caught.value)
