"""What a real registry holds, and what the program tells when it loses that piece by piece."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from sample import media_types as types
from sample import storage as layout
from sample.registry import DockerRegistry
from tests.parts.exporter import probe

SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"
MANIFESTS = (*types.MANIFESTS, SCHEMA_1)
_ACCEPT = {"Accept": ", ".join(MANIFESTS)}


@dataclass(frozen=True)
class Held:
    """One reference below a tag; `platform` is what its descriptor says."""

    kind: str
    digest: str
    platform: str | None = None

    def lose(self, registry: DockerRegistry, repository: str) -> None:
        """Remove the link to it, which is what makes a repository have it."""
        if self.kind == "child":
            registry.damage.remove_revision_link(repository, self.digest)
        else:
            registry.damage.remove_layer_link(repository, self.digest)


@dataclass(frozen=True)
class Told:
    """What the program says of one finding; the rest of it depends on the registry."""

    verdict: str
    reason: str
    impact: str
    kind: str
    digest: str | None
    platform: str | None
    tags: tuple[str, ...]

    @classmethod
    def of(cls, finding: Mapping[str, Any]) -> "Told":
        """Read one of `--output json`."""
        words = (finding[name] for name in ("verdict", "reason", "impact", "kind", "digest", "platform"))
        return cls(*words, tags=tuple(finding["tags"]))


def missing(one: Held, *tags: str, impact: str = "pull") -> Told:
    """What must be told of a lost reference."""
    return Told("broken", "missing", impact, one.kind, one.digest, one.platform, tags)


def held(registry: DockerRegistry, repository: str, tag: str) -> list[Held]:
    """Tell each distinct reference below a tag, whatever pushed it."""
    with httpx.Client(base_url=registry.url, headers=_ACCEPT, trust_env=False) as client:
        return list(dict.fromkeys(_below(client, repository, tag)))


def _below(client: httpx.Client, repository: str, reference: str) -> Iterator[Held]:
    document = client.get(f"/v2/{repository}/manifests/{reference}").raise_for_status().json()
    for entry in document.get("manifests") or ():
        if entry["mediaType"] in MANIFESTS:
            yield Held("child", entry["digest"], _platform(entry))
            yield from _below(client, repository, entry["digest"])
        else:
            yield Held("layer", entry["digest"])
    if "config" in document:
        yield Held("config", document["config"]["digest"])
    yield from (Held("layer", one["digest"]) for one in document.get("layers") or () if "urls" not in one)
    yield from (Held("layer", one["blobSum"]) for one in document.get("fsLayers") or ())


def _platform(entry: Mapping[str, Any]) -> str | None:
    platform = entry.get("platform")
    if platform is None:
        return None
    return "/".join(filter(None, (platform["os"], platform["architecture"], platform.get("variant"))))


def copy_repository(registry: DockerRegistry, source: str, target: str) -> None:
    """Give a repository a second name in the storage of a registry: the same links to the same data."""
    old, new = (registry.storage.root / layout.repository_folder(name) for name in (source, target))
    shutil.copytree(old, new)


def findings_of(document: Mapping[str, Any]) -> dict[str, list[Told]]:
    """Sort the findings of `probe --output json` by repository."""
    found: dict[str, list[Told]] = {}
    for finding in document["registries"][0]["findings"]:
        found.setdefault(finding["repository"], []).append(Told.of(finding))
    return found


@dataclass(frozen=True)
class Losses:
    """What two probes of a registry told: one while all of it was whole, one after each loss.

    `lost` tells for each repository that lost something which one it was a copy of, and what it lost.
    """

    whole: dict[str, Any]
    whole_status: int
    damaged: dict[str, Any]
    damaged_status: int
    lost: dict[str, tuple[str, Held]]

    def copies_of(self, repository: str) -> dict[str, Held]:
        """The copies of one repository, and what each of them lost."""
        return {copy: one for copy, (original, one) in self.lost.items() if original == repository}


def lose_each(registry: DockerRegistry, tags: Mapping[str, str], folder: Path) -> Losses:
    """Probe; then copy each repository once for each reference below its tag, lose that, and probe again."""
    whole_status, whole = probe(registry.url, folder=folder)
    lost: dict[str, tuple[str, Held]] = {}
    for repository, tag in tags.items():
        for one in held(registry, repository, tag):
            copy = f"{repository}/without-{len(lost)}"
            copy_repository(registry, repository, f"copies/{copy}")
            one.lose(registry, f"copies/{copy}")
            lost[f"copies/{copy}"] = (repository, one)
    damaged_status, damaged = probe(registry.url, folder=folder)
    return Losses(whole, whole_status, damaged, damaged_status, lost)
