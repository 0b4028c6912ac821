"""Models as plain dicts under the keys of the wire, for handlers that ask for dicts.

What a model dumps is what its author wants to show others: computed fields,
other names, other values. A handler is to see what came in, validated.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, cast

from pydantic import AliasChoices, BaseModel, RootModel
from pydantic.fields import FieldInfo


def make_plain(value: Any) -> Any:
    """``value`` with dicts in place of models and dataclasses, at any depth."""
    if issubclass(type(value), RootModel):
        return make_plain(value.root)
    parts = _read_parts(value)
    if parts is not None:
        return {key: make_plain(part) for key, part in parts.items()}
    if type(value) in (list, tuple):
        return type(value)(make_plain(part) for part in value)
    return value


def _read_parts(value: Any) -> Mapping[Any, Any] | None:
    if issubclass(type(value), Mapping):
        return cast("Mapping[Any, Any]", value)
    if isinstance(value, BaseModel):
        return _read_model(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    return None


def _read_model(model: BaseModel) -> dict[str, Any]:
    fields = type(model).model_fields
    named = {
        _find_key(name, field): getattr(model, name) for name, field in fields.items()
    }
    return named | (model.model_extra or {})


def _find_key(name: str, field: FieldInfo) -> str:
    """The key of the JSON object that fills a model's field."""
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        texts = [choice for choice in alias.choices if isinstance(choice, str)]
        return texts[0] if texts else name
    return alias if isinstance(alias, str) else name
