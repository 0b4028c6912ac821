"""One lifespan: a function that makes what handlers share, and ends it again.

It yields once. What is before the ``yield`` runs when the provider starts, what is
after it when the provider ends.
"""

import contextvars
import functools
import inspect
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
)
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass
from functools import partial
from types import NoneType, TracebackType
from typing import Any, Final, TypeAlias, TypeVar, cast, get_args, get_origin

from typing_extensions import override

from arbvantage_provider.exceptions import LifespanError
from arbvantage_provider.handlers.defaults import EMPTY
from arbvantage_provider.handlers.inject import (
    Dependency,
    find_dependency,
    find_misuse,
    read_kind,
)
from arbvantage_provider.handlers.layers import AnnotationError, evaluate_signature
from arbvantage_provider.handlers.types import is_unsaid
from arbvantage_provider.worker.runtime.threads import ThreadPool

Made: TypeAlias = (
    AsyncIterator[Any]
    | Iterator[Any]
    | AbstractAsyncContextManager[Any]
    | AbstractContextManager[Any]
)
"""What the function of a lifespan returns."""

NOTHING: Final = NoneType
"""The kind of a lifespan that provides no value."""
_YIELDING: Final = frozenset(
    {
        AsyncGenerator,
        AsyncIterable,
        AsyncIterator,
        Generator,
        Iterable,
        Iterator,
        AbstractAsyncContextManager,
        AbstractContextManager,
    }
)
_VARIADIC: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Lifespan:
    """A function that is a lifespan.

    Attributes:
        name: the function's name.
        kind: the type of the value, as the return annotation says it: ``NOTHING``
            for none, ``EMPTY`` where it does not say.
        dependencies: what earlier lifespans must have made for it.
        function: makes the generator, or the context manager.
    """

    name: str
    kind: Any
    dependencies: tuple[Dependency, ...]
    function: Callable[..., Made]

    def make(self, values: Mapping[str, Any]) -> AbstractAsyncContextManager[Any]:
        """What is entered when the provider starts, and left when it ends.

        Raises:
            LifespanError: if what decorates the function made something else of it.
        """
        made = self.function(**values)
        if isinstance(made, AsyncGenerator):
            return _manage_async(cast("AsyncGenerator[Any]", made))
        if isinstance(made, Generator):
            made = _manage(cast("Generator[Any]", made))
        if isinstance(made, AbstractContextManager):
            return _OnThread(made, f"lifespan {self.name}")
        if isinstance(made, AbstractAsyncContextManager):
            return made
        problem = f"it returns a {type(made).__name__}, which is no context manager"
        raise LifespanError(self.name, problem)


def read_lifespan(function: Any) -> Lifespan:
    """What the signature of a lifespan says.

    Raises:
        LifespanError: if it does not yield, or has a parameter that nothing fills.
    """
    name = _find_name(function)
    if not _yields(function):
        problem = (
            "it does not yield; write a function of the form "
            "`async def name() -> AsyncIterator[T]: …; yield value; …`"
        )
        raise LifespanError(name, problem)
    try:
        signature = evaluate_signature(function)
    except AnnotationError as error:
        problem = f"its annotations cannot be resolved ({error.parameter!r}: {error})"
        raise LifespanError(name, problem) from error
    except Exception as error:
        raise LifespanError(name, f"its signature cannot be read: {error}") from error
    dependencies = [
        _read_need(name, parameter)
        for parameter in signature.parameters.values()
        if parameter.kind not in _VARIADIC
    ]
    return Lifespan(
        name=name,
        kind=_read_yielded(signature.return_annotation),
        dependencies=tuple(dependency for dependency in dependencies if dependency),
        function=function,
    )


def _find_name(function: Any) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "__name__", "") or type(function).__name__


def _yields(function: Any) -> bool:
    """Whether it is a generator function, below what decorates it."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    return inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function)


def _read_need(name: str, parameter: inspect.Parameter) -> Dependency | None:
    dependency = find_dependency(parameter)
    if dependency is None and parameter.default is EMPTY:
        problem = "nothing can fill it; annotate it with Inject[…], or leave it out"
    else:
        problem = find_misuse(dependency.kind) if dependency else ""
    if problem:
        raise LifespanError(name, f"parameter {parameter.name!r}: {problem}")
    return dependency


def _read_yielded(returns: Any) -> Any:
    """The kind that ``AsyncIterator[T]``, or the like, tells of."""
    arguments = get_args(returns) if get_origin(returns) in _YIELDING else ()
    kind = read_kind(arguments[0]) if arguments else EMPTY
    if kind is None:  # the alias of ``typing`` tells ``NoneType``, that of ``abc`` not
        return NOTHING
    return EMPTY if is_unsaid(kind) or isinstance(kind, TypeVar) else kind


def _manage_async(made: AsyncGenerator[Any]) -> AbstractAsyncContextManager[Any]:
    return asynccontextmanager(lambda: made)()


def _manage(made: Generator[Any]) -> AbstractContextManager[Any]:
    return contextmanager(lambda: made)()


class _OnThread(AbstractAsyncContextManager[Any]):
    """A sync lifespan, whose two steps may block: both run on one thread of its own.

    They share one context, so that a variable that one sets the other can reset.
    """

    def __init__(self, manager: AbstractContextManager[Any], name: str) -> None:
        self._manager = manager
        self._entered = False
        self._threads = ThreadPool(1, name)
        self._context = contextvars.copy_context()

    @override
    async def __aenter__(self) -> Any:
        entering = self._threads.run(partial(self._context.run, self._enter))
        try:
            return await entering
        except BaseException:
            # A thread cannot be interrupted: what it still opens, it closes then.
            self._threads.run(partial(self._context.run, self._leave)).cancel()
            self._threads.close()
            raise

    @override
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self._threads.run(partial(self._context.run, self._leave))
        finally:
            self._threads.close()

    def _enter(self) -> Any:
        value = self._manager.__enter__()
        self._entered = True
        return value

    def _leave(self) -> None:
        if self._entered:
            self._manager.__exit__(None, None, None)
