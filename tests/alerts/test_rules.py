"""The alerting rules: what every alert has, and what the rule tests prove about it."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.parts.programs import find_program

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "alerts/registry-integrity.rules.yml"
KUBERNETES_RULES = ROOT / "alerts/registry-integrity-kubernetes.rules.yml"
RULE_FILES = (RULES, KUBERNETES_RULES)
RULE_TESTS = ROOT / "alerts/tests"
RUNBOOKS = ROOT / "docs/runbooks"
RUNBOOK_URL = (
    "https://github.com/registry-integrity-exporter/registry-integrity-exporter/blob/main/docs/runbooks"
)

SEVERITIES = {
    "RegistryBrokenImageInUse": "critical",
    "RegistryManifestIntegrityFailure": "critical",
    "RegistryReferenceStuck": "critical",
    "RegistryCatalogInaccessible": "critical",
    "RegistryRepositoriesVanished": "critical",
    "RegistryIntegrityUnverified": "warning",
    "RegistryIntegrityProbeStale": "warning",
    "RegistryIntegrityExporterAbsent": "warning",
    "RegistryIntegrityShardMissing": "warning",
    "RegistryIgnoreRuleExpired": "warning",
    "RegistryIntegrityConfigReloadFailed": "warning",
}
# All others are about a registry.
OF_THE_EXPORTER = {
    "RegistryIntegrityConfigReloadFailed": "instance",
    "RegistryIntegrityExporterAbsent": "job",
}
# Their summary has the image, which begins with its repository.
OF_AN_IMAGE = {"RegistryBrokenImageInUse"}
METRICS = {
    f"registry_integrity_{name}"
    for name in (
        "catalog_accessible",
        "repositories",
        "tags",
        "broken_tags",
        "checked_references",
        "broken_references",
        "unverified_references",
        "stale_references",
        "stuck_references",
        "broken_reference_info",
        "broken_references_not_listed",
        "ignored_references",
        "ignore_rules_expired",
        "repository_last_verified_timestamp_seconds",
        "last_run_timestamp_seconds",
        "last_success_timestamp_seconds",
        "cycle_duration_seconds",
        "interval_seconds",
        "shard_info",
        "shards",
        "cycles_total",
        "http_requests_total",
        "http_request_duration_seconds",
        "http_retries_total",
        "config_last_reload_successful",
        "config_last_reload_success_timestamp_seconds",
        "build_info",
    )
}
IDENTIFIER = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
DURATION = re.compile(r"\b\d+(?:ms|[smhdwy])\b")
COMMAND = re.compile(r"registry-integrity-exporter (?!-)([a-z][a-z-]*)")

Rule = dict[str, Any]


def load_rules(*files: Path) -> dict[str, Rule]:
    """Return the rules by the name of their alert or record."""
    groups = [group for path in files for group in yaml.safe_load(path.read_text("utf-8"))["groups"]]
    return {rule.get("alert") or rule["record"]: rule for group in groups for rule in group["rules"]}


RULES_BY_NAME = load_rules(*RULE_FILES)
ALERTS = {name: rule for name, rule in RULES_BY_NAME.items() if "alert" in rule}


def promtool(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [find_program("promtool"), *arguments], capture_output=True, text=True, check=False, timeout=120
    )


def expectations(alert: str) -> Iterator[list[Any]]:
    """Give what the rule tests expect of an alert, each time they look."""
    for path in RULE_TESTS.glob("*.test.yml"):
        for group in yaml.safe_load(path.read_text("utf-8"))["tests"]:
            for look in group.get("alert_rule_test", ()):
                if look["alertname"] == alert:
                    yield look["exp_alerts"]


def test_every_file_of_rules_is_looked_at():
    """None is left out of these tests."""
    assert set(RULE_FILES) == set((ROOT / "alerts").glob("*.yml"))


def test_rules_pass_promtool():
    """Prometheus takes the rules, and its linter finds nothing."""
    result = promtool("check", "rules", "--lint=all", "--lint-fatal", *RULE_FILES)
    assert result.returncode == 0, result.stdout + result.stderr


def test_alerts_are_those_of_the_contract():
    """People route on these names and severities."""
    assert {name: rule["labels"] for name, rule in ALERTS.items()} == {
        name: {"severity": severity} for name, severity in SEVERITIES.items()
    }


@pytest.mark.parametrize("alert", ALERTS)
def test_alert_says_what_to_do(alert: str):
    """Every alert has a summary, a description naming whom it is about, and a runbook that exists."""
    annotations = ALERTS[alert]["annotations"]
    assert set(annotations) == {"summary", "description", "runbook_url"}
    about = OF_THE_EXPORTER.get(alert, "registry")
    assert f"{{{{ $labels.{about} }}}}" in annotations["summary"]
    assert f"{{{{ $labels.{about} }}}}" in annotations["description"]
    repository = "{{ $labels.repository }}"
    if alert not in OF_AN_IMAGE:
        assert (repository in annotations["summary"]) == (repository in annotations["description"])
    of_repositories = "by (registry, repository)" in ALERTS[alert]["expr"]
    assert (repository in annotations["summary"]) == of_repositories
    assert annotations["runbook_url"] == f"{RUNBOOK_URL}/{alert}.md"
    assert (RUNBOOKS / f"{alert}.md").is_file()


@pytest.mark.parametrize("alert", ["RegistryManifestIntegrityFailure", "RegistryBrokenImageInUse"])
def test_integrity_alerts_begin_with_garbage_collection(alert: str):
    """What is broken may still be repaired, until a garbage collection deletes the rest."""
    description = ALERTS[alert]["annotations"]["description"]
    assert description.startswith("Suspend garbage collection first, it deletes what a repair needs.")


def test_rules_name_metrics_of_the_contract_only():
    """A misspelled metric would be an alert that never fires."""
    recorded = {name for name, rule in RULES_BY_NAME.items() if "record" in rule}
    expressions = [rule["expr"] for rule in RULES_BY_NAME.values()]
    descriptions = [rule["annotations"]["description"] for rule in ALERTS.values()]
    named = {
        word
        for text in [*expressions, *descriptions]
        for word in IDENTIFIER.findall(text)
        if "registry_integrity_" in word
    }
    assert named <= METRICS | recorded


@pytest.mark.parametrize("path", RULE_FILES, ids=lambda path: path.name)
def test_head_of_the_file_lists_all_durations(path: Path):
    """Whoever scales the durations finds all of them, and finds them plain."""
    lines = path.read_text("utf-8").splitlines()
    listed = next(line for line in lines if line.startswith("# Durations"))
    used = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    assert set(DURATION.findall(used)) == set(DURATION.findall(listed))


@pytest.mark.parametrize("alert", ALERTS)
def test_rule_tests_see_the_alert_fire_and_stay_quiet(alert: str):
    """Every alert is seen firing, and is seen quiet where it should be."""
    seen = list(expectations(alert))
    assert any(seen), f"no rule test sees {alert} fire"
    assert not all(seen), f"no rule test sees {alert} stay quiet"


@pytest.mark.parametrize("path", sorted(RULE_TESTS.glob("*.test.yml")), ids=lambda path: path.name)
def test_rule_tests_pass(path: Path):
    """Every alert does what its rule tests say."""
    result = promtool("test", "rules", path)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("path", sorted(RUNBOOKS.glob("*.md")), ids=lambda path: path.name)
def test_runbook_belongs_to_an_alert(path: Path):
    """A runbook has its alert, the five parts that every runbook has, and commands that exist."""
    text = path.read_text("utf-8")
    assert path.stem in ALERTS
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [
        "Meaning",
        "Impact",
        "Diagnosis",
        "Repair",
        "Prevention",
    ]
    assert set(COMMAND.findall(text)) <= {"serve", "probe", "verify", "check-deletion", "check-config"}
