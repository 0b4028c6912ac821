"""Every block of code in README.md and docs/ does what it shows.

Python blocks of a page run in order, in one namespace. Of a console block, the
commands that are shown with output are run, and must print just that.
"""

import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from sybil import Example, Sybil
from sybil.example import SybilFailure
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PYTHON = Sybil([PythonCodeBlockParser()])
TEXT = Sybil([CodeBlockParser("text", lambda _: None)])

# Where commands need files: the blocks of the page that show them.
FILES = {"command.md": {"shop.py": PYTHON, "tasks.jsonl": TEXT}}

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def run_session(folder: Path, block: Example) -> str | None:
    """Run what a console block shows with output; what differs, if anything does."""
    session = re.split(r"^\$ ", str(block.parsed), flags=re.MULTILINE)[1:]
    for command, _, shown in (part.partition("\n") for part in session):
        if shown:
            words = ["sh", "-c", command]
            printed = subprocess.run(
                words,
                cwd=folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=60,
                check=False,
            ).stdout
            # Results come in the order in which the tasks are done.
            order = sorted if "arbvantage run" in command else list
            if order(printed.splitlines()) != order(shown.splitlines()):
                return f"$ {command}\nprints\n{printed}\nand not\n{shown}"
    return None


def parse_sessions(folder: Path) -> Sybil:
    return Sybil([CodeBlockParser("console", partial(run_session, folder))])


def write_page(folder: Path, *lines: str) -> Path:
    page = folder / "page.md"
    page.write_text("\n".join(lines), encoding="utf-8")
    return page


@each_page
@pytest.mark.usefixtures("folder")
def test_the_python_blocks_of_a_page_run(page: Path) -> None:
    for block in PYTHON.parse(page):
        block.evaluate()


@each_page
def test_the_commands_of_a_page_print_what_it_shows(page: Path, folder: Path) -> None:
    (folder / "examples").symlink_to(ROOT / "examples")
    for name, blocks in FILES.get(page.name, {}).items():
        first = next(iter(blocks.parse(page)))
        (folder / name).write_text(first.parsed, encoding="utf-8")

    for block in parse_sessions(folder).parse(page):
        block.evaluate()


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if "def test_" in page.read_text(encoding="utf-8")],
    ids=lambda page: page.name,
)
def test_the_tests_that_a_page_shows_pass(page: Path, folder: Path) -> None:
    lines = [""] * len(page.read_text(encoding="utf-8").splitlines())
    for block in PYTHON.parse(page):
        code = str(block.parsed).splitlines()
        lines[block.line : block.line + len(code)] = code
    (folder / "test_page.py").write_text("\n".join(lines), encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "test_page.py"],
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@each_page
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_a_wrong_python_block_fails_at_its_line(folder: Path) -> None:
    page = write_page(folder, "words", "", "```python", "x = 1", "assert x == 2", "```")
    (block,) = PYTHON.parse(page)

    with pytest.raises(AssertionError) as failure:
        block.evaluate()
    last = failure.traceback[-1]
    assert (Path(last.path).name, last.lineno + 1) == ("page.md", 5)


def test_a_command_that_prints_something_else_fails(folder: Path) -> None:
    page = write_page(folder, "```console", "$ echo one", "two", "```")
    (block,) = parse_sessions(folder).parse(page)

    with pytest.raises(SybilFailure, match=r"\$ echo one\nprints\none\n\nand not\ntwo"):
        block.evaluate()
