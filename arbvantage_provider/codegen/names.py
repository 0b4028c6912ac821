"""Names in generated Python: imported ones, new ones, and fields of any JSON key."""

import keyword
import re
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Final

from arbvantage_provider.codegen.formatter import format_import
from arbvantage_provider.schema.strict import StrictModel

_PROTECTED: Final = ("model_validate", "model_dump")
"""pydantic warns of fields that begin so."""


def is_name(text: str) -> bool:
    """Whether Python takes the text as a name, and takes it as it is."""
    is_kept = unicodedata.normalize("NFKC", text) == text
    return text.isidentifier() and not keyword.iskeyword(text) and is_kept


def name_fields(keys: Collection[str], reserved: Collection[str]) -> dict[str, str]:
    """The field of a model for each JSON key.

    A key that can be a field's name is one; any other key gets a name that is
    like it: ``first-name`` becomes ``first_name``, ``_id`` becomes ``id``, ``class``
    becomes ``class_``. Where that is taken, a number follows.

    Args:
        keys: the keys of one object.
        reserved: names that no field may have.
    """
    kept = {key for key in keys if _is_field(key) and key not in reserved}
    taken = {*kept, *reserved}
    fields: dict[str, str] = {}
    for key in keys:
        fields[key] = key if key in kept else _number(_clean(key), taken)
        taken.add(fields[key])
    return fields


def name_class(wanted: str, taken: Collection[str]) -> str:
    """A class's name: ``wanted`` without what no name may hold; numbered if taken."""
    name = "".join(char for char in wanted if f"_{char}".isidentifier())
    name = unicodedata.normalize("NFKC", name)
    return _number(name if is_name(name) else f"Action{name}", taken)


def name_function(wanted: str, taken: Collection[str]) -> str:
    """A function's name, made as a field's is."""
    name = wanted if is_name(wanted) else _clean(wanted)
    return _number(name, taken)


def _is_field(key: str) -> bool:
    inherited = key.startswith(("_", *_PROTECTED)) or hasattr(StrictModel, key)
    return is_name(key) and not inherited


def _clean(key: str) -> str:
    text = unicodedata.normalize("NFKC", key)
    text = "".join(char if f"_{char}".isidentifier() else "_" for char in text)
    text = re.sub("__+", "_", text).strip("_")
    if not text.isidentifier():
        text = f"field_{text}" if text else "field"
    choices = (text, f"{text}_", f"field_{text}")
    return next(choice for choice in choices if _is_field(choice))


def _number(name: str, taken: Collection[str]) -> str:
    separator = "_" if name.islower() else ""
    numbered, number = name, 1
    while numbered in taken:
        number += 1
        numbered = f"{name}{separator}{number}"
    return numbered


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """The names of one module: those that it defines, and those it imports.

    Attributes:
        module: what the module is called, where that is known.
        defined: names that the module has anyway, with what they stand for where
            that is known.
        imported: the local name of each ``(module, name)``.
    """

    module: str = ""
    defined: dict[str, object] = field(default_factory=dict[str, object])
    imported: dict[tuple[str, str], list[str]] = field(
        default_factory=lambda: defaultdict[tuple[str, str], list[str]](list)
    )

    def refer(self, module: str, name: str, avoid: Collection[str] = ()) -> str:
        """The local name of ``module.name``, which is imported if need be.

        Args:
            module: where it is defined; ``builtins`` needs no import.
            name: what it is called there.
            avoid: names that mean something else where it is written.
        """
        known = self.imported[module, name]
        local = name
        while local in avoid or not self._is_free(local, module, name):
            local += "_"
        if local not in known:
            known.append(local)
        return local

    def _is_free(self, local: str, module: str, name: str) -> bool:
        if local in self.defined:
            meant = getattr(sys.modules.get(module), name, None)
            return meant is not None and self.defined[local] is meant
        return all(
            other == (module, name) or local not in names
            for other, names in self.imported.items()
        )

    def format_imports(
        self, names: Collection[tuple[str, str]] | None = None, *, indent: str = ""
    ) -> str:
        """The imports, sorted and in sections: Python's, others', one's own.

        Args:
            names: the ``(module, name)`` to import; all if left out.
            indent: spaces before each line.
        """
        modules: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for (module, name), locals_ in self.imported.items():
            if names is None or (module, name) in names:
                needed = (
                    each for each in locals_ if self._is_needed(module, name, each)
                )
                modules[module] += [(name, local) for local in needed]
        sections: dict[int, list[str]] = defaultdict(list)
        for module in sorted(modules):
            lines = _format_module(module, modules[module], indent)
            sections[rank_module(module)] += lines
        blocks = ("\n".join(sections[rank]) for rank in sorted(sections))
        return "\n\n".join(filter(None, blocks))

    def _is_needed(self, module: str, name: str, local: str) -> bool:
        is_there = module == "builtins" or local in self.defined
        return local != name or not is_there


def _format_module(
    module: str, names: Iterable[tuple[str, str]], indent: str
) -> list[str]:
    """The imports from one module; each new name has a statement of its own."""
    plain = sorted((name for name, local in names if local == name), key=_rank_name)
    groups = [[f"{name} as {local}"] for name, local in names if local != name]
    groups += [plain] if plain else []
    groups.sort(key=lambda group: _rank_name(group[0]))
    return [format_import(module, group, indent=indent) for group in groups]


def _rank_name(text: str) -> tuple[int, str]:
    """Constants, classes, and others, as isort has them."""
    name = text.partition(" ")[0]
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, text


def rank_module(module: str) -> int:
    """The section of imports that a module belongs to: 0 for Python's own."""
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names:
        return 0
    if top == "arbvantage_provider":
        return 1
    file = getattr(sys.modules.get(top), "__file__", None) or ""
    parts = PurePath(file).parts
    return 1 if "site-packages" in parts or "dist-packages" in parts else 2
