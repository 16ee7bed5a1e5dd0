"""Wrong values are refused, and the message says which and why."""

from collections.abc import Mapping
from typing import Any

import pytest
from helm_python.errors import HelmRenderError, HelmValuesError

from tests.deploy.rendering import MODES, notes, one, render, values_of
from tools.chart import CHART

HEAD = f"values don't meet the specifications of the schema(s) in the following chart(s):\n{CHART.name}:\n"
NO_NAME = "does not match pattern '^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)?$'"
NO_LABEL = "does not match pattern '^([a-z]([a-z0-9-]{0,61}[a-z0-9])?)?$'"
LABEL_NAMES = ("name", "instance", "version", "managed-by")
NO_DURATION = "does not match pattern '^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$'"

REFUSED: list[tuple[Mapping[str, Any], list[str]]] = [
    ({"mode": "daemonset"}, ["- at '/mode': value must be one of 'deployment', 'statefulset', 'cronjob'"]),
    ({"replica": 2}, ["- at '': additional properties 'replica' not allowed"]),
    ({"replicas": "2"}, ["- at '/replicas': got string, want integer"]),
    ({"replicas": 21}, ["- at '/replicas': maximum: got 21, want 20"]),
    ({"shards": 0}, ["- at '/shards': minimum: got 0, want 1"]),
    ({"shards": 257}, ["- at '/shards': maximum: got 257, want 256"]),
    ({"config": {"intervall": "5m"}}, ["- at '/config': additional properties 'intervall' not allowed"]),
    ({"config": {"interval": 15}}, ["- at '/config/interval': got number, want string"]),
    ({"config": {"password": "hunter2"}}, ["- at '/config': additional properties 'password' not allowed"]),
    ({"config": {"shard": "0/2"}}, ["- at '/config': additional properties 'shard' not allowed"]),
    (
        {"config": {"listen_address": ":1"}},
        ["- at '/config': additional properties 'listen_address' not allowed"],
    ),
    ({"config": {"deadline": "1m"}}, ["- at '/config': additional properties 'deadline' not allowed"]),
    (
        {"config": {"concurrency": 0}},
        [
            "- at '/config/concurrency': 'anyOf' failed",
            "  - at '/config/concurrency': minimum: got 0, want 1",
            "  - at '/config/concurrency': got number, want string",
        ],
    ),
    (
        {"config": {"pushgateway": {"password": "x"}}},
        [
            "- at '/config/pushgateway': 'anyOf' failed",
            "  - at '/config/pushgateway': additional properties 'password' not allowed",
            "  - at '/config/pushgateway': got object, want null",
        ],
    ),
    (
        {"config": {"registries": [{"name": "private", "url": "https://a.example.com", "password": "x"}]}},
        [
            "- at '/config/registries': 'anyOf' failed",
            "  - at '/config/registries/0': additional properties 'password' not allowed",
            "  - at '/config/registries': got array, want object",
        ],
    ),
    (
        {"existingConfigMap": {"name": "Mine"}},
        [f"- at '/existingConfigMap/name': 'Mine' {NO_NAME}"],
    ),
    ({"existingConfigMap": "mine"}, ["- at '/existingConfigMap': got string, want object"]),
    ({"secrets": {"private": {}}}, ["- at '/secrets': additional properties 'private' not allowed"]),
    (
        {"secrets": {"all": {"password": "hunter2"}}},
        ["- at '/secrets/all/password': got string, want object"],
    ),
    (
        {"secrets": {"all": {"token": {"secret": "a"}}}},
        ["- at '/secrets/all': additional properties 'token' not allowed"],
    ),
    (
        {"secrets": {"registries": {"a/b": {}}}},
        [
            "- at '': invalid propertyName 'a/b'",
            "  - at '': 'a/b' does not match pattern '^[A-Za-z0-9._:\\\\[\\\\]-]{1,100}$'",
        ],
    ),
    (
        {"secrets": {"all": {"clientCertificate": {"certificateKey": "a"}}}},
        ["- at '/secrets/all/clientCertificate': missing property 'secret'"],
    ),
    (
        {"secrets": {"all": {"ca": {"secret": "a", "configMap": "b"}}}},
        [
            "- at '/secrets/all/ca': 'oneOf' failed, none matched",
            "  - at '/secrets/all/ca': additional properties 'configMap' not allowed",
            "  - at '/secrets/all/ca': additional properties 'secret' not allowed",
        ],
    ),
    (
        {"secrets": {"pushgateway": {"dockerConfig": {"secret": "a"}}}},
        ["- at '/secrets/pushgateway': additional properties 'dockerConfig' not allowed"],
    ),
    (
        {"credentialHelpers": {"images": "a"}},
        ["- at '/credentialHelpers': additional properties 'images' not allowed"],
    ),
    ({"credentialHelpers": {"command": "cp"}}, ["- at '/credentialHelpers/command': got string, want array"]),
    ({"image": {"repository": ""}}, ["- at '/image/repository': minLength: got 0, want 1"]),
    (
        {"image": {"tag": "a b"}},
        ["- at '/image/tag': 'a b' does not match pattern '^([A-Za-z0-9_][A-Za-z0-9._-]{0,127})?$'"],
    ),
    (
        {"image": {"digest": "sha256:1"}},
        ["- at '/image/digest': 'sha256:1' does not match pattern '^(sha256:[0-9a-f]{64})?$'"],
    ),
    (
        {"image": {"pullPolicy": "Sometimes"}},
        ["- at '/image/pullPolicy': value must be one of 'Always', 'IfNotPresent', 'Never'"],
    ),
    ({"image": {"registry": "a"}}, ["- at '/image': additional properties 'registry' not allowed"]),
    ({"imagePullSecrets": ["a"]}, ["- at '/imagePullSecrets/0': got string, want object"]),
    *(
        ({key: value}, [f"- at '/{key}': '{value}' {NO_LABEL}"])
        for key in ("nameOverride", "fullnameOverride")
        for value in ("A", "a_b", "a.b", "123", "-a", "a-", "a" * 64)
    ),
    ({"commonLabels": {"a": 1}}, ["- at '/commonLabels/a': got number, want string"]),
    ({"port": 0}, ["- at '/port': minimum: got 0, want 1"]),
    ({"extraArgs": [1]}, ["- at '/extraArgs/0': got number, want string"]),
    ({"extraEnv": [{"value": "a"}]}, ["- at '/extraEnv/0': missing property 'name'"]),
    ({"extraEnv": {"A": "b"}}, ["- at '/extraEnv': got object, want array"]),
    ({"extraVolumes": [{}]}, ["- at '/extraVolumes/0': missing property 'name'"]),
    ({"extraVolumeMounts": [{"name": "a"}]}, ["- at '/extraVolumeMounts/0': missing property 'mountPath'"]),
    ({"extraInitContainers": [{"image": "a"}]}, ["- at '/extraInitContainers/0': missing property 'name'"]),
    ({"extraEnvFrom": ["a"]}, ["- at '/extraEnvFrom/0': got string, want object"]),
    ({"cronJob": {"schedule": ""}}, ["- at '/cronJob/schedule': minLength: got 0, want 1"]),
    (
        {"cronJob": {"interval": "1 hour"}},
        [f"- at '/cronJob/interval': '1 hour' {NO_DURATION}"],
    ),
    ({"cronJob": {"deadlineSeconds": 0}}, ["- at '/cronJob/deadlineSeconds': minimum: got 0, want 1"]),
    ({"cronJob": {"marginSeconds": 59}}, ["- at '/cronJob/marginSeconds': minimum: got 59, want 60"]),
    ({"cronJob": {"suspend": "yes"}}, ["- at '/cronJob/suspend': got string, want boolean"]),
    ({"cronJob": {"backoffLimit": 3}}, ["- at '/cronJob': additional properties 'backoffLimit' not allowed"]),
    (
        {"cronJob": {"concurrencyPolicy": "Allow"}},
        ["- at '/cronJob': additional properties 'concurrencyPolicy' not allowed"],
    ),
    (
        {"cronJob": {"ttlSecondsAfterFinished": -1}},
        ["- at '/cronJob/ttlSecondsAfterFinished': minimum: got -1, want 0"],
    ),
    (
        {"cronJob": {"startingDeadlineSeconds": 1}},
        ["- at '/cronJob/startingDeadlineSeconds': minimum: got 1, want 10"],
    ),
    (
        {"service": {"type": "ExternalName"}},
        ["- at '/service/type': value must be one of 'ClusterIP', 'NodePort', 'LoadBalancer'"],
    ),
    ({"service": {"port": "metrics"}}, ["- at '/service/port': got string, want integer"]),
    (
        {"service": {"annotations": {"prometheus.io/scrape": True}}},
        ["- at '/service/annotations/prometheus.io~1scrape': got boolean, want string"],
    ),
    (
        {"monitor": {"kind": "Probe"}},
        ["- at '/monitor/kind': value must be one of 'ServiceMonitor', 'PodMonitor'"],
    ),
    (
        {"monitor": {"interval": "often"}},
        [f"- at '/monitor/interval': 'often' {NO_DURATION}"],
    ),
    ({"monitor": {"enabled": "true"}}, ["- at '/monitor/enabled': got string, want boolean"]),
    (
        {"prometheusRule": {"severities": {"A": "page"}}},
        ["- at '/prometheusRule/severities/A': value must be one of 'critical', 'warning', 'info'"],
    ),
    (
        {"prometheusRule": {"disabledAlerts": "A"}},
        ["- at '/prometheusRule/disabledAlerts': got string, want array"],
    ),
    ({"dashboards": {"label": {}}}, ["- at '/dashboards': additional properties 'label' not allowed"]),
    (
        {"networkPolicy": {"egressPorts": [70000]}},
        ["- at '/networkPolicy/egressPorts/0': maximum: got 70,000, want 65,535"],
    ),
    ({"networkPolicy": {"from": "all"}}, ["- at '/networkPolicy/from': got string, want array"]),
    (
        {"podDisruptionBudget": {"maxUnavailable": "half"}},
        [
            "- at '/podDisruptionBudget/maxUnavailable': 'anyOf' failed",
            "  - at '/podDisruptionBudget/maxUnavailable': got string, want integer",
            "  - at '/podDisruptionBudget/maxUnavailable': 'half' does not match pattern '^[0-9]{1,3}%$'",
        ],
    ),
    (
        {"podDisruptionBudget": {"minAvailable": 1}},
        ["- at '/podDisruptionBudget': additional properties 'minAvailable' not allowed"],
    ),
    (
        {"serviceAccount": {"automountServiceAccountToken": True}},
        ["- at '/serviceAccount': additional properties 'automountServiceAccountToken' not allowed"],
    ),
    ({"resources": {"limit": {}}}, ["- at '/resources': additional properties 'limit' not allowed"]),
    ({"livenessProbe": {"exec": {}}}, ["- at '/livenessProbe': additional properties 'exec' not allowed"]),
    (
        {"readinessProbe": {"httpGet": {}}},
        ["- at '/readinessProbe': additional properties 'httpGet' not allowed"],
    ),
    ({"podSecurityContext": []}, ["- at '/podSecurityContext': got array, want object"]),
    (
        {"updateStrategy": {"type": "Rolling"}},
        ["- at '/updateStrategy/type': value must be one of 'RollingUpdate', 'Recreate', 'OnDelete'"],
    ),
    (
        {"topologySpreadConstraints": [{"maxSkew": 1}]},
        ["- at '/topologySpreadConstraints/0': missing properties 'topologyKey', 'whenUnsatisfiable'"],
    ),
    (
        {"terminationGracePeriodSeconds": -1},
        ["- at '/terminationGracePeriodSeconds': minimum: got -1, want 0"],
    ),
    ({"tolerations": [1]}, ["- at '/tolerations/0': got number, want object"]),
    ({"affinity": []}, ["- at '/affinity': got array, want object"]),
    ({"nodeSelector": {"a": True}}, ["- at '/nodeSelector/a': got boolean, want string"]),
    ({"podAnnotations": {"a": 1}}, ["- at '/podAnnotations/a': got number, want string"]),
    ({"podLabels": {"a": 1}}, ["- at '/podLabels/a': got number, want string"]),
    ({"priorityClassName": 1}, ["- at '/priorityClassName': got number, want string"]),
    (
        {"priorityClassName": "x\n  hostNetwork: true"},
        [f"- at '/priorityClassName': 'x\\n  hostNetwork: true' {NO_NAME}"],
    ),
]

