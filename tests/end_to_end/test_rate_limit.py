"""A registry behind an nginx that allows so many requests a second and refuses the others."""

import sys
from pathlib import Path

import pytest

from sample import content
from sample.content import Content
from sample.store import store
from tests.parts.exporter import probe
from tests.parts.fixtures import StartNginx, StartRegistry
from tests.parts.nginx import Nginx

# nginx refuses by 503 unless it is told otherwise, and never says for how long.
LIMITS = {
    "with a burst": "limit_req zone=all burst=10 nodelay; limit_req_status 429;",
    "with a burst that waits": "limit_req zone=all burst=5; limit_req_status 429;",
    "without": "limit_req zone=all; limit_req_status 429;",
    "as nginx has it": "limit_req zone=all burst=10 nodelay;",
}


@pytest.fixture
def start_limited(start_registry: StartRegistry, start_nginx: StartNginx):
    """Start a registry with so many images, and an nginx that passes on 50 requests a second."""

    def start(limit: str, *images: Content) -> Nginx:
        registry = start_registry()
        for number, image in enumerate(images):
            store(registry.storage, f"team/app-{number}", image, "latest")
        return start_nginx(
            f"{limit} location / {{ proxy_pass {registry.url}; proxy_set_header Host $http_host; }}",
            http="limit_req_zone $binary_remote_addr zone=all:1m rate=50r/s;",
        )

    return start


@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS)
async def test_a_cycle_behind_a_rate_limit_leaves_nothing_unverified(
    limit: str, start_limited, tmp_path: Path
) -> None:
    """However it refuses; and the limit is met, or this would prove nothing."""
    nginx = start_limited(limit, *(content.image(f"app {number}") for number in range(30)))
    status, document = probe(f"limited={nginx.url}", folder=tmp_path)
    [report] = document["registries"]
    assert report["findings"] == []
    assert (status, report["outcome"], report["tags"]) == (0, "complete", 30)
    assert report["extra_requests"]["retry"] > 0


@pytest.mark.proof
@pytest.mark.parametrize(
    "configured", [{}, {"REGISTRY_INTEGRITY_REQUESTS_PER_SECOND": "50"}], ids=["", "rps"]
)
@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS)
async def test_a_limit_of_fifty_a_second_is_used_by_nine_tenths(
    limit: str, configured: dict[str, str], start_limited, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The requests of the walk in a cycle of half a minute or more; refused ones do not count."""
    nginx = start_limited(limit, *(content.multi_platform(f"app {number}") for number in range(160)))
    status, document = probe(f"limited={nginx.url}", folder=tmp_path, environment=configured)
    [report] = document["registries"]
    speed = report["requests"] / report["duration_seconds"]
    refused = report["extra_requests"]["retry"]
    with capsys.disabled():
        sys.stdout.write(f"\n{limit} {configured}: {speed:.1f} requests/s, {refused} refused\n")
    assert (status, report["outcome"], report["findings"]) == (0, "complete", [])
    assert report["duration_seconds"] >= 30.0
    assert speed >= 45.0
