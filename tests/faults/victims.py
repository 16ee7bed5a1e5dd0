"""A registry of four repositories: a reference of each kind that something may happen to, and a bystander."""

from collections.abc import Mapping
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
QUICK = {"REGISTRY_INTEGRITY_TIMEOUT": "500ms", "REGISTRY_INTEGRITY_CATALOG_TIMEOUT": "500ms"}
"""Of a second each attempt would take longer than all else."""

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


def walk(
    url: str, folder: Path, environment: Mapping[str, str] | None = None
) -> tuple[int, dict[str, Any], dict[str, list[Told]]]:
    """Probe; return the exit status, the report and its findings."""
    status, document = probe(f"registry={url}", folder=folder, environment={**QUICK, **(environment or {})})
    [report] = document["registries"]
    return status, report, findings_of(document)
