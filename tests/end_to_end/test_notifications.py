"""From damage to the notification that people get, and to the one that it is over.

With the shipped rules, the example configuration of Alertmanager and real programs: only waiting times and
receivers' addresses are others.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from sample import content
from sample.registry import DockerRegistry
from tests.end_to_end.conftest import StartExporter
from tests.parts.fixtures import StartAlertmanager, StartNginx, StartPrometheus, StartRegistry
from tests.parts.prometheus import Prometheus
from tests.parts.rules import shortened_rules
from tests.parts.webhook import WebhookReceiver

EXAMPLE = Path(__file__).parents[2] / "deploy/compose/alertmanager.yml"
RUNBOOKS = Path(__file__).parents[2] / "docs/runbooks"
WAITING = {"group_wait": "500ms", "group_interval": "500ms"}


def quick_example(url: str) -> dict[str, Any]:
    """The example that hardly waits and tells one receiver of everything."""
    config: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text("utf-8"))
    for route in (config["route"], *config["route"]["routes"]):
        route.update(WAITING)
    for receiver in config["receivers"]:
        receiver["webhook_configs"] = [{"url": url, "send_resolved": True}]
    return config


@dataclass
class Chain:
    """What stands between an exporter and people."""

    prometheus: Prometheus
    webhook: WebhookReceiver

    async def wait_for(self, status: str, *names: str, deadline: float = 90.0) -> list[dict[str, Any]]:
        """Wait until the newest notification of each of these is of this status; return these."""

        def newest(received: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
            return {one["groupLabels"]["alertname"]: one for one in received}

        def told(received: list[dict[str, Any]]) -> bool:
            last = newest(received)
            return all(name in last and last[name]["status"] == status for name in names)

        received = await asyncio.to_thread(self.webhook.wait_for, told, deadline)
        return [newest(received)[name] for name in names]

    def pages(self) -> list[Mapping[str, str]]:
        """What the pager was told of, as the labels of groups in the order of their beginning."""
        groups = [one["groupLabels"] for one in self.webhook.received if one["receiver"] == "pager"]
        return [group for number, group in enumerate(groups) if group not in groups[:number]]


StartChain = Callable[[str], Chain]


@pytest.fixture
def start_chain(
    start_prometheus: StartPrometheus,
    start_alertmanager: StartAlertmanager,
    webhook: WebhookReceiver,
    tmp_path: Path,
) -> StartChain:
    """Start Prometheus and Alertmanager behind the exporter at an address."""

    def start(exporter: str) -> Chain:
        alertmanager = start_alertmanager(webhook.url, config=quick_example(webhook.url))
        prometheus = start_prometheus(
            {"registry-integrity": [exporter]},
            rules=[shortened_rules(tmp_path)],
            alertmanagers=[alertmanager.host],
        )
        return Chain(prometheus, webhook)

    return start


async def filled(registry: DockerRegistry) -> dict[str, content.Content]:
    images = {"team/app": content.multi_platform("app"), "team/web": content.multi_platform("web")}
    await registry.push("team/app", images["team/app"], "v1", "latest")
    await registry.push("team/web", images["team/web"], "v2")
    return images


async def test_damage_is_one_page_that_names_image_reason_and_runbook_and_is_over_when_healed(
    start_registry: StartRegistry,
    start_exporter: StartExporter,
    start_chain: StartChain,
    record_property: Callable[[str, object], None],
) -> None:
    registry = start_registry()
    images = await filled(registry)
    exporter = start_exporter(f"--registry=private={registry.url}")
    await exporter.wait_for_cycles()
    chain = start_chain(exporter.host)
    await chain.prometheus.wait_for_query("registry_integrity_broken_tags", len)

    await exporter.wait_for_cycles()
    damaged = time.monotonic()
    for name, image in images.items():
        child = next(one for one in image.manifests if one.digest != image.root.digest)
        registry.damage.remove_revision_link(name, child.digest)

    (page,) = await chain.wait_for("firing", "RegistryManifestIntegrityFailure")
    # docs/alerting.md has the time; it is no claim of this test.
    record_property("seconds from damage to notification", round(time.monotonic() - damaged, 1))
    page = await both_repositories(chain, page)
    assert (page["receiver"], page["groupLabels"]["registry"]) == ("pager", "private")
    told = {one["labels"]["repository"]: one for one in page["alerts"]}
    assert {name: one["labels"]["severity"] for name, one in told.items()} == {
        "team/app": "critical",
        "team/web": "critical",
    }
    expected = {"team/app": ["latest", "v1"], "team/web": ["v2"]}
    for name, tags in expected.items():
        broken = ", ".join(f"{registry.host}/{name}:{tag} (child missing, linux/amd64)" for tag in tags)
        assert f" Broken: {broken}. " in told[name]["annotations"]["description"]
        runbook = told[name]["annotations"]["runbook_url"].rpartition("/")[2]
        assert (RUNBOOKS / runbook).is_file()

    for name, tags in expected.items():
        await registry.push(name, images[name], *tags)
    (over,) = await chain.wait_for("resolved", "RegistryManifestIntegrityFailure")
    assert {one["status"] for one in over["alerts"]} == {"resolved"}
    assert chain.pages() == [{"alertname": "RegistryManifestIntegrityFailure", "registry": "private"}]


async def both_repositories(chain: Chain, page: dict[str, Any]) -> dict[str, Any]:
    """The page once it holds both: one cycle may end between the two."""

    def complete(received: list[dict[str, Any]]) -> bool:
        return sum(one["status"] == "firing" for one in received[-1]["alerts"]) == 2

    if len(page["alerts"]) < 2:
        page = (await asyncio.to_thread(chain.webhook.wait_for, complete, 60.0))[-1]
    return page


async def test_a_killed_registry_is_one_page_of_its_own(
    start_registry: StartRegistry, start_exporter: StartExporter, start_chain: StartChain
) -> None:
    registry = start_registry()
    await filled(registry)
    exporter = start_exporter(f"--registry=private={registry.url}")
    await exporter.wait_for_cycles()
    chain = start_chain(exporter.host)
    await chain.prometheus.wait_for_query("registry_integrity_catalog_accessible", len)

    registry.stop()
    (page,) = await chain.wait_for("firing", "RegistryCatalogInaccessible")
    assert page["receiver"] == "pager"
    await exporter.wait_for_cycles(3)
    registry.start()
    await chain.wait_for("resolved", "RegistryCatalogInaccessible")
    assert chain.pages() == [{"alertname": "RegistryCatalogInaccessible", "registry": "private"}]


async def test_a_cut_network_is_the_page_of_the_registry_behind_it(
    start_registry: StartRegistry,
    start_exporter: StartExporter,
    start_chain: StartChain,
    start_nginx: StartNginx,
) -> None:
    """What was broken before is not paged a second time, nor called healed."""
    registry = start_registry()
    images = await filled(registry)
    web = images["team/web"]
    registry.damage.remove_revision_link("team/web", web.manifests[0].digest)
    between = start_nginx(f"location / {{ proxy_pass {registry.url}; proxy_set_header Host $http_host; }}")
    exporter = start_exporter(f"--registry=private={between.url}")
    chain = start_chain(exporter.host)
    await chain.wait_for("firing", "RegistryManifestIntegrityFailure")

    between.stop()
    await chain.wait_for("firing", "RegistryCatalogInaccessible")
    await exporter.wait_for_cycles(3)
    assert chain.pages() == [
        {"alertname": "RegistryManifestIntegrityFailure", "registry": "private"},
        {"alertname": "RegistryCatalogInaccessible", "registry": "private"},
    ]
    statuses = [
        one["status"]
        for one in chain.webhook.received
        if one["groupLabels"]["alertname"] == "RegistryManifestIntegrityFailure"
    ]
    assert set(statuses) == {"firing"}


async def test_a_killed_exporter_is_no_page_but_a_mail(
    start_registry: StartRegistry, start_exporter: StartExporter, start_chain: StartChain
) -> None:
    """Nobody sees the registry, which is no reason to wake anybody; absence holds back what it explains."""
    registry = start_registry()
    await filled(registry)
    exporter = start_exporter(f"--registry=private={registry.url}")
    await exporter.wait_for_cycles()
    chain = start_chain(exporter.host)
    await chain.prometheus.wait_for_query("registry_integrity_last_success_timestamp_seconds", len)

    exporter.process.kill()
    (mail,) = await chain.wait_for("firing", "RegistryIntegrityExporterAbsent")
    assert (mail["receiver"], mail["status"]) == ("mail", "firing")
    assert chain.pages() == []
