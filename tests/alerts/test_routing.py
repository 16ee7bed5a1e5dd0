"""The example configuration of Alertmanager in docs/alerting.md."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.alerts.test_rules import ALERTS, ROOT, SEVERITIES, promtool
from tests.parts.programs import find_program


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """Write the example to a file of its own."""
    text = (ROOT / "docs/alerting.md").read_text("utf-8")
    (block,) = [
        block for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "inhibit_rules" in block
    ]
    path = tmp_path / "alertmanager.yml"
    path.write_text(block, "utf-8")
    return path


def amtool(*arguments: str) -> str:
    result = subprocess.run(
        [find_program("amtool"), *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout.strip()


def test_example_is_valid(example: Path):
    """Alertmanager takes the example as it stands."""
    assert "SUCCESS" in amtool("check-config", str(example))


@pytest.mark.parametrize(("alert", "severity"), SEVERITIES.items())
def test_critical_alerts_page(example: Path, alert: str, severity: str):
    """What is critical goes to the pager, a warning does not."""
    labels = [f"alertname={alert}", f"severity={severity}", "registry=private", "repository=team/app"]
    receiver = amtool("config", "routes", "test", f"--config.file={example}", *labels)
    assert receiver == {"critical": "pager", "warning": "mail"}[severity]


def test_inaccessible_catalog_holds_back_what_it_explains(example: Path):
    """It spares its own source, what it does not explain, and what matters right after an outage."""
    rule = _inhibition(example, "RegistryCatalogInaccessible")
    assert _matched(rule["target_matchers"]) == set(ALERTS) - {
        "RegistryCatalogInaccessible",
        "RegistryRepositoriesVanished",
        "RegistryIntegrityExporterAbsent",
        "RegistryIntegrityShardMissing",
        "RegistryIgnoreRuleExpired",
        "RegistryIntegrityConfigReloadFailed",
    }
    assert rule["equal"] == ["registry"]


def test_images_in_use_hold_back_what_is_broken_beside_them(example: Path):
    """The page that names pods is enough for a repository; another repository's is not held back."""
    rule = _inhibition(example, "RegistryBrokenImageInUse")
    assert _matched(rule["target_matchers"]) == {"RegistryManifestIntegrityFailure"}
    assert rule["equal"] == ["registry", "repository"]


def test_severity_may_be_lowered_where_use_is_known(tmp_path: Path):
    """Prometheus takes the relabelling of alerts as it stands, and it is about that one alert."""
    text = (ROOT / "docs/alerting.md").read_text("utf-8")
    (block,) = re.findall(r"```yaml\n(alerting:.*?)```", text, re.DOTALL)
    path = tmp_path / "prometheus.yml"
    path.write_text(block, "utf-8")
    result = promtool("check", "config", path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert yaml.safe_load(block)["alerting"]["alert_relabel_configs"] == [
        {
            "source_labels": ["alertname"],
            "regex": "RegistryManifestIntegrityFailure",
            "target_label": "severity",
            "replacement": "warning",
        }
    ]


def test_an_absent_exporter_holds_back_what_it_explains(example: Path):
    """Its registries are stale because of it; it does not know which they are."""
    rule = _inhibition(example, "RegistryIntegrityExporterAbsent")
    assert _matched(rule["target_matchers"]) == {"RegistryIntegrityProbeStale"}
    assert "equal" not in rule


def test_stuck_references_hold_back_the_warning_about_their_repository(example: Path):
    """Both are true, and one is enough; another repository's warning is not held back."""
    rule = _inhibition(example, "RegistryReferenceStuck")
    assert _matched(rule["target_matchers"]) == {"RegistryIntegrityUnverified"}
    assert rule["equal"] == ["registry", "repository"]


def _inhibition(example: Path, source: str) -> dict[str, Any]:
    rules = yaml.safe_load(example.read_text("utf-8"))["inhibit_rules"]
    (rule,) = [rule for rule in rules if _matched(rule["source_matchers"]) == {source}]
    return rule


def _matched(matchers: list[Any]) -> set[str]:
    return {alert for alert in ALERTS if _matches(matchers, alert)}


def _matches(matchers: list[Any], alert: str) -> bool:
    (matcher,) = matchers
    name, operator, value = matcher.split(maxsplit=2)
    assert name == "alertname"
    pattern = value.strip('"') if operator == "=~" else re.escape(value)
    return re.fullmatch(pattern, alert) is not None
