"""Generated source, laid out by ``ruff format`` where ruff is installed.

Elsewhere it is as it was put together: one statement a line, and long heads of
functions and imports with an item a line.
"""

import shutil
import subprocess
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 88
"""Columns of a line, ruff's default."""

STEP: Final = " " * 4

_OPTIONS: Final = (
    "--isolated",
    # What was broken here for want of ruff is joined again where it fits.
    *("--config", "format.skip-magic-trailing-comma = true"),
    *("--config", f"line-length = {WIDTH}"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """One parameter of a function, as it is written.

    Attributes:
        name: with its stars; ``*`` and ``/`` alone are parameters, too.
        annotation: an expression, or ``""``.
        default: an expression, or ``""``.
    """

    name: str
    annotation: str = ""
    default: str = ""

    def format(self) -> str:
        """``name: annotation = default``."""
        declared = f"{self.name}: {self.annotation}" if self.annotation else self.name
        equals = " = " if self.annotation else "="
        return f"{declared}{equals}{self.default}" if self.default else declared


def format_source(code: str, *, is_stub: bool = False) -> str:
    """The code as ``ruff format`` lays it out; as it is where there is no ruff."""
    ruff = shutil.which("ruff", path=sysconfig.get_path("scripts"))
    ruff = ruff or shutil.which("ruff")
    if ruff is None:
        return code
    name = "code.pyi" if is_stub else "code.py"
    words = [ruff, "format", *_OPTIONS, "--stdin-filename", name, "-"]
    try:
        done = subprocess.run(words, input=code.encode(), capture_output=True)  # noqa: S603, PLW1510 - a program of the user's own environment; it is asked below
    except OSError:
        return code
    return code if done.returncode else done.stdout.decode()


def format_function(
    head: str, parameters: Sequence[Parameter], returns: str, *, indent: str = ""
) -> str:
    """A function with ``...`` for a body.

    Args:
        head: such as ``async def create_user``.
        parameters: in order.
        returns: the annotation of what it returns, or ``""``.
        indent: spaces before it.
    """
    result = f" -> {returns}" if returns else ""
    items = [each.format() for each in parameters]
    return indent + _join(f"{head}(", items, f"){result}: ...", indent=indent)


def format_import(module: str, names: Sequence[str], *, indent: str = "") -> str:
    """``from module import names``; a name may be ``X as Y``."""
    head, whole = f"from {module} import ", ", ".join(names)
    if len(indent + head + whole) <= WIDTH:
        return indent + head + whole
    return indent + _join(f"{head}(", names, ")", indent=indent)


def _join(opening: str, items: Sequence[str], closing: str, *, indent: str) -> str:
    """The items on one line, or on a line each where that is too long."""
    whole = f"{opening}{', '.join(items)}{closing}"
    if len(indent + whole) <= WIDTH or not items:
        return whole
    lines = "".join(f"{indent}{STEP}{item},\n" for item in items)
    return f"{opening}\n{lines}{indent}{closing}"
