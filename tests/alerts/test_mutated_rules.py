"""The rule tests notice a wrong rule: each part of each rule is changed, one at a time."""

import copy
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.alerts.test_rules import ALERTS, RULE_TESTS, RULES, promtool

INTEGRITY = "RegistryManifestIntegrityFailure"
STUCK = "RegistryReferenceStuck"
INACCESSIBLE = "RegistryCatalogInaccessible"
VANISHED = "RegistryRepositoriesVanished"
STALE = "RegistryIntegrityProbeStale"
DISTINCT = "registry:registry_integrity_repositories:distinct"
NEVER_COMPLETE = "unless on (job, instance, pod, registry) registry_integrity_last_success_timestamp_seconds"


@dataclass(frozen=True)
class Mutant:
    """One change to one field of one rule."""

    rule: str
    field: str
    old: str
    new: str
    nth: int = 0

    def __str__(self) -> str:
        return f"{self.rule} {self.field} {self.old[:40]} {self.nth}"

    def apply(self, value: str) -> str:
        """Change the nth occurrence."""
        parts = value.split(self.old)
        assert len(parts) > self.nth + 1, f"{self.old!r} is not in {value!r}"
        return self.old.join(parts[: self.nth + 1]) + self.new + self.old.join(parts[self.nth + 1 :])


MUTANTS = [
    *(
        Mutant(alert, "expr", old, new)
        for alert in (INTEGRITY, STUCK)
        for old, new in [
            ("max by", "sum by"),
            ("registry, repository", "registry, repository, instance, pod"),
            ("registry, repository", "registry"),
            ("registry, repository", "repository"),
            ("> 0", ">= 0"),
            ("> 0", "> 1"),
        ]
    ),
    Mutant(INTEGRITY, "expr", "broken_tags", "broken_references"),
    Mutant(STUCK, "expr", "stuck_references", "unverified_references"),
    *(
        Mutant(alert, field, old, new)
        for alert, field, old, new in [
            (INTEGRITY, "for", "0s", "1m"),
            (INTEGRITY, "keep_firing_for", "20m", "15m"),
            (INTEGRITY, "keep_firing_for", "20m", "30m"),
            (STUCK, "for", "0s", "1m"),
            (STUCK, "keep_firing_for", "20m", "15m"),
            (STUCK, "keep_firing_for", "20m", "30m"),
            (INACCESSIBLE, "for", "5m", "2m"),
            (INACCESSIBLE, "for", "5m", "10m"),
            (INACCESSIBLE, "keep_firing_for", "10m", "5m"),
            (INACCESSIBLE, "keep_firing_for", "10m", "20m"),
            (VANISHED, "for", "5m", "0s"),
            (VANISHED, "for", "5m", "10m"),
            (VANISHED, "keep_firing_for", "20m", "10m"),
            (VANISHED, "keep_firing_for", "20m", "30m"),
            (STALE, "for", "20m", "15m"),
            (STALE, "for", "20m", "30m"),
        ]
    ),
    Mutant(INACCESSIBLE, "expr", "min by", "max by"),
    Mutant(INACCESSIBLE, "expr", "(registry)", "(registry, instance)"),
    Mutant(INACCESSIBLE, "expr", "== 0", "== 1"),
    Mutant(DISTINCT, "expr", "max by", "sum by"),
    Mutant(DISTINCT, "expr", "registry, repository", "registry, repository, instance"),
    Mutant(DISTINCT, "expr", "> 0", ">= 0"),
    Mutant(DISTINCT, "expr", "or\n  registry_integrity_repositories", ""),
    Mutant(
        DISTINCT,
        "expr",
        "count by (registry) (group by (registry, repository) (registry_integrity_tags > 0))\n  or",
        "",
    ),
    Mutant(VANISHED, "expr", "== 0", "== -1"),
    Mutant(VANISHED, "expr", "> 0", ">= 0"),
    Mutant(VANISHED, "expr", "0.5", "0.49", 0),
    Mutant(VANISHED, "expr", "0.5", "1", 0),
    Mutant(VANISHED, "expr", "0.5", "0.49", 1),
    Mutant(VANISHED, "expr", "0.5", "1", 1),
    Mutant(VANISHED, "expr", ">= 10", ">= 2"),
    Mutant(VANISHED, "expr", ">= 10", ">= 11"),
    Mutant(VANISHED, "expr", "[1d]", "[7d]", 0),
    Mutant(VANISHED, "expr", "[1d]", "[7d]", 1),
    Mutant(VANISHED, "expr", "[1d]", "[5m]", 2),
    Mutant(VANISHED, "expr", "== 1", ">= 0"),
    Mutant(VANISHED, "expr", "and on (registry) (\n  min", "unless on (registry) (\n  min"),
    Mutant(STALE, "expr", "[1d]", "[15m]", 0),
    Mutant(STALE, "expr", "[1d]", "[7d]", 0),
    Mutant(STALE, "expr", "[1d]", "[5m]", 1),
    Mutant(STALE, "expr", "[1d]", "[5m]", 2),
    Mutant(STALE, "expr", "unless on (registry) registry_integrity_interval_seconds", ""),
    Mutant(STALE, "expr", "> 3 *", "> 2 *", 0),
    Mutant(STALE, "expr", "> 3 *", "> 4 *", 0),
    Mutant(STALE, "expr", "> 3 *", "> 2 *", 1),
    Mutant(STALE, "expr", "> 3 *", "> 4 *", 1),
    Mutant(STALE, "expr", "min by", "max by", 0),
    Mutant(STALE, "expr", "min by", "max by", 1),
    Mutant(STALE, "expr", "max by", "min by", 1),
    Mutant(STALE, "expr", ">= 3", ">= 2"),
    Mutant(STALE, "expr", ">= 3", ">= 4"),
    Mutant(STALE, "expr", NEVER_COMPLETE, ""),
    Mutant(STALE, "expr", NEVER_COMPLETE, NEVER_COMPLETE.replace("job, instance, pod, ", "")),
    Mutant(STALE, "expr", "== 0", "== -1"),
]
LABELS = [
    Mutant(alert, "labels.severity", rule["labels"]["severity"], "info") for alert, rule in ALERTS.items()
]
DESCRIPTIONS = [Mutant(alert, "annotations.description", ". ", "! ") for alert in ALERTS]


@pytest.mark.parametrize("mutant", [*MUTANTS, *LABELS, *DESCRIPTIONS], ids=str)
def test_rule_tests_notice_a_changed_rule(mutant: Mutant, tmp_path: Path):
    """With any part of a rule changed, the rule tests of its alert fail."""
    rules = copy.deepcopy(yaml.safe_load(RULES.read_text("utf-8")))
    for rule in rules["groups"][0]["rules"]:
        if mutant.rule in (rule.get("alert"), rule.get("record")):
            *path, field = mutant.field.split(".")
            for key in path:
                rule = rule[key]  # noqa: PLW2901 - walks down to the field
            rule[field] = mutant.apply(rule[field])
    (tmp_path / RULES.name).write_text(yaml.safe_dump(rules), "utf-8")
    alert = VANISHED if mutant.rule == DISTINCT else mutant.rule
    (tmp_path / "tests").mkdir()
    tests = [shutil.copy(path, tmp_path / "tests") for path in RULE_TESTS.glob(f"{alert}.*yml")]

    checked = promtool("check", "rules", tmp_path / RULES.name)
    tested = promtool("test", "rules", *tests)

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert tested.returncode == 1, "the rule tests pass all the same"
