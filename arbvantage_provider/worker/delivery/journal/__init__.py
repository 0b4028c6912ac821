"""The journal: what is known of each task, in a file that outlives the process."""

from arbvantage_provider.worker.delivery.journal.rows import Row, list_rows
from arbvantage_provider.worker.delivery.journal.store import Store
from arbvantage_provider.worker.delivery.journal.writer import JournalWriter

__all__ = ["JournalWriter", "Row", "Store", "list_rows"]
