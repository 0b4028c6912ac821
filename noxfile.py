"""The development sessions; CONTRIBUTING.md says what each is for.

Every session makes its own environment with uv, from package indexes only.
``requirements.txt`` holds the exact versions of everything but the ``proto``
group, whose two tools are exact in ``pyproject.toml``.
"""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import nox

nox.needs_version = ">=2026.10.20"
nox.options.default_venv_backend = "uv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["tests", "lint", "types"]

PYTHONS = ["3.11", "3.12", "3.13"]
THIS_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

# The cells of `tests`: each Python once, each with other releases of the
# dependencies. The lowest ones have no wheels for Pythons later than those above.
_OTHERS = [python for python in PYTHONS if python != THIS_PYTHON]
MATRIX = [
    (THIS_PYTHON, "locked"),
    (_OTHERS[-1], "newest"),
    (_OTHERS[0], "lowest"),
]

LOCK = "requirements.txt"
PACKAGE = "arbvantage_provider"
PROTO = Path("arbvantage_provider/protos/hub.proto")


def offer_pyenv_pythons() -> None:
    """Put pyenv's own interpreters last on PATH.

    pyenv's shims stand on PATH for every version that is installed, but they
    start only those that ``pyenv global`` or ``pyenv local`` has chosen.
    """
    root = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    folders = [
        str(program.parent)
        for python in PYTHONS
        for program in sorted(root.glob(f"versions/{python}.*/bin/python{python}"))
    ]
    os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], *folders])


offer_pyenv_pythons()


@nox.session
def demo(session: nox.Session) -> None:
    """Run the quick-start provider on the embedded hub, over real gRPC."""
    session.install("-c", LOCK, "-e", ".")
    tasks = ["--tasks", "examples/quickstart.jsonl"]
    session.run("arbvantage", "run", "examples/quickstart.py", "--local-hub", *tasks)


@nox.session
@nox.parametrize(
    ("python", "dependencies"),
    [nox.param(*cell, id="-".join(cell)) for cell in MATRIX],
)
def tests(session: nox.Session, dependencies: str) -> None:
    """Run the tests: locked, newest and lowest dependencies; arguments go to pytest."""
    marks = ["-m", "not install and not once"]  # they show the same in every cell
    if dependencies == "locked":
        session.install("-c", LOCK, "-e", ".", "--group", "tests", "--group", "formats")
        marks = []
    elif dependencies == "newest":
        session.install("-e", ".", "--group", "tests", "--group", "formats")
    else:
        session.install("--resolution", "lowest-direct", "-e", ".[redis]")
        session.install("--group", "tests")
    # Much of a run is waiting for servers and deadlines: two share the time.
    session.run("pytest", "-n", "2", *marks, *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, format, the floors, and that the generated code is current."""
    session.install("-c", LOCK, "--group", "lint")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports")
    session.install("--group", "proto")
    with tempfile.TemporaryDirectory() as folder:
        current = generate(session, Path(folder))
        committed = {file.name: file.read_bytes() for file in generated(PROTO.parent)}
    if current != committed:
        session.error("The generated code is stale: run `nox -s proto`.")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types with mypy and pyright, both strict, and that none is missing."""
    session.install("-c", LOCK, "-e", ".", "--group", "types")
    session.run("mypy")
    # Its version is the lock's: no need to ask for a newer one.
    current = {"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    session.run("pyright", env=current)
    options = ("--verifytypes", PACKAGE, "--ignoreexternal", "--outputjson")
    # It fails for the generated code, too, which is as its generator writes it.
    codes: list[int] = [0, 1]
    report = session.run(
        "pyright", *options, env=current, silent=True, success_codes=codes
    )
    symbols = json.loads(str(report))["typeCompleteness"]["symbols"]
    if missing := sorted(filter(None, map(find_untyped, symbols))):
        session.error(f"types are missing or ambiguous: {', '.join(missing)}")


def find_untyped(symbol: dict[str, Any]) -> str | None:
    """The name of a symbol of ours whose type a user's checker does not know."""
    name: str = symbol["name"]
    is_known = symbol["isTypeKnown"] and not symbol["isTypeAmbiguous"]
    return None if is_known or name.startswith(f"{PACKAGE}.protos.") else name


@nox.session
def bench(session: nox.Session) -> None:
    """Time dispatches and the engine; arguments go to the latter: --hub, --plots."""
    session.install("-c", LOCK, "-e", ".[redis]")
    session.install("--group", "bench")
    for program in ("dispatch", "registration", "cost", "limits"):
        session.run("python", f"tests/bench/{program}.py")
    session.run("python", "tests/bench/engine.py", *session.posargs)


@nox.session
def kills(session: nox.Session) -> None:
    """Kill a provider at random; arguments: --kills, --tasks, --seed."""
    session.install("-c", LOCK, "-e", ".")
    session.run("python", "tests/faults/kills.py", *session.posargs)


@nox.session
def soak(session: nox.Session) -> None:
    """Run full slots under random faults; arguments: --minutes, --seed."""
    session.install("-c", LOCK, "-e", ".")
    session.run("python", "tests/faults/soak.py", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Fuzz what reads tasks and schemas; arguments go to libFuzzer, for each target."""
    session.install("-c", LOCK, "-e", ".")
    session.install("--group", "fuzz")
    options = ["-max_len=4096", *(session.posargs or ["-max_total_time=60"])]
    for corpus in sorted(Path("tests/fuzz/corpus").iterdir()):
        # What is interesting is kept for the next time, and what fails for the tests.
        kept = Path(session.create_tmp(), corpus.name)
        kept.mkdir(exist_ok=True)
        session.run(
            *("python", "tests/fuzz/program.py", corpus.name, *options),
            *("-dict=tests/fuzz/words.dict", f"-artifact_prefix={corpus}/"),
            *(str(kept), str(corpus)),
        )


@nox.session
def proto(session: nox.Session) -> None:
    """Generate arbvantage_provider/protos from proto/hub.proto."""
    session.install("--group", "proto")
    for file in generated(PROTO.parent):
        file.unlink()
    with tempfile.TemporaryDirectory() as folder:
        for name, content in generate(session, Path(folder)).items():
            (PROTO.parent / name).write_bytes(content)


@nox.session
def lock(session: nox.Session) -> None:
    """Rewrite requirements.txt; `nox -s lock -- --upgrade` takes newer releases."""
    session.install("uv")
    session.run(
        *("uv", "pip", "compile", "pyproject.toml", "--group", "dev"),
        *("--universal", "--python-version", PYTHONS[0]),
        *("--no-emit-index-url", "--custom-compile-command", "nox -s lock"),
        *("--quiet", "--output-file", LOCK, *session.posargs),
    )


def generate(session: nox.Session, folder: Path) -> dict[str, bytes]:
    """Generate the code in a folder and return it: file names to contents.

    The source is compiled under its path inside the package, because
    protobuf's pool knows each file by its path, and ``hub.proto`` is a name
    that others may use too.
    """
    source = folder / PROTO
    source.parent.mkdir(parents=True)
    shutil.copy("proto/hub.proto", source)
    kinds = ["python", "grpc_python", "mypy", "mypy_grpc"]
    session.run(
        *("python", "-m", "grpc_tools.protoc", f"-I{folder}"),
        *(f"--{kind}_out={folder}" for kind in kinds),
        PROTO.as_posix(),
    )
    return {file.name: file.read_bytes() for file in generated(source.parent)}


def generated(folder: Path) -> list[Path]:
    """List the generated files of a folder."""
    return sorted(folder.glob("*_pb2*.py*"))
