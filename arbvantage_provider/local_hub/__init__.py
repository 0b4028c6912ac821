"""A real hub in this process, for tests and development."""
