"""The package as others get it: the wheel, and both ways to install it."""

import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

import arbvantage_provider

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "arbvantage_provider"


def run(*command: str | Path, folder: Path = ROOT) -> str:
    """Run a program to its end and return what it printed."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built by the backend that ``pyproject.toml`` names."""
    folder = tmp_path_factory.mktemp("dist")
    build = (sys.executable, "-m", "hatchling", "build", "--target", "wheel")
    run(*build, "--directory", folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    """The paths of the files in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def source_files() -> Iterator[str]:
    """Yield the package's own files as paths in the wheel."""
    for file in PACKAGE.rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            yield file.relative_to(ROOT).as_posix()


@pytest.mark.parametrize(
    "name",
    ["hub_pb2.py", "hub_pb2.pyi", "hub_pb2_grpc.py", "hub_pb2_grpc.pyi"],
)
def test_the_wheel_holds_the_generated_code(names: set[str], name: str) -> None:
    assert f"arbvantage_provider/protos/{name}" in names


def test_the_wheel_says_that_the_package_is_typed(names: set[str]) -> None:
    assert "arbvantage_provider/py.typed" in names


def test_the_wheel_holds_every_file_of_the_package(names: set[str]) -> None:
    assert set(source_files()) <= names


def test_the_wheel_holds_the_licence(names: set[str]) -> None:
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_the_wheel_holds_no_tests_and_no_other_folder(names: set[str]) -> None:
    folders = {PurePosixPath(name).parts[0] for name in names}
    version = arbvantage_provider.__version__
    dist_info = f"arbvantage_provider-{version}.dist-info"
    assert folders == {"arbvantage_provider", dist_info}


@pytest.mark.install
@pytest.mark.parametrize("form", ["wheel", "checkout"])
def test_it_installs_into_an_empty_environment(
    form: str, wheel: Path, tmp_path: Path
) -> None:
    venv.create(tmp_path, with_pip=True)
    scripts = Path(sysconfig.get_path("scripts", "venv", {"base": str(tmp_path)}))
    run(scripts / "python", "-m", "pip", "install", {"wheel": wheel}.get(form, ROOT))

    shown = run(scripts / "arbvantage", "--version", folder=tmp_path)
    run(
        *(scripts / "python", "-I", "-c"),
        "from arbvantage_provider.testing import LocalHub; LocalHub",
        folder=tmp_path,
    )
    assert arbvantage_provider.__version__ in shown
