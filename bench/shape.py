"""The registry that is measured: how much of what it holds, and what a walk of it has to ask."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from math import ceil
from typing import Final

from sample.content import Blob, Content, image, index, layer

PAGE_SIZE: Final = 1000
PLATFORMS: Final = (
    "linux/amd64",
    "linux/arm64",
    "linux/arm/v7",
    "linux/ppc64le",
    "linux/s390x",
    "linux/386",
    "linux/riscv64",
    "linux/arm/v6",
)

# The layers of an image: those that all repositories share, those that a repository's tags share, its own.
_COMMON_LAYERS: Final = 1
_BASE_LAYERS: Final = 4
_OWN_LAYERS: Final = 1
_CONFIGS: Final = 1


class RequestKind(StrEnum):
    """What a request of a walk is for."""

    PAGE = "page"  # of the catalog or of tags
    TAG = "tag"
    MANIFEST = "manifest"  # by digest
    LINK = "link"  # a blob whose data another repository's request proves
    LAST_BYTE = "last byte"  # of a blob


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a walk that knows all manifests; `position` is where the byte is that it reads."""

    kind: RequestKind
    path: str
    position: int | None = None

    @property
    def method(self) -> str:
        """How it is asked."""
        return "GET" if self.kind in {RequestKind.PAGE, RequestKind.LAST_BYTE} else "HEAD"


@dataclass(frozen=True)
class Shape:
    """So many repositories with so many tags, each an index of so many platforms."""

    repositories: int = 50
    tags: int = 20
    platforms: int = 2

    def __post_init__(self) -> None:
        if self.platforms > len(PLATFORMS):
            raise ValueError(f"there are no more than {len(PLATFORMS)} platforms")

    @property
    def floor(self) -> dict[RequestKind, int]:
        """How many requests of each kind a walk cannot do without."""
        platform_images = self.repositories * self.tags * self.platforms
        base_layers = self.repositories * self.platforms * _BASE_LAYERS
        common_layers = self.platforms * _COMMON_LAYERS
        return {
            RequestKind.PAGE: _pages(self.repositories) + self.repositories * _pages(self.tags),
            RequestKind.TAG: self.repositories * self.tags,
            RequestKind.MANIFEST: self.repositories * self.tags + platform_images,
            RequestKind.LINK: (self.repositories - 1) * common_layers,
            RequestKind.LAST_BYTE: platform_images * (_CONFIGS + _OWN_LAYERS) + base_layers + common_layers,
        }

    @property
    def references(self) -> int:
        """How many distinct references the repositories have."""
        return self.repositories * self.references_of_a_repository

    @property
    def references_of_a_repository(self) -> int:
        """How many distinct references each repository has: tags, children, configs and layers."""
        images = self.tags * self.platforms
        shared = self.platforms * (_COMMON_LAYERS + _BASE_LAYERS)
        return self.tags + images + images * (_CONFIGS + _OWN_LAYERS) + shared

    def names(self) -> Iterator[str]:
        """Name all repositories, in order."""
        return (self.name(number) for number in range(self.repositories))

    def name(self, number: int) -> str:
        """Name one repository."""
        return f"bench/app-{number:07}"

    def contents(self, repository: str) -> Iterator[tuple[str, Content]]:
        """Make what the tags of a repository point to."""
        for number in range(self.tags):
            seed = f"{repository} {number}"
            images = [
                image(seed, platform=platform, layers=_OWN_LAYERS, shared=_shared(repository, platform))
                for platform in PLATFORMS[: self.platforms]
            ]
            yield f"v{number}", index(images)

    def requests(self) -> Iterator[Request]:
        """Tell all that a walk asks."""
        for _ in range(_pages(self.repositories)):
            yield Request(RequestKind.PAGE, f"/v2/_catalog?n={PAGE_SIZE}")
        proved: set[str] = set()
        for name in self.names():
            yield from self._requests(name, proved)

    def _requests(self, repository: str, proved: set[str]) -> Iterator[Request]:
        for _ in range(_pages(self.tags)):
            yield Request(RequestKind.PAGE, f"/v2/{repository}/tags/list?n={PAGE_SIZE}")
        asked: set[str] = set()
        for tag, content in self.contents(repository):
            yield Request(RequestKind.TAG, f"/v2/{repository}/manifests/{tag}")
            for manifest in content.manifests:
                yield Request(RequestKind.MANIFEST, f"/v2/{repository}/manifests/{manifest.digest}")
            for digest, data in content.blobs.items():
                if digest not in asked:
                    asked.add(digest)
                    path = f"/v2/{repository}/blobs/{digest}"
                    known = digest in proved
                    proved.add(digest)
                    kind = RequestKind.LINK if known else RequestKind.LAST_BYTE
                    yield Request(kind, path, None if known else len(data) - 1)

    def __str__(self) -> str:
        return f"{self.repositories} repositories x {self.tags} tags x {self.platforms} platforms"


def _pages(names: int) -> int:
    return max(1, ceil(names / PAGE_SIZE))


@cache
def _common_layers(platform: str) -> list[Blob]:
    return [layer(f"common {platform} {number}") for number in range(_COMMON_LAYERS)]


def _shared(repository: str, platform: str) -> list[Blob]:
    base = [layer(f"base {repository} {platform} {number}") for number in range(_BASE_LAYERS)]
    return _common_layers(platform) + base
