"""What pydantic says of a declaration, in words for the one who wrote it."""

import re

from pydantic import PydanticSchemaGenerationError, PydanticUserError
from pydantic.errors import PydanticErrorMixin
from pydantic_core import SchemaError

UNBUILDABLE = (
    *(PydanticUserError, SchemaError, TypeError, NameError, SyntaxError, ImportError),
    RuntimeError,  # such as that a constraint is none of this type; RecursionError, too
)
"""What pydantic raises for a type that it cannot validate."""

_LONGEST = 300
_WRAPPERS = re.compile(
    r"""^((Schema|Value)Error: |Error building "[^"]*" validator: |Field "field": )+"""
)
"""Where pydantic was when it found what is wrong; the place is told otherwise."""
_NO_SCHEMA = "Unable to generate pydantic-core schema for "


def describe_problem(error: Exception) -> str:
    """What is wrong with a declared type, and what to write where that is known."""
    if isinstance(error, RecursionError):
        return "this nests too deeply; name its parts as models"
    text = _WRAPPERS.sub("", " ".join(str(error).split()))
    if "regex parse error" in text:
        reason = text.rpartition("error: ")[2]
        return (
            f"its pattern cannot be used: {reason}; write one of the Rust crate regex, or "
            "check the text in the handler"
        )
    if isinstance(error, PydanticSchemaGenerationError):
        foreign = text.removeprefix(_NO_SCHEMA).partition(". Set `")[0]
        advice = "write a type such as str, a dict, or a BaseModel"
        return f"{foreign[:_LONGEST]} has no JSON form; {advice}"
    if isinstance(error, NameError) and not isinstance(error, PydanticErrorMixin):
        text += "; give every name that the types use where the schema is registered"
    return text.partition(" For further information visit")[0][:_LONGEST]


def is_misfit(error: BaseException) -> bool:
    """Whether pydantic could not apply a constraint, and says so by such an error.

    What a validator of the author raises is none.
    """
    # Older releases panic where later ones raise an error.
    if type(error).__name__ == "PanicException":
        return True
    if not isinstance(error, TypeError | ArithmeticError):
        return False
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    module = frame.tb_frame.f_globals.get("__name__", "") if frame else ""
    return str(module).partition(".")[0] == "pydantic"
