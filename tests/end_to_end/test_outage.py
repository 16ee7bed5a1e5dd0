"""The outages that this program was written for, replayed on a real registry up to a real alert."""

from collections.abc import Callable

from sample import content
from sample.registry import DockerRegistry
from tests.end_to_end.conftest import StartExporter, Watch
from tests.parts.exporter import Exporter
from tests.parts.fixtures import StartRegistry
from tests.parts.prometheus import Alert, Prometheus
from tests.parts.waiting import wait_until

FAILURE = "RegistryManifestIntegrityFailure"
STUCK = "RegistryReferenceStuck"
INACCESSIBLE = "RegistryCatalogInaccessible"
VANISHED = "RegistryRepositoriesVanished"
STALE = "RegistryIntegrityProbeStale"
ABSENT = "RegistryIntegrityExporterAbsent"


def firing(alerts: list[Alert]) -> set[str]:
    return {alert.name for alert in alerts if alert.firing}


def is_firing(*names: str) -> Callable[[list[Alert]], bool]:
    return lambda alerts: firing(alerts) == set(names)


async def broken_info(exporter: Exporter) -> set[tuple[str, ...]]:
    """Each broken reference and tag, without the digest."""
    labels = ("repository", "tag", "kind", "platform", "reason", "impact")
    samples = await exporter.samples("broken_reference_info")
    return {tuple(sample.labels[label] for label in labels) for sample in samples}


async def wait_for_info(exporter: Exporter, expected: set[tuple[str, ...]]) -> None:
    await wait_until(
        lambda: broken_info(exporter),
        lambda seen: seen == expected,
        60.0,
        what=f"broken references {expected}",
    )


async def seeded(registry: DockerRegistry) -> dict[str, content.Content]:
    images = {
        "team/app": content.multi_platform("app", attestations=True),
        "team/web": content.multi_platform("web", family="docker"),
    }
    await registry.push("team/app", images["team/app"], "latest", "v7")
    await registry.push("team/web", images["team/web"], "latest")
    await registry.push("team/single", content.image("single"), "latest")
    return images


async def test_garbage_collection_of_untagged_children_pages_until_the_images_are_pushed_again(
    start_registry: StartRegistry, start_exporter: StartExporter, watch: Watch
) -> None:
    registry = start_registry()
    images = await seeded(registry)
    exporter = start_exporter(f"--registry=private={registry.url}")
    prometheus: Prometheus = watch(exporter)
    await exporter.wait_for_cycles()
    assert await broken_info(exporter) == set()

    registry.garbage_collect(delete_untagged=True)
    await wait_for_info(
        exporter,
        {
            ("team/app", tag, "child", platform, "missing", impact)
            for tag in ("latest", "v7")
            for platform, impact in (
                ("linux/amd64", "pull"),
                ("linux/arm64", "pull"),
                ("unknown/unknown", "metadata"),
            )
        }
        | {("team/web", "latest", "child", f"linux/{cpu}", "missing", "pull") for cpu in ("amd64", "arm64")},
    )
    assert await exporter.value("broken_references", repository="team/app", kind="child") == 4
    assert await exporter.value("broken_tags", repository="team/app") == 2
    alerts = await prometheus.wait_for_alerts(is_firing(FAILURE), what=FAILURE)
    labels = {(alert.labels["registry"], alert.labels["repository"]) for alert in alerts if alert.firing}
    assert labels == {("private", "team/app"), ("private", "team/web")}

    await registry.push("team/app", images["team/app"], "latest", "v7")
    await registry.push("team/web", images["team/web"], "latest")
    await wait_for_info(exporter, set())
    await prometheus.wait_for_alerts(is_firing(), what="no alert any more")


async def test_a_removed_revision_link_pages_until_the_image_is_pushed_again(
    start_registry: StartRegistry, start_exporter: StartExporter, watch: Watch
) -> None:
    registry = start_registry()
    images = await seeded(registry)
    exporter = start_exporter(f"--registry=private={registry.url}")
    prometheus = watch(exporter)
    await exporter.wait_for_cycles()

    child = next(
        manifest
        for manifest in images["team/web"].manifests
        if manifest.digest != images["team/web"].root.digest
    )
    registry.damage.remove_revision_link("team/web", child.digest)
    await wait_until(lambda: broken_info(exporter), len, 60.0, what="a finding")
    info = await exporter.samples("broken_reference_info")
    assert [sample.labels["digest"] for sample in info] == [child.digest]
    assert [sample.labels["image"] for sample in info] == [f"{registry.host}/team/web:latest"]
    await prometheus.wait_for_alerts(is_firing(FAILURE), what=FAILURE)

    await registry.push("team/web", images["team/web"], "latest")
    await prometheus.wait_for_alerts(is_firing(), what="no alert any more")
    assert await broken_info(exporter) == set()


async def test_an_emptied_revision_link_is_an_error_for_ever_and_pages_as_stuck(
    start_registry: StartRegistry, start_exporter: StartExporter, watch: Watch
) -> None:
    registry = start_registry()
    images = await seeded(registry)
    exporter = start_exporter(f"--registry=private={registry.url}")
    prometheus = watch(exporter)
    await exporter.wait_for_cycles()

    child = next(
        manifest
        for manifest in images["team/web"].manifests
        if manifest.digest != images["team/web"].root.digest
    )
    registry.damage.empty_revision_link("team/web", child.digest)
    # RegistryIntegrityUnverified follows a little later.
    await prometheus.wait_for_alerts(lambda alerts: STUCK in firing(alerts), what=STUCK)
    assert await exporter.value("stuck_references", repository="team/web") == 1
    labels = {"repository": "team/web", "kind": "child", "reason": "server_error"}
    assert await exporter.value("unverified_references", **labels) == 1
    assert await broken_info(exporter) == set()

    registry.damage.remove_revision_link("team/web", child.digest)
    await registry.push("team/web", images["team/web"], "latest")
    await prometheus.wait_for_alerts(is_firing(), what="no alert any more")
    assert await exporter.value("stuck_references", repository="team/web") == 0


