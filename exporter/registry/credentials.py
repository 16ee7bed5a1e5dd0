"""Secrets, and where they come from."""

import asyncio
import base64
import json
import os
import re
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, Self, TypeAlias, cast

import httpx

from exporter.oci import quoted
from exporter.oci.names import DOCKER_HUB, DOCKER_HUB_HOSTS

_LONGEST_FILE: Final = 4 * 1024 * 1024
_LONGEST_SECRET: Final = 64 * 1024
_HELPER_TIMEOUT: Final = 30.0
_HELPER_STANDS: Final = 30.0  # seconds for which a helper's answer is good
_HELPER_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HUB_SERVER: Final = "https://index.docker.io/v1/"
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # in no password of Basic (RFC 7617, 2)
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
class FirstFound:
    """Several sources, of which the first that has a secret counts."""

    sources: tuple[CredentialSource, ...]

    async def find(self, repository: str) -> Secret | None:
        """Ask one after the other."""
        for source in self.sources:
            secret = await source.find(repository)
            if secret is not None:
                return secret
        return None


@dataclass(frozen=True, slots=True)
class PasswordFile:
    """A user whose password is in a file, read again each time: it may be rotated."""

    username: str
    file: Path

    async def find(self, repository: str) -> Secret | None:  # noqa: ARG002 - the protocol's
        """Read the password: the file's one line; the newline at its end is not part of it."""
        text = await asyncio.to_thread(_read, self.file)
        password = text.removesuffix("\n").removesuffix("\r")
        if not password or _CONTROL.search(password):
            raise CredentialsError(f"{self.file} is not one line of text")
        return Credentials(self.username, password)


@dataclass(frozen=True, slots=True)
class _Told:
    """What a helper said, or how it failed; and until when it need not be asked again."""

    secret: Secret | None
    trouble: str | None
    until: float


class DockerConfig:
    """A Docker `config.json`, which Kubernetes calls `.dockerconfigjson`, read again each time.

    Of `auths` the entry wins whose path is the longest; a host's `credHelpers` come before, `credsStore`
    after them, as with Docker. Of `credHelpers` the longest path wins, too.
    """

    def __init__(self, file: Path, host: str, path: str = "") -> None:
        """Look in `file` for the registry at `host` (with its port), whose API stands below `path`."""
        self._file = file
        self._host = _canonical(host)
        self._path = path.strip("/")
        self._lock = asyncio.Lock()
        self._told: dict[tuple[str, str], _Told] = {}

    @classmethod
    def for_registry(cls, file: Path, url: str) -> Self:
        """Look in `file` for the registry at `url`."""
        address = httpx.URL(url)
        return cls(file, address.netloc.decode("ascii"), address.path)

    async def find(self, repository: str) -> Secret | None:
        """Find the most specific entry for a repository."""
        document = _parse_config(await asyncio.to_thread(_read, self._file), self._file)
        path = "/".join(filter(None, (self._path, repository)))
        helper = _most_specific(document.get("credHelpers"), self._host, path)
        if helper is not None and isinstance(helper[1], str):
            return await self._ask_helper(helper[1], helper[0])
        entry = _most_specific(document.get("auths"), self._host, path)
        secret = None
        if entry is not None and isinstance(entry[1], dict):
            secret = _secret_of(entry[1], self._file)
        store = document.get("credsStore")
        if secret is None and isinstance(store, str) and store:
            return await self._ask_helper(store, _HUB_SERVER if self._host == DOCKER_HUB else self._host)
        return secret

    async def _ask_helper(self, name: str, server: str) -> Secret | None:
        # A registry has thousands of repositories, and all of them may have the one helper.
        async with self._lock:
            now = asyncio.get_running_loop().time()
            told = self._told.get((name, server))
            if told is None or told.until <= now:
                secret = trouble = None
                try:
                    secret = await run_helper(name, server)
                except CredentialsError as error:
                    trouble = str(error)
                told = _Told(secret, trouble, asyncio.get_running_loop().time() + _HELPER_STANDS)
                self._told[name, server] = told
        if told.trouble is not None:
            raise CredentialsError(told.trouble)
        return told.secret


