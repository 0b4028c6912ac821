"""``arbvantage codegen``: files, exit codes, and what is said."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

PROGRAM = """
from arbvantage_provider import Provider

provider = Provider("shop")


@provider.actions.register(payload_schema={"item": str})
def order(payload): ...
"""


@pytest.fixture
def program(folder: Path) -> Path:
    """A file with one action, in the current folder."""
    file = folder / "program.py"
    file.write_text(PROGRAM)
    return file


def test_code_goes_to_stdout(program: Path, arbvantage: Run) -> None:
    done = arbvantage("codegen", str(program))
    assert (done.returncode, done.stderr) == (0, "")
    assert "class OrderPayload(StrictModel):" in done.stdout


@pytest.mark.parametrize(
    ("words", "file"), [([], "models.py"), (["--stubs"], "program.pyi")]
)
def test_the_file_holds_what_stdout_would(
    program: Path, arbvantage: Run, words: list[str], file: str
) -> None:
    expected = arbvantage("codegen", "program.py", *words).stdout
    done = arbvantage("codegen", "program.py", *words, "-o", file)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"wrote {file}\n")
    assert (program.parent / file).read_text(encoding="utf-8") == expected


def test_a_file_that_is_there_is_replaced_only_by_force(
    program: Path, arbvantage: Run
) -> None:
    file = program.with_name("models.py")
    file.write_text("mine = 1\n")
    refused = arbvantage("codegen", "program.py", "-o", "models.py")
    problem = "Error: models.py is there already; --force replaces it\n"
    assert (refused.returncode, refused.stderr) == (1, problem)
    assert file.read_text() == "mine = 1\n"
    assert (
        arbvantage("codegen", "program.py", "-o", "models.py", "--force").returncode
        == 0
    )
    assert "OrderPayload" in file.read_text()


def test_a_file_that_holds_the_code_already_is_fine(
    program: Path, arbvantage: Run
) -> None:
    for _ in range(2):
        assert arbvantage("codegen", str(program), "-o", "models.py").returncode == 0


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["-o", "program.py", "--force"], "this is the provider itself"),
        (["-o", "models.pyi"], "a .pyi is written by --stubs"),
        (["-o", "program.py", "--stubs"], "a stub's file ends in .pyi"),
    ],
)
def test_a_file_that_cannot_be_meant_is_wrong_usage(
    program: Path, arbvantage: Run, words: list[str], problem: str
) -> None:
    done = arbvantage("codegen", "program.py", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Error: -o {words[1]}: {problem}")
    assert program.read_text() == PROGRAM


def test_a_folder_that_is_not_there_is_a_failure(
    program: Path, arbvantage: Run
) -> None:
    done = arbvantage("codegen", str(program), "-o", "no/models.py")
    problem = "Error: no/models.py cannot be written: No such file or directory\n"
    assert (done.returncode, done.stderr) == (1, problem)


@pytest.mark.parametrize("words", [[], ["--stubs"]])
def test_a_provider_without_dict_schemas_has_nothing_to_write(
    folder: Path, arbvantage: Run, words: list[str]
) -> None:
    text = PROGRAM.replace('payload_schema={"item": str}', "")
    (folder / "program.py").write_text(text)
    done = arbvantage("codegen", "program.py", *words)
    problem = (
        "Error: no action of 'shop' has a dict schema: there is nothing to write\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "", problem)


def test_a_target_that_is_not_there_is_wrong_usage(
    folder: Path, arbvantage: Run
) -> None:
    done = arbvantage("codegen", str(folder / "shop.py"))
    assert done.returncode == 2
    assert "there is no file" in done.stderr


def test_models_that_import_from_the_provider_come_with_a_note(
    folder: Path, arbvantage: Run
) -> None:
    text = PROGRAM.replace("provider = ", "class Item(str): ...\n\n\nprovider = ")
    text = text.replace(
        "class Item(str): ...", "import enum\nclass Item(enum.Enum):\n    A = 1"
    )
    text = text.replace('{"item": str}', '{"item": Item}')
    (folder / "program.py").write_text(text)
    done = arbvantage("codegen", "program.py")
    assert "\nfrom program import Item\n" in done.stdout
    assert done.stderr.startswith("note: the models import from 'program', so ")


def test_a_file_whose_name_is_taken_cannot_be_imported_from(
    folder: Path, arbvantage: Run
) -> None:
    text = 'import enum\nclass Item(enum.Enum):\n    A = "a"\n' + PROGRAM
    (folder / "my-shop.py").write_text(text.replace('{"item": str}', '{"item": Item}'))
    done = arbvantage("codegen", "my-shop.py")
    problem = "Item is defined in my-shop.py, which cannot be imported by that name"
    assert (done.returncode, done.stderr) == (
        1,
        f"Error: OrderPayload['item']: {problem}\n",
    )


INSIDE = """
from arbvantage_provider import Provider


