"""A call plan as one function that calls the handler, or reads its arguments."""

from collections.abc import Callable
from typing import Any, TypeAlias

from arbvantage_provider.handlers.handler_inputs import LOCAL, Inputs
from arbvantage_provider.handlers.options import ABSENT
from arbvantage_provider.handlers.plan import CallPlan

Invoke: TypeAlias = Callable[[Inputs], Any]
"""Binds the arguments for one task and calls the handler with them."""


def make_invoke(handler: Callable[..., Any], plan: CallPlan) -> Invoke:
    """The function that the worker calls for each task of an action.

    Which form it takes is decided here, once: most handlers have one parameter
    or two, and a loop over them would cost more than the rest of the call.
    """
    if plan.optional:
        return _with_optional(handler, plan)
    if plan.keyword:
        return _with_keywords(handler, plan)
    if len(plan.positional) == 1:
        (read,) = plan.positional
        return lambda inputs: handler(read(inputs))
    if len(plan.positional) == 2:  # noqa: PLR2004 - the case is its own name
        first, second = plan.positional
        return lambda inputs: handler(first(inputs), second(inputs))
    readers = plan.positional
    return lambda inputs: handler(*[read(inputs) for read in readers])


def read_arguments(plan: CallPlan, inputs: Inputs) -> tuple[list[Any], dict[str, Any]]:
    """The arguments by position and by name, for a handler that is called elsewhere.

    What cannot leave this process is left out of ``**kwargs``.
    """
    args = [read(inputs) for read in plan.positional]
    keywords = plan.keyword.items()
    given = {name: read(inputs) for name, read in keywords if read not in LOCAL}
    return args, given | _read_optional(plan, inputs)


def _read_optional(plan: CallPlan, inputs: Inputs) -> dict[str, Any]:
    read = {name: reader(inputs) for name, reader in plan.optional.items()}
    return {name: value for name, value in read.items() if value is not ABSENT}


def _with_optional(handler: Callable[..., Any], plan: CallPlan) -> Invoke:
    readers, keywords = plan.positional, tuple(plan.keyword.items())

    def invoke(inputs: Inputs) -> Any:
        return handler(
            *[read(inputs) for read in readers],
            **{name: read(inputs) for name, read in keywords},
            **_read_optional(plan, inputs),
        )

    return invoke


def _with_keywords(handler: Callable[..., Any], plan: CallPlan) -> Invoke:
    readers, keywords = plan.positional, tuple(plan.keyword.items())

    def invoke(inputs: Inputs) -> Any:
        return handler(
            *[read(inputs) for read in readers],
            **{name: read(inputs) for name, read in keywords},
        )

    return invoke
