"""Proving to a registry who asks."""

import base64
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and a password; the password is in no `repr`."""

    username: str
    password: str = field(repr=False)


class BasicAuthentication:
    """The Basic scheme in UTF-8 (RFC 7617)."""

    def __init__(self, credentials: Credentials | None) -> None:
        self._header: str | None = None
        if credentials is not None:
            pair = f"{credentials.username}:{credentials.password}".encode()
            self._header = f"Basic {base64.b64encode(pair).decode('ascii')}"

    def header(self) -> str | None:
        """The `Authorization` header for requests to the registry's own origin; None: anonymous."""
        return self._header