class Shop(Provider):
    def __init__(self):
        super().__init__("shop")

        @self.actions.register(payload_schema={"item": str})
        def order(payload): ...

        @self.actions.register(payload_schema={"item": str})
        def cancel(payload): ...
"""


def test_handlers_inside_a_function_cannot_stand_in_a_stub(
    folder: Path, arbvantage: Run
) -> None:
    (folder / "program.py").write_text(INSIDE)
    done = arbvantage("codegen", "program.py", "--stubs")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "Error: no handler can stand in a stub: 'order' is defined inside "
        "Shop.__init__, which a stub does not show; move it to the top of the module "
        "(and 1 more); models can be written for them: leave out --stubs\n"
    )
    assert arbvantage("codegen", "program.py").returncode == 0


def test_a_handler_inside_a_function_is_left_out_with_a_note(
    folder: Path, arbvantage: Run
) -> None:
    text = PROGRAM + (
        "\n\ndef set_up():\n"
        '    @provider.actions.register(payload_schema={"item": str})\n'
        "    def cancel(payload): ...\n\n\n"
        "set_up()\n"
        'provider.actions.register("short", payload_schema={})(lambda payload: 1)\n'
    )
    (folder / "program.py").write_text(text)
    done = arbvantage("codegen", "program.py", "--stubs")
    assert done.returncode == 0
    assert done.stderr == (
        "note: 'cancel' is left out: it is defined inside set_up, which a stub does "
        "not show; move it to the top of the module\n"
        "note: 'short' is left out: it is no function with a name\n"
    )
    assert "class OrderPayload(TypedDict):" in done.stdout
    assert "CancelPayload" not in done.stdout


def test_the_stub_is_that_of_the_module_that_holds_the_handlers(
    folder: Path, arbvantage: Run
) -> None:
    (folder / "handlers.py").write_text(PROGRAM)
    (folder / "program.py").write_text("from handlers import provider\n")
    done = arbvantage("codegen", "program.py", "--stubs")
    assert (done.returncode, done.stderr) == (0, "")
    assert "def order(payload: OrderPayload) -> Any: ..." in done.stdout


@pytest.fixture
def modules(folder: Path) -> None:
    """Two modules with handlers of one provider, and a third one that has it."""
    (folder / "one.py").write_text(PROGRAM)
    (folder / "two.py").write_text(
        "from one import provider\n"
        '@provider.actions.register(payload_schema={"item": str})\n'
        "def cancel(payload): ...\n"
    )
    (folder / "program.py").write_text("import two\nfrom one import provider\n")


@pytest.mark.usefixtures("modules")
def test_handlers_of_several_other_modules_are_no_one_stub(arbvantage: Run) -> None:
    done = arbvantage("codegen", "program.py", "--stubs")
    problem = "the handlers are defined in 'one' and 'two'; a stub is for one module"
    assert (done.returncode, done.stderr) == (1, f"Error: {problem}\n")


@pytest.mark.usefixtures("modules")
def test_of_several_modules_the_target_s_own_gets_the_stub(arbvantage: Run) -> None:
    done = arbvantage("codegen", "two", "--stubs")
    assert done.returncode == 0
    assert done.stderr == "note: 'order' is left out: it is defined in 'one'\n"
    assert "def cancel(payload: CancelPayload) -> Any: ..." in done.stdout


def test_a_stub_of_a_file_that_cannot_be_imported_is_written(
    folder: Path, arbvantage: Run
) -> None:
    text = 'import enum\nclass Item(enum.Enum):\n    A = "a"\n' + PROGRAM
    (folder / "my-shop.py").write_text(text.replace('{"item": str}', '{"item": Item}'))
    done = arbvantage("codegen", "my-shop.py", "--stubs")
    assert done.returncode == 0
    assert "class OrderPayload(TypedDict):\n    item: Item\n" in done.stdout