IMPOSSIBLE: list[tuple[str, Mapping[str, Any], str]] = [
    (
        "deployment",
        {"shards": 2},
        "shards: the pods of a Deployment have no numbers; use mode statefulset or cronjob",
    ),
    (
        "statefulset",
        {"replicas": 2},
        "replicas: mode statefulset has none; shards says how many pods divide the repositories",
    ),
    (
        "cronjob",
        {"replicas": 0},
        "replicas: mode cronjob has none; shards says how many pods divide the repositories",
    ),
    (
        "cronjob",
        {"monitor": {"enabled": True}},
        "monitor.enabled: the pods of a CronJob are not scraped; their metrics go to config.pushgateway.url",
    ),
    (
        "cronjob",
        {"podDisruptionBudget": {"enabled": True}},
        "podDisruptionBudget.enabled: the pods of a CronJob have no controller that a budget could count",
    ),
    (
        "deployment",
        {"monitor": {"enabled": True}, "service": {"enabled": False}},
        "monitor.kind: a ServiceMonitor needs service.enabled; a PodMonitor does not",
    ),
    (
        "deployment",
        {"updateStrategy": {"type": "OnDelete"}},
        "updateStrategy.type: mode deployment has no OnDelete",
    ),
    (
        "statefulset",
        {"updateStrategy": {"type": "Recreate"}},
        "updateStrategy.type: mode statefulset has no Recreate",
    ),
    (
        "deployment",
        {"config": {"registries": []}},
        "config.registries: give at least one registry, or existingConfigMap.name",
    ),
    *(
        (mode, {"config": None}, "config.registries: give at least one registry, or existingConfigMap.name")
        for mode in MODES
    ),
    *(
        (
            mode,
            {"monitor": {"interval": interval}},
            "monitor.interval: the alerts need a scrape every two minutes at least",
        )
        for mode in MODES
        for interval in (
            "2m1s",
            "121s",
            "3m",
            "1m61s",
            "2m1ms",
            "120s1ms",
            "1h",
            "1d",
            "12m",
            "120001ms",
            "9" * 30 + "s",
        )
    ),
    (
        "deployment",
        {"existingConfigMap": {"name": "mine"}, "config": {"registries": [{"url": "https://a.example.com"}]}},
        "existingConfigMap.name: give either this or config.registries",
    ),
    (
        "deployment",
        {"secrets": {"registries": {"other": {"ca": {"secret": "a"}}}}},
        "secrets.registries.other: config.registries has no registry of this name, only private",
    ),
    (
        "deployment",
        {
            "config": {
                "registries": {"b": {"url": "https://b.example.com"}, "a": {"url": "https://a.example.com"}}
            },
            "secrets": {"registries": {"c": {}}},
        },
        "secrets.registries.c: config.registries has no registry of this name, only a, b",
    ),
    (
        "deployment",
        {"credentialHelpers": {"image": "a:1"}},
        "credentialHelpers: an image and its command go together",
    ),
    (
        "deployment",
        {"credentialHelpers": {"command": ["cp"]}},
        "credentialHelpers: an image and its command go together",
    ),
    (
        "deployment",
        {"credentialHelpers": {"image": "a:1", "command": ["cp"], "volume": {"emptyDir": {}}}},
        "credentialHelpers: give either an image or a volume",
    ),
    (
        "deployment",
        {"prometheusRule": {"enabled": True, "disabledAlerts": ["RegistryGone"]}},
        "prometheusRule: there is no alert RegistryGone",
    ),
    (
        "deployment",
        {"prometheusRule": {"enabled": True, "severities": {"RegistryGone": "info"}}},
        "prometheusRule: there is no alert RegistryGone",
    ),
]


