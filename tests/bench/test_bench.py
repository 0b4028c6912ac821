"""The programs of ``nox -s bench`` run, in a short form."""

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
SHORT: dict[str, tuple[list[str], str]] = {
    "dispatch.py": (["--floor"], "provider, dict"),
    "registration.py": ([], "10,000 actions"),
    "limits.py": ([], "calls a permit"),
    "engine.py": (["--quick", "pickup"], "pickup from an idle hub"),
}


@pytest.mark.once
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("program", SHORT)
def test_a_bench_prints_its_table(program: str) -> None:
    arguments, shown = SHORT[program]
    found = subprocess.run(
        [sys.executable, str(FOLDER / program), *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert found.returncode == 0, found.stderr
    assert shown in found.stdout


@pytest.mark.once
def test_the_bench_of_limits_draws_them(tmp_path: Path) -> None:
    program = [sys.executable, str(FOLDER / "limits.py")]
    fast = ["--plots", str(tmp_path), "--speed", "20"]
    subprocess.run([*program, *fast], check=True, capture_output=True, timeout=300)

    drawn = {file.stem: file.read_text("utf-8") for file in tmp_path.glob("*.svg")}
    assert sorted(drawn) == [
        *("limits-bucket", "limits-redis", "limits-spacing", "limits-window")
    ]
    assert all(picture.count("<polyline") > 10 for picture in drawn.values())
