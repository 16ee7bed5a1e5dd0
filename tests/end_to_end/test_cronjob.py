"""A CronJob's runs, pushed to a real Pushgateway, up to real alerts: exactly the right ones at each step."""

from pathlib import Path

from sample import content
from sample.registry import DockerRegistry
from tests.parts.exporter import run
from tests.parts.fixtures import StartPrometheus, StartPushgateway, StartRegistry
from tests.parts.prometheus import Prometheus
from tests.parts.pushgateway import Pushgateway
from tests.parts.rules import shortened_rules
from tests.parts.waiting import wait_until

FAILURE = "RegistryManifestIntegrityFailure"
INACCESSIBLE = "RegistryCatalogInaccessible"
STALE = "RegistryIntegrityProbeStale"
STUCK = "RegistryReferenceStuck"
UNVERIFIED = "RegistryIntegrityUnverified"


class Job:
    """Runs `probe` whenever the test says so, as if that were each so many seconds."""

    def __init__(self, registry: DockerRegistry, gateway: Pushgateway, folder: Path) -> None:
        self.registry = registry
        self.gateway = gateway
        self.folder = folder

    def run(self, interval: str = "1h") -> int:
        """Run once; return the exit status."""
        status, _ = run(
            "probe",
            *(f"--registry=private={self.registry.url}", f"--interval={interval}", "--deadline=50s"),
            *(f"--pushgateway={self.gateway.url}", "--log-level=error"),
            folder=self.folder,
        )
        return status


async def expect(prometheus: Prometheus, *names: str) -> None:
    """Wait until exactly these alerts fire, and none is pending."""
    await prometheus.wait_for_alerts(
        lambda alerts: {alert.name for alert in alerts} == set(names) and all(one.firing for one in alerts),
        what=f"exactly {names}",
    )


def watch_gateway(start_prometheus: StartPrometheus, gateway: Pushgateway, folder: Path) -> Prometheus:
    """Start a Prometheus that scrapes what was pushed and loads the shipped rules, shortened."""
    scrape = {
        "job_name": "pushgateway",
        "honor_labels": True,
        "static_configs": [{"targets": [gateway.host]}],
    }
    return start_prometheus({}, rules=[shortened_rules(folder)], more={"scrape_configs": [scrape]})


async def test_each_run_drives_the_right_alerts(
    start_registry: StartRegistry,
    start_pushgateway: StartPushgateway,
    start_prometheus: StartPrometheus,
    tmp_path: Path,
) -> None:
    registry, gateway = start_registry(), start_pushgateway()
    image = content.multi_platform("app")
    await registry.push("team/app", image, "latest")
    job = Job(registry, gateway, tmp_path)
    prometheus = watch_gateway(start_prometheus, gateway, tmp_path)

    assert job.run() == 0
    await prometheus.wait_for_query("registry_integrity_last_success_timestamp_seconds", len)
    await expect(prometheus)

    child = next(one.digest for one in image.manifests if one.digest != image.root.digest)
    registry.damage.remove_revision_link("team/app", child)
    assert job.run() == 1
    await expect(prometheus, FAILURE)

    # What is known stays while the registry is down.
    registry.stop()
    assert job.run() == 3
    await expect(prometheus, FAILURE, INACCESSIBLE)

    registry.start()
    await registry.push("team/app", image, "latest")
    assert job.run() == 0
    await expect(prometheus)

    # Not run any more: three of these intervals are soon over, with nothing pushed since.
    assert job.run("1s") == 0
    await expect(prometheus, STALE)
    assert await prometheus.rule_problems() == []


async def test_a_torn_write_alerts_though_no_run_knows_of_another(
    start_registry: StartRegistry,
    start_pushgateway: StartPushgateway,
    start_prometheus: StartPrometheus,
    tmp_path: Path,
) -> None:
    """Three runs in a row, of which each is told that the last was two seconds ago."""
    registry, gateway = start_registry(), start_pushgateway()
    image = content.image("app")
    await registry.push("team/app", image, "latest")
    await registry.push("team/web", content.image("web"), "latest")
    job = Job(registry, gateway, tmp_path)
    prometheus = watch_gateway(start_prometheus, gateway, tmp_path)
    registry.damage.empty_tag_link("team/app", "latest")

    async def after_one_more_run() -> set[tuple[str, str]]:
        assert job.run("2s") == 3
        return {
            (alert.name, alert.labels.get("repository", ""))
            for alert in await prometheus.alerts()
            if alert.name in (STUCK, UNVERIFIED) and alert.firing
        }

    expected = {(STUCK, "team/app"), (UNVERIFIED, "team/app")}
    assert await after_one_more_run() == set()
    await wait_until(after_one_more_run, lambda alerts: alerts == expected, 60.0, what="both alerts")

    registry.damage.remove_tag("team/app", "latest")
    assert job.run("1h") == 0
    await expect(prometheus)
