"""The services of deploy/compose know each other, and find what they are given."""

import re
import subprocess
import tomllib
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml
from typer.testing import CliRunner

from exporter.cli.commands import app
from sample import content
from sample import storage as layout
from tests.deploy.rendering import Json
from tests.parts.exporter import Exporter
from tests.parts.fixtures import StartAlertmanager, StartPrometheus, StartRegistry
from tests.parts.programs import find_program
from tests.parts.waiting import wait_until
from tools.chart import ROOT

FOLDER: Final = ROOT / "deploy/compose"
PORTS: Final = {"registry": 5000, "exporter": 9949, "prometheus": 9090, "alertmanager": 9093, "grafana": 3000}
FAILURE: Final = "RegistryManifestIntegrityFailure"
# Of the Compose specification, what these services use.
KEYS: Final[dict[str, type | tuple[type, ...]]] = {
    "image": str,
    "build": str,
    "command": list,
    "environment": dict,
    "volumes": list,
    "ports": list,
    "read_only": bool,
    "cap_drop": list,
    "security_opt": list,
    "depends_on": list,
    "restart": str,
}


def read(name: str) -> Json:
    found: Json = yaml.safe_load((FOLDER / name).read_text("utf-8"))
    return found


def services() -> dict[str, Json]:
    found: dict[str, Json] = read("compose.yaml")["services"]
    return found


def mounts(service: str) -> dict[str, str]:
    """Give what a service mounts: the place in its container, and the source."""
    parts = [volume.split(":") for volume in services()[service]["volumes"]]
    return {target: source for source, target, *_ in parts}


def test_structure():
    """Nothing is misspelt: all keys are known and of their types, and what is named is declared."""
    project = read("compose.yaml")
    assert set(project) == {"name", "services", "volumes"}
    assert set(services()) == set(PORTS)
    for service in services().values():
        assert [key for key, value in service.items() if not isinstance(value, KEYS[key])] == []
        assert all(isinstance(value, str) for value in service.get("environment", {}).values())
        assert set(service.get("depends_on", [])) <= set(PORTS)
        assert service["restart"] == "unless-stopped"
    named = {source for name in PORTS for source in mounts(name).values() if "/" not in source}
    assert named == set(project["volumes"])


def test_only_this_machine_reaches_it():
    """Each service has one port, its own, on loopback."""
    ports = {name: service["ports"] for name, service in services().items()}
    assert ports == {name: [f"127.0.0.1:{port}:{port}"] for name, port in PORTS.items()}


def test_versions():
    """Every image has a version; the exporter's is the program's, and it is built from the checkout."""
    images = {name: service["image"] for name, service in services().items()}
    assert [image for image in images.values() if not re.fullmatch(r"[a-z/-]+:v?\d+\.\d+\.\d+", image)] == []
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert images["registry"] == "registry:2.8.3"
    assert images["exporter"] == f"registry-integrity-exporter:{version}"
    assert ((FOLDER / services()["exporter"]["build"]) / "Dockerfile").resolve() == ROOT / "Dockerfile"


def test_everything_mounted_is_there():
    """Each file and folder that is mounted is in the checkout, and nobody may write to it."""
    volumes = [volume.split(":") for service in services().values() for volume in service["volumes"]]
    bound = {source: options for source, _, *options in volumes if "/" in source}
    assert len(bound) == 7
    assert {source for source, options in bound.items() if options != ["ro"]} == set()
    assert {source for source in bound if not (FOLDER / source).exists()} == set()


def test_the_exporter_reads_its_configuration():
    """`check-config` accepts the file, and the exporter is told of it by the place where it is mounted."""
    done = CliRunner().invoke(app, ["check-config", f"--config={FOLDER / 'exporter.yml'}"])
    assert (done.exit_code, done.stderr) == (0, "")
    (registry,) = yaml.safe_load(done.stdout)["registries"]
    assert registry["url"] == f"http://registry:{PORTS['registry']}"
    *_, place = services()["exporter"]["command"]
    assert mounts("exporter")[place] == "./exporter.yml"


