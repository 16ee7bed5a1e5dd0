"""Secrets, and where they come from."""

import asyncio
import base64
import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

from exporter.oci import quoted
from exporter.oci.names import DOCKER_HUB, DOCKER_HUB_HOSTS

_LONGEST_FILE: Final = 4 * 1024 * 1024
_LONGEST_SECRET: Final = 64 * 1024
_HELPER_TIMEOUT: Final = 30.0
_HELPER_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_IDENTITY_USER: Final = "<token>"  # how a credential helper marks an identity token


class CredentialsError(Exception):
    """Credentials could not be read; the message names the place and never a secret."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and a password; the password is in no `repr`."""

    username: str
    password: str = field(repr=False)

    @property
    def basic(self) -> str:
        """The `Authorization` header of the Basic scheme, in UTF-8 (RFC 7617)."""
        return f"Basic {base64.b64encode(f'{self.username}:{self.password}'.encode()).decode('ascii')}"


@dataclass(frozen=True, slots=True)
class IdentityToken:
    """An OAuth2 refresh token, which only a token service is shown."""

    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class RegistryToken:
    """A bearer token that goes to the registry as it is."""

    token: str = field(repr=False)


Secret: TypeAlias = Credentials | IdentityToken | RegistryToken


class CredentialSource(Protocol):
    """Where the secret for a repository comes from, asked anew whenever one is needed."""

    async def find(self, repository: str) -> Secret | None:
        """Find the secret for a repository, empty for the registry as a whole; None: anonymous.

        Raises:
            CredentialsError: it could not be read.
        """


class NoCredentials:
    """Everything is asked anonymously."""

    async def find(self, repository: str) -> Secret | None:  # noqa: ARG002 - the protocol's
        """Find nothing."""
        return None


@dataclass(frozen=True, slots=True)
class FixedCredentials:
    """One secret for all of a registry."""

    secret: Secret

    async def find(self, repository: str) -> Secret | None:  # noqa: ARG002 - the protocol's
        """Give the secret."""
        return self.secret


@dataclass(frozen=True, slots=True)
class PasswordFile:
    """A user whose password is in a file, read again each time: it may be rotated."""

    username: str
    file: Path

    async def find(self, repository: str) -> Secret | None:  # noqa: ARG002 - the protocol's
        """Read the password; one newline at its end is not part of it."""
        text = await asyncio.to_thread(_read, self.file)
        return Credentials(self.username, text.removesuffix("\n").removesuffix("\r"))


class DockerConfig:
    """A Docker `config.json`, which Kubernetes calls `.dockerconfigjson`, read again each time.

    Of `auths` the entry wins whose path is the longest; a host's `credHelpers` come before, `credsStore`
    after them, as with Docker.
    """

    def __init__(self, file: Path, host: str, path: str = "") -> None:
        """Look in `file` for the registry at `host` (with its port), whose API stands below `path`."""
        self._file = file
        self._host = DOCKER_HUB if host in DOCKER_HUB_HOSTS else host
        self._path = path.strip("/")

    async def find(self, repository: str) -> Secret | None:
        """Find the most specific entry for a repository."""
        try:
            document = json.loads(await asyncio.to_thread(_read, self._file))
        except (ValueError, RecursionError) as error:
            raise CredentialsError(f"{self._file} is not JSON") from error
        if not isinstance(document, dict):
            raise CredentialsError(f"{self._file} is not a JSON object")
        helper = self._helper(document.get("credHelpers"))
        if helper is not None:
            return await run_helper(*helper)
        place = "/".join(filter(None, (self._host, self._path, repository)))
        entry = _most_specific(document.get("auths"), place)
        secret = _secret_of(entry, self._file) if entry is not None else None
        store = document.get("credsStore")
        if secret is None and isinstance(store, str) and store:
            server = "https://index.docker.io/v1/" if self._host == DOCKER_HUB else self._host
            return await run_helper(store, server)
        return secret

    def _helper(self, helpers: object) -> tuple[str, str] | None:
        if not isinstance(helpers, dict):
            return None
        for server, helper in helpers.items():
            if _split(server)[0] == self._host and isinstance(helper, str):
                return helper, server
        return None


