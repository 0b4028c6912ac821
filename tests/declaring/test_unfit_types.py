"""A field that no JSON fits is refused when it is declared."""

# pyright: basic

import dataclasses
import enum
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Optional, Protocol, Union

import pytest
from pydantic import BaseModel, ConfigDict, ImportString, InstanceOf, create_model
from typing_extensions import TypedDict

from arbvantage_provider import Provider, SchemaError, StrictModel

Receive = Callable[[Any, str], Any]


class Foreign:
    """A class that has no JSON form."""


class Speaks(Protocol):
    def speak(self) -> None: ...


class Open(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)


class OpenStrict(StrictModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)


UNFIT: list[Any] = [
    *(Callable, Callable[[int], str], Callable[..., Any]),
    *(type, type[int], type[BaseModel], type[Any]),
    *(InstanceOf[Foreign], Foreign, Speaks),
    *(ImportString, ImportString[Any], Literal[b"x"], type(...)),
]
make_list: Any = list
make_typed_dict: Any = TypedDict
make_named_tuple: Any = NamedTuple


@pytest.mark.parametrize("unfit", UNFIT)
@pytest.mark.parametrize(
    ("wrap", "path"),
    [
        (lambda unfit: {"a": unfit}, "payload_schema.a"),
        (lambda unfit: {"a": {"b": unfit}}, "payload_schema.a"),
        (lambda unfit: {"a": [unfit]}, "payload_schema.a"),
        (lambda unfit: {"a": dict[str, unfit]}, "payload_schema.a"),
        (lambda unfit: {"a": tuple[int, unfit]}, "payload_schema.a"),
        (lambda unfit: {"a": Union[unfit, InstanceOf[Foreign]]}, "payload_schema.a"),  # noqa: UP007
        (lambda unfit: make_typed_dict("D", {"a": unfit}), "payload_schema"),
        (
            lambda unfit: dataclasses.make_dataclass("C", [("a", unfit)]),
            "payload_schema",
        ),
        (
            lambda unfit: {"n": make_named_tuple("N", [("a", unfit)])},
            "payload_schema.n",
        ),
    ],
)
def test_what_no_json_fits_is_refused_with_its_place(
    register: Callable[..., None], unfit: Any, wrap: Callable[[Any], Any], path: str
) -> None:
    with pytest.raises(SchemaError) as caught:
        register(lambda: None, payload_schema=wrap(unfit))
    assert caught.value.path.startswith(path)


@pytest.mark.parametrize(
    "unfit", [Callable[[], None], type[int], InstanceOf[Foreign], Foreign]
)
@pytest.mark.parametrize("base", [Open, OpenStrict])
def test_a_model_that_no_json_fits_is_refused_with_the_field(
    register: Callable[..., None], unfit: Any, base: Any
) -> None:
    inner: Any = create_model("Inner", __base__=base, call=(unfit, ...))
    outer: Any = create_model("Outer", items=(make_list[inner], ...))
    with pytest.raises(SchemaError, match=r"no JSON value fits this type") as caught:
        register(lambda: None, payload_schema=outer)
    assert caught.value.path == "payload_schema.items[].call"


def test_a_parameter_that_no_json_fits_is_refused(
    register: Callable[..., None],
) -> None:
    def handler(count: int, done: Callable[[], None]) -> None:
        """Never registered."""

    def whole(payload: dict[str, type]) -> None:
        """Never registered."""

    with pytest.raises(SchemaError) as caught:
        register(handler)
    assert caught.value.path == "signature.done"
    with pytest.raises(SchemaError):
        register(whole)


def test_an_account_that_no_json_fits_is_refused(
    register: Callable[..., None],
) -> None:
    with pytest.raises(SchemaError) as caught:
        register(lambda account: None, account_schema={"a": Callable})
    assert caught.value.path == "account_schema.a"


