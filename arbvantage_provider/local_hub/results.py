"""What the embedded hub keeps of a result."""

from dataclasses import dataclass, field
from typing import Any, cast

import jiter


@dataclass(frozen=True, slots=True, kw_only=True)
class HubResult:
    """One result, as a provider submitted it; the token is not kept.

    Attributes:
        id: the task's id.
        provider: the name that the provider gave.
        status: ``success``, ``error``, ``warning`` or ``limit``.
        action: the task's action, echoed.
        payload: the task's payload text, echoed; not in the repr.
        result: the JSON text of the response.
        account: the task's account text, echoed; not in the repr.
    """

    id: str
    provider: str
    status: str
    action: str
    payload: str = field(repr=False)
    result: str
    account: str = field(repr=False)

    @property
    def response(self) -> dict[str, Any]:
        """The response: ``result``, parsed as strict JSON.

        Raises:
            ValueError: if the provider sent something else than a JSON object.
        """
        try:
            content: object = jiter.from_json(
                self.result.encode(), allow_inf_nan=False, catch_duplicate_keys=True
            )
        except ValueError as error:
            problem = f"the result of {self.id!r} is not JSON: {error}"
            raise ValueError(problem) from None
        if not isinstance(content, dict):
            problem = f"the result of {self.id!r} is JSON, but not an object"
            raise ValueError(problem)  # noqa: TRY004 - the value came from outside
        return cast("dict[str, Any]", content)

    @property
    def message(self) -> str:
        """The response's message."""
        return str(self.response.get("message", ""))

    @property
    def data(self) -> Any:
        """The response's data, in whichever form the provider wraps it."""
        return self.response.get("data")
