"""Nobody else has a journal that is open: by whatever name, way or process."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from arbvantage_provider import JournalError
from arbvantage_provider.worker.delivery.journal import list_rows
from arbvantage_provider.worker.delivery.journal.store import Store

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere there are no locks of open files"
)

IN_USE = "is in use by another provider"
OPEN = """
import os, sys
from arbvantage_provider import JournalError
from arbvantage_provider.worker.delivery.journal.store import Store

try:
    store = Store(sys.argv[1], provider="tested", hub="hub:1")
    print("open", flush=True)
except JournalError as error:
    print(error.problem, flush=True)
for line in sys.stdin:
    exec(line)
    print("done", flush=True)
"""

Touch = Callable[[Path], object]


class Other:
    """Another process that opens a journal."""

    def __init__(self, path: Path | str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", OPEN, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.said = self._read()

    def do(self, line: str) -> None:
        """Have it execute a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        assert self._read() == "done"

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@pytest.fixture
def other() -> Iterator[Callable[[Path | str], Other]]:
    started: list[Other] = []

    def start(path: Path | str) -> Other:
        started.append(Other(path))
        return started[-1]

    yield start
    for process in started:
        process.kill()


@pytest.fixture
def file(path: Path) -> Iterator[Store]:
    file = Store(str(path), provider="tested", hub="hub:1")
    yield file
    file.close()


def open_and_close(path: Path) -> None:
    path.read_bytes()
    with path.open("r+b"):
        pass


def open_all(path: Path) -> None:
    for part in path.parent.iterdir():
        open_and_close(part)


def beside(path: Path) -> Path:
    return path.with_name(f"{path.name}-lock")


def replace_lock(path: Path) -> None:
    beside(path).unlink()
    beside(path).touch()


AFTER: dict[str, Touch] = {
    "nothing": lambda path: None,
    "its lock file was removed": lambda path: beside(path).unlink(),
    "its lock file was replaced": replace_lock,
    "its lock file was renamed": lambda path: beside(path).rename(f"{path}-old"),
    "its lock file was opened and closed": lambda path: open_and_close(beside(path)),
    "the file was opened and closed": open_and_close,
    "all files were opened and closed": open_all,
    "a fork came and went": lambda path: os.waitpid(os.fork() or os._exit(0), 0),
}


@pytest.mark.parametrize("case", AFTER)
@pytest.mark.usefixtures("file")
def test_a_journal_is_refused_to_another_process_after(
    path: Path, other: Callable[[Path], Other], case: str
) -> None:
    AFTER[case](path)

    assert other(path).said == IN_USE


@pytest.mark.parametrize("case", AFTER)
@pytest.mark.usefixtures("file")
def test_a_journal_is_refused_to_the_same_process_after(path: Path, case: str) -> None:
    AFTER[case](path)

    with pytest.raises(JournalError, match=IN_USE):
        Store(str(path), provider="tested", hub="hub:1")


def link_hard(path: Path) -> Path:
    link = path.parent / "sub" / "link"
    link.parent.mkdir()
    link.hardlink_to(path)
    return link


def link_symbolically(path: Path) -> Path:
    link = path.with_name("link")
    link.symlink_to(path.name)
    return link


def move(path: Path) -> Path:
    return path.rename(path.with_name("moved"))


NAMES: dict[str, Callable[[Path], Path | str]] = {
    "itself": lambda path: path,
    "a relative path": os.path.relpath,
    "a way around": lambda path: f"{path.parent}/../{path.parent.name}/./{path.name}",
    "a symbolic link": link_symbolically,
    "a hard link": link_hard,
    "a new name": move,
    "a descriptor": lambda path: f"/proc/{os.getpid()}/cwd/{os.path.relpath(path)}",
}


@pytest.mark.parametrize("case", NAMES)
@pytest.mark.usefixtures("file")
def test_a_journal_is_the_same_one_by(
    path: Path, other: Callable[[Path | str], Other], case: str
) -> None:
    name = NAMES[case](path)

    with pytest.raises(JournalError, match=IN_USE):
        Store(str(name), provider="tested", hub="hub:1")
    assert other(name).said == IN_USE


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[Path, str], Path]]:
    """Mounts a file or folder once more."""
    places: list[Path] = []

    def mount(what: Path, *options: str) -> Path:
        place = tmp_path / "mounts" / str(len(places)) / what.name
        place.parent.mkdir(parents=True)
        place.touch() if what.is_file() else place.mkdir()
        command = ["mount", "--bind", str(what), str(place)]
        if not shutil.which("mount") or subprocess.run(command, check=False).returncode:
            pytest.skip("this user may not mount")
        places.append(place)
        return place

    yield mount
    for place in places:
        subprocess.run(["umount", "--lazy", str(place)], check=True)  # noqa: S607


@pytest.mark.usefixtures("file")
def test_a_journal_is_the_same_one_by_a_second_mount_of_the_file(
    path: Path, other: Callable[[Path], Other], mounted: Callable[[Path], Path]
) -> None:
    first, second = mounted(path), mounted(path)

    assert [other(first).said, other(second).said] == [IN_USE, IN_USE]


@pytest.mark.usefixtures("file")
def test_a_journal_is_the_same_one_by_a_second_mount_of_the_folder(
    path: Path, other: Callable[[Path], Other], mounted: Callable[[Path], Path]
) -> None:
    assert other(mounted(path.parent) / path.name).said == IN_USE


def test_of_threads_that_open_a_journal_at_once_one_has_it(path: Path) -> None:
    opened: list[Store] = []
    refused: list[str] = []
    ready = threading.Barrier(8)

    def open_it() -> None:
        ready.wait()
        try:
            opened.append(Store(str(path), provider="tested", hub="hub:1"))
        except JournalError as error:
            refused.append(error.problem)

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(opened) == 1
    assert refused == [IN_USE] * 7
    opened[0].close()


def test_a_child_that_outlives_a_killed_provider_does_not_keep_its_journal(
    path: Path, other: Callable[[Path], Other]
) -> None:
    first = other(path)
    first.do("import time; os.fork() or (os.close(0), os.close(1), time.sleep(30))")
    first.kill()

    assert other(path).said == "open"


@pytest.mark.parametrize("end", ["closed", "killed"])
def test_a_journal_that_was(
    path: Path, other: Callable[[Path], Other], end: str
) -> None:
    first = other(path)
    first.do("store.close()") if end == "closed" else first.kill()

    assert other(path).said == "open"


def test_a_journal_that_has_two_names_is_refused(path: Path) -> None:
    Store(str(path), provider="tested", hub="hub:1").close()
    link = link_hard(path)

    for name in (path, link):
        with pytest.raises(JournalError, match="has 2 names"):
            Store(str(name), provider="tested", hub="hub:1")
    link.unlink()
    Store(str(path), provider="tested", hub="hub:1").close()


READ = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute(sys.argv[2])"


@pytest.mark.parametrize("reader", ["a program that may write", "the command"])
def test_a_reader_takes_no_log_away_once_a_handler_opened_and_closed_all_files(
    path: Path, file: Store, reader: str
) -> None:
    open_all(path)
    if reader == "the command":
        list_rows(str(path))
    else:
        command = [sys.executable, "-c", READ, str(path), "SELECT * FROM task"]
        subprocess.run(command, check=True)
    file.write([])

    assert file.recoveries == 0
    assert path.with_name(f"{path.name}-wal").exists()
