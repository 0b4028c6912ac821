"""What is at the path, and whose: refused before anything is changed."""

import os
import socket
import stat
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from arbvantage_provider import JournalError
from arbvantage_provider.worker.delivery.journal import list_rows
from arbvantage_provider.worker.delivery.journal.store import Store

pytestmark = pytest.mark.skipif(os.name != "posix", reason="owners are those of POSIX")
as_root = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0, reason="only root gives files away"
)
NOBODY = 65_534
ENDINGS = {"-wal": "log", "-shm": "shared memory", "-lock": "lock file"}


def open_store(path: Path | str) -> Store:
    return Store(str(path), provider="tested", hub="hub:1")


def refuse(path: Path | str) -> str:
    with pytest.raises(JournalError) as caught:
        open_store(path)
    return caught.value.problem


def beside(path: Path, ending: str) -> Path:
    return path.with_name(f"{path.name}{ending}")


def make_socket(path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as made:
        made.bind(str(path))


def make_device(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root makes devices")
    os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))


KINDS: dict[str, Callable[[Path], object]] = {
    "folder": Path.mkdir,
    "pipe": os.mkfifo,
    "socket": make_socket,
    "device": make_device,
    "link to a device": lambda path: path.symlink_to("/dev/null"),
    "link to a folder": lambda path: path.symlink_to(path.parent),
}


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch, path: Path) -> Path:
    """The path, short enough for a socket."""
    monkeypatch.chdir(path.parent)
    return Path(path.name)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_is_refused_and_left_as_it_is(short: Path, kind: str) -> None:
    KINDS[kind](short)
    before = short.stat().st_mode

    assert refuse(short).startswith("cannot be opened: ")
    assert short.stat().st_mode == before
    assert list(Path().iterdir()) == [short]
    with pytest.raises(JournalError, match="cannot be read"):
        list_rows(str(short))


@pytest.mark.parametrize("device", ["/dev/null", "/dev/zero", "/dev/full"])
def test_a_device_is_refused_and_left_as_it_is(device: str) -> None:
    before = Path(device).stat().st_mode

    assert "it is a device" in refuse(device)
    assert Path(device).stat().st_mode == before
    assert not list(Path("/dev").glob(f"{Path(device).name}-*"))


@pytest.mark.parametrize("kind", ["folder", "pipe", "link to a device"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_no_file_beside_it_is_named(path: Path, ending: str, kind: str) -> None:
    KINDS[kind](beside(path, ending))

    problem = refuse(path)
    assert problem.startswith("cannot be used, because of its ")
    assert f"{ENDINGS[ending]} '{beside(path, ending)}'" in problem
    assert not path.exists()


@pytest.mark.parametrize(
    "content", [b"garbage " * 200, b"SQLite format 3\0" + b"x" * 99]
)
def test_garbage_in_the_lock_file_is_not_blamed_on_the_journal(
    path: Path, content: bytes
) -> None:
    lock = beside(path, "-lock")
    lock.write_bytes(content)

    problem = refuse(path)
    assert problem.startswith(f"cannot be locked by its lock file '{lock}': it is ")
    assert problem.endswith("; remove it while no provider runs")
    lock.unlink()
    open_store(path).close()


@as_root
@pytest.mark.parametrize("mode", [0o600, 0o666])
def test_a_file_of_another_user_is_refused_and_left_as_it_is(
    path: Path, mode: int
) -> None:
    path.touch()
    path.chmod(mode)
    os.chown(path, NOBODY, NOBODY)

    assert refuse(path) == (
        f"belongs to another user (uid {NOBODY}), who may read it; "
        "give it to uid 0, or move it away"
    )
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert list(path.parent.iterdir()) == [path]


@as_root
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_of_another_user_beside_it_is_named(path: Path, ending: str) -> None:
    part = beside(path, ending)
    part.touch()
    os.chown(part, NOBODY, NOBODY)

    assert f"'{part}': it belongs to another user (uid {NOBODY})" in refuse(path)
    assert not path.exists()


LINKS: dict[str, Callable[[Path], Path]] = {
    "the file": lambda link: link,
    "a folder": lambda link: link / "tasks.journal",
}


@as_root
@pytest.mark.parametrize("by_way_of", [False, True], ids=["at once", "by another link"])
@pytest.mark.parametrize("what", LINKS)
def test_a_link_of_another_user_is_not_followed(
    tmp_path: Path, what: str, *, by_way_of: bool
) -> None:
    target = tmp_path / "target"
    target.mkdir()
    link = tmp_path / "link"
    link.symlink_to(target if what == "a folder" else target / "tasks.journal")
    os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
    name = link
    if by_way_of:
        name = tmp_path / "mine"
        name.symlink_to(link.name)

    problem = refuse(LINKS[what](name))
    assert problem == f"is found by a link of another user (uid {NOBODY}): '{link}'"
    assert not list(target.iterdir())


def test_links_of_ones_own_are_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (tmp_path / "folder").symlink_to("target")
    (target / "file").symlink_to("../target/tasks.journal")

    file = open_store(tmp_path / "folder" / "file")
    assert file.path == target / "tasks.journal"
    file.close()


@as_root
@pytest.mark.skipif(sys.platform != "linux", reason="setuid is for a fork")
def test_a_user_who_is_not_root_is_refused_the_file_of_root(path: Path) -> None:
    open_store(path).close()
    for part in (path, beside(path, "-lock")):
        part.chmod(0o666)
    top = Path(tempfile.gettempdir())
    for folder in path.parents:
        if top in folder.parents:
            folder.chmod(0o777)
    child = os.fork()
    if not child:
        code = 1
        try:
            os.setuid(NOBODY)
            code = 0 if "belongs to another user (uid 0)" in refuse(path) else 2
        finally:
            os._exit(code)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.fixture
def wide(path: Path) -> Path:
    open_store(path).close()
    for ending in ("", "-wal", "-shm", "-lock"):
        beside(path, ending).touch()
        beside(path, ending).chmod(0o666)
    return path


def test_wider_modes_are_taken_back(wide: Path) -> None:
    file = open_store(wide)
    modes = {
        ending: stat.S_IMODE(beside(wide, ending).stat().st_mode)
        for ending in ("", "-wal", "-shm")
    }

    assert modes == {"": 0o600, "-wal": 0o600, "-shm": 0o600}
    file.close()