@pytest.mark.parametrize(("values", "lines"), REFUSED, ids=lambda value: str(value)[:60])
def test_refused_by_the_schema(values: Mapping[str, Any], lines: list[str]):
    """Each problem is told with the value's place."""
    with pytest.raises(HelmValuesError) as caught:
        render(values_of("deployment", values))
    assert str(caught.value) == HEAD + "".join(f"{line}\n" for line in lines)


@pytest.mark.parametrize("label", ["helm.sh/chart", *(f"app.kubernetes.io/{name}" for name in LABEL_NAMES)])
@pytest.mark.parametrize(
    "place", ["commonLabels", "podLabels", "monitor.labels", "prometheusRule.labels", "dashboards.labels"]
)
def test_the_chart_s_labels_are_its_own(place: str, label: str):
    """No value says anew what objects are found by, or what the chart says of them."""
    first, *rest = place.split(".")
    labels = {label: "mine"}
    with pytest.raises(HelmValuesError) as caught:
        render(values_of("deployment", {first: {rest[0]: labels} if rest else labels}))
    assert str(caught.value) == HEAD + "".join(
        f"{line}\n" for line in [f"- at '': invalid propertyName '{label}'", "  - at '': 'not' failed"]
    )


@pytest.mark.parametrize(("mode", "values", "message"), IMPOSSIBLE, ids=lambda value: str(value)[:60])
def test_refused_together(mode: str, values: Mapping[str, Any], message: str):
    """What cannot go together is told in one line, rather than rendered and left without effect."""
    with pytest.raises(HelmRenderError) as caught:
        render(values_of(mode, values))
    place, _, told = str(caught.value).partition("): ")
    assert place.startswith(f"execution error at ({CHART.name}/templates/")
    assert told == message


def test_a_parent_chart_s_globals_pass():
    """Helm hands them to every chart that is part of another."""
    assert render(values_of("deployment", {"global": {"imageRegistry": "a"}})) == render(
        values_of("deployment")
    )


@pytest.mark.parametrize(
    "interval",
    [
        "2m",
        "120s",
        "02m0s",
        "1m60s",
        "08s112000ms",
        "1m59s",
        "1m59s999ms",
        "119s999ms",
        "30s",
        "99999ms",
        "0h1m",
        "500ms",
    ],
)
def test_scrapes_of_up_to_two_minutes(interval: str):
    """As often as the alerts need it, however that is written."""
    objects = render(values_of("deployment", {"monitor": {"enabled": True, "interval": interval}}))
    assert one(objects, "ServiceMonitor")["spec"]["endpoints"][0]["interval"] == interval


@pytest.mark.parametrize("mode", MODES)
def test_no_configuration_beside_a_config_map(mode: str):
    """Where a ConfigMap has the configuration, none in the values is as good as an empty one."""
    there = {"existingConfigMap": {"name": "mine"}}
    assert render(values_of(mode, {**there, "config": None})) == render(values_of(mode, there))
    assert "mine" in notes(values_of("cronjob", {**there, "config": None}))
