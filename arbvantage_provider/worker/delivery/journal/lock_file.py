"""The lock file beside a journal, for those whom ``files.FileLock`` does not reach."""

import errno
import os
import sqlite3
from pathlib import Path

from arbvantage_provider.exceptions import JournalError
from arbvantage_provider.worker.delivery.journal.database import (
    connect,
    explain,
    explain_system,
    find_code,
)
from arbvantage_provider.worker.delivery.journal.files import (
    IN_USE,
    LOCK_FILE,
    find_beside,
    make,
)


def lock(path: Path) -> sqlite3.Connection:
    """Keep others away until the connection is closed, or the process dies.

    Also those of systems where ``FileLock`` reaches no other process, and providers
    of former versions.
    """
    beside = find_beside(path, LOCK_FILE)
    remedy = "remove it while no provider runs"
    problem = f"cannot be locked by its lock file '{beside}': {{}}; {remedy}"
    lock = None
    try:
        make(beside)
        if not os.access(beside, os.R_OK | os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        lock = connect(beside, check_same_thread=False)
        lock.execute("BEGIN EXCLUSIVE")
    except OSError as error:
        raise JournalError(path, problem.format(explain_system(error))) from error
    except sqlite3.Error as error:
        if lock is not None:
            lock.close()
        if find_code(error) == sqlite3.SQLITE_BUSY:
            raise JournalError(path, IN_USE) from None
        raise JournalError(path, problem.format(f"it {explain(error)}")) from error
    return lock
