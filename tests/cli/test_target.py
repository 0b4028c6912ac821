"""TARGET: what is typed, and which provider is meant."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from arbvantage_provider.cli.errors import CommandError
from arbvantage_provider.cli.target import load_provider, split_target

Run = Callable[..., subprocess.CompletedProcess[str]]

HEAD = "from arbvantage_provider import Provider\n"
CLASS = """
class Mine(Provider):
    def __init__(self) -> None:
        super().__init__(name="built")
"""
INSTANCE = "provider = Provider('instance')\n"


def write(folder: Path, code: str, name: str = "mine.py") -> None:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(HEAD + code)


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        ("mine", ("mine", "")),
        ("mine:provider", ("mine", "provider")),
        ("mine.py", ("mine.py", "")),
        ("a/b.py:Make.it", ("a/b.py", "Make.it")),
        (r"C:\a\b.py", (r"C:\a\b.py", "")),
        (r"C:\a\b.py:it", (r"C:\a\b.py", "it")),
    ],
)
def test_a_target_has_a_source_and_perhaps_a_name(
    target: str, parts: tuple[str, str]
) -> None:
    assert split_target(target) == parts


@pytest.mark.parametrize("source", ["mine.py", "mine", "./mine.py"])
@pytest.mark.parametrize(
    ("code", "name", "built"),
    [
        (INSTANCE, "", "instance"),
        (INSTANCE, ":provider", "instance"),
        (INSTANCE + "same = provider\n", "", "instance"),
        (INSTANCE + "_hidden = Provider('hidden')\n", "", "instance"),
        (INSTANCE + "_hidden = Provider('hidden')\n", ":_hidden", "hidden"),
        (CLASS, "", "built"),
        (CLASS, ":Mine", "built"),
        (CLASS + INSTANCE, "", "instance"),
        (CLASS + INSTANCE, ":Mine", "built"),
        (CLASS + "def make_it() -> Mine:\n    return Mine()\n", ":make_it", "built"),
        ("def make_it() -> Provider:\n    return Provider('made')\n", "", "made"),
        ("def create_provider():\n    return Provider('made')\n", "", "made"),
        ("def make_provider(n='made'):\n    return Provider(n)\n", "", "made"),
        ("def other():\n    return Provider('made')\n", ":other", "made"),
        ("class box:\n    inner = Provider('deep')\n", ":box.inner", "deep"),
        (INSTANCE + "if __name__ == '__main__':\n    provider.start()", "", "instance"),
    ],
)
def test_an_instance_goes_before_a_class_and_that_before_a_factory(
    *, folder: Path, source: str, code: str, name: str, built: str
) -> None:
    write(folder, code)
    assert load_provider(source + name).name == built


def test_a_file_is_imported_with_its_folder_on_the_path(folder: Path) -> None:
    write(folder, "NAME = 'from-beside'\n", "inner/beside_file.py")
    write(folder, "import beside_file as b\np = Provider(b.NAME)\n", "inner/mine.py")
    assert load_provider("inner/mine.py").name == "from-beside"


def test_a_module_may_be_inside_a_package(folder: Path) -> None:
    write(folder, INSTANCE, "some_package/inner.py")
    assert load_provider("some_package.inner").name == "instance"


def test_a_package_holds_what_its_modules_define(folder: Path) -> None:
    write(folder, "from some_package.inner import Mine\n", "some_package/__init__.py")
    write(folder, CLASS, "some_package/inner.py")
    assert load_provider("some_package").name == "built"


def test_a_file_named_like_a_module_of_python_hides_none(folder: Path) -> None:
    write(folder, INSTANCE, "calendar.py")
    assert load_provider("calendar.py").name == "instance"
    assert getattr(sys.modules.get("calendar"), "provider", None) is None


@pytest.mark.parametrize(
    ("code", "target", "message"),
    [
        ("", "mien.py", "there is no file 'mien.py'; did you mean 'mine.py'?"),
        ("", "mien", "there is no module 'mien' here; did you mean 'mine'?"),
        ("", "zzzzzz", "there is no module 'zzzzzz' here"),
        ("", "mine.sub", "there is no module 'mine.sub' here"),
        (INSTANCE, "mine.provider", "did you mean 'mine:provider'?"),
        ("", "mine.py.Mine", "did you mean 'mine.py:Mine'?"),
        ("", "./mine", "'./mine' is no module; did you mean 'mine.py'?"),
        ("", ".", "'.' is neither a file that ends in .py nor the name of a module"),
        ("", "my-file", "'my-file' is neither a file that ends in .py nor the name"),
        ("", "", "'' is neither a file that ends in .py nor the name of a module"),
        ("", ":provider", "'' is neither a file that ends in .py nor the name"),
        (INSTANCE, "mine:provder", "'mine' has no 'provder'; did you mean 'provider'?"),
        (CLASS, "mine:Mine.nme", "'mine' has no 'Mine.nme'"),
        ("", "mine", "'mine' holds no provider: no instance or subclass of Provider"),
        (INSTANCE + "b = Provider('b')\n", "mine", "'mine' holds 'provider' and 'b'"),
        (INSTANCE + "b = Provider('b')\n", "mine.py", "as in 'mine.py:provider'"),
        (CLASS + CLASS.replace("Mine", "Ours"), "mine", "holds 'Mine' and 'Ours'"),
        ("x = dict\n", "mine:x", "calling it gave a value of type dict"),
        ("def x() -> 'Unknown': ...\n", "mine", "'mine' holds no provider"),
        ("x = 5\n", "mine:x", "'x' is no provider but a value of type int; name a"),
        ("def x(): return 5\n", "mine:x", "calling it gave a value of type int"),
        ("async def x(): return 5\n", "mine:x", "'x' is async; a factory must return"),
        ("def x(a, b=1): ...\n", "mine:x", "'x' needs arguments (a); name an"),
        ("class X(Provider): ...\n", "mine", "'X' needs arguments (name); name an"),
    ],
)
def test_a_wrong_target_says_what_was_meant(
    *, folder: Path, code: str, target: str, message: str
) -> None:
    write(folder, code)
    with pytest.raises(CommandError) as error:
        load_provider(target)
    assert message in error.value.message
    assert error.value.exit_code == 2


def test_a_class_that_is_only_imported_is_offered_by_name(folder: Path) -> None:
    write(folder, CLASS, "theirs.py")
    write(folder, "from theirs import Mine\n")
    with pytest.raises(CommandError, match="of its own; did you mean 'mine:Mine'"):
        load_provider("mine")


@pytest.mark.parametrize("source", ["mine.py", "mine"])
def test_an_error_while_importing_is_shown_from_the_users_first_line(
    folder: Path, source: str
) -> None:
    write(folder, "def divide():\n    return 1 / 0\n\ndivide()\n")
    with pytest.raises(CommandError) as error:
        load_provider(source)
    lines = error.value.message.splitlines()
    assert lines[0] == f"{source} cannot be imported"
    assert lines[3].strip().startswith(f'File "{folder / "mine.py"}", line 5')
    assert lines[-1] == "ZeroDivisionError: division by zero"
    assert "arbvantage_provider" not in error.value.message
    assert "importlib" not in error.value.message
    assert error.value.exit_code == 1


def test_a_syntax_error_shows_the_line(folder: Path) -> None:
    write(folder, "def broken(:\n")
    with pytest.raises(CommandError, match=r"(?s)def broken.*SyntaxError: ") as error:
        load_provider("mine.py")
    assert error.value.exit_code == 1


def test_a_wrong_declaration_shows_the_users_line_and_no_others(folder: Path) -> None:
    write(folder, INSTANCE + "provider.actions.register('a', 'd', [])(print)\n")
    with pytest.raises(CommandError) as error:
        load_provider("mine.py")
    assert error.value.message.count("File ") == 1
    assert "SchemaError: action 'a'" in error.value.message


def test_a_missing_module_of_the_users_own_is_no_wrong_target(folder: Path) -> None:
    write(folder, "import not_installed_anywhere\n")
    with pytest.raises(CommandError, match="No module named 'not_installed") as error:
        load_provider("mine")
    assert error.value.exit_code == 1


def test_a_program_that_ends_itself_when_imported_is_a_failure(folder: Path) -> None:
    write(folder, "raise SystemExit('bye')\n")
    with pytest.raises(CommandError, match=r"it ended itself with SystemExit\('bye'\)"):
        load_provider("mine.py")


def test_a_setting_that_cannot_be_used_is_told_without_traceback(
    folder: Path,
) -> None:
    write(folder, CLASS.replace('"built"', '"built", max_concurrency=0'))
    with pytest.raises(CommandError) as error:
        load_provider("mine.py")
    assert error.value.message.startswith("Mine() failed: max_concurrency")
    assert "\n" not in error.value.message
    assert error.value.exit_code == 1


def test_a_program_without_a_main_guard_is_told_of_it(folder: Path) -> None:
    write(folder, "from arbvantage_provider import HubError\nraise HubError('no')\n")
    with pytest.raises(
        CommandError, match='put that under `if __name__ == "__main__":`'
    ):
        load_provider("mine.py")


def test_an_error_about_the_target_is_one_line_on_stderr(
    folder: Path, arbvantage: Run
) -> None:
    write(folder, INSTANCE)
    done = arbvantage("actions", "mien.py")
    assert done.stderr == (
        "Error: there is no file 'mien.py'; did you mean 'mine.py'?\n"
    )
    assert (done.returncode, done.stdout) == (2, "")
