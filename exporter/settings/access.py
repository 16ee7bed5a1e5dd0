"""What the settings of whatever is spoken to have in common: a user with a password, and files for TLS."""

import base64
from pathlib import Path

from pydantic import SecretStr

from exporter.registry import Credentials, TransportOptions, TransportOptionsError
from exporter.settings.secrets import read_secret
from exporter.settings.values import WrongValueError


def password_of(value: object, file: Path | None, section: str = "") -> object:
    """Take the password from its file, where there is one.

    Raises:
        WrongValueError: there are both, or the file cannot be read.
    """
    if file is None:
        return value
    if value is not None:
        raise WrongValueError("expected a password or a password_file, not both")
    return read_secret(file, f"{section}password_file")


def check_login(
    username: str | None, password: SecretStr | None, file: Path | None, section: str = ""
) -> None:
    """Check that there is a password for a user, and a user for a password.

    Raises:
        WrongValueError: there is one without the other; `section`, with its dot, stands before the key.
    """
    if username is None and password is not None:
        key = "password" if file is None else "password_file"
        raise WrongValueError("expected a username beside it", f"{section}{key}")
    if username is not None and password is None:
        raise WrongValueError("expected a password_file or a password beside it", f"{section}username")


def check_files(options: TransportOptions, section: str = "") -> None:
    """Check that the files for TLS, where there are any, can be used.

    Raises:
        WrongValueError: one cannot.
    """
    if not options.files:
        return
    try:
        options.check()
    except TransportOptionsError as error:
        raise WrongValueError(str(error), f"{section}{error.option}") from error


def login_of(username: str | None, password: SecretStr | None) -> Credentials | None:
    """Give the user and the password; None: there are none."""
    if username is None or password is None:
        return None
    return Credentials(username, password.get_secret_value())


def secrets_of(credentials: Credentials) -> frozenset[str]:
    """Give what must never be logged: the password, and what Basic authentication makes of it."""
    user, password = credentials.username, credentials.password
    return frozenset({password, base64.b64encode(f"{user}:{password}".encode()).decode("ascii")})
