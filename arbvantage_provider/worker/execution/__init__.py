"""From a task to its encoded response: find, validate, call, encode."""
