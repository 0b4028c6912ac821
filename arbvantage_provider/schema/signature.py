"""A function's own parameters as the schema of its payload."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NotRequired

from pydantic import Field

from arbvantage_provider.schema.compiled_schema import CompiledSchema, build_schema
from arbvantage_provider.schema.dict_schema import (
    Extra,
    SchemaPath,
    camel,
    compile_type,
    has_description,
    make_typed_dict,
    takes_none,
)


def compile_signature(
    action: str,
    parameters: Sequence[inspect.Parameter],
    *,
    descriptions: Mapping[str, str],
    extra: Extra = "ignore",
) -> CompiledSchema:
    """The schema whose fields are ``parameters``.

    A parameter's annotation is the field's type, in the grammar of the dict
    form; one with a default, or that takes ``None``, need not be there; one without
    annotation takes any JSON value. ``Annotated[X, Field(…)]`` constrains and
    describes it.

    Args:
        action: the action's name.
        parameters: those that are fields.
        descriptions: what the docstring says of them.
        extra: whether keys that are no parameter are refused.

    Raises:
        SchemaError: if an annotation has no JSON form.
    """
    path = SchemaPath(action=action, path="signature", name=f"{camel(action)}Payload")
    fields = {
        parameter.name: _compile_parameter(
            parameter, path, descriptions.get(parameter.name)
        )
        for parameter in parameters
    }
    made = make_typed_dict(path.name, fields, extra)
    return build_schema(made, "payload", path, fills_absent=True)


def _compile_parameter(
    parameter: inspect.Parameter, path: SchemaPath, description: str | None
) -> Any:
    empty = inspect.Parameter.empty
    annotation = Any if parameter.annotation is empty else parameter.annotation
    inner = path.below(f".{parameter.name}", camel(parameter.name), parameter)
    field = compile_type(annotation, inner)
    if description and not has_description(field):
        field = Annotated[field, Field(description=description)]
    if parameter.default is empty:
        return NotRequired[field] if takes_none(field) else field
    # The handler's own default stands in: the function is the one place for it.
    shown = {"default": parameter.default} if _is_plain(parameter.default) else {}
    return NotRequired[Annotated[field, Field(json_schema_extra=shown)]]


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float | bool)
