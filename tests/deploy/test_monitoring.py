"""The alerts and dashboards in the chart are those of the repository."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm_python.chart import Chart

from tests.deploy.rendering import NAME, Json, one, render, values_of
from tests.parts.programs import find_program
from tools.chart import CHART, ROOT

CRITICAL = "RegistryManifestIntegrityFailure"


def alert_groups() -> list[Json]:
    """Read the groups of all files in alerts/, in the order of their names."""
    files = sorted(ROOT.glob("alerts/*.yml"))
    return [group for file in files for group in yaml.safe_load(file.read_text("utf-8"))["groups"]]


def rendered_groups(**more: Any) -> list[Json]:
    values = values_of("deployment", {"prometheusRule": {"enabled": True, **more}})
    groups: list[Json] = one(render(values), "PrometheusRule")["spec"]["groups"]
    return groups


def test_the_alerts_are_those_of_the_repository():
    """Every group, rule, expression and text arrives as it is."""
    assert rendered_groups() == alert_groups()


def test_promtool_takes_them(tmp_path: Path):
    """What the operator would hand to Prometheus is a file of rules."""
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": rendered_groups()}), "utf-8")
    done = subprocess.run(
        [find_program("promtool"), "check", "rules", file], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_an_alert_can_be_left_out():
    """One alert is gone, and all else stays."""
    expected = alert_groups()
    for group in expected:
        group["rules"] = [rule for rule in group["rules"] if rule.get("alert") != CRITICAL]
    assert rendered_groups(disabledAlerts=[CRITICAL]) == expected
    assert expected != alert_groups()


def test_a_group_without_rules_is_left_out(tmp_path: Path):
    """The operator would take an empty group for an error."""
    copy = tmp_path / CHART.name
    shutil.copytree(CHART, copy)
    rule = {"alert": "Alone", "expr": "up", "labels": {}, "annotations": {}}
    groups = [{"name": "empty", "rules": [rule]}, {"name": "whole", "rules": [{**rule, "alert": "Another"}]}]
    for file in (copy / "files/alerts").iterdir():
        file.unlink()
    (copy / "files/alerts/rules.yml").write_text(json.dumps({"groups": groups}))
    values = values_of("deployment", {"prometheusRule": {"enabled": True, "disabledAlerts": ["Alone"]}})
    with Chart.load(copy) as chart:
        rendered = chart.render(values, name=NAME)[f"{CHART.name}/templates/prometheusrule.yaml"]
    assert yaml.safe_load(rendered)["spec"] == {"groups": groups[1:]}


def test_a_severity_can_be_another():
    """One label is another, and all else stays."""
    expected = alert_groups()
    for group in expected:
        for rule in group["rules"]:
            if rule.get("alert") == CRITICAL:
                rule["labels"] = {**rule["labels"], "severity": "warning"}
    assert rendered_groups(severities={CRITICAL: "warning"}) == expected
    assert expected != alert_groups()


@pytest.fixture
def chart_with_dashboards(tmp_path: Path) -> Path:
    """Copy the chart, with two dashboards and no others."""
    copy = tmp_path / CHART.name
    shutil.copytree(CHART, copy, ignore=shutil.ignore_patterns("dashboards"))
    folder = copy / "files/dashboards"
    folder.mkdir()
    (folder / "first.json").write_text('{\n  "title": "{{ registry }}",\n  "panels": []\n}\n')
    (folder / "second.json").write_text('{"title": "two"}\n')
    return copy


def test_dashboards(chart_with_dashboards: Path):
    """Each dashboard is a ConfigMap that Grafana's sidecar finds, with the file as it is."""
    values = values_of(
        "deployment", {"dashboards": {"enabled": True, "annotations": {"grafana_folder": "Registries"}}}
    )
    with Chart.load(chart_with_dashboards) as chart:
        rendered = chart.render(values, name=NAME)[f"{CHART.name}/templates/dashboards.yaml"]
    found = {one["metadata"]["name"]: one for one in yaml.safe_load_all(rendered) if one}
    assert {name: one["data"] for name, one in found.items()} == {
        f"{NAME}-{CHART.name}-dashboard-first": {
            "first.json": '{\n  "title": "{{ registry }}",\n  "panels": []\n}\n'
        },
        f"{NAME}-{CHART.name}-dashboard-second": {"second.json": '{"title": "two"}\n'},
    }
    for one_of_them in found.values():
        assert one_of_them["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert one_of_them["metadata"]["annotations"] == {"grafana_folder": "Registries"}


def test_the_dashboards_are_those_of_the_repository():
    """As many ConfigMaps as there are dashboards, each with the same panels and queries."""
    objects = render(values_of("deployment", {"dashboards": {"enabled": True}}))
    data: Json = {}
    for found in objects:
        if "grafana_dashboard" in found["metadata"]["labels"]:
            data |= found["data"]
    files = sorted(ROOT.glob("deploy/grafana/*.json"))
    assert {name: json.loads(text) for name, text in data.items()} == {
        file.name: json.loads(file.read_text("utf-8")) for file in files
    }
