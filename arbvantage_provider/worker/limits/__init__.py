"""Whether a task may run now: rate limits, and how many of an action run at once."""