def test_prometheus_takes_its_configuration(tmp_path: Path):
    """Promtool accepts it, with the rules where they are mounted."""
    text = (FOLDER / "prometheus.yml").read_text("utf-8")
    place = "/etc/prometheus/alerts"
    assert text.count(place) == 1
    file = tmp_path / "prometheus.yml"
    file.write_text(text.replace(place, str((FOLDER / mounts("prometheus")[place]).resolve())), "utf-8")
    done = subprocess.run(
        [find_program("promtool"), "check", "config", file], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(re.findall(r"SUCCESS: \d+ rules found", done.stdout)) == len(list(ROOT.glob("alerts/*.yml")))
    assert mounts("prometheus")["/etc/prometheus/prometheus.yml"] == "./prometheus.yml"


def test_alertmanager_takes_its_configuration():
    """Amtool accepts it."""
    file = FOLDER / mounts("alertmanager")["/etc/alertmanager/alertmanager.yml"]
    done = subprocess.run(
        [find_program("amtool"), "check-config", file], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_services_are_called_by_their_names_and_ports():
    """Prometheus and Grafana ask where the others listen."""
    prometheus = read("prometheus.yml")
    scraped = {
        job["job_name"]: target
        for job in prometheus["scrape_configs"]
        for static in job["static_configs"]
        for target in static["targets"]
    }
    assert scraped == {"registry-integrity-exporter": "exporter:9949", "prometheus": "localhost:9090"}
    (alertmanagers,) = prometheus["alerting"]["alertmanagers"]
    assert alertmanagers == {"static_configs": [{"targets": ["alertmanager:9093"]}]}
    (source,) = read("grafana/datasources/prometheus.yaml")["datasources"]
    address = urlsplit(source["url"])
    assert (address.hostname, address.port) == ("prometheus", PORTS["prometheus"])


def test_grafana_is_provisioned():
    """It has Prometheus as its source of data, and the dashboards of deploy/grafana."""
    sources = read("grafana/datasources/prometheus.yaml")
    (source,) = sources["datasources"]
    assert sources["apiVersion"] == 1
    assert set(source) == {"name", "uid", "type", "access", "url", "isDefault", "jsonData"}
    assert (source["type"], source["access"], source["isDefault"]) == ("prometheus", "proxy", True)
    dashboards = read("grafana/dashboards/registry-integrity.yaml")
    (provider,) = dashboards["providers"]
    assert dashboards["apiVersion"] == 1
    assert (set(provider), provider["type"]) == ({"name", "type", "folder", "options"}, "file")
    mounted = mounts("grafana")
    assert (FOLDER / mounted[provider["options"]["path"]]).resolve() == ROOT / "deploy/grafana"
    for kind in ("datasources", "dashboards"):
        assert mounted[f"/etc/grafana/provisioning/{kind}"] == f"./grafana/{kind}"


async def test_what_the_page_promises(
    running: ExitStack,
    start_registry: StartRegistry,
    start_prometheus: StartPrometheus,
    start_alertmanager: StartAlertmanager,
    tmp_path: Path,
) -> None:
    """With these configurations and the damage that README.md does, the alert reaches Alertmanager."""
    registry = start_registry(cache=True)  # as the official image has it
    await registry.push("team/app", content.image("app"), "1")
    addresses: dict[str, Any] = {f"http://registry:{PORTS['registry']}": registry.url}
    file = tmp_path / "exporter.yml"
    file.write_text(with_addresses((FOLDER / "exporter.yml").read_text("utf-8"), addresses))
    exporter = running.enter_context(Exporter(tmp_path, f"--config={file}"))
    # Its receivers are examples; nothing is to be sent to them.
    config = re.sub(r"url: \S+", "url: http://127.0.0.1:9/", (FOLDER / "alertmanager.yml").read_text("utf-8"))
    alertmanager = start_alertmanager("", config=yaml.safe_load(config))
    addresses = {
        "exporter:9949": exporter.host,
        "alertmanager:9093": alertmanager.host,
        "/etc/prometheus/alerts": str(ROOT / "alerts"),
        "scrape_interval: 15s": "scrape_interval: 250ms",
        "evaluation_interval: 15s": "evaluation_interval: 250ms",
    }
    config = with_addresses((FOLDER / "prometheus.yml").read_text("utf-8"), addresses)
    prometheus = start_prometheus({}, more=yaml.safe_load(config))
    await exporter.wait_for_cycles()
    await prometheus.wait_for_query('up{job="registry-integrity-exporter"}', bool)
    assert await exporter.value("broken_tags", repository="team/app") == 0

    removed = re.findall(r"exec registry rm -r /var/lib/registry/(\S+)", (FOLDER / "README.md").read_text())
    assert removed == [f"{layout.ROOT}/repositories/team/app/_manifests/revisions"]
    registry.storage.remove_tree(removed[0])
    registry.restart()
    found = await wait_until(
        alertmanager.alerts,
        lambda alerts: FAILURE in {alert["labels"]["alertname"] for alert in alerts},
        60.0,
        what=FAILURE,
    )
    (failure,) = (alert for alert in found if alert["labels"]["alertname"] == FAILURE)
    assert failure["labels"] == {
        "alertname": FAILURE,
        "registry": "local",
        "repository": "team/app",
        "severity": "critical",
    }
    assert [receiver["name"] for receiver in failure["receivers"]] == ["pager"]
    assert await prometheus.rule_problems() == []


def with_addresses(text: str, addresses: dict[str, Any]) -> str:
    """Put real addresses in the place of the services' names; each has to be there."""
    for name, address in addresses.items():
        assert name in text
        text = text.replace(name, address)
    return text