async def run_helper(name: str, server: str, timeout_seconds: float = _HELPER_TIMEOUT) -> Secret | None:
    """Ask `docker-credential-NAME` for a server's secret; None where it has none.

    Raises:
        CredentialsError: there is no such helper, or it does not answer properly or in time.
    """
    if not _HELPER_NAME.fullmatch(name):
        raise CredentialsError(f"{quoted(name)} is not the name of a credential helper")
    program = f"docker-credential-{name}"
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            "get",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise CredentialsError(f"{program} could not be run: {os.strerror(error.errno or 0)}") from error
    try:
        async with asyncio.timeout(timeout_seconds):
            output, _ = await process.communicate(server.encode())
    except TimeoutError as error:
        raise CredentialsError(f"{program} did not answer within {timeout_seconds:g} s") from error
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode != 0:
        if b"credentials not found" in output:
            return None
        raise CredentialsError(f"{program} ended with status {process.returncode}")
    return _parse_helper(output[:_LONGEST_SECRET], program)


def _parse_helper(output: bytes, program: str) -> Secret | None:
    try:
        document = json.loads(output.decode())
        username, secret = document["Username"], document["Secret"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CredentialsError(f"{program} answered with what is no secret") from error
    if not isinstance(username, str) or not isinstance(secret, str):
        raise CredentialsError(f"{program} answered with what is no secret")
    return IdentityToken(secret) if username == _IDENTITY_USER else Credentials(username, secret)


def _read(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(_LONGEST_FILE + 1)
        if len(content) > _LONGEST_FILE:
            raise CredentialsError(f"{file} is longer than {_LONGEST_FILE} bytes")
        return content.decode()
    except OSError as error:
        raise CredentialsError(f"{file} could not be read: {os.strerror(error.errno or 0)}") from error
    except UnicodeDecodeError as error:
        raise CredentialsError(f"{file} is not UTF-8") from error


def _split(key: str) -> tuple[str, str]:
    """Split an entry's key, with or without scheme, into its host and its path."""
    host, _, path = re.sub(r"^https?://", "", key).partition("/")
    path = path.strip("/")
    # Old clients named the API's version, which is no path of repositories.
    path = re.sub(r"^v[12](/|$)", "", path)
    return (DOCKER_HUB if host in DOCKER_HUB_HOSTS else host, path)


def _most_specific(entries: object, place: str) -> Mapping[str, Any] | None:
    """Find the entry with the longest path that `place` is in; an exact host comes before a pattern."""
    if not isinstance(entries, dict):
        return None
    best: tuple[int, bool] | None = None
    found: Mapping[str, Any] | None = None
    host, _, path = place.partition("/")
    for key, entry in entries.items():
        if not isinstance(entry, dict):
            continue
        key_host, key_path = _split(key)
        fits = key_host == host or _matches(key_host, host)
        below = not key_path or path == key_path or path.startswith(f"{key_path}/")
        rank = (len(key_path), key_host == host)
        if fits and below and (best is None or rank > best):
            best, found = rank, entry
    return found


def _matches(pattern: str, host: str) -> bool:
    # As Kubernetes matches them: label by label, a star for any run within one, the port to the letter.
    pattern_name, _, pattern_port = pattern.partition(":")
    name, _, port = host.partition(":")
    labels, wanted = name.split("."), pattern_name.split(".")
    if "*" not in pattern or pattern_port != port or len(labels) != len(wanted):
        return False
    return all(
        re.fullmatch(re.escape(part).replace(r"\*", ".*"), label)
        for part, label in zip(wanted, labels, strict=True)
    )


def _secret_of(entry: Mapping[str, Any], file: Path) -> Secret | None:
    for field_name, kind in (("identitytoken", IdentityToken), ("registrytoken", RegistryToken)):
        token = entry.get(field_name)
        if isinstance(token, str) and token:
            return kind(token)
    username, password = entry.get("username"), entry.get("password")
    if isinstance(username, str) and username and isinstance(password, str):
        return Credentials(username, password)
    auth = entry.get("auth")
    if not isinstance(auth, str) or not auth:
        return None
    try:
        username, colon, password = base64.b64decode(auth, validate=True).decode().partition(":")
    except ValueError as error:
        raise CredentialsError(f"{file}: an auth entry is not base64 of user:password") from error
    if not colon:
        raise CredentialsError(f"{file}: an auth entry is not base64 of user:password")
    return Credentials(username, password.rstrip("\0"))
