"""The models take what the dicts take, refuse what they refuse, and say the same."""

import importlib
import json
import re
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from arbvantage_provider import Provider
from arbvantage_provider.codegen.generated import list_generated
from arbvantage_provider.codegen.models import export_models

SHAPES = """
import dataclasses
import datetime as dt
import enum
import typing
import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, Optional, Union

from pydantic import AfterValidator, BaseModel, Field, PositiveInt, UUID4
from pydantic import StringConstraints
from typing_extensions import TypedDict

from arbvantage_provider import Provider, optional

List: Any = typing.List
T = typing.TypeVar("T")


class Color(enum.Enum):
    RED = "red"
    NONE = "5"


class Level(enum.IntEnum):
    LOW = 1


class Point(BaseModel):
    x: int


class Page(BaseModel, typing.Generic[T]):
    items: list[T]


@dataclasses.dataclass
class Size:
    class Unit(enum.Enum):
        CM = "cm"

    width: int


class Label(TypedDict):
    text: str


class Pair(NamedTuple):
    left: int
    right: str


def check_even(number: int) -> int:
    if number % 2:
        raise ValueError("odd")
    return number


SHAPES = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "bytes": bytes,
    "datetime": dt.datetime,
    "date": dt.date,
    "time": dt.time,
    "timedelta": dt.timedelta,
    "Decimal": Decimal,
    "UUID": uuid.UUID,
    "Any": Any,
    "Enum": Color,
    "IntEnum": Level,
    "inner Enum": Size.Unit,
    "BaseModel": Point,
    "generic model": Page[int],
    "dataclass": Size,
    "TypedDict": Label,
    "NamedTuple": Pair,
    "bare list": list,
    "bare dict": dict,
    "bare tuple": tuple,
    "bare set": set,
    "dict": {"k": int},
    "empty dict": {},
    "list": list[int],
    "list of dicts": [{"k": int}],
    "typing list of dicts": List[{"k": dt.datetime}],
    "lists of lists": [[{"k": int}]],
    "map": dict[str, int],
    "map of dicts": typing.Dict[str, {"k": Optional[int]}],
    "tuple": tuple[int, str],
    "endless tuple": tuple[int, ...],
    "no tuple": tuple[()],
    "set": set[int],
    "frozenset": frozenset[str],
    "Sequence": Sequence[int],
    "Mapping": Mapping[str, dt.date],
    "Literal": Literal["a", "red"],
    "mixed Literal": Literal["a", 1, True, None],
    "Enum in Literal": Literal[Color.RED],
    "union": Union[int, str],
    "union of numbers": int | float,
    "union of containers": list[int] | dict[str, int],
    "optional dict": optional({"k": int}),
    "Optional": Optional[int],
    "Optional datetime": dt.datetime | None,
    "list of Optional": list[Optional[int]],
    "constrained int": Annotated[int, Field(ge=1, lt=10)],
    "constrained list": Annotated[list[int], Field(min_length=1, max_length=2)],
    "constrained text": Annotated[str, Field(pattern="^[a-z]+$", max_length=3)],
    "stripped text": Annotated[str, StringConstraints(strip_whitespace=True)],
    "PositiveInt": PositiveInt,
    "UUID4": UUID4,
    "checked": Annotated[int, AfterValidator(check_even)],
    "optional constrained": Annotated[int, Field(ge=1)] | None,
    "constrained optional": Annotated[Optional[int], Field(description="maybe")],
    "list of constrained": list[Annotated[int, Field(ge=1)]],
    "default": Annotated[int, Field(default=3, description="how many")],
    "default None": Annotated[int, Field(default=None)],
    "default list": Annotated[list[int], Field(default_factory=list)],
    "default Enum": Annotated[Color, Field(default=Color.RED)],
    "default Decimal": Annotated[Decimal, Field(default=Decimal("1.50"))],
    "described": Annotated[str, Field(title="T", examples=["a"])],
    "extra of the schema": Annotated[str, Field(json_schema_extra={"x": [1]})],
}

provider = Provider("shapes", log_level="CRITICAL", execution_timeout=30)
for name, shape in SHAPES.items():
    declared = {"value": shape, "inner": {"value": shape}, "items": [{"value": shape}]}
    register = provider.actions.register(name, payload_schema=declared)
    register(lambda payload: payload)
"""

