"""Names of repositories, tags and images (OCI distribution specification, "Pulling manifests")."""

import re
from dataclasses import dataclass
from typing import Self

from exporter.oci.digest import Digest
from exporter.oci.errors import InvalidValueError, quoted

DOCKER_HUB = "docker.io"
DOCKER_HUB_HOSTS = frozenset(
    {"docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"}
)
_LONGEST_REPOSITORY = 255

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*\.?|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{{1,5}}))?")
_HIGHEST_PORT = 65535


def check_repository(text: str) -> str:
    """Return the text when it is a repository's name.

    Raises:
        InvalidValueError: it is not.
    """
    if len(text) > _LONGEST_REPOSITORY or not _REPOSITORY.fullmatch(text):
        raise InvalidValueError(f"{quoted(text)} is not the name of a repository")
    return text


def check_tag(text: str) -> str:
    """Return the text when it is a tag.

    Raises:
        InvalidValueError: it is not.
    """
    if not _TAG.fullmatch(text):
        raise InvalidValueError(f"{quoted(text)} is not a tag")
    return text


def check_host(text: str) -> str:
    """Return the text when it is a host with or without port; IPv6 addresses stand in brackets.

    Raises:
        InvalidValueError: it is not.
    """
    match = _HOST.fullmatch(text)
    if match is None or int(match["port"] or 0) > _HIGHEST_PORT:
        raise InvalidValueError(f"{quoted(text)} is not a host")
    return text


@dataclass(frozen=True, slots=True)
class ImageName:
    """The name of an image: `host/repository:tag`, `host/repository@digest`, or both.

    A tag and a digest together mean the digest, as for every container runtime.
    """

    host: str
    repository: str
    tag: str | None = None
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a name as workloads write it; Docker Hub's host, `library/` and `latest` are defaults.

        Raises:
            InvalidValueError: a part has not the form of its kind.
        """
        rest, separator, digest = text.partition("@")
        known_digest = Digest(digest) if separator else None
        first, slash, path = rest.partition("/")
        if slash and _names_a_host(first):
            host = check_host(first)
        else:
            host, path = DOCKER_HUB, rest
        name, colon, tag = path.partition(":")
        repository = check_repository(name)
        if host in DOCKER_HUB_HOSTS:
            host = DOCKER_HUB
            repository = name if "/" in name else check_repository(f"library/{name}")
        known_tag = check_tag(tag) if colon else None
        if known_tag is None and known_digest is None:
            known_tag = "latest"
        return cls(host, repository, known_tag, known_digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag is not None else ""
        digest = f"@{self.digest}" if self.digest is not None else ""
        return f"{self.host}/{self.repository}{tag}{digest}"


def _names_a_host(first: str) -> bool:
    # A first component is a host when no component of a repository could look like it.
    return "." in first or ":" in first or first == "localhost" or first != first.lower()
