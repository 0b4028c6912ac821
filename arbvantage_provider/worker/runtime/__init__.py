"""The event loop, signals, threads and backoff."""
