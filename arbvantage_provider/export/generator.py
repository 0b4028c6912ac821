"""What a validator takes, as JSON Schema.

pydantic describes its own types; where what it says is not what its validator
does with JSON, or depends on how Python is written, it is put right here. What
JSON Schema has no words for is listed in ``docs/exports.md``.
"""

import enum
import re
from typing import Any, Final, cast

from pydantic.json_schema import (
    GenerateJsonSchema,
    JsonSchemaValue,
    JsonSchemaWarningKind,
)
from pydantic_core import PydanticSerializationError, core_schema
from typing_extensions import override

from arbvantage_provider.export.defaults import is_showable, list_sets
from arbvantage_provider.export.string_formats import (
    Zone,
    describe_datetime,
    describe_decimal_text,
    describe_duration,
    describe_key,
    describe_time,
    describe_uuid,
)
from arbvantage_provider.schema.scalars import FORMS

CLASS: Final = "x-class"
"""The keyword that a definition has its class's name under, until it is named."""

_WORDS: Final = {
    "ge": ("minimum",),
    "gt": ("exclusiveMinimum",),
    "le": ("maximum",),
    "lt": ("exclusiveMaximum",),
    "multiple_of": ("multipleOf",),
    "minLength": ("minLength", "minItems", "minProperties"),
    "maxLength": ("maxLength", "maxItems", "maxProperties"),
}
"""What bounds a union, as pydantic writes it, and as JSON Schema does."""
_DESCRIBED: Final = "pydantic_js_annotation_functions"
_NOT_HASHABLE: Final = {"not": {"type": ["array", "object"]}}
_STEP = re.compile(r"([\][,])")


