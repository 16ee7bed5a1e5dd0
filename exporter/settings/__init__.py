"""The settings, read from flags, the environment and a file, and checked before anything starts."""

from exporter.settings.durations import format_duration, parse_duration
from exporter.settings.effective import render_effective
from exporter.settings.given import ConfigurationError
from exporter.settings.loading import Configuration, load_configuration, load_settings
from exporter.settings.models import MetricsSettings, RegistryDefaults, RegistrySettings, Settings
from exporter.settings.reference import default_of, description_of, variable_of
from exporter.settings.schema import file_schema
from exporter.settings.secrets import secrets_of_docker_config
from exporter.settings.selections import RepositoriesSettings, TagsSettings
from exporter.settings.values import ListenAddress

__all__ = [
    "Configuration",
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
    "file_schema",
    "format_duration",
    "load_configuration",
    "load_settings",
    "parse_duration",
    "render_effective",
    "secrets_of_docker_config",
    "variable_of",
]
