"""The settings: one model for the file, the environment and the flags."""

import base64
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from exporter.integrity.options import BlobCheck, CycleOptions
from exporter.integrity.report import RegistryKind
from exporter.logs import LogFormat, LogLevel
from exporter.registry import Credentials
from exporter.settings.values import (
    Address,
    Delay,
    Duration,
    FilePath,
    ImageHost,
    ListenAddress,
    Name,
    Repositories,
    Secret,
    Url,
    Username,
    WrongValueError,
    default_name,
    one_of,
    read_secret,
    whole_number,
)

_CYCLE = CycleOptions()
# An error shows its value only after `given` has masked it, so pydantic's own texts show none.
_CONFIG = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True)


class MetricsSettings(BaseModel):
    """How a registry shows in the metrics."""

    model_config = _CONFIG

    image_host: ImageHost | None = None
    """What stands before the repository in image names as workloads write them, where that is not the host,
    port and path of `url`."""

    max_broken_info: Annotated[int, whole_number(0, 100_000)] = 200
    """How many broken references are listed one by one in `broken_reference_info`; the others are counted."""


class RegistryDefaults(BaseModel):
    """What may stand in the settings of a registry, and at the top level as the default for all of them."""

    model_config = _CONFIG

    kind: Annotated[RegistryKind, one_of(RegistryKind)] = RegistryKind.PRIVATE
    """`pull-through` for a cache, which downloads what it is asked for: walked only where `repositories` are
    given."""

    interval: Duration = 900.0
    """How often a cycle begins."""

    concurrency: Annotated[int, whole_number(1, 1000)] = _CYCLE.concurrency
    """How many requests are under way at once."""

    timeout: Duration = 10.0
    """How long one request may take."""

    catalog_timeout: Duration = 60.0
    """How long a request for a page of the catalog may take."""

    confirm_delay: Delay = _CYCLE.confirm_delay
    """How long after the first asking a broken reference is asked again, before it is reported."""

    suspect_delay: Delay = _CYCLE.suspect_delay
    """How long after a cycle that looks like a storage outage it is repeated, before it replaces what is
    known."""

    refetch_interval: Duration = _CYCLE.refetch_interval
    """Within which time every manifest is fetched and hashed again."""

    blob_check: Annotated[BlobCheck, one_of(BlobCheck)] = _CYCLE.blob_check
    """How blobs are asked for: `range` reads their last byte, `head` only their headers, `auto` tries `range`
    and falls back to `head`."""

    repositories: Repositories | None = _CYCLE.repositories
    """The repositories to check; where they are given, the catalog is not read."""

    username: Username | None = None
    """The user for Basic authentication."""

    password_file: FilePath | None = None
    """The file that holds the password, read at the start; one newline at its end is cut off. A relative path
    starts from the folder of the configuration file that it stands in, else from the working directory."""

    password: Secret | None = Field(default=None, validate_default=True)
    """The password itself, for the environment; a file is better."""

    metrics: MetricsSettings = MetricsSettings()

    @field_validator("password", mode="before")
    @classmethod
    def _read_password_file(cls, value: object, info: ValidationInfo) -> object:
        path = info.data.get("password_file")
        if path is None:
            return value
        if value is not None:
            raise WrongValueError("expected a password or a password_file, not both")
        return read_secret(path, "password_file")


class RegistrySettings(RegistryDefaults):
    """One registry."""

    url: Url
    """The address, with http or https and without `/v2/`; a path before that is kept."""

    name: Name = Field(default="", validate_default=True)
    """The value of the label `registry`; the host and port of `url` where it is not given."""

    @field_validator("name", mode="before")
    @classmethod
    def _default_name(cls, value: object, info: ValidationInfo) -> object:
        unset = value is None or value == ""
        return default_name(info.data.get("url", "http://unknown")) if unset else value

    @model_validator(mode="after")
    def _check_credentials(self) -> Self:
        if self.username is None and self.password is not None:
            key = "password" if self.password_file is None else "password_file"
            raise WrongValueError("expected a username beside it", key)
        if self.username is not None and self.password is None:
            raise WrongValueError("expected a password_file or a password beside it", "username")
        return self

    @property
    def credentials(self) -> Credentials | None:
        """Who asks; None: nobody in particular."""
        if self.username is None or self.password is None:
            return None
        return Credentials(self.username, self.password.get_secret_value())


class Settings(RegistryDefaults, BaseSettings):
    """All settings."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
        env_prefix="REGISTRY_INTEGRITY_",
        env_nested_delimiter="__",
        validate_default=False,
    )

    registries: tuple[RegistrySettings, ...] = ()
    """The registries to walk; as flags, each `URL` or `NAME=URL`."""

    log_level: Annotated[LogLevel, one_of(LogLevel)] = LogLevel.INFO
    """The least level that is logged: `debug`, `info`, `warning` or `error`."""

    log_format: Annotated[LogFormat, one_of(LogFormat)] = LogFormat.CONSOLE
    """How log lines look: `console` for people, `json` for machines."""

    listen_address: Address = ListenAddress("", 9949)
    """Where `serve` listens: `:PORT` for every address, `HOST:PORT`, or `[IPV6]:PORT` in quotes. Port 0 is
    any free one."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take only what `load_settings` gives, which knows of each value where it came from."""
        return (init_settings,)

    @field_validator("registries", mode="after")
    @classmethod
    def _check_registries(cls, registries: tuple[RegistrySettings, ...]) -> tuple[RegistrySettings, ...]:
        names = [registry.name for registry in registries]
        for name in names:
            if names.count(name) > 1:
                raise WrongValueError("expected a name of its own for each registry", value=name)
        return registries

    @property
    def secrets(self) -> frozenset[str]:
        """What must never be logged: the passwords, and what Basic authentication makes of them."""
        secrets = {self.password.get_secret_value()} if self.password is not None else set()
        for registry in self.registries:
            if registry.credentials is not None:
                user, password = registry.credentials.username, registry.credentials.password
                secrets |= {password, base64.b64encode(f"{user}:{password}".encode()).decode("ascii")}
        return frozenset(secrets)
