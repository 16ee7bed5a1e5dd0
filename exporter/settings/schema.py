"""The JSON Schema of the configuration file, for editors and for checks before a deployment."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, Final

from pydantic import BaseModel

from exporter.settings.given import LIST_FORMS
from exporter.settings.models import RegistrySettings, Settings
from exporter.settings.values import either

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_NULL: Final = {"type": "null"}
_REGISTRY: Final = RegistrySettings.__name__
_NAMED: Final = f"Named{_REGISTRY}"

Schema = dict[str, Any]


def file_schema() -> Schema:
    """Give the schema of what a configuration file may hold.

    What it refuses is wrong. Not all that is wrong is refused: it sees no variables, opens no files, and
    knows little of which keys go together.
    """
    schema = Settings.model_json_schema()
    definitions: Schema = schema.pop("$defs")
    registry = definitions[_REGISTRY]
    sections = dict(_sections())
    written = Settings().model_dump(mode="json")
    defaults = {definition: written[section] for section, definition in sections.items()}
    for name, model in (("", schema), *definitions.items()):
        _tidy(model, defaults.get(name, written))
    for section, definition in sections.items():
        forms = _forms_of_section(section, definition, definitions)
        for model in (schema, registry):
            if section in model["properties"]:
                model["properties"][section] = _described(model["properties"][section]) | either(*forms)
    named = deepcopy(registry)
    del named["properties"]["name"]  # it is the key
    definitions[_NAMED] = named
    listed = schema["properties"]["registries"]
    schema["properties"]["registries"] = _described(listed) | _registries()
    title = {"$schema": _DIALECT, "title": "Configuration of registry-integrity-exporter"}
    return title | schema | {"$defs": dict(sorted(definitions.items()))}


def _sections() -> Iterator[tuple[str, str]]:
    """Give the keys below which there are others, with the names of their models."""
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield name, field.annotation.__name__


def _tidy(model: Schema, written: Mapping[str, Any]) -> None:
    """Take away what pydantic makes of Python's names and values; a text is one line."""
    model.pop("title", None)
    _set_description(model)
    for name, described in model.get("properties", {}).items():
        described.pop("title", None)
        _set_description(described)
        described.pop("default", None)
        default = written.get(name)
        if isinstance(default, bool | int | float) or (default and isinstance(default, str)):
            described["default"] = default


def _set_description(schema: Schema) -> None:
    if "description" in schema:
        schema["description"] = " ".join(schema["description"].split())


def _described(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key == "description"}


def _forms_of_section(section: str, definition: str, definitions: Schema) -> list[Schema]:
    """Tell what may stand in a section's place: a list, where it has that form, itself, or nothing."""
    listed: list[Schema] = []
    if (section,) in LIST_FORMS:
        field = definitions[definition]["properties"].pop(LIST_FORMS[section,][1])
        listed = [form for form in field["anyOf"] if form != _NULL]
    return [*listed, {"$ref": f"#/$defs/{definition}"}, _NULL]


def _registries() -> Schema:
    return either(
        {"type": "array", "items": {"$ref": f"#/$defs/{_REGISTRY}"}},
        {"type": "object", "additionalProperties": {"$ref": f"#/$defs/{_NAMED}"}},
    )
