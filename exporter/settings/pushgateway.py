"""The settings of the Pushgateway that `probe` sends its metrics to."""

import re
from typing import Annotated, Final, Self

from pydantic import BaseModel, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from exporter.registry import Credentials, Proxies, TransportOptions
from exporter.settings.access import check_files, check_login, login_of, password_of, secrets_of
from exporter.settings.selections import SECTION
from exporter.settings.values import (
    Duration,
    FilePath,
    Secret,
    Truth,
    Url,
    Username,
    WrongValueError,
    text_like,
)

_SECTION: Final = "pushgateway."
_JOB = re.compile(r"[A-Za-z0-9._:-]{1,100}")


def _job(value: object) -> str:
    if not isinstance(value, str) or not _JOB.fullmatch(value):
        raise WrongValueError("expected a name of up to 100 letters, digits and . _ - :")
    return value


class PushgatewaySettings(BaseModel):
    """Where `probe` sends its metrics to."""

    model_config = SECTION

    url: Url | None = None
    """The address of a Pushgateway, without `/metrics`: `probe` pushes the metrics of each registry to it."""

    job: Annotated[str, BeforeValidator(_job), text_like(_JOB)] = "registry-integrity"
    """The value of the label `job`: what is pushed replaces what was pushed with the same `job`, `registry`
    and `shard`."""

    timeout: Duration = 10.0
    """How long one request to it may take."""

    username: Username | None = None
    """The user, for Basic authentication."""

    password_file: FilePath | None = None
    """The file that holds the password, as that of a registry."""

    password: Secret | None = Field(default=None, validate_default=True)
    """The password itself, for the environment; a file is better."""

    ca_file: FilePath | None = None
    """Certificates of authorities, as PEM, that are trusted beside the system's."""

    client_certificate_file: FilePath | None = None
    """The certificate to show to it, as PEM, which may have its key beside it."""

    client_key_file: FilePath | None = None
    """The key of that certificate, as PEM and without a passphrase, where it is a file of its own."""

    insecure_skip_verify: Truth = False
    """Whether whoever answers in its place is trusted: only for trying out."""

    @field_validator("password", mode="before")
    @classmethod
    def _read_password_file(cls, value: object, info: ValidationInfo) -> object:
        return password_of(value, info.data.get("password_file"), _SECTION)

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_login(self.username, self.password, self.password_file, _SECTION)
        check_files(self.transport_options(), _SECTION)
        return self

    @property
    def credentials(self) -> Credentials | None:
        """The user and the password; None: there are none."""
        return login_of(self.username, self.password)

    @property
    def secrets(self) -> frozenset[str]:
        """What must never be logged."""
        return secrets_of(self.credentials) if self.credentials is not None else frozenset()

    def transport_options(self, proxies: Proxies | None = None) -> TransportOptions:
        """How it is connected to."""
        return TransportOptions(
            self.ca_file,
            self.client_certificate_file,
            self.client_key_file,
            self.insecure_skip_verify,
            proxies or Proxies(),
        )
