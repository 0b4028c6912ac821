"""What ``executor=`` takes: an executor, or what makes one."""

from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, TypeAlias

ExecutorSource: TypeAlias = Executor | Callable[[], Executor]
"""An executor, which stays its owner's; or a function without arguments that makes
one, which is called again when that one is broken."""


def find_problem(executor: Any) -> str:
    """What is wrong with this ``executor=``; ``""``: nothing, or there is none."""
    if executor is None or isinstance(executor, Executor) or callable(executor):
        return ""
    return (
        f"executor is {executor!r}; give a concurrent.futures.Executor, "
        "or a function without arguments that returns one"
    )
