"""Actions, and the registry that a provider looks them up in."""

from arbvantage_provider.actions.action import Action
from arbvantage_provider.actions.registry import Actions

__all__ = ["Action", "Actions"]
