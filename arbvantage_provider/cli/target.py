"""TARGET: from what is typed to the provider that is meant.

TARGET is ``module``, ``module:name``, ``file.py`` or ``file.py:name``; the name
may be dotted. It names an instance, a subclass of ``Provider``, or a factory.
"""

import importlib
import importlib.util
import inspect
import sys
import typing
from collections.abc import Callable
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, cast

from arbvantage_provider.cli.errors import CommandError, UsageError, suggest
from arbvantage_provider.cli.user_code import run_user_code
from arbvantage_provider.executors.importing import importing
from arbvantage_provider.provider import Provider

FACTORY_NAMES = ("create_provider", "make_provider")
"""Functions of these names count as factories without any annotation."""


def import_source(source: str) -> ModuleType:
    """The module behind ``package.module`` or ``folder/file.py``.

    Raises:
        UsageError: if there is no such module or file.
        CommandError: if it raises while it is imported.
    """
    if source.endswith(".py"):
        return _import_file(Path(source))
    if not all(part.isidentifier() for part in source.split(".")):
        raise UsageError(_refuse_name(source))
    return _import_module(source)


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        files = sorted(map(str, path.parent.glob("*.py")))
        problem = f"there is no file {str(path)!r}{suggest(str(path), files)}"
        raise UsageError(problem)
    path = path.resolve()
    _put_first(path.parent)
    name = _name_file(path)
    loader = SourceFileLoader(name, str(path))
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    module = importlib.util.module_from_spec(cast("ModuleSpec", spec))
    sys.modules[name] = module
    try:
        run_user_code(
            lambda: loader.exec_module(module), f"{path.name} cannot be imported"
        )
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _name_file(path: Path) -> str:
    """The file's own name, or one that hides no module that is there already."""
    name = path.stem
    taken = name in sys.modules or name in sys.stdlib_module_names
    return name if name.isidentifier() and not taken else f"provider_file_{name}"


def _import_module(name: str) -> ModuleType:
    _put_first(Path.cwd())
    try:
        return run_user_code(
            lambda: importlib.import_module(name), f"{name} cannot be imported"
        )
    except CommandError as failure:
        if _is_missing(name, failure.__cause__):
            raise UsageError(_refuse_module(name)) from None
        raise


def _is_missing(name: str, cause: BaseException | None) -> bool:
    """Whether ``name`` is not there, rather than something that it imports."""
    if not isinstance(cause, ModuleNotFoundError) or not cause.name:
        return False
    return name == cause.name or name.startswith(f"{cause.name}.")


def _refuse_module(name: str) -> str:
    """That there is no such module, and what may have been meant."""
    file, dot, attr = name.partition(".py.")
    if dot:
        return f"there is no module {name!r}; did you mean '{file}.py:{attr}'?"
    parent, _, last = name.rpartition(".")
    if parent in sys.modules and hasattr(sys.modules[parent], last):
        return f"there is no module {name!r}; did you mean '{parent}:{last}'?"
    folder = Path(*parent.split(".")) if parent else Path()
    found = [entry.stem for entry in folder.glob("*") if _holds_code(entry)]
    names = sorted(f"{parent}.{stem}" if parent else stem for stem in found)
    return f"there is no module {name!r} here{suggest(name, names)}"


def _holds_code(entry: Path) -> bool:
    return entry.suffix == ".py" or (entry / "__init__.py").is_file()


def _refuse_name(source: str) -> str:
    """Why ``source`` can be no module's name, and what may have been meant."""
    as_file = Path(f"{source}.py")
    if source and as_file.is_file():
        return f"{source!r} is no module; did you mean {str(as_file)!r}?"
    return (
        f"{source!r} is neither a file that ends in .py nor the name of a module; "
        "write 'provider.py', 'package.module', or one of them with ':name' after it"
    )


def _put_first(folder: Path) -> None:
    if sys.path[:1] != [str(folder)]:
        sys.path.insert(0, str(folder))
    importlib.invalidate_caches()


def load_provider(target: str) -> Provider:
    """The provider that TARGET names, built if it is not built yet.

    Without a name, it is the only one that the module holds: an instance, or
    else a subclass, or else a factory.

    Raises:
        UsageError: if nothing is there, or it is no provider, or there are several.
        CommandError: if the user's program raises while it is imported or called.
    """
    source, name = split_target(target)
    with importing("this command"):
        module = import_source(source)
        if name:
            return _build(_find_named(module, source, name), name)
        name, found = _find_only(module, source)
        return _build(found, name)


