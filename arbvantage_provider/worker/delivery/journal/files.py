"""The files of a journal, as the system sees them: of what kind, whose, and locked.

A journal is known by its device and inode, so it is the same one by a link, a second
mount or a new name. On Linux its lock belongs to a descriptor of this module: neither
a file that is removed nor one that a handler opens and closes ends it, as that ends
each lock that SQLite holds.

Source: https://sqlite.org/src/file/src/os_unix.c for the bytes that SQLite locks;
fcntl(2) for locks of an open file description.
"""

import errno
import os
import stat
import struct
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias

from arbvantage_provider.exceptions import JournalError

Identity: TypeAlias = tuple[int, int]
"""The device and the inode of a file."""

PRIVATE: Final = 0o600
LOG: Final = "-wal"
SHARED_MEMORY: Final = "-shm"
LOCK_FILE: Final = "-lock"
_WORDS: Final = {
    LOG: "log",
    SHARED_MEMORY: "shared memory",
    LOCK_FILE: "lock file",
}
_ROOT: Final = 0
_MOST_LINKS: Final = 40
_OPEN: Final = (
    os.O_RDWR
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
)
# SQLite's own bytes: those of readers in the file, and the one in its shared memory
# that says that somebody lives. Its last reader removes the log, and its first one
# empties the shared memory; while these are locked here, nobody else is either.
_OWNER_BYTES: Final = (1 << 62, 1)
_READER_BYTES: Final = (0x40000002, 510)
_LIFE_BYTES: Final = (128, 1)

IN_USE: Final = "is in use by another provider"

_held: dict[Identity, int] = {}
_guard = threading.RLock()


def find_beside(journal: Path, ending: str) -> Path:
    """A file that belongs to the journal."""
    return journal.with_name(f"{journal.name}{ending}")


def resolve(path: str) -> Path:
    """The one name of a file, also if the folder changes later.

    Raises:
        JournalError: if a link on the way was made by another user, who could let it
            lead anywhere.
    """
    here = Path(path).absolute()
    for _ in range(_MOST_LINKS):
        links = [part for part in (*here.parents, here) if part.is_symlink()]
        if not links:
            break
        link = min(links, key=lambda found: len(found.parts))
        uid = link.lstat().st_uid
        if os.name == "posix" and uid not in {_ROOT, os.geteuid()}:
            problem = f"is found by a link of another user (uid {uid}): '{link}'"
            raise JournalError(path, problem)
        here = link.parent / link.readlink() / here.relative_to(link)
    return Path(os.path.realpath(path))


def check_files(journal: Path) -> None:
    """Refuse what is no file, or another user's, before anything is changed.

    Raises:
        JournalError: which says which of the files it is.
        OSError: if the system does not say.
    """
    if fault := _find_fault(journal):
        raise JournalError(journal, fault)
    for ending, word in _WORDS.items():
        beside = find_beside(journal, ending)
        if fault := _find_fault(beside):
            problem = f"cannot be used, because of its {word} '{beside}': it {fault}"
            raise JournalError(journal, problem)


def _find_fault(path: Path) -> str | None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found.st_mode):
        return f"cannot be opened: {os.strerror(errno.EISDIR)}"
    if not stat.S_ISREG(found.st_mode):
        return "cannot be opened: it is a device, a pipe, a socket or a link, no file"
    return _find_owner_fault(found)


def _find_owner_fault(found: os.stat_result) -> str | None:
    if os.name != "posix" or found.st_uid == os.geteuid():
        return None
    remedy = f"give it to uid {os.geteuid()}, or move it away"
    return f"belongs to another user (uid {found.st_uid}), who may read it; {remedy}"


def make(path: Path) -> None:
    """Make the file if there is none, for its owner alone.

    One that is there is not opened: closing it again would end every lock that this
    process holds on it, as POSIX has it.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, _OPEN | os.O_CREAT | os.O_EXCL, PRIVATE))


def make_private(journal: Path) -> None:
    """Take from others what they may do with the files."""
    # SQLite gives its log the permissions of the file; both may be there already.
    for ending in ("", LOG, SHARED_MEMORY) if os.name == "posix" else ():
        part = find_beside(journal, ending)
        if part.exists() and part.stat().st_mode & 0o077:
            part.chmod(PRIVATE)


def identify(path: str) -> Identity:
    """Which file it is, by whatever name.

    Raises:
        OSError: if there is none.
    """
    found = os.stat(path)  # noqa: PTH116 - a path object costs as much again
    return found.st_dev, found.st_ino


class FileLock:
    """A lock on the journal itself, by whatever name, until it is released.

    Where the system has no locks of open files (other than Linux, and some network
    file systems), it holds within this process only.

    Args:
        path: of the journal, which is there.

    Attributes:
        identity: of the file.
        names: how many it has in its file system.

    Raises:
        JournalError: if another provider has it.
        OSError: if it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        with _guard:
            if identify(str(path)) in _held:
                raise JournalError(path, IN_USE)
            self._file = os.open(path, _OPEN)
            found = os.fstat(self._file)
            fault = _find_owner_fault(found)
            if not _lock(self._file, *_OWNER_BYTES, is_shared=False):
                fault = IN_USE
            if fault is not None:
                os.close(self._file)
                raise JournalError(path, fault)
            self.identity: Identity = (found.st_dev, found.st_ino)
            self.names: int = found.st_nlink
            _held[self.identity] = self._file
        self._memory: int | None = None

    def stand_in(self, journal: Path) -> None:
        """Hold what SQLite holds while it has the files open."""
        _lock(self._file, *_READER_BYTES, is_shared=True)
        if self._memory is None:
            self._memory = os.open(find_beside(journal, SHARED_MEMORY), _OPEN)
            _held[self._memory, -1] = self._memory
            _lock(self._memory, *_LIFE_BYTES, is_shared=True)

    def stand_back(self) -> None:
        """Let SQLite be the last one that closes the file."""
        _lock(self._file, *_READER_BYTES, is_shared=None)

    def forget_memory(self) -> None:
        """Let go of the shared memory, once SQLite has closed it."""
        with _guard:
            file, self._memory = self._memory, None
            if file is not None and _held.pop((file, -1), None) is not None:
                os.close(file)

    def release(self) -> None:
        """Let others have the journal, once SQLite has closed it."""
        self.forget_memory()
        with _guard:
            if _held.pop(self.identity, None) is not None:
                # A process that inherited it shares the lock.
                _lock(self._file, *_OWNER_BYTES, is_shared=None)
                os.close(self._file)


def _lock(file: int, start: int, length: int, *, is_shared: bool | None) -> bool:
    """Lock or unlock (``None``) bytes; whether nobody else has locked them."""
    if sys.platform != "linux":
        return True
    import fcntl  # noqa: PLC0415 - there is none on Windows

    kind = {True: fcntl.F_RDLCK, False: fcntl.F_WRLCK, None: fcntl.F_UNLCK}[is_shared]
    wanted = struct.pack("@hhqqi0q", kind, os.SEEK_SET, start, length, 0)
    try:
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, wanted)
    except OSError as error:
        return error.errno not in {errno.EAGAIN, errno.EACCES}
    return True


def _leave_to_parent() -> None:
    """In a fork: a child that outlives its parent must not keep the lock."""
    for file in _held.values():
        with suppress(OSError):
            os.close(file)
    _held.clear()
    _guard.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_guard.acquire,
        after_in_parent=_guard.release,
        after_in_child=_leave_to_parent,
    )
