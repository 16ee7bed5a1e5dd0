"""A text in the values stays one, whatever YAML would make of it without quotes."""

import json
from collections.abc import Mapping
from typing import Any

import kubernetes_validate
import pytest

from tests.deploy.rendering import MODES, Json, merged, pods, render, values_of

HARMLESS = "watch"
# What begins with a letter, as the name of a Service has to.
WORDS = ("true", "yes", "no", "on", "off", "null", "e1")
NUMBERS = ("123", "0123", "1e3", "0x10", "1.5", "2024-01-01")


def names(text: str) -> Json:
    """Values that have the text wherever a name of something else may stand."""
    key = {"secret": text, "key": text}
    files: Json = {
        "password": key,
        "dockerConfig": key,
        "ca": {"configMap": text, "key": text},
        "clientCertificate": {"secret": text, "certificateKey": text, "privateKey": text},
    }
    return {
        "secrets": {
            "all": files,
            "registries": {"private": files},
            "pushgateway": {part: source for part, source in files.items() if part != "dockerConfig"},
        },
        "config": {"pushgateway": {"url": "https://push.example.com"}},
        "serviceAccount": {"name": text, "annotations": {"note": text}},
        "priorityClassName": text,
        "imagePullSecrets": [{"name": text}],
        "image": {"tag": text},
        "commonLabels": {"team": text},
        "podLabels": {"tier": text},
        "podAnnotations": {"note": text},
        "nodeSelector": {"disk": text},
        "extraArgs": [text],
        "extraEnv": [{"name": "NOTE", "value": text}],
        "service": {"annotations": {"note": text}},
        "dashboards": {"enabled": True, "labels": {"folder": text}, "annotations": {"note": text}},
        "credentialHelpers": {"image": text, "command": [text]},
        "cronJob": {"timeZone": text, "schedule": text},
        "networkPolicy": {"enabled": True},
    }


def of_the_operator(mode: str, text: str) -> Json:
    """Values for the objects of the Prometheus Operator, which kubernetes-validate does not know."""
    monitor = {
        "enabled": mode != "cronjob",
        "interval": "1m",
        "scrapeTimeout": "10s",
        "labels": {"team": text},
    }
    return {"monitor": monitor, "prometheusRule": {"enabled": True, "labels": {"team": text}}}


def assert_it_stays(mode: str, values: Mapping[str, Any], harmless: Mapping[str, Any], text: str):
    """The objects are those of the harmless text, with the other in its place, and Kubernetes takes them."""
    objects = render(values_of(mode, values))
    expected = json.dumps(render(values_of(mode, harmless))).replace(HARMLESS, text)
    assert objects == json.loads(expected)
    for found in objects:
        if not found["apiVersion"].startswith("monitoring.coreos.com/"):
            kubernetes_validate.validate(found, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("text", [*WORDS, *NUMBERS])
@pytest.mark.parametrize("mode", MODES)
def test_names_of_other_things(mode: str, text: str):
    """Secrets, keys, accounts, classes, labels and arguments."""
    assert_it_stays(
        mode,
        merged(names(text), of_the_operator(mode, text)),
        merged(names(HARMLESS), of_the_operator(mode, HARMLESS)),
        text,
    )


@pytest.mark.parametrize("text", [*WORDS, *NUMBERS])
@pytest.mark.parametrize("mode", MODES)
def test_a_config_map_that_is_there(mode: str, text: str):
    """Its name and its key."""
    assert_it_stays(
        mode,
        {"existingConfigMap": {"name": text, "key": text}},
        {"existingConfigMap": {"name": HARMLESS, "key": HARMLESS}},
        text,
    )


@pytest.mark.parametrize("text", WORDS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("key", ["nameOverride", "fullnameOverride"])
def test_the_chart_s_own_names(key: str, mode: str, text: str):
    """Names of all objects, and labels by which they are found."""
    more = of_the_operator(mode, "x")
    assert_it_stays(mode, {key: text, **more}, {key: HARMLESS, **more}, text)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("release", "name"),
    [
        ("true", "true-registry-integrity-exporter"),
        ("123", "registry-integrity-exporter-123"),
        ("1.5", "registry-integrity-exporter-1-5"),
        ("a.b", "a-b-registry-integrity-exporter"),
        ("1-registry-integrity-exporter", "registry-integrity-exporter-1-registry-integrity-exp"),
        (f"{'a' * 51}.b", "a" * 51),
        (f"{'a' * 50}--b", "a" * 50),
    ],
)
def test_names_of_releases(mode: str, release: str, name: str):
    """A release may be called by a number and with dots, a Service may not; the label has it as it is."""
    objects = render(values_of(mode), release)
    assert {found["metadata"]["name"] for found in objects} == {name}
    assert {found["metadata"]["labels"]["app.kubernetes.io/instance"] for found in objects} == {release}


@pytest.mark.parametrize(("override", "name"), [("a" * 63, "a" * 52), (f"{'a' * 50}---b", "a" * 50)])
def test_a_long_name_is_cut(override: str, name: str):
    """To what is a name again."""
    objects = render(values_of("cronjob", {"fullnameOverride": override}))
    assert {found["metadata"]["name"] for found in objects} == {name}


@pytest.mark.parametrize("mode", MODES)
def test_large_numbers_stay_whole(mode: str):
    """A number is written with all its digits."""
    large = 86_400_000
    seconds = (
        "deadlineSeconds",
        "startingDeadlineSeconds",
        "successfulJobsHistoryLimit",
        "failedJobsHistoryLimit",
    )
    values = {
        "terminationGracePeriodSeconds": large,
        "cronJob": dict.fromkeys([*seconds, "ttlSecondsAfterFinished"], large),
    }
    objects = render(values_of(mode, values))
    (pod,) = pods(objects)
    assert (type(pod["terminationGracePeriodSeconds"]), pod["terminationGracePeriodSeconds"]) == (int, large)
    for found in objects:
        kubernetes_validate.validate(found, kubernetes_validate.latest_version(), strict=True)


def test_labels_of_one_object_count_more():
    """A label of an object's own stands in the place of one that all have."""
    values = {
        "commonLabels": {"team": "all"},
        "podLabels": {"team": "pods"},
        "monitor": {"enabled": True, "labels": {"team": "monitor"}},
        "prometheusRule": {"enabled": True, "labels": {"team": "rule"}},
        "dashboards": {"enabled": True, "labels": {"team": "dashboards"}},
    }
    teams = {
        (found["kind"], found["metadata"]["name"].rpartition("-dashboard-")[1]): found["metadata"]["labels"][
            "team"
        ]
        for found in render(values_of("deployment", values))
    }
    assert teams == {
        ("ConfigMap", ""): "all",
        ("ConfigMap", "-dashboard-"): "dashboards",
        ("Deployment", ""): "all",
        ("PrometheusRule", ""): "rule",
        ("Service", ""): "all",
        ("ServiceAccount", ""): "all",
        ("ServiceMonitor", ""): "monitor",
    }
