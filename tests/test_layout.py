"""The repository keeps what it says about itself."""

from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_ci_runs_the_tests_with_the_command_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    (command,) = [
        line.strip()
        for line in readme
        if "-m venv" in line and line.endswith("nox -s tests")
    ]
    assert command in script