def split_target(target: str) -> tuple[str, str]:
    """``file.py:name`` as its two parts; the name is ``""`` where there is none."""
    if target.endswith(".py") or ":" not in target:
        return target, ""
    source, _, name = target.rpartition(":")
    return source, name


def _find_named(module: ModuleType, source: str, name: str) -> Any:
    found: Any = module
    for step in name.split("."):
        try:
            found = getattr(found, step)
        except AttributeError:
            names = [known for known in dir(found) if not known.startswith("_")]
            problem = f"{source!r} has no {name!r}{suggest(step, names)}"
            raise UsageError(problem) from None
    return found


def _find_only(module: ModuleType, source: str) -> tuple[str, Any]:
    """The only instance, or else the only subclass, or else the only factory."""
    kinds: tuple[Callable[[Any], bool], ...] = (
        _is_instance,
        lambda value: _is_class(value) and _is_own(value, module),
        lambda value: _is_factory(value) and _is_own(value, module),
    )
    for is_meant in kinds:
        found = _collect(module, is_meant)
        if len(found) > 1:
            names = " and ".join(repr(name) for name in found)
            first = f"{source}:{next(iter(found))}"
            problem = f"{source!r} holds {names}; say which one, as in {first!r}"
            raise UsageError(problem)
        if found:
            return found.popitem()
    raise UsageError(_refuse_empty(module, source))


def _collect(module: ModuleType, is_meant: Callable[[Any], bool]) -> dict[str, Any]:
    """Each object that is meant, once, under its first public name."""
    found: dict[str, Any] = {}
    for name, value in list(vars(module).items()):
        known = any(value is other for other in found.values())
        if not name.startswith("_") and not known and is_meant(value):
            found[name] = value
    return found


def _is_own(value: Any, module: ModuleType) -> bool:
    """Whether it is of the module, or of the package; not what it merely imports."""
    return f"{value.__module__}.".startswith(f"{module.__name__}.")


def _is_instance(value: Any) -> bool:
    return isinstance(value, Provider)


def _is_class(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, Provider)


def _is_factory(value: Any) -> bool:
    """Whether a function is annotated, or named, as one that makes a provider."""
    if not isinstance(value, FunctionType):
        return False
    if value.__name__ in FACTORY_NAMES:
        return True
    try:
        returned = typing.get_type_hints(value).get("return")
    except Exception:  # noqa: BLE001 - any annotation may raise; then it says nothing
        return False
    return _is_class(returned)


def _refuse_empty(module: ModuleType, source: str) -> str:
    problem = f"{source!r} holds no provider"
    imported = [name for name in _collect(module, _is_class) if name != "Provider"]
    if imported:
        return f"{problem} of its own; did you mean '{source}:{imported[0]}'?"
    factories = " or ".join(repr(name) for name in FACTORY_NAMES)
    return (
        f"{problem}: no instance or subclass of Provider, and no function that is "
        f"annotated to return one or is called {factories}"
    )


def _build(found: Any, name: str) -> Provider:
    """The instance that ``found`` is, or returns."""
    if isinstance(found, Provider):
        return found
    if not callable(found):
        problem = (
            f"{name!r} is no provider but a value of type {type(found).__name__}; "
            "name a Provider, a subclass of it, or a function that returns one"
        )
        raise UsageError(problem)
    _check_callable(found, name)
    made = run_user_code(found, f"{name}() failed")
    if isinstance(made, Provider):
        return made
    kind = type(made).__name__
    problem = f"{name!r} is no provider: calling it gave a value of type {kind}"
    raise UsageError(problem)


def _check_callable(found: Callable[..., Any], name: str) -> None:
    if inspect.iscoroutinefunction(found):
        problem = f"{name!r} is async; a factory must return the provider itself"
        raise UsageError(problem)
    required = _list_required(found)
    if required:
        problem = (
            f"{name!r} needs arguments ({', '.join(required)}); name an instance, or "
            "a function without required parameters that returns one"
        )
        raise UsageError(problem)


def _list_required(found: Callable[..., Any]) -> list[str]:
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        return []
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [
        parameter.name
        for parameter in parameters
        if parameter.default is inspect.Parameter.empty
        and parameter.kind not in variadic
    ]