async def run_helper(name: str, server: str) -> Secret | None:
    """Ask `docker-credential-NAME` for a server's secret; None where it has none.

    Raises:
        CredentialsError: there is no such helper, or it does not answer properly or in time.
    """
    if not _HELPER_NAME.fullmatch(name):
        raise CredentialsError(f"{quoted(name)} is not the name of a credential helper")
    program = f"docker-credential-{name}"
    loop = asyncio.get_running_loop()
    try:
        # A `Process` of asyncio cannot be waited for while its pipe is full and unread: hence its transport.
        transport, conversation = await loop.subprocess_exec(
            lambda: _Conversation(program, loop.create_future(), loop.create_future()),
            program,
            "get",
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise CredentialsError(f"{program} could not be run: {os.strerror(error.errno or 0)}") from error
    stdin = cast("asyncio.WriteTransport", transport.get_pipe_transport(0))
    stdout = cast("asyncio.ReadTransport", transport.get_pipe_transport(1))
    try:
        async with asyncio.timeout(_HELPER_TIMEOUT):
            output = await conversation.hold(stdin, server.encode())
    except TimeoutError as error:
        raise CredentialsError(f"{program} did not answer within {_HELPER_TIMEOUT:g} s") from error
    finally:
        # With whatever it started: that would go on, and hold its output open.
        if not conversation.ended.done():
            with suppress(ProcessLookupError):
                os.killpg(transport.get_pid(), signal.SIGKILL)
        # What left that session may hold a pipe open.
        if 0 in conversation.open_pipes:
            stdin.abort()
        if 1 in conversation.open_pipes:
            stdout.close()
        await conversation.ended
        transport.close()
    status = transport.get_returncode()
    if status == 0:
        return _parse_helper(output, program)
    if b"credentials not found" in output:
        return None
    raise CredentialsError(f"{program} ended with status {status}")


class _Conversation(asyncio.SubprocessProtocol):
    """What is said with one helper: a question, and an answer of bounded length."""

    def __init__(self, program: str, answer: asyncio.Future[bytes], ended: asyncio.Future[None]) -> None:
        self.ended = ended
        self.open_pipes = {0, 1}
        self._program = program
        self._answer = answer
        self._output = bytearray()

    async def hold(self, stdin: asyncio.WriteTransport, question: bytes) -> bytes:
        """Tell the helper the server, and wait for all it says and for its end."""
        if not stdin.is_closing():  # it need not read to answer, and may have ended
            stdin.write(question)
        stdin.close()
        return await self._answer

    def pipe_data_received(self, fd: int, data: bytes) -> None:  # noqa: ARG002 - the protocol's
        self._output += data
        if len(self._output) > _LONGEST_SECRET and not self._answer.done():
            detail = f"{self._program} answered with more than {_LONGEST_SECRET} bytes"
            self._answer.set_exception(CredentialsError(detail))

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's
        self.open_pipes.discard(fd)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's
        if not self._answer.done():
            self._answer.set_result(bytes(self._output))
        self.ended.set_result(None)


def _parse_helper(output: bytes, program: str) -> Secret | None:
    wrong = CredentialsError(f"{program} answered with what is no secret")
    try:
        document = json.loads(output.decode())
        username, secret = document["Username"], document["Secret"]
    except (ValueError, KeyError, TypeError, RecursionError):  # no cause: it holds the answer
        raise wrong from None
    if not isinstance(username, str) or not isinstance(secret, str) or not secret:
        raise wrong
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
    except UnicodeDecodeError:  # no cause: it holds the content
        raise CredentialsError(f"{file} is not UTF-8") from None


def _parse_config(text: str, file: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):  # no cause: it holds the text
        raise CredentialsError(f"{file} is not JSON") from None
    if not isinstance(document, dict):
        raise CredentialsError(f"{file} is not a JSON object")
    return document


def _canonical(host: str) -> str:
    host = host.lower()
    return DOCKER_HUB if host in DOCKER_HUB_HOSTS else host


def _split(key: str) -> tuple[str, str]:
    """Split an entry's key, with or without scheme, into its host and its path."""
    host, _, path = re.sub(r"^https?://", "", key, flags=re.IGNORECASE).partition("/")
    path = path.strip("/")
    # Old clients named the API's version, which is no path of repositories.
    return _canonical(host), re.sub(r"^v[12](/|$)", "", path)


def _most_specific(entries: object, host: str, path: str) -> tuple[str, Any] | None:
    """Find the entry with the longest path that is `path` or above it, and its key.

    Of two such the one of the very host comes first, then the one that spells out the default port, then a
    pattern.
    """
    if not isinstance(entries, dict):
        return None
    best: tuple[int, int] | None = None
    found: tuple[str, Any] | None = None
    for key, entry in entries.items():
        key_host, key_path = _split(key)
        likeness = _likeness(key_host, host)
        below = not key_path or path == key_path or path.startswith(f"{key_path}/")
        rank = (len(key_path), likeness)
        if likeness and below and (best is None or rank > best):
            best, found = rank, (key, entry)
    return found


def _likeness(key: str, host: str) -> int:
    if key == host:
        return 3
    if key in {f"{host}:443", f"{host}:80"}:
        return 2
    return 1 if _matches(key, host) else 0


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
    except ValueError:  # no cause: it holds the secret
        raise CredentialsError(f"{file}: an auth entry is not base64 of user:password") from None
    if not colon:
        raise CredentialsError(f"{file}: an auth entry is not base64 of user:password")
    return Credentials(username, password.rstrip("\0"))
