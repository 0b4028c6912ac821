"""Handlers that run in an executor, and are run again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sent
from pydantic import BaseModel, model_validator

from arbvantage_provider import (
    HandlerSignatureError,
    Inject,
    ProcessPool,
    Provider,
    Retry,
)
from arbvantage_provider.testing import LocalHub, running

Make = Callable[..., Provider]
FAST = Retry(on=OSError, tries=3, first=0.001)


def test_a_handler_in_a_process_is_run_until_it_does_not_raise(
    hub: LocalHub, make_provider: Make, tmp_path: Path
) -> None:
    provider = make_provider(ProcessPool, max_concurrency=1)
    register = provider.actions.register
    register("flaky", retry=FAST, max_concurrency=1)(sent.fail_times)
    with running(provider, hub):
        passes = hub.submit("flaky", {"folder": str(tmp_path), "times": 2}).result(60)
        fails = hub.submit("flaky", {"folder": str(tmp_path), "times": 9}).result(60)
        other = hub.submit("add", {"a": 1, "b": 2}).result(60)
    assert (passes.status, passes.data) == ("success", 3)
    assert fails.message == "OSError: run 6"
    assert other.data == 3


def test_what_a_lifespan_made_cannot_be_sent() -> None:
    provider = Provider("shop")

    def work(pool: Inject[dict[str, Any]]) -> None:
        """Never runs."""

    with pytest.raises(HandlerSignatureError, match=r"'pool'.* cannot be sent"):
        provider.actions.register(executor=ProcessPool)(work)


def test_a_payload_that_is_refused_the_second_time_ends_only_its_task(
    hub: LocalHub, make_provider: Make, tmp_path: Path
) -> None:
    provider = make_provider(ProcessPool, max_concurrency=1)
    seen: list[int] = []

    class Once(BaseModel):
        folder: str
        times: int

        @model_validator(mode="after")
        def pass_once(self) -> "Once":
            seen.append(1)
            if len(seen) > 1:
                problem = "used already"
                raise ValueError(problem)
            return self

    register = provider.actions.register
    register("flaky", payload_schema=Once, retry=FAST)(sent.fail_times)
    with running(provider, hub):
        result = hub.submit("flaky", {"folder": str(tmp_path), "times": 9}).result(60)
        other = hub.submit("add", {"a": 1, "b": 2}).result(60)
    assert result.message == "OSError: run 1"
    assert other.data == 3
