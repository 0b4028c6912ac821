"""A function's own parameters as the schema of its payload."""

import inspect
from collections.abc import Sequence
from typing import Annotated, Any, NotRequired

from pydantic import Field

from arbvantage_provider.schema.declared import Schema, build_schema
from arbvantage_provider.schema.legacy import (
    Place,
    camel,
    compile_type,
    make_typed_dict,
)


def compile_signature(action: str, parameters: Sequence[inspect.Parameter]) -> Schema:
    """The schema whose fields are ``parameters``.

    A parameter's annotation is the field's type, in the grammar of the dict
    form; one with a default need not be there; one without annotation takes any
    JSON value. ``Annotated[X, Field(…)]`` constrains and describes it.

    Raises:
        SchemaError: if an annotation has no JSON form.
    """
    place = Place(action=action, path="signature", name=f"{camel(action)}Payload")
    fields = {
        parameter.name: _compile_parameter(parameter, place) for parameter in parameters
    }
    return build_schema(make_typed_dict(place.name, fields), "payload", place)


def _compile_parameter(parameter: inspect.Parameter, place: Place) -> Any:
    empty = inspect.Parameter.empty
    annotation = Any if parameter.annotation is empty else parameter.annotation
    inner = place.below(f".{parameter.name}", camel(parameter.name), parameter)
    field = compile_type(annotation, inner)
    if parameter.default is empty:
        return field
    # The handler's own default stands in: the function is the one place for it.
    shown = {"default": parameter.default} if _is_plain(parameter.default) else {}
    return NotRequired[Annotated[field, Field(json_schema_extra=shown)]]


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float | bool)
