"""docs/registries.md: what it proposes can be loaded, and means what it says."""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.integrity import BlobCheck, RegistryKind
from exporter.registry import DockerConfig, NoCredentials, PasswordFile
from exporter.settings import RegistrySettings
from exporter.settings import models as settings_models
from tests.program.loading import SECRET, load

PAGE = Path(__file__).resolve().parents[2] / "docs" / "registries.md"
NAMED = {
    "distribution",
    "Harbor",
    "GitHub Container Registry",
    "Docker Hub",
    "Amazon ECR",
    "Google Artifact Registry and Container Registry",
    "Azure Container Registry",
    "Quay",
    "GitLab",
    "Artifactory",
    "zot",
    "Forgejo",
    "Pull-through caches",
}
GENERAL = {"What a walk touches"}


def sections() -> dict[str, str]:
    """The sections of the page by their titles."""
    _, *parts = re.split(r"^## (.+)$", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def blocks() -> Iterator[tuple[str, str]]:
    """Every block of configuration, with the title of its section."""
    for title, text in sections().items():
        for block in re.findall(r"^ *```yaml\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE):
            yield title, textwrap.dedent(block)


@pytest.fixture
def proposed(
    file: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, list[RegistrySettings]]:
    """The registries of every block by section, loaded with the files that they name."""
    monkeypatch.setattr(settings_models, "cloud_credentials", lambda _provider, _url: NoCredentials())
    found: dict[str, list[RegistrySettings]] = {}
    for title, block in blocks():
        for name in re.findall(r"password_file: (\S+)", block):
            (file.parent / name).write_text(f"{SECRET}\n")
        for name in re.findall(r"\S+\.pem", block):
            (file.parent / name).write_bytes(certificate.read_bytes())
        found.setdefault(title, []).extend(load(file, block).registries)
    return found


def test_every_block_can_be_loaded(proposed: dict[str, list[RegistrySettings]]):
    """There is at least one for each registry, and each is a configuration as it stands."""
    assert proposed.keys() == NAMED
    assert sum(map(len, proposed.values())) == len(list(blocks()))


def test_each_registry_has_its_section():
    """Each says what was tested here, and where its facts are from."""
    assert sections().keys() == NAMED | GENERAL
    for title in NAMED:
        text = sections()[title]
        assert "Tested here: " in text, title
        assert re.search(r"\]\(https://", text), title


def test_what_counts_reading_is_asked_gently(proposed: dict[str, list[RegistrySettings]]):
    """Where a walk would use up a limit, the block itself keeps it small."""
    (hub,) = proposed["Docker Hub"]
    assert hub.refetch_interval > 7 * 86400
    assert hub.blob_check is BlobCheck.HEAD
    assert hub.repositories.names
    assert hub.requests_per_second
    assert hub.metrics.image_host == "docker.io"
    assert proposed["Artifactory"][0].blob_check is BlobCheck.HEAD


def test_registries_without_a_catalog_have_a_list(proposed: dict[str, list[RegistrySettings]]):
    """What cannot be listed is named."""
    for title in ("GitHub Container Registry", "Docker Hub", "GitLab"):
        assert all(registry.repositories.names for registry in proposed[title])


def test_caches_within_registries_are_not_walked(proposed: dict[str, list[RegistrySettings]]):
    """Where a registry may hold caches, the block says how they are left alone."""
    for title in (
        "Harbor",
        "Amazon ECR",
        "Google Artifact Registry and Container Registry",
        "Azure Container Registry",
    ):
        kinds = [entry.kind for registry in proposed[title] for entry in registry.overrides]
        assert kinds == [RegistryKind.PULL_THROUGH]
    assert {registry.kind for registry in proposed["Pull-through caches"]} == {RegistryKind.PULL_THROUGH}
    assert proposed["Artifactory"][1].kind is RegistryKind.PULL_THROUGH


def test_every_registry_has_credentials(proposed: dict[str, list[RegistrySettings]]):
    """From a file or from a cloud; never over a connection that anybody can read."""
    for title, registries in proposed.items():
        for registry in registries:
            given = isinstance(registry.credential_source, PasswordFile | DockerConfig)
            assert given or registry.cloud is not None or title == "Pull-through caches"
            assert not registry.shows_credentials_to_anyone
