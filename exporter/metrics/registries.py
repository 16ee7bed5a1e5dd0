"""What the metrics need to know of a registry's settings."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from exporter.integrity.report import PerRepository
from exporter.integrity.shards import Shard

PREFIX = "registry_integrity_"
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class ExportedRegistry:
    """A registry as its metrics show it; `interval` is in seconds.

    `image_host` is what workloads write before a repository's name, where that is not the URL's host, port
    and path. At most `max_broken_info` series of `broken_reference_info` are listed. `shard` is what of its
    repositories this exporter walks; None: all. `per_repository` says which have series of their own.
    """

    name: str
    url: str
    interval: float
    image_host: str | None = None
    max_broken_info: int = 200
    shard: Shard | None = None
    per_repository: PerRepository = PerRepository.ALL

    @property
    def image_prefix(self) -> str:
        """What stands before the repository in the name of an image, as workloads write it."""
        if self.image_host is not None:
            return self.image_host.rstrip("/")
        url = urlsplit(self.url)
        host = url.hostname or ""
        host = f"[{host}]" if ":" in host else host
        port = "" if url.port in (None, _DEFAULT_PORTS.get(url.scheme)) else f":{url.port}"
        return f"{host}{port}{url.path.rstrip('/')}"
