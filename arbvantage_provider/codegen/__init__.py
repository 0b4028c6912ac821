"""Typed Python from dict schemas: models and stubs, and how types and values are written."""
