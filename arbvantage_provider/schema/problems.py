"""What pydantic says of a declaration, in words for the one who wrote it."""

from pydantic import PydanticSchemaGenerationError, PydanticUserError
from pydantic.errors import PydanticErrorMixin
from pydantic_core import SchemaError

UNBUILDABLE = (PydanticUserError, SchemaError, TypeError, NameError, RecursionError)
"""What pydantic raises for a type that it cannot validate."""

_LONGEST = 300
_NO_SCHEMA = "Unable to generate pydantic-core schema for "


def describe_problem(error: Exception) -> str:
    """What is wrong with a declared type, and what to write where that is known."""
    if isinstance(error, RecursionError):
        return "this nests too deeply; name its parts as models"
    text = " ".join(str(error).split())
    if isinstance(error, PydanticSchemaGenerationError):
        foreign = text.removeprefix(_NO_SCHEMA).partition(". Set `")[0]
        advice = "write a type such as str, a dict, or a BaseModel"
        return f"{foreign[:_LONGEST]} has no JSON form; {advice}"
    if isinstance(error, NameError) and not isinstance(error, PydanticErrorMixin):
        text += "; give every name that the types use where the schema is registered"
    return text.partition(" For further information visit")[0][:_LONGEST]
