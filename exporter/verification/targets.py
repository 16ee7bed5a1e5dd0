"""Which registry an image is in."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from exporter.integrity import ImageByDigest, ImageByTag
from exporter.oci import ImageName
from exporter.oci.names import DOCKER_HUB, DOCKER_HUB_HOSTS
from exporter.registry import is_loopback
from exporter.settings import RegistryDefaults, RegistrySettings, Settings
from exporter.verification.run import NamedImage

_HUB_URL: Final = "https://registry-1.docker.io"
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
# What is given for all listed registries and must not go to just any.
_OF_LISTED_ONLY: Final = frozenset(
    {
        "username",
        "password",
        "password_file",
        "cloud",
        "token_hosts",
        "client_certificate_file",
        "client_key_file",
        "repositories",
        "tags",
        "images",
        "metrics",
    }
)


@dataclass(frozen=True, slots=True)
class Target:
    """A registry, and the images to verify in it."""

    registry: RegistrySettings
    images: tuple[NamedImage, ...]


def find_targets(names: Iterable[ImageName], settings: Settings) -> tuple[Target, ...]:
    """Group images by registry: by the one that is listed for their host, else by their host itself."""
    strangers: dict[str, RegistrySettings] = {}
    found: dict[tuple[str, str], tuple[RegistrySettings, list[NamedImage]]] = {}
    for name in names:
        listed = _listed(name, settings.registries)
        if listed is None:
            if name.host not in strangers:
                strangers[name.host] = _stranger(name.host, settings)
            registry, repository = strangers[name.host], name.repository
        else:
            registry, repository = listed
        _, images = found.setdefault((registry.name, registry.url), (registry, []))
        image = (
            ImageByDigest(repository, name.digest)
            if name.digest is not None
            else ImageByTag(repository, name.tag or "latest")
        )
        images.append(NamedImage(str(name), image))
    return tuple(Target(registry, tuple(images)) for registry, images in found.values())


def _listed(name: ImageName, registries: Iterable[RegistrySettings]) -> tuple[RegistrySettings, str] | None:
    """Find the registry whose images begin as this one does, the longest beginning first."""
    matches = [
        (len(prefix), registry, f"{name.host}/{name.repository}"[len(prefix) + 1 :])
        for registry in registries
        for prefix in _prefixes(registry)
        if f"{name.host}/{name.repository}".startswith(f"{prefix}/")
    ]
    if not matches:
        return None
    _, registry, repository = max(matches, key=lambda match: match[0])
    return registry, repository


def _prefixes(registry: RegistrySettings) -> Iterator[str]:
    if registry.metrics.image_host is not None:
        yield registry.metrics.image_host.rstrip("/")
    url = urlsplit(registry.url)
    host, path = url.netloc, url.path.rstrip("/")
    if host in DOCKER_HUB_HOSTS:
        yield f"{DOCKER_HUB}{path}"
    yield f"{host}{path}"
    port = _DEFAULT_PORTS[url.scheme]
    if url.port is None:
        yield f"{host}:{port}{path}"
    elif url.port == port:
        yield f"{host.rpartition(':')[0]}{path}"


def _stranger(host: str, settings: Settings) -> RegistrySettings:
    """Make the settings of a registry that is not listed: what holds for all of them, and no secret."""
    name, _, _ = host.rpartition(":") if re.search(r":\d+$", host) else (host, "", "")
    scheme = "http" if is_loopback(name.strip("[]")) else "https"
    url = _HUB_URL if host == DOCKER_HUB else f"{scheme}://{host.lower()}"
    defaults = {
        field: getattr(settings, field)
        for field in RegistryDefaults.model_fields
        if field not in _OF_LISTED_ONLY
    }
    # Not validated again: the values have been, and what they were read from is gone.
    return RegistrySettings.model_construct(url=url, name=host.lower(), **defaults)
