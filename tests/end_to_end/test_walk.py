"""One cycle on a real docker-registry: what is walked, at what cost, and what it says of intact content."""

from collections import Counter
from pathlib import Path

import pytest

from sample import content
from sample.registry import DockerRegistry
from tests.end_to_end.conftest import StartExporter
from tests.parts.exporter import probe
from tests.parts.fixtures import StartRegistry


async def artifacts(registry: DockerRegistry) -> None:
    """Push one of every kind that must not be taken for damage."""
    image = content.multi_platform("signed", attestations=True)
    await registry.push("kinds/multi-platform", image, "latest", "v1")
    await registry.push(
        "kinds/multi-platform", content.cosign_signature(image.digest), content.signature_tag(image.digest)
    )
    report = content.oras_artifact("report", subject=image.root)
    await registry.push("kinds/multi-platform", report, "report")
    await registry.push(
        "kinds/multi-platform", content.referrers_index([report]), content.referrers_tag(image.digest)
    )
    await registry.push("kinds/cache", content.buildkit_cache("cache"), "latest")
    await registry.push("kinds/nested", content.nested_index("nested"), "latest")
    await registry.push("kinds/chart", content.helm_chart("chart"), "1.0.0")
    await registry.push("kinds/foreign", content.foreign_layer_image("foreign"), "latest")
    await registry.push("kinds/foreign", content.foreign_layer_image("foreign", family="docker"), "docker")
    await registry.push("kinds/empty", content.empty_layer_image("empty"), "latest")
    await registry.push("kinds/docker", content.multi_platform("docker", family="docker"), "latest")


@pytest.mark.parametrize("cache", [False, True], ids=["no-cache", "cache"])
async def test_no_kind_of_intact_content_is_a_finding(
    start_registry: StartRegistry, tmp_path: Path, cache: bool
) -> None:
    registry = start_registry(cache=cache)
    await artifacts(registry)
    status, document = probe(f"private={registry.url}", folder=tmp_path)
    [report] = document["registries"]
    assert report["findings"] == []
    assert (status, report["outcome"], report["repositories"], report["tags"]) == (0, "complete", 7, 12)


async def test_a_cycle_costs_exactly_the_floor_and_a_second_one_gets_no_manifest(
    start_registry: StartRegistry, start_exporter: StartExporter
) -> None:
    registry = start_registry()
    await artifacts(registry)
    shared = content.layer("shared")
    for number in range(6):
        image = content.multi_platform(f"image {number}", shared=[shared])
        await registry.push(f"team/app-{number % 3}", image, f"v{number}", f"also-v{number}")

    mark = registry.mark()
    exporter = start_exporter(
        f"--registry=private={registry.url}", environment={"REGISTRY_INTEGRITY_INTERVAL": "5s"}
    )
    exporter.process.wait_for_line("cycle ended", 30.0)
    first = registry.requests(mark)
    mark = registry.mark()
    exporter.process.wait_for_line("cycle ended", 30.0, start=exporter.process.line_count)
    second = registry.requests(mark)

    assert Counter(access.path for access in first).most_common(1)[0][1] == 1, "no path was asked twice"
    by_tag, by_digest, blobs = [], [], []
    for access in first:
        if "/manifests/" in access.path:
            (by_digest if "/manifests/sha256:" in access.path else by_tag).append(access)
        elif "/blobs/" in access.path:
            blobs.append(access)
    assert {access.method for access in by_tag} == {"HEAD"}
    assert {access.method for access in by_digest} == {"GET"}
    # For each distinct digest of the registry one request reads data; an empty blob has no byte to read.
    read = Counter(access.path.rpartition("/")[2] for access in blobs if access.method == "GET")
    digests = {access.path.rpartition("/")[2] for access in blobs}
    empty = content.digest_of(b"")
    assert read == Counter(dict.fromkeys(digests - {empty}, 1))

    cycles = exporter.logged("cycle ended")
    assert [cycle["requests"] for cycle in cycles[:2]] == [len(first), len(second)]
    assert sorted(access.path for access in first) == sorted(access.path for access in second)
    assert [access for access in second if access.method == "GET" and "/manifests/" in access.path] == []


@pytest.mark.parametrize("page", [1000, 100])
async def test_a_large_registry_in_pages_is_walked_whole(
    start_registry: StartRegistry, tmp_path: Path, page: int
) -> None:
    """1,500 repositories, one with 1,200 tags, one with `tags: null`, one answering `NAME_UNKNOWN`."""
    registry = start_registry(more={"catalog": {"maxentries": page}})
    image = content.image("everywhere", layers=1)
    await registry.push("mass/origin", image, "latest")
    for number in range(1496):
        _link_repository(registry, f"mass/r{number:04}", image, ["latest"])
    _link_repository(registry, "mass/many-tags", image, [f"t{number}" for number in range(1200)])
    _link_repository(registry, "mass/null", image, [])
    (_folder(registry, "mass/null") / "_manifests/tags").mkdir(parents=True)
    _link_repository(registry, "mass/unknown", image, [])
    async with registry.client() as client:
        null = await client.get("/v2/mass/null/tags/list")
        unknown = await client.get("/v2/mass/unknown/tags/list")
        catalog = await client.get("/v2/_catalog")
    assert null.json() == {"name": "mass/null", "tags": None}
    assert (unknown.status_code, unknown.json()["errors"][0]["code"]) == (404, "NAME_UNKNOWN")
    assert len(catalog.json()["repositories"]) == 100

    status, document = probe(f"private={registry.url}", folder=tmp_path)
    [report] = document["registries"]
    assert report["findings"] == []
    assert (status, report["outcome"], report["repositories"], report["tags"]) == (0, "complete", 1500, 2697)
    assert report["checked"] == {"tag": 2697, "child": 0, "config": 1498, "layer": 1498}
    assert report["extra_requests"] == {
        "confirmation": 0,
        "retry": 0,
        "redirect": 0,
        "token": 0,
        "refetch": 0,
    }


def _folder(registry: DockerRegistry, repository: str) -> Path:
    return registry.storage.root / "docker/registry/v2/repositories" / repository


def _link_repository(registry: DockerRegistry, name: str, image: content.Content, tags: list[str]) -> None:
    """Write a repository as a mount would leave it: pushing so many takes too long."""
    folder = _folder(registry, name)
    hexadecimal = image.digest.removeprefix("sha256:")
    links = [f"_layers/sha256/{digest.removeprefix('sha256:')}" for digest in image.blobs]
    if tags:
        links.append(f"_manifests/revisions/sha256/{hexadecimal}")
    for link in links:
        (folder / link).mkdir(parents=True)
        (folder / link / "link").write_text(f"sha256:{link.rpartition('/')[2]}")
    for tag in tags:
        for place in ("current", f"index/sha256/{hexadecimal}"):
            (folder / "_manifests/tags" / tag / place).mkdir(parents=True)
            (folder / "_manifests/tags" / tag / place / "link").write_text(image.digest)
