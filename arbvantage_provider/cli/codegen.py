"""``arbvantage codegen``: dict schemas as typed code."""

import ast
import sys
from collections.abc import Mapping
from pathlib import Path

from arbvantage_provider.cli.errors import CommandError, UsageError
from arbvantage_provider.cli.output import Emit, is_unicode, open_output, say
from arbvantage_provider.cli.target import load_provider, split_target
from arbvantage_provider.codegen.imports import UnspeakableError
from arbvantage_provider.codegen.models import export_models
from arbvantage_provider.codegen.stubs import Home, export_stub, find_homes
from arbvantage_provider.provider import Provider


def write_code(target: str, *, output: str | None, stubs: bool, force: bool) -> None:
    """Write the models, or the stub, of TARGET.

    Args:
        target: which provider.
        output: the file to write; stdout if left out.
        stubs: whether to write a stub.
        force: whether a file that is there already may be replaced.
    """
    _check_output(output, target, stubs=stubs)
    with open_output() as emit:
        provider = load_provider(target)
        homes = find_homes(provider.actions)
        if not homes:
            problem = f"no action of {provider.name!r} has a dict schema"
            raise CommandError(f"{problem}: there is nothing to write")
        try:
            code = (
                _write_stub(target, provider, homes)
                if stubs
                else _write_models(provider, homes)
            )
        except (UnspeakableError, OSError) as error:
            raise CommandError(str(error)) from error
        _deliver(code, output, force=force, emit=emit)


def _check_output(output: str | None, target: str, *, stubs: bool) -> None:
    if output is None:
        return
    if stubs is not output.endswith(".pyi"):
        problem = (
            "a stub's file ends in .pyi" if stubs else "a .pyi is written by --stubs"
        )
        raise UsageError(f"-o {output}: {problem}")
    if Path(output).resolve() == Path(split_target(target)[0]).resolve():
        raise UsageError(f"-o {output}: this is the provider itself; name another file")


def _write_models(provider: Provider, homes: Mapping[str, Home]) -> str:
    code = export_models(provider.actions, name=provider.name)
    for module in sorted(
        _list_imported(code) & {home.module for home in homes.values()}
    ):
        say(
            f"note: the models import from {module!r}, so {module!r} cannot import "
            "them; move what they need to a module of its own, or the models into "
            f"{module!r}"
        )
    return code


def _list_imported(code: str) -> set[str]:
    """The modules that are imported when the code runs."""
    body = ast.parse(code).body
    return {each.module or "" for each in body if isinstance(each, ast.ImportFrom)}


def _write_stub(target: str, provider: Provider, homes: Mapping[str, Home]) -> str:
    name = _choose_module(split_target(target)[0], homes)
    for action, home in homes.items():
        if not home.is_in_reach:
            say(f"note: {action!r} is left out: it {_describe(home)}")
        elif home.module != name:
            say(f"note: {action!r} is left out: it is defined in {home.module!r}")
    return export_stub(provider.actions, sys.modules[name])


def _choose_module(source: str, homes: Mapping[str, Home]) -> str:
    """The module of TARGET, or else the only one that holds handlers."""
    modules = sorted({home.module for home in homes.values() if home.is_in_reach})
    own = [module for module in modules if _is_source(module, source)]
    if not own and len(modules) != 1:
        raise CommandError(_refuse(modules, homes))
    return own[0] if own else modules[0]


def _is_source(module: str, source: str) -> bool:
    file = getattr(sys.modules[module], "__file__", None) or ""
    return module == source or Path(file).resolve() == Path(source).resolve()


def _refuse(modules: list[str], homes: Mapping[str, Home]) -> str:
    if modules:
        names = " and ".join(map(repr, modules))
        return f"the handlers are defined in {names}; a stub is for one module"
    action, home = next(iter(homes.items()))
    more = f" (and {len(homes) - 1} more)" if len(homes) > 1 else ""
    return (
        f"no handler can stand in a stub: {action!r} {_describe(home)}{more}; models "
        "can be written for them: leave out --stubs"
    )


def _describe(home: Home) -> str:
    outer, inside, _ = home.name.partition(".<locals>")
    if inside:
        return (
            f"is defined inside {outer}, which a stub does not show; move it to the "
            "top of the module"
        )
    return "is no function with a name"


def _deliver(code: str, output: str | None, *, force: bool, emit: Emit) -> None:
    if output is None:
        # Code is UTF-8: in another encoding, Python would not read it again.
        if not code.isascii() and not is_unicode():
            problem = "stdout cannot hold all characters of the code"
            raise CommandError(f"{problem}; give -o FILE")
        emit(code.rstrip("\n"))
        return
    file, content = Path(output), code.encode()
    try:
        if file.exists() and not force and file.read_bytes() != content:
            problem = f"{output} is there already; --force replaces it"
            raise CommandError(problem)
        file.write_bytes(content)
    except OSError as error:
        raise CommandError(f"{output} cannot be written: {error.strerror}") from error
    say(f"wrote {output}")
