"""What a worker counts, and how it stands."""
