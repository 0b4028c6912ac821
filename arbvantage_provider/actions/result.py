"""What a handler's return annotation promises of its result."""

import inspect
from collections.abc import Awaitable
from typing import Any, Final, Union, get_args, get_origin

from pydantic import TypeAdapter, ValidationError

from arbvantage_provider.exceptions import HandlerSignatureError, Violation
from arbvantage_provider.handlers.types import (
    UNIONS,
    is_model,
    is_typed_dict,
    list_parts,
)
from arbvantage_provider.responses import ProviderResponse, Response
from arbvantage_provider.schema.problems import UNBUILDABLE, describe_problem
from arbvantage_provider.schema.violations import describe_violations

_KEPT: Final = frozenset({"success", "warning"})


def compile_result(
    action: str, returns: Any, *, is_async: bool
) -> TypeAdapter[Any] | None:
    """Checks and describes a success's ``data``, or ``None``: anything goes.

    A promise is an annotation that holds a model, a dataclass or a ``TypedDict``.
    ``ProviderResponse`` promises nothing of its data; beside a model in a union,
    the model does. What a plain function returns is awaited where it can be, so that
    its ``Awaitable[Book]`` promises a ``Book``.

    Raises:
        HandlerSignatureError: if pydantic cannot validate the annotation.
    """
    promised = _drop_response(returns if is_async else _open_awaitable(returns))
    if not _promises(promised):
        return None
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(promised)
        adapter.rebuild(raise_errors=True)
    except UNBUILDABLE as error:
        problem = f"the return annotation: {describe_problem(error)}"
        raise HandlerSignatureError(action, "", problem) from error
    return adapter


class MisfitError(ValueError):
    """A result is not what the handler's return annotation promises.

    Attributes:
        violations: the places, and never a value.
    """

    def __init__(self, violations: list[Violation], count: int) -> None:
        first = violations[0]
        more = f" (and {count - 1} more)" if count > 1 else ""
        super().__init__(f"{first['path']}: {first['message']}{more}")
        self.violations = violations


def validate_result(result: TypeAdapter[Any], response: Response) -> Response:
    """The response, its data as the annotation has it.

    What a task says that did not succeed is not promised anything.

    Raises:
        MisfitError: if the data does not fit.
    """
    if response.status not in _KEPT:
        return response
    try:
        return response._replace(data=result.validate_python(response.data))
    except ValidationError as error:
        violations = describe_violations(error, response.data, "data")
        raise MisfitError(violations, error.error_count()) from None


def _open_awaitable(annotation: Any) -> Any:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin in UNIONS:
        return Union[tuple(map(_open_awaitable, args))]  # noqa: UP007 - known at run time
    is_awaitable = inspect.isclass(origin) and issubclass(origin, Awaitable)
    return args[-1] if is_awaitable else annotation


def _drop_response(annotation: Any) -> Any:
    if get_origin(annotation) not in UNIONS:
        return annotation
    members = tuple(a for a in get_args(annotation) if not _is_response(a))
    return Union[members] if members else annotation  # noqa: UP007 - known at run time


def _is_response(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, ProviderResponse)


def _promises(annotation: Any) -> bool:
    parts = list_parts(annotation)
    if _is_response(parts[0]):
        return False
    return any(_is_promise(part) for part in parts)


def _is_promise(part: Any) -> bool:
    return is_typed_dict(part) or (is_model(part) and not _is_response(part))
