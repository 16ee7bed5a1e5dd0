"""A repository that the exporter is not shown: its numbers stay, its alert fires, the others go on."""

from pathlib import Path

import pytest

from sample import content
from sample.registry import DockerRegistry
from tests.end_to_end.conftest import StartExporter, Watch
from tests.parts.exporter import Exporter
from tests.parts.fixtures import StartNginx, StartRegistry
from tests.parts.prometheus import Alert
from tests.parts.waiting import wait_until

UNVERIFIED = "RegistryIntegrityUnverified"
STUCK = "RegistryReferenceStuck"

HIDDEN, OTHERS = "team/app", ("team/web", "team/single")
PER_REPOSITORY = ("tags", "broken_tags", "checked_references", "broken_references")
LAST_VERIFIED = "repository_last_verified_timestamp_seconds"


class Door:
    """An nginx before a registry, which lets nobody see one repository's tags while a file is there."""

    def __init__(self, registry: DockerRegistry, start_nginx: StartNginx, folder: Path) -> None:
        self._lock = folder / "locked"
        proxied = f"proxy_pass {registry.url}; proxy_set_header Host $http_host;"
        self.nginx = start_nginx(f"""
            location / {{ {proxied} }}
            location = /v2/{HIDDEN}/tags/list {{
                if (-f {self._lock}) {{ return 403; }}
                {proxied}
            }}
        """)

    def lock(self) -> None:
        self._lock.touch()

    def unlock(self) -> None:
        self._lock.unlink()


@pytest.fixture
async def door(start_registry: StartRegistry, start_nginx: StartNginx, tmp_path: Path) -> Door:
    """A registry with three intact repositories, and the door before it, unlocked."""
    registry = start_registry()
    for name in (HIDDEN, *OTHERS):
        await registry.push(name, content.multi_platform(name), "latest", "v7")
    return Door(registry, start_nginx, tmp_path)


async def numbers(exporter: Exporter) -> dict[str, list[tuple[dict[str, str], float]]]:
    """What the metrics say of all repositories."""
    return {
        name: [(sample.labels, sample.value) for sample in await exporter.samples(name)]
        for name in PER_REPOSITORY
    }


async def last_verified(exporter: Exporter) -> dict[str, float]:
    return {sample.labels["repository"]: sample.value for sample in await exporter.samples(LAST_VERIFIED)}


def firing(alerts: list[Alert]) -> set[tuple[str, str | None]]:
    return {(alert.name, alert.labels.get("repository")) for alert in alerts if alert.firing}


async def test_a_repository_that_fails_for_whole_cycles_keeps_its_numbers_and_is_warned_of(
    door: Door, start_exporter: StartExporter, watch: Watch
) -> None:
    exporter = start_exporter(f"--registry=private={door.nginx.url}")
    prometheus = watch(exporter)
    await exporter.wait_for_cycles()
    known = await numbers(exporter)

    door.lock()
    await exporter.wait_for_cycles(2)
    locked = await last_verified(exporter)
    # Stuck, since it is always the same error; no word of the registry, of which all else is verified.
    alerts = await prometheus.wait_for_alerts(
        lambda alerts: firing(alerts) == {(STUCK, HIDDEN), (UNVERIFIED, HIDDEN)}, what="both alerts"
    )
    [warning] = [alert for alert in alerts if alert.name == UNVERIFIED]
    assert warning.labels["severity"] == "warning"
    assert f"repository {HIDDEN} of registry private" in warning.annotations["description"]
    await exporter.wait_for_cycles(2)
    assert await numbers(exporter) == known
    later = await last_verified(exporter)
    assert later[HIDDEN] == locked[HIDDEN]
    assert all(later[name] > locked[name] for name in OTHERS)
    reason = {"repository": HIDDEN, "kind": "tag", "reason": "forbidden"}
    assert [(sample.labels, sample.value) for sample in await exporter.samples("unverified_references")] == [
        ({"registry": "private", **reason}, 1)
    ]
    checked = [value for labels, value in known["checked_references"] if labels["repository"] == HIDDEN]
    assert await exporter.value("stale_references", repository=HIDDEN) == sum(checked)
    assert firing(await prometheus.alerts()) == {(STUCK, HIDDEN), (UNVERIFIED, HIDDEN)}

    door.unlock()
    await prometheus.wait_for_alerts(lambda alerts: firing(alerts) == set(), what="no alert any more")
    assert (await last_verified(exporter))[HIDDEN] > locked[HIDDEN]
    assert await exporter.samples("unverified_references") == []
    assert await numbers(exporter) == known
    assert await prometheus.rule_problems() == []


async def test_a_repository_that_was_never_verified_is_warned_of(
    door: Door, start_exporter: StartExporter, watch: Watch
) -> None:
    door.lock()
    exporter = start_exporter(f"--registry=private={door.nginx.url}")
    prometheus = watch(exporter)

    await prometheus.wait_for_alerts(lambda alerts: (UNVERIFIED, HIDDEN) in firing(alerts), what=UNVERIFIED)
    assert (await last_verified(exporter)).keys() == set(OTHERS)
    assert await exporter.value("tags", repository=HIDDEN) == 0

    door.unlock()
    await wait_until(
        lambda: last_verified(exporter), lambda seen: HIDDEN in seen, 30.0, what="a verified repository"
    )
    assert await exporter.value("tags", repository=HIDDEN) == 2
    await prometheus.wait_for_alerts(lambda alerts: firing(alerts) == set(), what="no alert any more")
