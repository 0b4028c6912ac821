"""The module that a TARGET names, imported as Python itself would.

A file is imported with its folder first on ``sys.path``, as ``python file.py``
has it; a module with the current folder there, as ``python -m module`` has it.
Its name is never ``__main__``, so what a program does when it is started stays
undone.
"""

import importlib
import importlib.util
import sys
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import cast

from arbvantage_provider.cli.errors import Failure, Misuse, suggest
from arbvantage_provider.cli.user_code import run_theirs


def import_source(source: str) -> ModuleType:
    """The module behind ``package.module`` or ``folder/file.py``.

    Raises:
        Misuse: if there is no such module or file.
        Failure: if it raises while it is imported.
    """
    if source.endswith(".py"):
        return _import_file(Path(source))
    if not all(part.isidentifier() for part in source.split(".")):
        raise Misuse(_refuse_name(source))
    return _import_module(source)


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        files = sorted(map(str, path.parent.glob("*.py")))
        problem = f"there is no file {str(path)!r}{suggest(str(path), files)}"
        raise Misuse(problem)
    path = path.resolve()
    _put_first(path.parent)
    name = _name_file(path)
    loader = SourceFileLoader(name, str(path))
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    module = importlib.util.module_from_spec(cast("ModuleSpec", spec))
    sys.modules[name] = module
    try:
        run_theirs(
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
        return run_theirs(
            lambda: importlib.import_module(name), f"{name} cannot be imported"
        )
    except Failure as failure:
        if _is_missing(name, failure.__cause__):
            raise Misuse(_refuse_module(name)) from None
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
