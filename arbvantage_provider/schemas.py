"""Names that programs of the earlier SDK import from here."""

from pydantic import BaseModel

from arbvantage_provider.responses import ProviderResponse

__all__ = ["BaseAccount", "BasePayload", "ProviderResponse"]


class BasePayload(BaseModel):
    """A payload model; a plain ``BaseModel`` does as well."""


class BaseAccount(BaseModel):
    """An account model; a plain ``BaseModel`` does as well."""
