"""What the chart renders Kubernetes takes, its profile "restricted" allows, and the program reads."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from helm_python import chart as helm
from typer.testing import CliRunner

from exporter.cli.commands import app
from tests.deploy import custom_resources
from tests.deploy.options import OPTIONS
from tests.deploy.pod_files import environment_of, lay_out
from tests.deploy.rendering import MODES, Json, chart, one, pods, render, values_of
from tests.deploy.restricted import violations
from tests.parts.certificates import Authority
from tools.chart import CHART, MANIFESTS

OLDEST = "1.29"
NEWEST = kubernetes_validate.latest_version()
EVERYTHING: Json = {
    "monitor": {"enabled": True},
    "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
    "dashboards": {"enabled": True, "annotations": {"grafana_folder": "Registries"}},
    "networkPolicy": {"enabled": True},
    "podDisruptionBudget": {"enabled": True},
}
OF_WHAT_SERVES = ("monitor", "podDisruptionBudget")


def everything(mode: str) -> Json:
    left_out = OF_WHAT_SERVES if mode == "cronjob" else ()
    return {key: value for key, value in EVERYTHING.items() if key not in left_out}


VARIANTS: dict[str, Json] = {
    **{mode: values_of(mode) for mode in MODES},
    **{f"{mode} with everything": values_of(mode, everything(mode)) for mode in MODES},
    **{name: values_of(option.mode, option.values) for name, option in OPTIONS.items()},
}


def rendered_objects() -> Iterator[Json]:
    """Give every object of every variant once."""
    texts = {json.dumps(found, sort_keys=True) for values in VARIANTS.values() for found in render(values)}
    return map(json.loads, sorted(texts))


def plain_objects() -> Iterator[Json]:
    for path in sorted(MANIFESTS.glob("*.yaml")):
        yield from yaml.safe_load_all(path.read_text("utf-8"))


def is_custom(found: Json) -> bool:
    return found["apiVersion"].startswith("monitoring.coreos.com/")


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_kubernetes_takes_every_object(version: str):
    """No field is unknown, of the wrong type or missing, in the oldest supported version nor the newest."""
    objects = [found for found in (*rendered_objects(), *plain_objects()) if not is_custom(found)]
    assert len({found["kind"] for found in objects}) == 8
    for found in objects:
        assert version.startswith(kubernetes_validate.validate(found, version, strict=True))


def test_the_oldest_version_is_the_chart_s():
    """Helm refuses what is older."""
    assert chart().metadata["kubeVersion"] == f">={OLDEST}.0-0"
    assert OLDEST in [version.rpartition(".")[0] for version in kubernetes_validate.utils.all_versions()]


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_no_warning(version: str):
    """kubernetes-validate itself has nothing to say of the plain manifests but that they pass."""
    program = Path(sys.executable).parent / "kubernetes-validate"
    files = sorted(MANIFESTS.glob("*.yaml"))
    done = subprocess.run(
        [program, "--strict", "-k", version, *files], capture_output=True, text=True, check=False
    )
    told = (done.stdout + done.stderr).splitlines()
    assert (done.returncode, [line for line in told if not line.startswith("INFO ")]) == (0, [])
    assert len(told) == 7


def test_a_wrong_object_is_noticed():
    """The check sees a field that the oldest version does not have, and one that none has."""
    job = one(render(values_of("cronjob", {"shards": 2})), "CronJob")
    with pytest.raises(kubernetes_validate.ValidationError, match="backoffLimitPerIndex"):
        kubernetes_validate.validate(job, "1.27", strict=True)
    job["spec"]["backoff"] = 0
    with pytest.raises(kubernetes_validate.ValidationError, match="'backoff' was unexpected"):
        kubernetes_validate.validate(job, NEWEST, strict=True)


def test_the_prometheus_operator_takes_every_object():
    """Its objects have the fields that its API has, and no others."""
    objects = [found for found in rendered_objects() if is_custom(found)]
    assert {found["kind"] for found in objects} == set(custom_resources.SCHEMAS)
    assert [custom_resources.problems(found) for found in objects] == [[] for _ in objects]


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (
            ("spec", "endpoint"),
            [],
            "$.spec: Additional properties are not allowed ('endpoint' was unexpected)",
        ),
        (("spec", "endpoints"), [], "$.spec.endpoints: [] should be non-empty"),
        (("spec", "endpoints", 0, "interval"), "soon", "$.spec.endpoints[0].interval: 'soon' does not match"),
        (("kind",), "PodMonitor", "$.spec: 'podMetricsEndpoints' is a required property"),
    ],
)
def test_a_wrong_custom_object_is_noticed(path: tuple[Any, ...], value: object, problem: str):
    """The structural check sees fields that are unknown, wrong or missing."""
    monitor = one(render(VARIANTS["ServiceMonitor"]), "ServiceMonitor")
    place: Any = monitor
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert any(told.startswith(problem) for told in custom_resources.problems(monitor))


@pytest.mark.parametrize("variant", VARIANTS)
def test_restricted(variant: str):
    """Each pod breaks no rule of the Pod Security profile "restricted", its init containers included."""
    (pod,) = pods(render(VARIANTS[variant]))
    assert violations(pod) == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_program_reads_it(variant: str, tmp_path: Path, authority: Authority):
    """`check-config` accepts the configuration, with the arguments and the files that the pod has."""
    values = VARIANTS[variant]
    objects = render(values)
    if "existingConfigMap" in values:
        data = {"file": "registries: [{url: 'https://registry.example.com'}]"}
        objects.append({"kind": "ConfigMap", "metadata": {"name": "mine"}, "data": data})
    (pod,) = pods(objects)
    (kind,) = (
        found["kind"] for found in objects if found["kind"] in {"Deployment", "StatefulSet", "CronJob"}
    )
    _, *arguments = lay_out(pod, objects, tmp_path, authority)
    done = CliRunner().invoke(app, ["check-config", *arguments], env=environment_of(pod, kind))
    assert (done.exit_code, done.stderr) == (0, "")
    printed = yaml.safe_load(done.stdout)
    urls = {registry["url"] for registry in _listed(printed["registries"])}
    assert urls == {registry["url"].lower() for registry in _registries_of(values)}


def _registries_of(values: Json) -> list[Json]:
    return _listed(values["config"].get("registries", [{"url": "https://registry.example.com"}]))


def _listed(registries: Any) -> list[Json]:
    return list(registries.values()) if isinstance(registries, dict) else registries


@pytest.mark.parametrize("variant", ["the defaults", *VARIANTS])
def test_lint(variant: str):
    """Helm's lint has nothing to say but that there is no icon."""
    values = VARIANTS.get(variant, {})
    report = helm.lint(CHART, values, strict=True, kube_version=f"v{OLDEST}.0")
    assert report["errors"] == []
    assert [message["error"] for message in report["messages"]] == ["icon is recommended"]


def test_why_it_is_the_oldest():
    """All that an older version does not know is how each pod of an Indexed Job may fail for itself."""
    refused = []
    for found in rendered_objects():
        try:
            if not is_custom(found):
                kubernetes_validate.validate(found, "1.25", strict=True)
        except kubernetes_validate.ValidationError as error:
            refused.append((found["kind"], error.message))
    assert refused != []
    assert {kind for kind, _ in refused} == {"CronJob"}
    assert all("('backoffLimitPerIndex' was unexpected)" in message for _, message in refused)
