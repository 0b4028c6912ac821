"""What handlers receive from dict schemas, as ``TypedDict`` definitions."""

from arbvantage_provider.codegen.formatter import STEP
from arbvantage_provider.codegen.generated import Generated, Member
from arbvantage_provider.codegen.names import is_name
from arbvantage_provider.codegen.types import TypeFormatter
from arbvantage_provider.schema.dict_schema import takes_none


def format_typed_dict(generated: Generated, formatter: TypeFormatter) -> str:
    """One dict as a ``TypedDict`` whose keys are all there; optional ones may be None.

    Keys that no class can have are written in the form of a call.
    """
    base = formatter.scope.refer("typing", "TypedDict")
    members = generated.members
    if not all(map(_is_attribute, members)):
        types = {key: _spell(each, formatter) for key, each in members.items()}
        pairs = ", ".join(f"{key!r}: {type_}" for key, type_ in types.items())
        return f"{generated.name} = {base}({generated.name!r}, {{{pairs}}})"
    inside = formatter.inside(members.keys())
    lines = [f"{STEP}{key}: {_spell(each, inside)}" for key, each in members.items()]
    head = f"class {generated.name}({base}):"
    return "\n".join([head, *lines]) if lines else f"{head} ..."


def _is_attribute(key: str) -> bool:
    """Whether a class can have the key; Python renames what begins with ``__``."""
    return is_name(key) and not key.startswith("__")


def _spell(member: Member, formatter: TypeFormatter) -> str:
    spelled = formatter.spell(member.type)
    is_filled = member.may_be_absent and not takes_none(member.type)
    return f"{spelled} | None" if is_filled else spelled
