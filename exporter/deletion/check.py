"""Asking one registry what a deletion would break."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from exporter.deletion.consequences import Listed, RepositoryConsequences, consequences_of
from exporter.deletion.walk import RepositoryWalk
from exporter.integrity import CycleProgress, ImageByDigest, ImageByTag
from exporter.integrity.workers import Batch, Workers
from exporter.registry import Errand, RegistryClient
from exporter.settings import RegistrySettings
from exporter.verification import NamedImage


@dataclass(frozen=True, slots=True)
class CheckedRegistry:
    """What a deletion would do to the repositories of one registry, sorted by name.

    `names` maps each repository to how images in it are called: `host/repository`.
    """

    registry: str
    url: str
    repositories: tuple[RepositoryConsequences, ...]
    names: Mapping[str, str]


class DeletionCheck:
    """Walks the repositories of one registry that images are listed of, and no other."""

    def __init__(
        self, registry: RegistrySettings, client: RegistryClient, images: Iterable[NamedImage]
    ) -> None:
        self.name = registry.name
        self.progress = CycleProgress()
        self._registry = registry
        self._client = client
        self._images = tuple(images)
        self._found: list[RepositoryConsequences] = []

    async def run(self) -> CheckedRegistry:
        """Ask."""
        listed = _by_repository(self._images)
        self.progress.repositories = len(listed)
        workers, errand = Workers(self._registry.concurrency, self.progress), Errand()
        await workers.run(self._openings(listed, workers, errand))
        found = tuple(sorted(self._found, key=lambda one: one.repository))
        names = {image.image.repository: _without_reference(image) for image in self._images}
        return CheckedRegistry(self.name, self._registry.url, found, names)

    def _openings(
        self, listed: Mapping[str, Listed], workers: Workers, errand: Errand
    ) -> Iterator[Callable[[], Awaitable[None]]]:
        return (partial(self._check, name, what, workers, errand) for name, what in listed.items())

    async def _check(self, repository: str, listed: Listed, workers: Workers, errand: Errand) -> None:
        walk = RepositoryWalk(self._client, repository, listed, errand, Batch(workers))
        self._found.append(consequences_of(repository, await walk.run(), listed))
        self.progress.repositories_done += 1


def _by_repository(images: Iterable[NamedImage]) -> dict[str, Listed]:
    grouped: dict[str, list[ImageByTag | ImageByDigest]] = {}
    for one in images:
        grouped.setdefault(one.image.repository, []).append(one.image)
    return {repository: _listed(of_it) for repository, of_it in grouped.items()}


def _listed(images: Iterable[ImageByTag | ImageByDigest]) -> Listed:
    images = tuple(images)
    return Listed(
        frozenset(image.tag for image in images if isinstance(image, ImageByTag)),
        frozenset(image.digest for image in images if isinstance(image, ImageByDigest)),
    )


def _without_reference(named: NamedImage) -> str:
    if isinstance(named.image, ImageByTag):
        return named.name.removesuffix(f":{named.image.tag}")
    return named.name.removesuffix(f"@{named.image.digest}")
