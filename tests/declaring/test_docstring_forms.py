"""Docstrings as people write them."""

# pyright: basic
# ruff: noqa: D205, D415

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
from pydantic import BaseModel

from arbvantage_provider import Provider
from arbvantage_provider.export import export_json_schema

FORMS: dict[str, tuple[str, str, str]] = {
    "no blank line": (
        "Rename it.\n    Args:\n        a: first\n",
        "Rename it.",
        "first",
    ),
    "nothing before": ("Args:\n        a: first\n    ", "", "first"),
    "nothing but an entry": ("Args:\n        a: first", "", "first"),
    "on a line of its own": ("\n    Args:\n        a: first\n    ", "", "first"),
    "arguments": ("Do.\n\n    Arguments:\n        a: first\n", "Do.", "first"),
    "parameters": ("Do.\n    Parameters:\n        a: first\n", "Do.", "first"),
    "tabs": ("Do.\n\tArgs:\n\t\ta: first\n\t\t\tof all\n", "Do.", "first of all"),
    "lines": (
        "Args:\n        a: first\n            of all\n        b: x",
        "",
        "first of all",
    ),
    "a type": ("Do.\n    Args:\n        a (int): first\n", "Do.", "first"),
    "a long type": (
        "Do.\n    Args:\n        a (dict[str, tuple(int)], optional): first\n",
        "Do.",
        "first",
    ),
    "on the next line": (
        "Do.\n    Args:\n        a:\n            first\n",
        "Do.",
        "first",
    ),
    "a section below": (
        "Args:\n        a: first\n    Returns:\n        b: no\n    ",
        "",
        "first",
    ),
    "another section": ("Do.\n    Returns:\n        a: no\n    ", "Do.", ""),
    "two sections": (
        "Do.\n    Returns:\n        x\n    Args:\n        a: first\n",
        "Do.",
        "first",
    ),
    "NumPy": ("Do.\n\n    Parameters\n    ----------\n    a : int\n", "Do.", ""),
    "NumPy at once": ("Parameters\n----------\na : int\n    first\n", "", ""),
    "NumPy without a blank line": (
        "Do.\n    Parameters\n    ----------\n    a : int\n",
        "Do.",
        "",
    ),
    "Sphinx at once": (":param a: first\n:returns: no\n", "", ""),
    "Sphinx without a blank line": ("Do.\n    :param a: first\n", "Do.", ""),
    "Epydoc": ("Do.\n    @param a: first\n", "Do.", ""),
    "a directive": ("Do.\n    .. versionadded:: 2\n", "Do.", ""),
    "by name only": ("Do.\n\n    Keyword Args:\n        a: first\n", "Do.", "first"),
    "others": (
        "Do.\n\n    Args:\n        b: x\n    Other Parameters:\n        a: first\n",
        "Do.",
        "first",
    ),
    "no space": ("Do.\n    Args:\n        b: x\n        a:first\n", "Do.", "first"),
    "Sphinx": ("Do.\n\n    :param a: first\n", "Do.", ""),
    "a colon in the text": (
        "Do.\n    Args:\n        a: see http://x: y\n",
        "Do.",
        "see http://x: y",
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_docstring_may_be_of_any_form(provider: Provider, form: str) -> None:
    text, summary, described = FORMS[form]

    def handler(a: int = 0, b: int = 0) -> None: ...

    handler.__doc__ = text
    provider.actions.register("do")(handler)
    action = provider.actions["do"]
    assert action.description == summary
    assert action.payload.fields["a"].description == described
    exported = export_json_schema(provider.actions, name="x")["$defs"]["DoPayload"]
    assert exported["properties"]["a"].get("description", "") == described


class OnCall:
    def __call__(self, a: int) -> int:
        """Do it.

        Args:
            a: first
        """
        return a


class OnBoth:
    """Does it.

    Args:
        a: of the class
    """

    def __call__(self, a: int) -> int:
        """Args:
        a: first
        """
        return a


class OnClass:
    """Do it.

    Args:
        a: first
    """

    def __init__(self, a: int) -> None: ...


class OnConstructor:
    def __init__(self, a: int) -> None:
        """Do it.

        Args:
            a: first
        """


class Inherited(OnCall):
    """Do it."""


class InheritedTwice(Inherited): ...


class Method:
    def do(self, a: int) -> int:
        """Do it.

        Args:
            a: first
        """
        return a


class Inheriting(Method):
    def do(self, a: int) -> int:
        return a


def unmarked(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that names what it wraps, and nothing else of it."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    call.__wrapped__ = function  # type: ignore[attr-defined]
    return call


class Decorated:
    """A decorator."""

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self.function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)


@pytest.mark.parametrize(
    ("handler", "summary"),
    [
        (OnCall(), "Do it."),
        (functools.partial(OnCall()), "Do it."),
        (OnBoth(), "Does it."),
        (OnClass, "Do it."),
        (OnConstructor, "Do it."),
        (InheritedTwice(), "Do it."),
        (Method().do, "Do it."),
        (Inheriting().do, "Do it."),
        (functools.partial(Method().do), "Do it."),
        (unmarked(Method().do), "Do it."),
        (functools.wraps(Method().do)(lambda **kw: None), "Do it."),
        (Decorated(Method().do), "Do it."),
    ],
)
def test_it_is_found_wherever_it_stands(
    provider: Provider, handler: Any, summary: str
) -> None:
    provider.actions.register("do")(handler)
    assert provider.actions["do"].description == summary
    assert provider.actions["do"].payload.fields["a"].description == "first"


class Silent:
    def __call__(self, a: int) -> int:
        return a


class SilentDict(dict[str, Any]):
    def __call__(self, a: int) -> int:
        return a


@dataclass
class SilentDataclass:
    a: int


class SilentModel(BaseModel):
    a: int


class SilentTuple(NamedTuple):
    a: int


@functools.lru_cache
def silent(a: int) -> int:
    return a


@pytest.mark.parametrize(
    "handler",
    [Silent(), SilentDict(), SilentDataclass, SilentModel, SilentTuple, silent],
)
def test_what_python_says_of_every_class_describes_no_action(
    provider: Provider, handler: Any
) -> None:
    provider.actions.register("do")(handler)
    assert provider.actions["do"].description == ""
