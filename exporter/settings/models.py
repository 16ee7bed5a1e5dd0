"""The settings: one model for the file, the environment and the flags."""

from contextlib import suppress
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from exporter.integrity.options import BlobCheck, CycleOptions
from exporter.integrity.report import PerRepository, RegistryKind
from exporter.logs import LogFormat, LogLevel
from exporter.registry import (
    CloudProvider,
    Credentials,
    CredentialSource,
    DockerConfig,
    FixedCredentials,
    InvalidCloudError,
    NoCredentials,
    PasswordFile,
    Proxies,
    TransportOptions,
    cloud_credentials,
    is_loopback,
)
from exporter.settings.access import check_files, check_login, login_of, password_of, secrets_of
from exporter.settings.lists import Hosts
from exporter.settings.pushgateway import PushgatewaySettings
from exporter.settings.secrets import secrets_of_docker_config
from exporter.settings.selections import (
    SECTION,
    IgnoreRules,
    Images,
    Overrides,
    Platforms,
    RepositoriesSettings,
    TagsSettings,
)
from exporter.settings.shards import ShardOf
from exporter.settings.values import (
    Address,
    Delay,
    Duration,
    FilePath,
    ImageHost,
    ListenAddress,
    Name,
    Rate,
    Secret,
    Truth,
    Url,
    Username,
    WrongValueError,
    default_name,
    one_of,
    whole_number,
)

_CYCLE = CycleOptions()
# The ways to credentials, of which a registry has one.
_INSTEAD_OF: Final = {"docker_config": ("username",), "cloud": ("username", "docker_config")}


class MetricsSettings(BaseModel):
    """How a registry shows in the metrics."""

    model_config = SECTION

    image_host: ImageHost | None = None
    """What stands before the repository in image names as workloads write them, where that is not the host,
    port and path of `url`."""

    max_broken_info: Annotated[int, whole_number(0, 100_000)] = 200
    """How many broken references are listed one by one in `broken_reference_info`; the others are counted."""

    per_repository: Annotated[PerRepository, one_of(PerRepository)] = PerRepository.ALL
    """Which repositories have series of their own: `all`, those with something `broken`, unverified, stale or
    stuck, or `none`. The others are added up in series without a repository."""


class WebSettings(BaseModel):
    """What `serve` does over HTTP."""

    model_config = SECTION

    enable_lifecycle: Truth = False
    """Whether a POST to `/-/reload` makes the configuration be read again; SIGHUP always does. A change needs
    a restart."""


