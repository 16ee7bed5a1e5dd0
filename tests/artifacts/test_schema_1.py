"""Signed manifests of the first generation: their digest is of what is signed, not of what is served."""

from collections import Counter
from pathlib import Path

import pytest

from sample import storage as layout
from sample.registry import DockerRegistry
from tests.artifacts.holdings import SCHEMA_1, Told, findings_of
from tests.artifacts.tools import Tools
from tests.parts.access import kind_of
from tests.parts.exporter import Exporter, probe
from tests.parts.fixtures import StartNginx, StartRegistry


@pytest.fixture
def registry(start_registry: StartRegistry, tmp_path_factory: pytest.TempPathFactory) -> DockerRegistry:
    """A registry with one such image, pushed by skopeo."""
    running = start_registry(more={"compatibility": {"schema1": {"enabled": True}}})
    tools = Tools(tmp_path_factory.mktemp("tools"))
    tools.skopeo_push(tools.layout("old"), f"{running.host}/old:latest", "v2s1")
    return running


async def digest_of(registry: DockerRegistry) -> str:
    async with registry.client(headers={"Accept": SCHEMA_1}) as client:
        answer = await client.head("/v2/old/manifests/latest")
    return answer.headers["Docker-Content-Digest"]


async def test_it_is_intact_when_it_is_asked_for_again(registry: DockerRegistry, tmp_path: Path) -> None:
    """By `HEAD`, whose length is that of the whole body, signed anew for each request."""
    with Exporter(tmp_path, f"--registry=private={registry.url}") as exporter:
        await exporter.wait_for_cycles(3)
        assert await exporter.value("checked_references", repository="old", kind="layer") == 3
        assert await exporter.value("broken_references", repository="old", kind="tag") == 0
        assert await exporter.samples("unverified_references") == []
        assert exporter.logged("found") == []
    asked = Counter(kind_of(access) for access in registry.requests() if access.method == "GET")
    assert asked["manifest"] == 1, "no doubt, and so no confirmation"


async def test_it_is_intact_where_no_header_tells_its_digest(
    registry: DockerRegistry, start_nginx: StartNginx, tmp_path: Path
) -> None:
    """As behind ECR: the digest that the tag resolves to is computed."""
    nginx = start_nginx(f"""
        location / {{
            proxy_pass {registry.url};
            proxy_set_header Host $http_host;
            proxy_hide_header Docker-Content-Digest;
        }}
    """)
    status, document = probe(nginx.url, folder=tmp_path)
    assert (status, document["registries"][0]["findings"]) == (0, [])
    assert document["registries"][0]["checked"] == {"tag": 1, "child": 0, "config": 0, "layer": 3}


async def test_its_damage_is_found(registry: DockerRegistry, tmp_path: Path) -> None:
    """The registry signs whatever it has stored."""
    digest = await digest_of(registry)
    stored = registry.storage.read(layout.blob_data(digest))
    assert b"umoci insert" in stored
    registry.damage.replace_data(digest, stored.replace(b"umoci insert", b"umoci Insert"))
    status, document = probe(registry.url, folder=tmp_path)
    found = Told("broken", "digest_mismatch", "pull", "tag", digest, None, ("latest",))
    assert status == 1
    assert findings_of(document) == {"old": [found]}
