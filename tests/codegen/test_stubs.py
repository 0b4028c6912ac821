"""Stubs: what the handlers receive, and everything else that the module shows."""

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mypy.api
import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
Load = Callable[[str], Any]
PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture
def stub(folder: Path, arbvantage: Run) -> str:
    """The stub of the shop."""
    (folder / "shop.py").write_text((PROGRAMS / "shop.txt").read_text())
    done = arbvantage("codegen", "shop.py", "--stubs")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_stub_of_a_module_is_this(stub: str) -> None:
    assert stub == (PROGRAMS / "shop.pyi.txt").read_text()


def test_every_name_of_the_module_is_in_the_stub(stub: str, load: Load) -> None:
    shown: set[str] = set()
    for node in ast.walk(ast.parse(stub)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            shown.add(node.name)
        elif isinstance(node, ast.alias):
            shown.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            shown.add(node.id)
    names = [name for name in dir(load("shop")) if not name.startswith("_")]
    assert {*names} - {"annotations"} <= shown


BEGINNING = """
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager

from arbvantage_provider import Outcome, Provider, TaskInfo

provider = Provider("shop", log_level="CRITICAL")


@provider.actions.register(payload_schema={"n": int})
def act(n): ...
"""


@pytest.fixture
def write_stub(folder: Path, arbvantage: Run) -> Callable[[str], str]:
    """The stub of a module that begins as above."""

    def write(rest: str) -> str:
        (folder / "app.py").write_text(BEGINNING + rest)
        done = arbvantage("codegen", "app.py", "--stubs")
        assert done.returncode == 0, done.stderr
        return done.stdout

    return write


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (
            "@provider.lifespan\nasync def base() -> AsyncIterator[int]:\n    yield 1",
            "def base() -> AsyncIterator[int]: ...",
        ),
        (
            (
                "@provider.lifespan\n@asynccontextmanager\n"
                "async def base() -> AsyncIterator[int]:\n    if act:\n        yield 1"
            ),
            "def base() -> AsyncIterator[int]: ...",
        ),
        (
            (
                "@provider.middleware\n"
                "async def around(task: TaskInfo) -> AsyncGenerator[None, Outcome]:\n"
                "    outcome = yield\n    print(outcome)"
            ),
            "def around(task: TaskInfo) -> AsyncGenerator[None, Outcome]: ...",
        ),
        (
            "class Box:\n    async def items(self) -> AsyncIterator[int]:\n        yield 1",
            "    def items(self) -> AsyncIterator[int]: ...",
        ),
        (
            (
                "async def outer() -> int:\n    async def inner():\n        yield 1\n"
                "    return 1"
            ),
            "async def outer() -> int: ...",
        ),
        (
            "def base() -> Iterator[int]:\n    yield 1",
            "def base() -> Iterator[int]: ...",
        ),
    ],
)
def test_an_async_generator_is_called_without_being_awaited(
    write_stub: Callable[[str], str], source: str, shown: str
) -> None:
    lines = write_stub(source).splitlines()
    assert shown in lines
    assert f"async {shown}" not in lines


def test_what_has_no_annotation_is_any_but_for_self_and_cls(
    write_stub: Callable[[str], str],
) -> None:
    stub = write_stub(
        "def bare(a, /, b, *c, d=1, **e): ...\n"
        "async def waits(a): ...\n"
        "class Box:\n"
        "    def method(self, a): ...\n"
        "    @classmethod\n    def make(cls, a): ...\n"
        "    @staticmethod\n    def count(a): ...\n"
    )
    assert {
        "def bare(a: Any, /, b: Any, *c: Any, d: Any = 1, **e: Any) -> Any: ...",
        "async def waits(a: Any) -> Any: ...",
        "    def method(self, a: Any) -> Any: ...",
        "    def make(cls, a: Any) -> Any: ...",
        "    def count(a: Any) -> Any: ...",
    } <= {*stub.splitlines()}


@pytest.mark.parametrize("listed", ["", "__all__ = ['first', '_second']\n"])
def test_a_star_import_stands_for_its_names(
    folder: Path, write_stub: Callable[[str], str], listed: str
) -> None:
    (folder / "stars.py").write_text(f"{listed}first = 1\n_second = 2\nthird = 3\n")
    stub = write_stub("from stars import *\nown = 1\n")
    assert "from stars import *\n" in stub
    assert "own: int" in stub
    assert not {"first: int", "_second: int", "third: int"} & {*stub.splitlines()}


GENERICS = """
import asyncio
from functools import partial
from typing import Generic, ParamSpec, TypeVar

from pydantic import BaseModel

T = TypeVar("T")
P = ParamSpec("P")


class Box(Generic[T]):
    empty = []
    by_name = {}
    seen = set()
    first, second = 1, "two"

    def __init__(self):
        self.queue = asyncio.Queue()
        self.plain = dict()

    def __init_subclass__(cls, **options): ...


class Calls(Generic[P]):
    def __init__(self):
        self.held = Box[int]()


class Data(BaseModel, Generic[T]):
    value: T


box, calls, data, known = Box(), Calls(), Data(value=1), Box[int]()
queue, part = asyncio.Queue(), partial(int)
"""


@pytest.mark.once
def test_generic_classes_and_empty_containers_say_what_they_hold(
    folder: Path, write_stub: Callable[[str], str], pytestconfig: pytest.Config
) -> None:
    stub = write_stub(GENERICS)
    assert {
        "    empty = list[Any]()",
        "    by_name = dict[Any, Any]()",
        "    seen = set[Any]()",
        '    first, second = (1, "two")',
        "    queue: asyncio.Queue[Any]",
        "    held: Box[int]",
        "    plain: dict[Any, Any]",
        "    def __init_subclass__(cls, **options: Any) -> None: ...",
        "box: Box[Any]",
        "calls: Calls[...]",
        "data: Data[Any]",
        "known: Box[int]",
        "queue: Queue[Any]",
        "part: partial[Any]",
    } <= {*stub.splitlines()}
    (folder / "app.pyi").write_text(stub)
    cache = pytestconfig.rootpath / ".mypy_cache" / "stubs"
    words = ["--strict", "--follow-imports=silent", "--config-file="]
    found, problem, code = mypy.api.run([*words, "--cache-dir", str(cache), "app.pyi"])
    assert (code, problem) == (0, ""), found


@pytest.mark.skipif(sys.version_info < (3, 12), reason="a statement of Python 3.12")
def test_an_alias_is_declared_once(write_stub: Callable[[str], str]) -> None:
    stub = write_stub("type Id = int\nknown = Id\n")
    assert "type Id = int" in stub
    assert "Id: " not in stub