VALUES: list[Any] = [
    *(None, True, False, 0, 1, 2, 1.0, 1.5, -1, 10**30, "", "a", "aaaa", " a ", "5"),
    *("red", "cm", "2026-01-31", "2026-01-31T09:30:00Z", "1769850000", "12:30"),
    *("PT1H", "3600", "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "http://a.b/", "1.50"),
    *("NaN", [], [1], [1.0], [1, 2, 3], [None], ["a"], [1, "a"], [True], [[]], {}),
    *([[{"k": 1}]], [{"k": 1}], [{"k": "2026-01-31"}], {"k": 1}, {"k": "x"}),
    *({"k": None}, {"x": 1}, {"x": "1"}, {"items": [1]}, {"text": "a"}),
    *({"width": 1}, {"width": 1.0}, {"left": 1, "right": "a"}, {"a": {"k": None}}),
    *({"a": {}}, {"a": "2026-01-31"}),
]
DOCUMENTS: list[Any] = [
    *(
        {"value": value, "inner": {"value": value}, "items": [{"value": value}]}
        for value in VALUES
    ),
    *({}, {"inner": {}, "items": [{}]}, {"value": 1, "inner": 1, "items": {}}),
    {"value": "a", "inner": {"value": "a"}, "items": [{"value": "a"}], "other": 1},
]


@pytest.fixture(scope="module")
def modules(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[ModuleType, ModuleType]]:
    """The program above, and the models that were generated from it."""
    folder = tmp_path_factory.mktemp("shapes")
    (folder / "shapes.py").write_text(SHAPES)
    sys.path.insert(0, str(folder))
    shapes = importlib.import_module("shapes")
    code = export_models(shapes.provider.actions, name="shapes")
    (folder / "shapes_models.py").write_text(code)
    importlib.invalidate_caches()
    yield shapes, importlib.import_module("shapes_models")
    sys.path.remove(str(folder))
    del sys.modules["shapes"], sys.modules["shapes_models"]


@pytest.fixture(scope="module")
def providers(modules: tuple[ModuleType, ModuleType]) -> tuple[Provider, Provider]:
    """The program's provider, and one whose actions take the models."""
    legacy: Provider = modules[0].provider
    typed = Provider("typed", log_level="CRITICAL", execution_timeout=30)
    for made in list_generated(legacy.actions.get_actions().values()):
        if made.action:
            model = getattr(modules[1], made.name)
            typed.actions.register(made.action.name, payload_schema=model)(_echo)
    return legacy, typed


def _echo(payload: Any) -> Any:
    return payload


NAMES = re.findall(r'^    "(.*?)": ', SHAPES, re.MULTILINE)


def test_every_shape_is_looked_at(providers: tuple[Provider, Provider]) -> None:
    assert [*providers[0].actions] == [*providers[1].actions] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_model_has_the_json_schema_of_the_dict(
    providers: tuple[Provider, Provider], name: str
) -> None:
    legacy, typed = (
        _drop_titles(p.actions[name].payload.adapter.json_schema()) for p in providers
    )
    # As docs/from-dicts-to-models.md says: a docstring, and optional fields' default.
    assert typed.pop("description") == f"The payload of the action {name!r}."
    for key, field in typed["properties"].items():
        if key not in legacy.get("required", ()) and field.get("default", 0) is None:
            legacy["properties"][key].setdefault("default", None)
    assert typed == legacy


@pytest.mark.parametrize("name", NAMES)
def test_a_model_gives_the_responses_of_the_dict(
    providers: tuple[Provider, Provider], name: str
) -> None:
    for document in DOCUMENTS:
        legacy, typed = (p.process_task(name, document) for p in providers)
        assert _ignore_kinds(typed) == _ignore_kinds(legacy)


def _drop_titles(node: Any) -> Any:
    """The schema without titles beside references, which say what the key says."""

    def drop(members: dict[str, Any]) -> dict[str, Any]:
        if isinstance(members.get("$ref"), str):
            members.pop("title", None)
        return members

    return json.loads(json.dumps(node), object_hook=drop)


def _ignore_kinds(response: dict[str, Any]) -> Any:
    """The response; what is no object is a ``dict_type`` here, a ``model_type`` there."""
    text = json.dumps(response)
    return json.loads(text.replace('"dict_type"', '"model_type"'))
