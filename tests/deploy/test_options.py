"""Each option of the chart changes what it is meant to change, and nothing else."""

import pytest

from tests.deploy.options import OPTIONS, Option
from tests.deploy.rendering import (
    MODES,
    NAME,
    Json,
    changes,
    configuration,
    notes,
    one,
    pods,
    render,
    values_of,
)
from tools.chart import CHART


@pytest.mark.parametrize("option", OPTIONS.values(), ids=OPTIONS)
def test_effect(option: Option):
    """All that an option changes, compared with the mode's defaults."""
    assert changes(values_of(option.mode, option.values), values_of(option.mode)) == option.effect


@pytest.mark.parametrize(
    ("mode", "kinds"),
    [
        ("deployment", ["ConfigMap", "Deployment", "Service", "ServiceAccount"]),
        ("statefulset", ["ConfigMap", "Service", "ServiceAccount", "StatefulSet"]),
        ("cronjob", ["ConfigMap", "CronJob", "ServiceAccount"]),
    ],
)
def test_modes(mode: str, kinds: list[str]):
    """What a mode consists of, and that no pod is given a token or the addresses of Services."""
    objects = render(values_of(mode))
    assert sorted(found["kind"] for found in objects) == kinds
    assert one(objects, "ServiceAccount")["automountServiceAccountToken"] is False
    (pod,) = pods(objects)
    assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (False, False)
    (container,) = pod["containers"]
    assert container["args"][0] == ("probe" if mode == "cronjob" else "serve")