async def test_data_that_vanished_behind_a_lying_head_is_found_for_every_repository(
    start_registry: StartRegistry, start_exporter: StartExporter
) -> None:
    registry = start_registry(cache=True)
    lost, cut = content.layer("lost", 5000), content.layer("cut", 5000)
    for name in ("team/one", "team/two", "team/three"):
        await registry.push(name, content.image(name, shared=[lost, cut]), "latest")
    exporter = start_exporter(f"--registry=private={registry.url}")
    await exporter.wait_for_cycles()
    assert await broken_info(exporter) == set()

    registry.damage.remove_data(lost.digest)
    registry.damage.truncate_data(cut.digest)
    async with registry.client() as client:
        lie = await client.head(f"/v2/team/two/blobs/{lost.digest}")
    assert (lie.status_code, lie.headers["content-length"]) == (200, "5000")

    async def found() -> set[tuple[str, str]]:
        samples = await exporter.samples("broken_reference_info")
        return {(sample.labels["repository"], sample.labels["digest"]) for sample in samples}

    expected = {
        (name, blob.digest) for name in ("team/one", "team/two", "team/three") for blob in (lost, cut)
    }
    assert await wait_until(found, lambda seen: seen >= expected, 60.0, what="six findings") == expected


async def test_a_registry_that_is_down_keeps_its_findings_and_pages_for_itself_only(
    start_registry: StartRegistry, start_exporter: StartExporter, watch: Watch
) -> None:
    registry = start_registry()
    images = await seeded(registry)
    child = images["team/web"].manifests[0]
    registry.damage.remove_revision_link("team/web", child.digest)
    exporter = start_exporter(f"--registry=private={registry.url}")
    prometheus = watch(exporter)
    await prometheus.wait_for_alerts(is_firing(FAILURE), what=FAILURE)
    before = await broken_info(exporter)
    checked = await exporter.samples("checked_references")

    registry.stop()
    await prometheus.wait_for_alerts(is_firing(FAILURE, INACCESSIBLE), what=INACCESSIBLE)
    await exporter.wait_for_cycles(3)
    assert await broken_info(exporter) == before
    assert await exporter.samples("checked_references") == checked
    assert await exporter.value("stale_references", repository="team/web") == sum(
        sample.value for sample in checked if sample.labels["repository"] == "team/web"
    )
    assert await exporter.value("stuck_references", repository="team/app") == 0
    assert await exporter.value("catalog_accessible") == 0
    assert firing(await prometheus.alerts()) == {FAILURE, INACCESSIBLE}

    registry.start()
    await prometheus.wait_for_alerts(is_firing(FAILURE), what="the registry's alert to end")
    assert await exporter.value("stale_references", repository="team/web") == 0


async def test_storage_that_is_gone_is_believed_only_when_a_second_walk_says_so(
    start_registry: StartRegistry, start_exporter: StartExporter, watch: Watch
) -> None:
    registry = start_registry()
    images = await seeded(registry)
    registry.damage.remove_revision_link("team/web", images["team/web"].manifests[0].digest)
    exporter = start_exporter(
        f"--registry=private={registry.url}", environment={"REGISTRY_INTEGRITY_SUSPECT_DELAY": "4s"}
    )
    prometheus = watch(exporter)
    await prometheus.wait_for_alerts(is_firing(FAILURE), what=FAILURE)
    known = await broken_info(exporter)

    # Between two cycles: what is gone in the middle of one looks like tags that were deleted.
    await exporter.wait_for_cycles()
    registry.damage.move_storage_away()
    exporter.process.wait_for_line("suspect cycle", 30.0)
    assert await broken_info(exporter) == known
    assert await exporter.value("repositories") == 3
    await wait_until(
        lambda: exporter.value("repositories"), lambda seen: seen == 0, 60.0, what="0 repositories"
    )
    assert await exporter.value("catalog_accessible") == 1
    await prometheus.wait_for_alerts(lambda alerts: VANISHED in firing(alerts), what=VANISHED)


async def test_an_exporter_that_is_gone_is_missed_and_its_registry_is_stale(
    start_registry: StartRegistry, start_exporter: StartExporter, watch: Watch
) -> None:
    registry = start_registry()
    await seeded(registry)
    exporter = start_exporter(f"--registry=private={registry.url}")
    prometheus = watch(exporter)
    await prometheus.wait_for_query("registry_integrity_last_success_timestamp_seconds", len)

    assert exporter.process.stop() == 0
    await prometheus.wait_for_alerts(is_firing(ABSENT, STALE), what=f"{ABSENT} and {STALE}")


async def test_a_new_registry_without_repositories_is_no_reason_to_page(
    start_registry: StartRegistry, start_exporter: StartExporter, watch: Watch
) -> None:
    registry = start_registry()
    exporter = start_exporter(f"--registry=private={registry.url}")
    prometheus = watch(exporter)
    await prometheus.wait_for_query("registry_integrity_last_success_timestamp_seconds", len)
    await exporter.wait_for_cycles(5)
    assert await exporter.value("catalog_accessible") == 1
    assert await exporter.value("repositories") == 0
    assert await prometheus.alerts() == []
    assert await prometheus.rule_problems() == []
