"""What the command line makes of settings: the client and the cycle of each registry, and warnings."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from exporter.cli import clients, commands
from exporter.integrity import (
    BlobCheck,
    CycleOptions,
    GlobFilter,
    IgnoreRule,
    ImageByDigest,
    PlatformRule,
    RegistryKind,
    RepositoryOverride,
    Shard,
)
from exporter.oci import Digest
from exporter.registry import Credentials, FixedCredentials, Proxies, TransportOptions
from exporter.settings import RegistrySettings
from tests.program.loading import SECRET, load

DIGEST = Digest(f"sha256:{'0' * 64}")
PROXIES = Proxies(http="http://127.0.0.1:1")
EVERYTHING = f"""
registries:
  - url: https://registry.example/path
    name: one
    kind: pull-through
    concurrency: 3
    requests_per_second: 4.5
    timeout: 5s
    catalog_timeout: 6s
    confirm_delay: 7s
    suspect_delay: 8s
    refetch_interval: 9s
    blob_check: head
    repositories: {{include: [a/*], exclude: [b/*]}}
    tags: {{include: [c*], exclude: [d*]}}
    images: [team/app@{DIGEST}]
    overrides: [{{repository: e/*, kind: private, blob_check: range}}]
    ignore: [{{tag: f, until: 2026-12-31, comment: known}}]
    platforms: {{g/*: [linux/amd64]}}
    username: u
    password: {SECRET}
    token_hosts: [auth.example]
    ca_file: both.pem
    client_certificate_file: both.pem
"""


class Made:
    """The client and the cycle that would have been made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.client: tuple[tuple[Any, ...], dict[str, Any]] | None = None
        self.cycle: tuple[Any, ...] | None = None

        @asynccontextmanager
        async def open_client(*arguments: Any, **options: Any) -> AsyncIterator[str]:
            self.client = (arguments, options)
            yield "the client"

        def cycle(*arguments: Any) -> str:
            self.cycle = arguments
            return "the cycle"

        monkeypatch.setattr(clients, "open_client", open_client)
        monkeypatch.setattr(commands, "Cycle", cycle)

    async def of(self, registry: RegistrySettings, shard: Shard | None = None) -> list[dict[str, Any]]:
        """Make them for a registry; return what was logged."""
        with capture_logs() as logs:
            async with AsyncExitStack() as stack:
                assert await commands._open_cycle(stack, registry, PROXIES, shard) == "the cycle"
        return [dict(line) for line in logs]


@pytest.fixture
def both(file: Path, certificate: Path) -> Path:
    """A certificate and its key beside the configuration file."""
    path = file.parent / "both.pem"
    path.write_bytes(certificate.read_bytes())
    return path


async def test_every_setting_of_a_registry_is_used(file: Path, both: Path, monkeypatch: pytest.MonkeyPatch):
    """Each has its place in the client or in the cycle; none is forgotten on the way."""
    (registry,) = load(file, EVERYTHING).registries
    made = Made(monkeypatch)
    assert await made.of(registry, Shard(3, 8)) == []
    assert made.client == (
        ("https://registry.example/path",),
        {
            "timeout": 5.0,
            "catalog_timeout": 6.0,
            "concurrency": 3,
            "credentials": FixedCredentials(Credentials("u", SECRET)),
            "token_hosts": ("auth.example",),
            "transport_options": TransportOptions(both, both, None, False, PROXIES),
            "requests_per_second": 4.5,
            "observer": None,
        },
    )
    assert made.cycle == (
        "one",
        "https://registry.example/path",
        RegistryKind.PULL_THROUGH,
        "the client",
        CycleOptions(
            concurrency=3,
            confirm_delay=7.0,
            suspect_delay=8.0,
            refetch_interval=9.0,
            blob_check=BlobCheck.HEAD,
            repositories=None,
            repository_filter=GlobFilter(("a/*",), ("b/*",)),
            tags=GlobFilter(("c*",), ("d*",)),
            images=(ImageByDigest("team/app", DIGEST),),
            overrides=(RepositoryOverride("e/*", RegistryKind.PRIVATE, BlobCheck.RANGE),),
            ignore=(IgnoreRule(tag="f", until=date(2026, 12, 31)),),
            platforms=(PlatformRule("g/*", frozenset({"linux/amd64"})),),
            shard=Shard(3, 8),
        ),
    )


async def test_a_list_of_repositories_is_used(file: Path, monkeypatch: pytest.MonkeyPatch):
    """The other form of that setting, and defaults for all that is not given."""
    (registry,) = load(file, "registries: [{url: https://a, repositories: [x, y]}]").registries
    made = Made(monkeypatch)
    await made.of(registry)
    assert made.cycle == (
        "a",
        "https://a",
        RegistryKind.PRIVATE,
        "the client",
        CycleOptions(repositories=("x", "y")),
    )


@pytest.mark.parametrize(
    ("url", "credentials", "warned"),
    [
        ("http://registry.example", f"username: u, password: {SECRET}", True),
        ("http://127.0.0.1:5000", f"username: u, password: {SECRET}", False),
        ("https://registry.example", f"username: u, password: {SECRET}", False),
        ("http://registry.example", "", False),
    ],
)
async def test_credentials_without_encryption_are_warned_about(
    file: Path, monkeypatch: pytest.MonkeyPatch, *, url: str, credentials: str, warned: bool
):
    """Once, at the start, and without showing them."""
    (registry,) = load(file, f"registries: [{{url: '{url}', {credentials}}}]").registries
    logs = await Made(monkeypatch).of(registry)
    line = {
        "event": "credentials go over the network as they are: the registry is not spoken to over https",
        "log_level": "warning",
        "registry": registry.name,
        "url": url,
    }
    assert logs == ([line] if warned else [])
