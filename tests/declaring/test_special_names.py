"""Names that are filled in, and what their annotations say."""

# pyright: basic, reportGeneralTypeIssues=false, reportAttributeAccessIssue=false

import datetime as dt
import logging
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from arbvantage_provider import HandlerSignatureError, Provider, TaskContext

Bind = Callable[..., Any]
Register = Callable[..., None]


def annotated(name: str, annotation: Any, *, default: str = "") -> Callable[..., Any]:
    namespace: dict[str, Any] = {}
    exec(f"def handler({name}{default}): return {name}", namespace)  # noqa: S102
    namespace["handler"].__annotations__[name] = annotation
    handler: Callable[..., Any] = namespace["handler"]
    return handler


@pytest.mark.parametrize(
    ("name", "annotation", "default"),
    [
        ("timezone", str, ""),
        ("timezone", str, '="UTC"'),
        ("timezone", int, ""),
        ("now", dt.datetime, ""),
        ("now", str | None, "=None"),
        ("now_utc", str, ""),
        ("provider", str, ""),
        ("provider", dict[str, Any], ""),
        ("logger", str, ""),
        ("context", dict, ""),
    ],
)
def test_it_is_refused_where_it_may_be_a_field(
    register: Register, name: str, annotation: Any, default: str
) -> None:
    with pytest.raises(HandlerSignatureError) as caught:
        register(annotated(name, annotation, default=default))
    assert caught.value.parameter == name
    assert "Annotated[str, Field()]" in str(caught.value)
    assert "context: TaskContext" in str(caught.value)


def test_both_ways_out_work(bind: Bind, provider: Provider) -> None:
    field = annotated("timezone", Annotated[str, Field()], default='="UTC"')
    assert bind(field, '{"timezone": "Europe/Riga"}') == "Europe/Riga"
    assert bind(field) == "UTC"
    assert isinstance(bind(annotated("context", TaskContext)), TaskContext)
    assert hasattr(bind(annotated("logger", logging.Logger)), "info")
    assert bind(annotated("timezone", Any), '{"timezone": "x"}') == "UTC"
    assert bind(lambda timezone="x": timezone, '{"timezone": "y"}') == "UTC"


def test_a_field_of_a_declared_schema_wins(bind: Bind) -> None:
    schema = {"payload_schema": {"timezone": int, "logger": str}}
    text = '{"timezone": 5, "logger": "x"}'
    assert bind(annotated("timezone", int), text, **schema) == 5
    assert bind(annotated("logger", str), text, **schema) == "x"


@pytest.mark.parametrize(
    ("name", "annotation"),
    [
        ("timezone", int),
        ("timezone", int | float),
        ("timezone", dt.tzinfo),
        ("timezone", list[str]),
        ("now", int),
        ("now", dt.date),
        ("now_utc", bool),
        ("provider", str),
        ("provider", Provider),
        ("logger", str),
        ("context", dict),
    ],
)
def test_an_annotation_of_another_type_is_refused(
    register: Register, name: str, annotation: Any
) -> None:
    for handler in (
        annotated(name, annotation),
        annotated(name, annotation, default="=None"),
    ):
        with pytest.raises(
            HandlerSignatureError, match="is not what a param"
        ) as caught:
            register(handler, payload_schema={"a": int})
        assert caught.value.parameter == name


@pytest.mark.parametrize(
    ("name", "annotation"),
    [
        ("timezone", str),
        ("timezone", str | None),
        ("timezone", Literal["UTC"]),
        ("timezone", object),
        ("now", str),
        ("now", dt.datetime),
        ("now", str | dt.datetime),
        ("now_utc", dt.datetime | None),
        ("provider", Mapping[str, Any]),
        ("provider", dict),
        ("logger", logging.LoggerAdapter),
        ("context", Any),
    ],
)
def test_an_annotation_of_its_type_is_taken(
    bind: Bind, name: str, annotation: Any
) -> None:
    assert bind(annotated(name, annotation), payload_schema={}) is not None


def test_beside_a_whole_payload_it_is_filled_in(provider: Provider) -> None:
    @provider.actions.register("whole")
    def whole(payload: dict[str, Any], timezone: str) -> list[Any]:
        return [payload, timezone]

    answer = provider.process_task("whole", {"timezone": "x"})
    assert answer["data"] == [{"timezone": "x"}, "UTC"]


class Users:
    def find(self, user_id: int) -> int:
        return user_id

    def by_field(self, cls: str) -> str:
        return cls

    @staticmethod
    def static(user_id: int) -> int:
        return user_id

    class Inner:
        def find(self: "Users", user_id: int) -> int:
            return user_id


class OfClass:
    @classmethod
    def find(cls, user_id: int) -> int:
        return user_id


def outside(self, user_id):
    return self, user_id


@pytest.mark.parametrize("options", [{}, {"payload_schema": {"user_id": int}}])
@pytest.mark.parametrize(
    "handler", [Users.find, Users.Inner.find, OfClass.find.__func__, outside]
)
def test_a_function_that_is_not_bound_is_refused(
    register: Register, handler: Any, options: dict[str, Any]
) -> None:
    with pytest.raises(
        HandlerSignatureError, match=r"not bound.*self\.actions\.register"
    ):
        register(handler, **options)


def test_it_is_refused_in_the_body_of_a_class(provider: Provider) -> None:
    with pytest.raises(HandlerSignatureError, match="not bound") as caught:

        class Mine:
            @provider.actions.register()
            async def find(self, user_id: int) -> int:
                return user_id

    assert caught.value.parameter == "self"
    assert not len(provider.actions)


def test_a_static_method_of_the_body_of_a_class_is_a_handler(
    provider: Provider,
) -> None:
    class Mine:
        @staticmethod
        @provider.actions.register()
        def inner(user_id: int) -> int:
            return user_id

        @provider.actions.register()
        @staticmethod
        def outer(user_id: int) -> int:
            return user_id

    for name in ("inner", "outer"):
        assert provider.process_task(name, {"user_id": 5})["data"] == 5


def test_what_is_bound_is_a_handler(bind: Bind, provider: Provider) -> None:
    for index, handler in enumerate((Users().find, OfClass.find, Users.static)):
        provider.actions.register(f"bound {index}")(handler)
        assert provider.process_task(f"bound {index}", {"user_id": 5})["data"] == 5
    provider.actions.register("named")(Users().by_field)
    assert provider.process_task("named", {"cls": "x"})["data"] == "x"


def test_a_field_may_be_called_self_outside_of_a_class(bind: Bind) -> None:
    assert bind(annotated("self", str), '{"self": "x"}') == "x"
    schema = {"payload_schema": {"self": str}}
    assert bind(lambda self: self, '{"self": "x"}', **schema) == "x"
