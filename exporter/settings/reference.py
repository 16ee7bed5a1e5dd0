"""What to tell a person of a key: its meaning, its default, its variable."""

from enum import Enum
from typing import Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from exporter.settings.durations import format_duration
from exporter.settings.environment import PREFIX, spelled
from exporter.settings.given import KeyPath
from exporter.settings.models import RegistrySettings, Settings

_MODELS: Final[tuple[type[BaseModel], ...]] = (Settings, RegistrySettings)


def description_of(path: KeyPath) -> str:
    """Tell what a key means, in one line of Markdown."""
    return " ".join((_field(path).description or "").split())


def default_of(path: KeyPath) -> str:
    """Write a key's default as the file would have it; nothing where there is none."""
    field = _field(path)
    match None if field.is_required() else field.default:
        case float() as seconds:
            return format_duration(seconds)
        case Enum() as choice:
            return str(choice.value)
        case None | () | "" | BaseModel():
            return ""
        case bool() as truth:
            return str(truth).lower()
        case default:
            return str(default)


def variable_of(path: KeyPath) -> str:
    """Name the variable of a key of the top level."""
    return f"{PREFIX}{spelled(path)}"


def _field(path: KeyPath) -> FieldInfo:
    *sections, name = path
    model = next(model for model in _MODELS if path[0] in model.model_fields)
    for section in sections:
        annotation = model.model_fields[section].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            raise KeyError(path)
        model = annotation
    return model.model_fields[name]