class RegistryDefaults(BaseModel):
    """What may stand in the settings of a registry, and at the top level as the default for all of them."""

    model_config = SECTION

    kind: Annotated[RegistryKind, one_of(RegistryKind)] = RegistryKind.PRIVATE
    """`pull-through` for a cache, which downloads what it is asked for: of it only what `repositories` and
    `images` name is walked."""

    interval: Duration = 900.0
    """How often a cycle begins. One that failed is followed by another within a minute."""

    concurrency: Annotated[int, whole_number(1, 1000)] = _CYCLE.concurrency
    """How many requests are under way at once."""

    requests_per_second: Rate | None = None
    """How many requests begin in a second at most; without it, as many as come."""

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

    manifest_cache_size: Annotated[int, whole_number(0, 100_000_000)] = _CYCLE.manifest_cache_size
    """How many manifests are remembered from one cycle to the next, at about half a kilobyte each; the others
    are fetched in every cycle."""

    blob_check: Annotated[BlobCheck, one_of(BlobCheck)] = _CYCLE.blob_check
    """How blobs are asked for: `range` reads their last byte, `head` only their headers, `auto` tries `range`
    and falls back to `head`."""

    repositories: RepositoriesSettings = RepositoriesSettings()
    """The repositories to walk, by name: the catalog is not read then. An empty list is for `images`
    alone."""

    tags: TagsSettings = TagsSettings()

    images: Images = ()
    """Images that are walked by digest, whether a tag leads to them or not: `repository@sha256:…`."""

    overrides: Overrides = ()
    """What is different about some repositories: mappings of a glob, `repository`, to a `kind`, a
    `blob_check` or both. The first that matches counts."""

    ignore: IgnoreRules = ()
    """Known breakage, which is listed and counted but not told: mappings of `repository` and `tag` (globs),
    `digest` and `reason`, at least one of them, and where wanted `until` (the last day, in UTC) and a
    `comment`."""

    platforms: Platforms = ()
    """The platforms that a sparse mirror means to have: a mapping of globs of repositories to lists of
    `os/architecture` or `os/architecture/variant`. The first glob that matches counts."""

    username: Username | None = None
    """The user, for the registry itself or for its token service."""

    password_file: FilePath | None = None
    """The file that holds the password, read again whenever it is needed; one newline at its end is cut off.
    A relative path starts from the folder of the configuration file that it stands in, else from the working
    directory."""

    password: Secret | None = Field(default=None, validate_default=True)
    """The password itself, for the environment; a file is better."""

    docker_config: FilePath | None = None
    """A Docker `config.json`, or a `.dockerconfigjson` of Kubernetes, that has the credentials, read again
    whenever they are needed; credential helpers that it names are run. A relative path starts as that of
    `password_file` does."""

    cloud: Annotated[CloudProvider, one_of(CloudProvider)] | None = None
    """`ecr`, `gcp` or `azure`: that cloud's own SDK gets the credentials, from where its tools have them. It
    is installed with the extra of the same name."""

    token_hosts: Hosts = ()
    """Hosts, with or without port, where a token service is trusted with the credentials even where it is
    not spoken to over https. Without port, they are shown the client certificate too."""

    ca_file: FilePath | None = None
    """Certificates of authorities, as PEM, that are trusted beside the system's."""

    client_certificate_file: FilePath | None = None
    """The certificate to show to the registry, as PEM, which may have its key beside it."""

    client_key_file: FilePath | None = None
    """The key of that certificate, as PEM and without a passphrase, where it is a file of its own."""

    insecure_skip_verify: Truth = False
    """Whether whoever answers in the registry's place is trusted: only for trying out."""

    metrics: MetricsSettings = MetricsSettings()

    @field_validator("password", mode="before")
    @classmethod
    def _read_password_file(cls, value: object, info: ValidationInfo) -> object:
        return password_of(value, info.data.get("password_file"))


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
        check_login(self.username, self.password, self.password_file)
        for key, others in _INSTEAD_OF.items():
            for other in others:
                if getattr(self, key) is not None and getattr(self, other) is not None:
                    raise WrongValueError(f"expected no {other} beside it", key)
        if self.docker_config is not None:
            secrets_of_docker_config(self.docker_config, "docker_config")
        if self.cloud is not None:
            try:
                cloud_credentials(self.cloud, self.url)
            except InvalidCloudError as error:
                raise WrongValueError(str(error), "cloud") from error
        return self

    @model_validator(mode="after")
    def _check_files(self) -> Self:
        check_files(self.transport_options())
        return self

    @model_validator(mode="after")
    def _check_repositories(self) -> Self:
        if self.repositories.names == () and not self.images:
            raise WrongValueError("expected a list of at least one repository", "repositories")
        return self

    @property
    def credentials(self) -> Credentials | None:
        """The user and the password that were given at the start; None: there were none."""
        return login_of(self.username, self.password)

    @property
    def credential_source(self) -> CredentialSource:
        """Where the credentials come from whenever they are needed."""
        if self.username is not None and self.password_file is not None:
            return PasswordFile(self.username, self.password_file)
        if self.credentials is not None:
            return FixedCredentials(self.credentials)
        if self.docker_config is not None:
            return DockerConfig.for_registry(self.docker_config, self.url)
        if self.cloud is not None:
            return cloud_credentials(self.cloud, self.url)
        return NoCredentials()

    @property
    def shows_credentials_to_anyone(self) -> bool:
        """Whether credentials go over the network as they are."""
        address = urlsplit(self.url)
        anonymous = isinstance(self.credential_source, NoCredentials)
        return not anonymous and address.scheme == "http" and not is_loopback(address.hostname or "")

    def transport_options(self, proxies: Proxies | None = None) -> TransportOptions:
        """How the registry is connected to."""
        return TransportOptions(
            self.ca_file,
            self.client_certificate_file,
            self.client_key_file,
            self.insecure_skip_verify,
            proxies or Proxies(),
        )


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
    any free one. A change needs a restart."""

    web: WebSettings = WebSettings()

    shard: ShardOf | None = None
    """Which share of the repositories to walk, where several exporters divide them: `I/N`, with `I` from 0 to
    `N`-1, or `auto/N`, which takes `I` from the pod of an Indexed Job or of a StatefulSet."""

    pushgateway: PushgatewaySettings = PushgatewaySettings()

    textfile: FilePath | None = None
    """The file that `probe` writes its metrics to, for node_exporter's textfile collector: never
    half-written, and readable for everybody."""

    deadline: Duration | None = None
    """How long `probe` may take: what could not be asked by then is unverified."""

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
        """What must never be logged: passwords, what Basic authentication makes of them, and tokens."""
        secrets = {self.password.get_secret_value()} if self.password is not None else set()
        secrets |= self.pushgateway.secrets
        for registry in self.registries:
            if registry.credentials is not None:
                secrets |= secrets_of(registry.credentials)
            if registry.docker_config is not None:
                with suppress(WrongValueError):  # it was read a moment ago
                    secrets |= secrets_of_docker_config(registry.docker_config, "docker_config")
        return frozenset(secrets)
