"""What to tell a person of a key: its meaning, its default, its variable."""

from enum import Enum

from pydantic import BaseModel

from exporter.settings.durations import format_duration
from exporter.settings.environment import PREFIX, spelled
from exporter.settings.given import KeyPath, field_of


def description_of(path: KeyPath) -> str:
    """Tell what a key means, in one line of Markdown."""
    return " ".join((field_of(path).description or "").split())


def default_of(path: KeyPath) -> str:
    """Write a key's default as the file would have it; nothing where there is none."""
    field = field_of(path)
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
