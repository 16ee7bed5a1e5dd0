"""The program does its work with the arguments, files and variables that the chart gives a pod."""

import re
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from sample import content
from sample.registry import DockerRegistry
from tests.deploy.pod_files import lay_out
from tests.deploy.rendering import Json, merged, one, pods, render, values_of
from tests.parts.certificates import Authority
from tests.parts.exporter import Exporter, run
from tests.parts.fixtures import StartPushgateway, StartRegistry
from tests.parts.waiting import wait_until

REPOSITORIES = {"team/app", "team/web", "base/one", "base/two", "tools/a", "tools/b", "tools/c", "tools/d"}
SECRETS: Json = {
    "registries": {"private": {"ca": {"configMap": "authorities"}, "clientCertificate": {"secret": "client"}}}
}


@pytest.fixture
async def registry(start_registry: StartRegistry, authority: Authority) -> DockerRegistry:
    """A registry that has a certificate of our authority, and wants one of its clients."""
    certificate, key = map(str, authority.issue("127.0.0.1").files)
    tls = {"certificate": certificate, "key": key, "clientcas": [str(authority.file)]}
    registry = start_registry(
        more={"http": {"tls": tls}}, client_certificate=authority.issue("pusher.example").both
    )
    for repository in REPOSITORIES:
        await registry.push(repository, content.image(repository), "latest")
    return registry


def values(mode: str, registry: DockerRegistry, more: Json) -> Json:
    registries = [{"name": "private", "url": registry.url}]
    return values_of(mode, merged({"config": {"registries": registries}, "secrets": SECRETS}, more))


async def test_deployment(
    running: ExitStack, registry: DockerRegistry, authority: Authority, tmp_path: Path
) -> None:
    """It walks with the secrets, and answers what the kubelet and Prometheus ask."""
    objects = render(values("deployment", registry, {"monitor": {"enabled": True}}))
    (pod,) = pods(objects)
    (container,) = pod["containers"]
    _, *arguments = lay_out(pod, objects, tmp_path, authority)
    # On a port of its own instead.
    arguments.remove(f"--listen-address=:{container['ports'][0]['containerPort']}")
    exporter = running.enter_context(Exporter(tmp_path, *arguments))
    await exporter.wait_for_cycles()
    assert await exporter.value("repositories") == len(REPOSITORIES)
    assert await exporter.value("catalog_accessible") == 1
    (endpoint,) = one(objects, "ServiceMonitor")["spec"]["endpoints"]
    probes = [container[name]["httpGet"]["path"] for name in ("livenessProbe", "readinessProbe")]
    async with httpx.AsyncClient(base_url=exporter.url, trust_env=False) as client:
        answers = [await client.get(path) for path in (*probes, endpoint["path"])]
    assert [answer.status_code for answer in answers] == [200, 200, 200]


async def test_shards_of_a_statefulset(
    running: ExitStack, registry: DockerRegistry, authority: Authority, tmp_path: Path
) -> None:
    """The pods divide the repositories: together they have all of them, and none twice."""
    objects = render(values("statefulset", registry, {"shards": 3}))
    (pod,) = pods(objects)
    found: list[str] = []
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        _, *arguments = lay_out(pod, objects, folder, authority)
        arguments.remove("--listen-address=:9949")
        name = f"{one(objects, 'StatefulSet')['metadata']['name']}-{number}"
        exporter = running.enter_context(Exporter(folder, *arguments, environment={"HOSTNAME": name}))
        await exporter.wait_for_cycles()
        found += [sample.labels["repository"] for sample in await exporter.samples("tags")]
    assert sorted(found) == sorted(REPOSITORIES)


async def test_shards_of_a_cronjob(
    registry: DockerRegistry, start_pushgateway: StartPushgateway, authority: Authority, tmp_path: Path
) -> None:
    """Each pod of a run pushes its share, and ends with what it found: one has something broken."""
    await registry.push("team/broken", content.image("broken"), "latest")
    registry.storage.remove_tree("docker/registry/v2/repositories/team/broken/_manifests/revisions")
    gateway = start_pushgateway()
    config = {"pushgateway": {"url": gateway.url}}
    objects = render(values("cronjob", registry, {"shards": 2, "config": config}))
    (pod,) = pods(objects)
    statuses = []
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        arguments = lay_out(pod, objects, folder, authority)
        status, _ = run(*arguments, folder=folder, environment={"JOB_COMPLETION_INDEX": str(number)})
        statuses.append(status)
    assert sorted(statuses) == [0, 1]
    text = await wait_until(
        gateway.metrics, lambda told: "registry_integrity_tags{" in told, 10.0, what="what was pushed"
    )
    pushed = re.findall(r'^registry_integrity_tags\{.*?repository="([^"]+)"', text, re.MULTILINE)
    assert sorted(pushed) == sorted({*REPOSITORIES, "team/broken"})
    assert set(re.findall(r"^registry_integrity_interval_seconds\{.*\} (\S+)$", text, re.MULTILINE)) == {
        "3600"
    }
