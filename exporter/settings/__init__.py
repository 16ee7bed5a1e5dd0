"""The settings, read from flags, the environment and a file, and checked before anything starts."""

from exporter.settings.durations import format_duration, parse_duration
from exporter.settings.given import ConfigurationError
from exporter.settings.loading import load_settings
from exporter.settings.models import MetricsSettings, RegistryDefaults, RegistrySettings, Settings
from exporter.settings.reference import default_of, description_of, variable_of
from exporter.settings.selections import RepositoriesSettings, TagsSettings
from exporter.settings.values import ListenAddress

__all__ = [
    "ConfigurationError",
    "ListenAddress",
    "MetricsSettings",
    "RegistryDefaults",
    "RegistrySettings",
    "RepositoriesSettings",
    "Settings",
    "TagsSettings",
    "default_of",
    "description_of",
    "format_duration",
    "load_settings",
    "parse_duration",
    "variable_of",
]