def test_probes():
    """The kubelet asks what the program answers."""
    (pod,) = pods(render(values_of("deployment")))
    (container,) = pod["containers"]
    assert container["livenessProbe"]["httpGet"] == {"path": "/-/healthy", "port": "metrics"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/-/ready", "port": "metrics"}


def test_shards():
    """Shards start together, are numbered by a Service without an address, and each knows their number."""
    objects = render(values_of("statefulset"))
    shards, service = one(objects, "StatefulSet"), one(objects, "Service")
    assert shards["spec"]["podManagementPolicy"] == "Parallel"
    assert shards["spec"]["replicas"] == 3
    assert shards["spec"]["serviceName"] == service["metadata"]["name"]
    assert service["spec"]["clusterIP"] == "None"
    (pod,) = pods(objects)
    assert pod["containers"][0]["args"][-1] == "--shard=auto/3"


def test_job():
    """A run is not repeated, does not meet the next one, and ends by itself before Kubernetes ends it."""
    spec = one(render(values_of("cronjob")), "CronJob")["spec"]
    job = spec["jobTemplate"]["spec"]
    pod = job["template"]["spec"]
    assert spec["concurrencyPolicy"] == "Forbid"
    assert (job["backoffLimit"], pod["restartPolicy"]) == (0, "Never")
    assert (job["activeDeadlineSeconds"], pod["containers"][0]["args"][-1]) == (3120, "--deadline=3000s")


@pytest.mark.parametrize("mode", ["deployment", "statefulset"])
def test_configuration_rolls_out(mode: str):
    """Another configuration is another pod template; the same one is the same."""
    kind = {"deployment": "Deployment", "statefulset": "StatefulSet"}[mode]

    def checksum(values: dict[str, object]) -> str:
        template = one(render(values_of(mode, values)), kind)["spec"]["template"]
        return template["metadata"]["annotations"]["checksum/config"]

    assert checksum({}) == checksum({"service": {"port": 80}})
    assert checksum({}) != checksum({"config": {"interval": "1h"}})
    assert checksum({}) != checksum({"secrets": {"all": {"ca": {"secret": "a"}}}})


def test_names():
    """Two releases have nothing in common; one that has the chart's name is not called by it twice."""
    first, second = render(values_of("deployment"), "first"), render(values_of("deployment"), "second")
    assert not {found["metadata"]["name"] for found in first} & {
        found["metadata"]["name"] for found in second
    }
    same = render(values_of("deployment"), "registry-integrity-exporter")
    assert {found["metadata"]["name"] for found in same} == {"registry-integrity-exporter"}
    long = render(values_of("cronjob"), "x" * 53)
    # A CronJob's name leaves eleven characters to the Jobs it begins.
    assert max(len(found["metadata"]["name"]) for found in long) == 52


def test_numbers_stay_numbers():
    """The largest number that a setting takes arrives as it was written."""
    text = configuration(render(values_of("deployment", {"config": {"manifest_cache_size": 100_000_000}})))
    assert "manifest_cache_size: 100000000\n" in text


COMMANDS = {
    "deployment": "kubectl --namespace monitoring port-forward deployment/{name} 9949",
    "statefulset": "kubectl --namespace monitoring port-forward statefulset/{name} 9949",
    "cronjob": "kubectl --namespace monitoring create job --from=cronjob/{name} {name}-now",
}


@pytest.mark.parametrize("mode", MODES)
def test_notes(mode: str):
    """After an installation Helm says how to see what was found, and what is not set up yet."""
    name = f"{NAME}-{CHART.name}"
    text = notes(values_of(mode))
    assert COMMANDS[mode].format(name=name) in text
    assert "prometheusRule.enabled loads the alerts" in text
    assert ("Its metrics go nowhere" in text) == (mode == "cronjob")
    assert ("monitor.enabled has it scraped" in text) == (mode != "cronjob")
    assert ("3 shares" in text) == (mode == "statefulset")
    assert "<no value>" not in text


def test_notes_of_what_is_set_up():
    """Nothing is suggested that is there."""
    served = notes(
        values_of("deployment", {"monitor": {"enabled": True}, "prometheusRule": {"enabled": True}})
    )
    assert "Prometheus Operator" not in served
    pushed = notes(values_of("cronjob", {"config": {"pushgateway": {"url": "http://push.example.com"}}}))
    assert "Its metrics go to the Pushgateway.\n" in pushed


@pytest.mark.parametrize("mode", MODES)
def test_nothing_is_none(mode: str):
    """A null in the place of labels, annotations or an interval is as good as none."""
    objects = {"dashboards": {"enabled": True}, "prometheusRule": {"enabled": True}}
    texts = dict.fromkeys(["commonLabels", "podLabels", "podAnnotations"])
    rules = {
        "prometheusRule": {"enabled": True, "labels": None},
        "monitor": {"labels": None, "interval": None},
    }
    assert render(values_of(mode, {**objects, **texts, **rules})) == render(values_of(mode, objects))


def test_notes_of_a_config_map_that_is_there():
    """What it says is not known, so nothing is said of where the metrics go."""
    text = notes(values_of("cronjob", {"existingConfigMap": {"name": "mine"}}))
    assert "that the ConfigMap mine names as pushgateway.url, if it does.\n" in text
    assert "Its metrics go to the Pushgateway.\n" not in text
    assert "go nowhere" not in text


def closed(values: Json) -> list[str]:
    """Give the addresses that the notes warn of."""
    _, _, told = notes(values).partition("they are not reached:\n")
    return told.split()


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("https://a.example.com", 443),
        ("HTTP://a.example.com/under", 80),
        ("https://a.example.com:5000/under:80", 5000),
        ("http://[::1]:5000", 5000),
        ("https://[::1]", 443),
    ],
)
def test_notes_of_addresses_that_are_closed(url: str, port: int):
    """The network policy lets the pods reach each address, or the notes say that it does not."""
    config: Json = {"registries": {"a": {"url": url}}, "pushgateway": {"url": f"{url}/push"}}
    others = [other for other in (443, 80, 5000) if other != port]
    policy = {"enabled": True, "egressPorts": others}
    assert closed(values_of("cronjob", {"config": config, "networkPolicy": policy})) == [url, f"{url}/push"]
    listed = {
        "config": {"registries": [{"url": url}, {"url": url, "name": "again"}]},
        "networkPolicy": policy,
    }
    assert closed(values_of("deployment", listed)) == [url]
    assert closed(values_of("deployment", {**listed, "networkPolicy": {**policy, "enabled": False}})) == []
    assert (
        closed(values_of("deployment", {**listed, "networkPolicy": {**policy, "egressPorts": [port]}})) == []
    )
