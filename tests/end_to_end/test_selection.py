"""What is walked of a real registry: globs, tags, images by digest, overrides; and one under a path."""

from pathlib import Path

import pytest

from sample import content
from sample.registry import DockerRegistry
from tests.parts.exporter import run
from tests.parts.fixtures import StartNginx, StartRegistry

APP = content.multi_platform("app", layers=1)
OLD = content.image("old", layers=1)
LOOSE = content.image("loose", layers=1)
LARGE = content.image("large", layers=1, layer_size=50_000)
SETTINGS = """
registries:
  - name: private
    url: {url}
    repositories: {{include: [team/*, huge/*], exclude: ["*/scratch"]}}
    tags: {{exclude: [nightly-*]}}
    images: ["team/app@{loose}"]
    overrides: [{{repository: huge/*, blob_check: head}}]
    ignore: [{{repository: team/broken, reason: missing, comment: known}}]
"""


@pytest.fixture
async def registry(start_registry: StartRegistry) -> DockerRegistry:
    """A registry with repositories that are chosen and others that are not."""
    registry = start_registry()
    await registry.push("team/app", APP, "latest", "nightly-1")
    await registry.push("team/app", OLD, "nightly-2")
    await registry.push("team/app", LOOSE)
    await registry.push("team/scratch", OLD, "latest")
    await registry.push("team/broken", content.image("broken", layers=1), "latest")
    await registry.push("other/app", OLD, "latest")
    await registry.push("huge/model", LARGE, "latest")
    lost = content.image("broken", layers=1).root.layers[0].digest
    registry.damage.remove_layer_link("team/broken", lost)
    return registry


def table(url: str, folder: Path) -> tuple[int, list[str]]:
    """Walk it once with the settings above; return the exit status and what was printed."""
    (folder / "config.yml").write_text(SETTINGS.format(url=url, loose=LOOSE.digest))
    return run("probe", "--config=config.yml", "--log-level=error", folder=folder)


async def test_only_what_is_chosen_is_walked(registry: DockerRegistry, tmp_path: Path) -> None:
    """By the registry's own log, nothing else is asked for; what a rule ignores changes no status."""
    mark = registry.mark()
    status, lines = table(registry.url, tmp_path)
    assert status == 0
    assert lines[0].startswith("private: all intact; 1 ignored reference (3 repositories, 3 tags,")
    asked = registry.requests(mark)
    left_out = ("/other/", "/scratch/", "nightly")
    assert not [access for access in asked if any(part in access.path for part in left_out)]
    assert f"/v2/team/app/manifests/{LOOSE.digest}" in {access.path for access in asked}
    assert {access.method for access in asked if "/v2/huge/model/blobs/" in access.path} == {"HEAD"}
    assert "GET" in {access.method for access in asked if "/v2/team/app/blobs/" in access.path}


async def test_an_image_by_digest_that_is_damaged_is_told(registry: DockerRegistry, tmp_path: Path) -> None:
    """It has no tag, and is named by its digest."""
    registry.damage.remove_revision_link("team/app", LOOSE.digest)
    status, lines = table(registry.url, tmp_path)
    assert status == 1
    assert f"    team/app@{LOOSE.digest}" in lines


async def test_a_registry_under_a_path_is_walked_the_same(
    registry: DockerRegistry, start_nginx: StartNginx, tmp_path: Path
) -> None:
    """As Artifactory has them: the path stands before the API, and no part of it in the names."""
    proxy = start_nginx(f"location /artifactory/api/docker/local/ {{ proxy_pass {registry.url}/; }}")
    status, lines = table(f"{proxy.url}/artifactory/api/docker/local", tmp_path)
    assert status == 0
    assert lines[0].startswith("private: all intact; 1 ignored reference (3 repositories, 3 tags,")
