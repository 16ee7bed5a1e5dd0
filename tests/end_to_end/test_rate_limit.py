"""A registry behind an nginx that allows so many requests a second and refuses the others."""

from pathlib import Path

from sample import content
from sample.store import store
from tests.parts.exporter import probe
from tests.parts.fixtures import StartNginx, StartRegistry


async def test_a_cycle_behind_a_rate_limit_leaves_nothing_unverified(
    start_registry: StartRegistry, start_nginx: StartNginx, tmp_path: Path
) -> None:
    registry = start_registry()
    for number in range(30):
        store(registry.storage, f"team/app-{number}", content.image(f"app {number}"), "latest")
    nginx = start_nginx(
        f"""
        limit_req zone=all burst=10 nodelay;
        limit_req_status 429;
        location / {{ proxy_pass {registry.url}; proxy_set_header Host $http_host; }}
        """,
        http="limit_req_zone $binary_remote_addr zone=all:1m rate=50r/s;",
    )
    status, document = probe(f"limited={nginx.url}", folder=tmp_path)
    [report] = document["registries"]
    assert report["findings"] == []
    assert (status, report["outcome"], report["tags"]) == (0, "complete", 30)
    assert report["extra_requests"]["retry"] > 0, "the limit was never met, so this proves nothing"
