"""Where classes and functions can be imported from."""

import sys
from pathlib import PurePath
from typing import Any

_SHOWN_AT_THE_TOP = frozenset({"arbvantage_provider", "pydantic"})
"""Packages that define their names in modules which nobody imports from."""


class UnspeakableError(ValueError):
    """A type or value cannot be written as Python source."""


def locate(thing: Any, home: str = "") -> tuple[str, str]:
    """The module and the dotted name that a class or function is imported by.

    Args:
        thing: the class or function.
        home: the module that is written for, where no import is needed.

    Raises:
        UnspeakableError: if no import leads to it.
    """
    module, name = getattr(thing, "__module__", None), _name(thing)
    if not isinstance(module, str) or not name:
        problem = f"{thing!r} has no name that it could be imported by"
        raise UnspeakableError(problem)
    if "<" in name:
        problem = f"{name.rpartition('.')[2]} is defined inside a function"
        raise UnspeakableError(f"{problem}; move it to the top of its module")
    module = _shorten(module, name, thing)
    if _follow(module, name) is not thing:
        problem = f"{module} has no {name} that is the one in the schema"
        raise UnspeakableError(f"{problem}; give it a name at the top of its module")
    if module != home:
        _check_module(module, name)
    return module, name


def _name(thing: Any) -> str:
    name = getattr(thing, "__qualname__", None) or getattr(thing, "__name__", None)
    return name if isinstance(name, str) else ""


def _follow(module: str, name: str) -> Any:
    found: Any = sys.modules.get(module)
    for step in name.split("."):
        found = getattr(found, step, None)
    return found


def _shorten(module: str, name: str, thing: Any) -> str:
    """The package that shows a name of one of its private modules."""
    parts = module.split(".")
    is_hidden = parts[0] in _SHOWN_AT_THE_TOP or any(p.startswith("_") for p in parts)
    parents = [".".join(parts[:end]) for end in range(1, len(parts))]
    shown = (parent for parent in parents if _follow(parent, name) is thing)
    return next(shown, module) if is_hidden else module


def _check_module(module: str, name: str) -> None:
    """A file that was imported under another name cannot be imported by its own."""
    if module.partition(".")[0] in sys.stdlib_module_names:
        return
    file = PurePath(getattr(sys.modules[module], "__file__", None) or "")
    if file.stem not in ("", "__init__", module.rpartition(".")[2]):
        problem = f"{name} is defined in {file.name}"
        raise UnspeakableError(f"{problem}, which cannot be imported by that name")