def test_what_need_not_be_there_is_taken(receive: Receive, provider: Provider) -> None:
    class Job(BaseModel):
        name: str
        done: Callable[[], str] = str
        kind: type | None = None

    assert receive(Job, '{"name": "a"}').done is str
    assert receive({"a": Optional[Callable], "b": int}, '{"b": 1}') == {  # noqa: UP045
        "a": None,
        "b": 1,
    }

    @provider.actions.register()
    def handler(count: int, done: Callable[[], str] | None = None) -> int:
        return count

    assert provider.process_task("handler", {"count": 1})["data"] == 1


@pytest.mark.parametrize(
    "declared",
    [Optional[ImportString], Union[int, ImportString], list[ImportString]],  # noqa: UP007, UP045
)
def test_no_payload_says_what_to_import(
    register: Callable[..., None], declared: Any
) -> None:
    defaulted: Any = create_model("Model", a=(declared, None))
    for schema in ({"a": declared}, defaulted):
        with pytest.raises(SchemaError, match="ImportString imports") as caught:
            register(lambda: None, payload_schema=schema)
        assert caught.value.path.startswith("payload_schema.a")


class Lacking:
    """A type whose library is not installed, as pydantic's ``EmailStr`` may be."""

    @classmethod
    def __get_pydantic_core_schema__(cls, *_: Any) -> Any:
        raise ImportError("run `pip install 'pydantic[email]'`")


@pytest.mark.parametrize("schema", [{"a": Lacking}, {"b": list[Lacking]}])
def test_a_type_whose_library_is_missing_is_refused_with_its_place(
    schema: Any, provider: Provider
) -> None:
    with pytest.raises(SchemaError, match=r"pip install") as caught:
        provider.actions.register("tried", payload_schema=schema)(lambda: None)
    assert caught.value.path.startswith("payload_schema.")


class Color(enum.Enum):
    RED = "red"
    PAIR = (1, 2)


class Pairs(enum.Enum):
    PAIR = (1, 2)


RED: Any = Literal[Color.RED]


@pytest.mark.parametrize(
    ("declared", "default", "message"),
    [
        (RED, ..., r"is Color\.RED; write its value, Literal\['red'\]"),
        (RED, Color.RED, r"write its value, Literal\['red'\]"),
        (RED | None, None, r"write its value, Literal\['red'\]"),
        (RED | int, ..., r"write its value, Literal\['red'\]"),
        (list[Literal["x", Color.RED]], ..., r"write its value, Literal\['red'\]"),
        (Literal[Color.PAIR, "x"], ..., "write one that JSON has"),
        (Literal[b"x", "x"], ..., "write one that JSON has"),
    ],
)
def test_a_member_that_no_payload_can_give_is_refused(
    register: Callable[..., None], declared: Any, default: Any, message: str
) -> None:
    model: Any = create_model("Model", kind=(declared, default))
    for schema in (model, {"in": model}, {"in": [model]}, {"in": Union[model, int]}):  # noqa: UP007
        with pytest.raises(SchemaError, match=message) as caught:
            register(lambda: None, payload_schema=schema)
        assert ".kind" in caught.value.path


def test_an_enum_without_a_value_of_json_is_refused(
    register: Callable[..., None],
) -> None:
    for schema in ({"kind": Pairs}, create_model("Model", kind=(Pairs, ...))):
        with pytest.raises(SchemaError, match="no JSON value fits") as caught:
            register(lambda: None, payload_schema=schema)
        assert caught.value.path == "payload_schema.kind"


def test_strict_forms_take_a_member_by_its_value(receive: Receive) -> None:
    strict: Any = create_model("Strict", __base__=StrictModel, kind=(RED, ...))
    fields = make_typed_dict("Fields", {"kind": RED})
    for schema in (strict, fields, {"kind": RED}):
        assert dict(receive(schema, '{"kind": "red"}')) == {"kind": Color.RED}
    with pytest.raises(SchemaError, match="write one that JSON has"):
        receive({"kind": Literal["x", Color.PAIR]}, '{"kind": "x"}')
    assert receive({"kind": Color}, '{"kind": "red"}') == {"kind": Color.RED}
