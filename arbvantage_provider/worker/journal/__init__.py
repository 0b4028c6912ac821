"""The journal: what is known of each task, in a file that outlives the process."""

from arbvantage_provider.worker.journal.batches import Journal
from arbvantage_provider.worker.journal.rows import Row, list_rows
from arbvantage_provider.worker.journal.store import Store

__all__ = ["Journal", "Row", "Store", "list_rows"]
