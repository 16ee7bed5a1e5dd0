"""A registry of four repositories: a reference of each kind that something may happen to, and a bystander."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sample import content as make
from sample.content import Content
from tests.artifacts.holdings import Told, findings_of
from tests.parts.exporter import probe

TAG = "latest"
PLATFORM = "linux/amd64"
KINDS = ("tag", "child", "layer")
BYSTANDER = "bystander"
CONTENTS: Mapping[str, Content] = {
    name: make.index([make.image(name, layers=1)])
    for name in (*(f"victim/{kind}" for kind in KINDS), BYSTANDER)
}
QUICK = {"REGISTRY_INTEGRITY_TIMEOUT": "2s", "REGISTRY_INTEGRITY_CATALOG_TIMEOUT": "2s"}
"""Long enough for a busy machine, and no longer, since what is silent is asked three times."""

Verdict = str | tuple[str, str] | None
"""The reason of an unverified reference, verdict and reason of another, None for an intact one."""


def digest_of(kind: str) -> str | None:
    """The digest of the victim of a kind; a tag that does not resolve has none."""
    image = CONTENTS[f"victim/{kind}"].manifests[0]
    return {"tag": None, "child": image.digest, "layer": image.layers[0].digest}[kind]


def path_of(kind: str) -> str:
    """Where the victim of a kind is asked for."""
    place = {"tag": f"manifests/{TAG}", "child": f"manifests/{digest_of(kind)}"}
    return f"/v2/victim/{kind}/{place.get(kind, f'blobs/{digest_of(kind)}')}"


def told(kind: str, verdict: str, reason: str) -> Told:
    """What must be told of the victim of a kind."""
    platform = PLATFORM if kind == "child" else None
    return Told(verdict, reason, "pull", kind, digest_of(kind), platform, (TAG,))


def expected(tag: Verdict, child: Verdict, layer: Verdict) -> dict[str, list[Told]]:
    """What must be told of all three, and of nothing else."""
    found = {}
    for kind, verdict in zip(KINDS, (tag, child, layer), strict=True):
        if verdict is not None:
            words = ("unverified", verdict) if isinstance(verdict, str) else verdict
            found[f"victim/{kind}"] = [told(kind, *words)]
    return found


@dataclass(frozen=True)
class Walked:
    """What one probe told of one registry."""

    report: dict[str, Any]
    found: dict[str, list[Told]]


def walk_all(registries: Mapping[str, str], folder: Path) -> dict[str, Walked]:
    """Probe registries at the same time, each under its name; none of them knows of the others."""
    flags = [f"{name}={url}" for name, url in registries.items()]
    _, document = probe(*flags, folder=folder, environment=QUICK)
    return {
        report["registry"]: Walked(report, findings_of({"registries": [report]}))
        for report in document["registries"]
    }


def walk(url: str, folder: Path) -> tuple[int, Walked]:
    """Probe one registry; return the exit status too."""
    status, document = probe(f"registry={url}", folder=folder, environment=QUICK)
    return status, Walked(document["registries"][0], findings_of(document))
