"""What handlers share: opened at the start, closed at the end, found by type."""
