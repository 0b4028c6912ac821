"""What became of each task, and how its result is given to the hub."""
