"""The example configuration of Alertmanager in docs/alerting.md."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.alerts.test_rules import ALERTS, ROOT, SEVERITIES
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
    """The inhibition spares its own source, and the alert that matters right after an outage."""
    (rule,) = yaml.safe_load(example.read_text("utf-8"))["inhibit_rules"]
    held_back = {alert for alert in ALERTS if _matches(rule["target_matchers"], alert)}
    assert {alert for alert in ALERTS if _matches(rule["source_matchers"], alert)} == {
        "RegistryCatalogInaccessible"
    }
    assert held_back == set(ALERTS) - {"RegistryCatalogInaccessible", "RegistryRepositoriesVanished"}
    assert rule["equal"] == ["registry"]


def _matches(matchers: list[Any], alert: str) -> bool:
    (matcher,) = matchers
    name, operator, value = matcher.split(maxsplit=2)
    assert name == "alertname"
    pattern = value.strip('"') if operator == "=~" else re.escape(value)
    return re.fullmatch(pattern, alert) is not None
