"""Slots: take a task, dispatch it, submit its result."""
