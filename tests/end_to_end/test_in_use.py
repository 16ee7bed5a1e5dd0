"""Broken images that pods use: real exporter and Prometheus, and what kube-state-metrics would say."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from sample import content
from tests.end_to_end.conftest import StartExporter
from tests.parts.fixtures import StartPrometheus, StartRegistry
from tests.parts.prometheus import Alert
from tests.parts.rules import SHIPPED_FOR_KUBERNETES, shortened_rules

IN_USE = "RegistryBrokenImageInUse"


class Cluster:
    """Says what kube-state-metrics would of some pods, each by namespace and name, with its image."""

    def __init__(self) -> None:
        self.pods: dict[tuple[str, str], str] = {}
        self.app = web.Application()
        self.app.router.add_get("/metrics", self._show)
        self.host = ""

    async def _show(self, _: web.Request) -> web.Response:
        return web.Response(text=self.text())

    def text(self) -> str:
        """The exposition, in the form of kube-state-metrics 2."""
        lines = ["# TYPE kube_pod_container_info gauge"]
        for (namespace, pod), image in sorted(self.pods.items()):
            labels = f'namespace="{namespace}",pod="{pod}",uid="{namespace}-{pod}",container="main"'
            lines.append(f'kube_pod_container_info{{{labels},image="{image}",image_spec="{image}"}} 1')
        return "\n".join(lines) + "\n"


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    """A cluster without pods."""
    it = Cluster()
    async with TestServer(it.app) as server:
        it.host = f"{server.host}:{server.port}"
        yield it


def in_use(alerts: list[Alert]) -> list[Alert]:
    return [alert for alert in alerts if alert.name == IN_USE and alert.firing]


async def test_only_the_broken_image_that_pods_use_pages_and_names_them(
    start_registry: StartRegistry,
    start_exporter: StartExporter,
    start_prometheus: StartPrometheus,
    cluster: Cluster,
    tmp_path: Path,
) -> None:
    registry = start_registry()
    images = {name: content.multi_platform(name) for name in ("team/app", "team/unused")}
    for name, image in images.items():
        await registry.push(name, image, "latest")
        child = next(one.digest for one in image.manifests if one.digest != image.root.digest)
        registry.damage.remove_revision_link(name, child)
    exporter = start_exporter(f"--registry=private={registry.url}")
    # The tag is missing in one name, and is latest in both.
    cluster.pods = {
        ("shop", "web-1"): f"{registry.host}/team/app",
        ("shop", "web-2"): f"{registry.host}/team/app:latest",
        ("shop", "db-1"): f"{registry.host}/team/db:latest",
    }
    prometheus = start_prometheus(
        {"registry-integrity": [exporter.host], "kube-state-metrics": [cluster.host]},
        rules=[shortened_rules(tmp_path), shortened_rules(tmp_path, SHIPPED_FOR_KUBERNETES)],
    )

    (alert,) = in_use(
        await prometheus.wait_for_alerts(
            lambda alerts: [one for one in in_use(alerts) if "web-2" in one.annotations["description"]],
            what=IN_USE,
        )
    )
    assert alert.labels == {
        "alertname": IN_USE,
        "severity": "critical",
        "registry": "private",
        "repository": "team/app",
        "image": f"{registry.host}/team/app:latest",
    }
    assert alert.annotations["summary"].endswith("is broken and in use (pods: 2)")
    description = alert.annotations["description"]
    assert "pods use it: shop/web-1, shop/web-2. They run on" in description
    assert "Broken in repository team/app: child missing" in description

    cluster.pods = {("shop", "db-1"): f"{registry.host}/team/db:latest"}
    await prometheus.wait_for_alerts(lambda alerts: not in_use(alerts), what="no broken image in use")
    assert await prometheus.rule_problems() == []
