"""Every query of the dashboard, asked of a real Prometheus while a registry is intact, broken and healed."""

from collections.abc import Sequence

import pytest

from sample import content
from sample.registry import DockerRegistry
from tests.deploy.dashboards import load, panels, queries, variables
from tests.end_to_end.conftest import StartExporter, Watch
from tests.parts.exporter import Exporter
from tests.parts.fixtures import StartRegistry
from tests.parts.prometheus import Prometheus
from tests.parts.waiting import wait_until

DASHBOARD = load()
# What Grafana puts in their places, with everything chosen.
PLACES = {"$registry": ".*", "$repository": ".*", "$__rate_interval": "1m"}
WHILE_BROKEN = {"Broken now A", "Broken tags by repository A", "Unverified references by reason A"}
# Rates of what has happened: they go on for a minute.
SINCE_BROKEN = {"Errors A", "Retries A"}
SHARDED = {"Shards A", "Shards B"}
ALERTING = {"Alerts"}


def filled(expression: str) -> str:
    for place, value in PLACES.items():
        expression = expression.replace(place, value)
    return expression


async def answers(prometheus: Prometheus) -> dict[str, int]:
    """How many series each query finds."""
    return {
        query.owner: len(await prometheus.query(filled(query.expression))) for query in queries(DASHBOARD)
    }


async def without_series(prometheus: Prometheus) -> set[str]:
    return {owner for owner, series in (await answers(prometheus)).items() if not series}


async def number(prometheus: Prometheus, title: str) -> float | None:
    """What a panel with one number shows, None before there is any."""
    (panel,) = [panel for panel in panels(DASHBOARD) if panel["title"] == title]
    found = await prometheus.query(filled(panel["targets"][0]["expr"]))
    return found[0].value if len(found) == 1 else None


async def wait_for_numbers(prometheus: Prometheus, expected: dict[str, float]) -> None:
    async def shown() -> dict[str, float | None]:
        return {title: await number(prometheus, title) for title in expected}

    await wait_until(shown, lambda seen: seen == expected, 60.0, what=f"{expected}")


async def seeded(registry: DockerRegistry) -> dict[str, content.Content]:
    images = {name: content.multi_platform(name) for name in ("team/app", "team/web", "team/db", "tools")}
    for name, image in images.items():
        await registry.push(name, image, "latest", "v1")
    return images


def start(start_exporter: StartExporter, registry: DockerRegistry, shards: int) -> Sequence[Exporter]:
    address = f"--registry=private={registry.url}"
    if shards == 1:
        return [start_exporter(address)]
    return [start_exporter(address, f"--shard={index}/{shards}") for index in range(shards)]


@pytest.mark.parametrize("shards", [1, 2])
async def test_every_query_finds_what_it_should(
    start_registry: StartRegistry, start_exporter: StartExporter, watch: Watch, shards: int
) -> None:
    registry = start_registry()
    images = await seeded(registry)
    exporters = start(start_exporter, registry, shards)
    prometheus = watch(*exporters)
    seldom = WHILE_BROKEN | SINCE_BROKEN | ALERTING
    never = set() if shards > 1 else SHARDED

    intact = {
        "Broken tags": 0,
        "Stuck references": 0,
        "Catalogs inaccessible": 0,
        "Unverified references": 0,
        "Repositories": 4,
        "Tags": 8,
        "Stale references": 0,
        "Ignored references": 0,
        "Expired ignore rules": 0,
        "Firing alerts": 0,
        "Not in the table": 0,
    }
    await wait_for_numbers(prometheus, intact)
    await wait_until(
        lambda: without_series(prometheus),
        lambda missing: missing <= seldom | never,
        60.0,
        what="series of an intact registry",
    )
    assert await without_series(prometheus) == seldom | never
    for name, selector, label in variables(DASHBOARD):
        values = {sample.labels[label] for sample in await prometheus.query(filled(selector))}
        assert values == {"registry": {"private"}, "repository": set(images)}[name]

    app, web = images["team/app"], images["team/web"]
    child = next(one.digest for one in app.manifests if one.digest != app.root.digest)
    registry.damage.remove_revision_link("team/app", child)
    registry.damage.garble_tag_link("team/web", "v1")
    broken = {"Broken tags": 2, "Stuck references": 1, "Unverified references": 1, "Repositories": 4}
    await wait_for_numbers(prometheus, broken)
    await wait_until(
        lambda: without_series(prometheus),
        lambda missing: missing == never,
        60.0,
        what="series of a broken registry",
    )

    await registry.push("team/app", app, "latest", "v1")
    registry.damage.remove_tag("team/web", "v1")
    await registry.push("team/web", web, "v1")
    await wait_for_numbers(prometheus, intact)
    healed = await without_series(prometheus)
    assert WHILE_BROKEN | ALERTING <= healed <= seldom | never
    assert await prometheus.rule_problems() == []
