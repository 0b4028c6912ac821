"""What a return annotation promises is checked."""

# pyright: basic

import asyncio
import socket
from collections.abc import Awaitable, Coroutine
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel
from typing_extensions import TypedDict

from arbvantage_provider import HandlerSignatureError, Provider, ProviderResponse


class Weather(BaseModel):
    city: str
    degrees: float = 0.0


@dataclass
class Place:
    city: str


class Row(TypedDict):
    city: str


def make(provider: Provider, returns: Any, value: Any) -> Any:
    """The response to a task whose handler has this annotation, and returns this."""

    def handler() -> Any:
        return value

    handler.__annotations__["return"] = returns
    provider.actions.register("asked")(handler)
    return provider.process_task("asked", {})


@pytest.mark.parametrize(
    ("returns", "value", "data"),
    [
        (Weather, Weather(city="Riga"), {"city": "Riga", "degrees": 0.0}),
        (Weather, {"city": "Riga"}, {"city": "Riga", "degrees": 0.0}),
        (Place, Place("Riga"), {"city": "Riga"}),
        (Place, {"city": "Riga"}, {"city": "Riga"}),
        (Row, {"city": "Riga"}, {"city": "Riga"}),
        (list[Row], [{"city": "Riga"}], [{"city": "Riga"}]),
        (Weather | None, None, None),
        (Weather | ProviderResponse, {"city": "Riga"}, {"city": "Riga", "degrees": 0}),
    ],
)
def test_a_result_that_keeps_its_promise_is_given_as_promised(
    provider: Provider, returns: Any, value: Any, data: Any
) -> None:
    response = make(provider, returns, value)

    assert response == {"status": "success", "message": "", "data": data}


@pytest.mark.parametrize("returns", [Weather, Row, Place, Weather | ProviderResponse])
@pytest.mark.parametrize("value", [{"town": "hidden-value"}, "hidden-value", None])
def test_a_result_that_breaks_its_promise_is_an_error_that_names_the_place(
    provider: Provider, returns: Any, value: Any
) -> None:
    response = make(provider, returns, value)

    assert response["status"] == "error"
    assert response["message"].startswith("the result of 'asked' does not fit: data")
    assert response["data"]["errors"][0]["path"].startswith("data")
    assert "hidden-value" not in str(response)


def test_the_data_of_a_response_is_checked_too(provider: Provider) -> None:
    answer = ProviderResponse(status="warning", data={"degrees": 3})

    response = make(provider, Weather | ProviderResponse, answer)

    assert response["data"]["errors"] == [
        {"path": "data.city", "type": "missing", "message": "Field required"}
    ]


def test_what_did_not_succeed_promises_nothing(provider: Provider) -> None:
    answer = ProviderResponse(status="error", message="no such city", data={"x": 1})

    response = make(provider, Weather | ProviderResponse, answer)

    assert response == {"status": "error", "message": "no such city", "data": {"x": 1}}


@pytest.mark.parametrize("returns", [dict, dict[str, Any], str, Any, ProviderResponse])
def test_other_annotations_promise_nothing(provider: Provider, returns: Any) -> None:
    assert make(provider, returns, {"a": 1})["data"] == {"a": 1}


def test_an_async_handlers_result_is_checked(provider: Provider) -> None:
    @provider.actions.register()
    async def asked() -> Weather:
        wrong: Any = {"city": 5}
        return wrong

    response = provider.process_task("asked", {})

    assert response["message"] == (
        "the result of 'asked' does not fit: data.city: Input should be a valid string"
    )


@pytest.mark.parametrize(
    "returns",
    [
        *(
            Awaitable[Weather],
            Coroutine[Any, Any, Weather],
            Weather | Awaitable[Weather],
        ),
        *(asyncio.Future[Weather], Awaitable[Weather | ProviderResponse]),
    ],
)
def test_what_a_plain_function_returns_is_checked_when_it_was_awaited(
    provider: Provider, returns: Any
) -> None:
    async def find(degrees: Any) -> Any:
        return {"city": "Riga", "degrees": degrees}

    assert make(provider, returns, find("5"))["data"] == {"city": "Riga", "degrees": 5}
    assert make(Provider("other"), returns, find("x"))["status"] == "error"


def test_an_annotation_that_cannot_be_checked_is_refused(provider: Provider) -> None:
    class Odd(TypedDict):
        socket: "socket.socket"

    def asked() -> Odd:
        raise NotImplementedError

    with pytest.raises(HandlerSignatureError, match="return annotation"):
        provider.actions.register()(asked)