class Generator(GenerateJsonSchema):
    """Describes payloads and accounts as they come in, results as they go out."""

    ignored_warning_kinds: set[JsonSchemaWarningKind] = {  # noqa: RUF012 - it is the parent's, and no ClassVar there
        "skipped-choice",
        "non-serializable-default",
        "skipped-discriminator",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_strict_text = False

    # --- names and words ------------------------------------------------------

    @override
    def generate_inner(self, schema: Any) -> JsonSchemaValue:
        if self.mode == "validation":
            schema = _show_unvalidated(schema)
        outside = self._in_strict_text
        self._in_strict_text = outside or _is_strict_text(schema)
        try:
            node = super().generate_inner(schema)
        finally:
            self._in_strict_text = outside
        if not is_showable(node.get("default")):
            del node["default"]
        if not {"ge", "gt", "le", "lt", "multiple_of", "anyOf"}.isdisjoint(node):
            _rename_bounds(node)
        reference = schema.get("ref", "")
        defined = self.core_to_defs_refs.get((reference, self.mode))
        if defined is not None and defined in self.definitions:
            self.definitions[defined].setdefault(CLASS, _read_class(reference))
        return node

    @override
    def field_title_should_be_set(self, schema: Any) -> bool:
        return False  # it would be the key again, spelled another way

    @override
    def get_title_from_name(self, name: str) -> str:
        return ""  # older releases of pydantic set one all the same

    @override
    def handle_invalid_for_json_schema(
        self, schema: Any, error_info: str
    ) -> JsonSchemaValue:
        return {}  # only the user's own code knows what fits

    @override
    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        default = schema.get("default")
        if not is_showable(default):
            return self.generate_inner(schema["schema"])
        listed = cast(
            "core_schema.WithDefaultSchema", {**schema, "default": list_sets(default)}
        )
        return super().default_schema(listed if "default" in schema else schema)

    # --- text that stands for other values ------------------------------------

    @override
    def datetime_schema(self, schema: core_schema.DatetimeSchema) -> JsonSchemaValue:
        node = super().datetime_schema(schema)
        zone = schema.get("tz_constraint", "any")
        if node.get("format") != "date-time" or not isinstance(zone, str):
            return node
        return describe_datetime(cast("Zone", zone), date_too=self._in_strict_text)

    @override
    def time_schema(self, schema: core_schema.TimeSchema) -> JsonSchemaValue:
        node = super().time_schema(schema)
        return describe_time() if node.get("format") == "time" else node

    @override
    def timedelta_schema(self, schema: core_schema.TimedeltaSchema) -> JsonSchemaValue:
        node = super().timedelta_schema(schema)
        return describe_duration() if node.get("format") == "duration" else node

    @override
    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        if self.mode == "serialization":
            return {"type": "string"}
        number = super().decimal_schema(schema)["anyOf"][0]
        return {"anyOf": [number, describe_decimal_text()]}

    @override
    def uuid_schema(self, schema: core_schema.UuidSchema) -> JsonSchemaValue:
        return describe_uuid(schema.get("version"))

    @override
    def bytes_schema(self, schema: core_schema.BytesSchema) -> JsonSchemaValue:
        node = super().bytes_schema(schema)
        if node.get("format") == "binary":
            del node["format"]  # it is text, and its UTF-8 is what is meant
        return node

    @override
    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        try:
            return _add_up(super().enum_schema(schema), schema["cls"])
        except PydanticSerializationError:
            return self.handle_invalid_for_json_schema(
                schema, "a value that is no JSON"
            )

    @override
    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> JsonSchemaValue:
        return _close(super().typed_dict_schema(schema), schema)

    @override
    def dataclass_args_schema(
        self, schema: core_schema.DataclassArgsSchema
    ) -> JsonSchemaValue:
        return _close(super().dataclass_args_schema(schema), schema)

    # --- containers -----------------------------------------------------------

    @override
    def set_schema(self, schema: core_schema.SetSchema) -> JsonSchemaValue:
        return self._allow_doubles(super().set_schema(schema))

    @override
    def frozenset_schema(self, schema: core_schema.FrozenSetSchema) -> JsonSchemaValue:
        return self._allow_doubles(super().frozenset_schema(schema))

    def _allow_doubles(self, node: JsonSchemaValue) -> JsonSchemaValue:
        """An item that is there twice counts once, so it neither fails nor adds."""
        if self.mode == "validation":
            items = node["items"] or _NOT_HASHABLE
            node = {**node, "items": items}
            node.pop("uniqueItems", None)
            node.pop("maxItems", None)
        return node

    @override
    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        keys = self._describe_part(schema, "keys_schema")
        values = self._describe_part(schema, "values_schema")
        node: JsonSchemaValue = {
            "type": "object",
            "additionalProperties": values or True,
        }
        key = describe_key(keys, self._resolve)
        if key is not None:
            node["propertyNames"] = key
        self.update_with_validations(node, schema, self.ValidationsMapping.object)
        return node

    def _describe_part(self, schema: Any, part: str) -> JsonSchemaValue:
        return self.generate_inner(schema[part]) if part in schema else {}

    def _resolve(self, node: JsonSchemaValue) -> JsonSchemaValue:
        found = (
            self.get_schema_from_definitions(node["$ref"]) if "$ref" in node else node
        )
        return found or {}

    @override
    def call_schema(self, schema: core_schema.CallSchema) -> JsonSchemaValue:
        node = super().call_schema(schema)
        if self.mode == "serialization" or not hasattr(schema["function"], "_fields"):
            return node
        arguments = cast("core_schema.ArgumentsSchema", schema["arguments_schema"])
        return self._name_items(node, arguments["arguments_schema"])

    @override
    def named_tuple_schema(self, schema: Any) -> JsonSchemaValue:
        node = super().named_tuple_schema(schema)  # older pydantic: a call
        if self.mode == "serialization":
            return node
        return self._name_items(node, schema["fields"])

    def _name_items(self, node: JsonSchemaValue, fields: Any) -> JsonSchemaValue:
        """A named tuple comes as an array, or as an object with its names."""
        return {"anyOf": [node, self.kw_arguments_schema(fields, None)]}

    @override
    def tagged_union_schema(
        self, schema: core_schema.TaggedUnionSchema
    ) -> JsonSchemaValue:
        node = super().tagged_union_schema(schema)
        if "discriminator" in node:  # without the tag, no member is even tried
            node["required"] = [node["discriminator"]["propertyName"]]
        return node


def _add_up(node: JsonSchemaValue, members: Any) -> JsonSchemaValue:
    """Of a flag, any sum of its members, which is a number."""
    if not issubclass(members, enum.Flag):
        return node
    node = {**node, "type": "integer"}
    for word in ("enum", "const"):
        node.pop(word, None)
    flag = cast("Any", members)
    if flag._boundary_ is enum.FlagBoundary.STRICT:
        node |= {"minimum": ~flag._all_bits_, "maximum": flag._all_bits_}
    values = ", ".join(f"{each.value} ({each.name})" for each in members)
    return {"description": f"The sum of any of {values}.", **node}


def _show_unvalidated(schema: Any) -> Any:
    """``SkipValidation`` takes anything, where pydantic describes the type in it."""
    metadata: Any = schema.get("metadata") or {}
    described: list[Any] = metadata.get(_DESCRIBED, [])
    kept = [
        each
        for each in described
        if not getattr(each, "__qualname__", "").startswith("SkipValidation.")
    ]
    if len(kept) == len(described):
        return schema
    return {**schema, "metadata": {**metadata, _DESCRIBED: kept}}


def _rename_bounds(node: JsonSchemaValue) -> None:
    """Bounds of what pydantic cannot look inside, which it has words of its own for."""
    is_union = "anyOf" in node
    for word in node.keys() & _WORDS.keys():
        if is_union or not word.endswith("Length"):
            bound = node.pop(word)
            node.update(dict.fromkeys(_WORDS[word], bound))


def _close(node: JsonSchemaValue, schema: Any) -> JsonSchemaValue:
    """The node without other keys; older releases of pydantic do not say so."""
    if schema.get("extra_behavior") == "forbid":
        node["additionalProperties"] = False
    return node


def _is_strict_text(schema: Any) -> bool:
    """Whether a schema is what ``schema.scalars`` makes of a type that is text."""
    if schema["type"] == "json-or-python":
        schema = schema["json_schema"]
    if schema["type"] != "chain":
        return False
    first: Any = schema["steps"][0]
    return first["type"] == "str" and first.get("pattern") in FORMS


def _read_class(reference: str) -> str:
    """``module.Page[module.Item]``, as pydantic spells it, as ``Page[Item]``."""
    parts = [part.rsplit(":", 1)[0] for part in _STEP.split(reference)]
    return "".join(part.rsplit(".", 1)[-1] for part in parts)
