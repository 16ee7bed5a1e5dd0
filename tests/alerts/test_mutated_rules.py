"""The rule tests notice a wrong rule: each part of each rule is changed, one at a time."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.alerts.test_rules import ALERTS, RULE_FILES, RULE_TESTS, promtool

IN_USE = "RegistryBrokenImageInUse"
INTEGRITY = "RegistryManifestIntegrityFailure"
STUCK = "RegistryReferenceStuck"
INACCESSIBLE = "RegistryCatalogInaccessible"
VANISHED = "RegistryRepositoriesVanished"
UNVERIFIED = "RegistryIntegrityUnverified"
STALE = "RegistryIntegrityProbeStale"
EXPIRED = "RegistryIgnoreRuleExpired"
RELOAD = "RegistryIntegrityConfigReloadFailed"
ABSENT = "RegistryIntegrityExporterAbsent"
MISSING = "RegistryIntegrityShardMissing"
DISTINCT = "registry:registry_integrity_repositories:distinct"
LARGEST_SHARE = "registry_shards:registry_integrity_repositories:max"
LAST_UNVERIFIED = (
    "registry_repository_kind:registry_integrity_unverified_references:last_run_timestamp_seconds"
)
FIRST_UNVERIFIED = (
    "registry_repository_kind:registry_integrity_unverified_references:first_run_timestamp_seconds"
)
LAST_RUN = "registry_shard:registry_integrity_last_run_timestamp_seconds:max"
BROKEN = "registry_repository_image:registry_integrity_broken_reference_info:group"
IMAGE = "namespace_pod_container:kube_pod_container_info:image"
BROKEN_IMAGE = "namespace_pod_container:kube_pod_container_info:broken_image"
ALERT_OF = {
    **dict.fromkeys((LAST_UNVERIFIED, FIRST_UNVERIFIED), UNVERIFIED),
    DISTINCT: VANISHED,
    LARGEST_SHARE: VANISHED,
    LAST_RUN: STALE,
    **dict.fromkeys((BROKEN, IMAGE, BROKEN_IMAGE), IN_USE),
}
LONGER = """\
registry_integrity_interval_seconds > registry_integrity_cycle_duration_seconds
    or
    registry_integrity_cycle_duration_seconds"""
NEVER_VERIFIED = """\
      or
      0 * max by (registry, repository) (
        registry_integrity_tags
        and ignoring (repository) sum without (outcome) (registry_integrity_cycles_total) >= 3
      )
"""
REST_NEVER_VERIFIED = """\
        or
        0 * (
          registry_integrity_tags{repository=""}
          and sum without (outcome) (registry_integrity_cycles_total) >= 3
        )
"""
REST_REMEMBERED = """\
      or
      max by (registry) (
        last_over_time(registry_integrity_repository_last_verified_timestamp_seconds{repository=""}[1h])
      )
"""
LAST_RUN_OF_EACH_SHARD = """\
  time() - min by (registry) (
    last_over_time(registry_shard:registry_integrity_last_run_timestamp_seconds:max[1d])
    and on (registry, shard, shards) registry_integrity_shard_info
  )
  > 3 * max by (registry) (registry_integrity_interval_seconds)
"""
NEWCOMERS = """\
unless on (registry) (
  group by (registry, shards) (registry_integrity_shard_info)
  unless on (registry, shards)
  last_over_time(registry_integrity_shard_info[1h] offset 1h)
)"""
UNLESS_UNVERIFIED = f'unless on (registry) ALERTS{{alertname="{UNVERIFIED}"}}'
NEVER_COMPLETE = (
    "unless on (job, instance, pod, shard, registry) registry_integrity_last_success_timestamp_seconds"
)
PUSHED = {
    rule: f"or\n{indent}registry_integrity_shard_info\n{indent}* ignoring (shards) group_left () {metric}"
    for rule, indent, metric in [
        (DISTINCT, " " * 6, "registry_integrity_repositories"),
        (LARGEST_SHARE, " " * 4, "registry_integrity_repositories"),
        (LAST_RUN, " " * 2, "registry_integrity_last_run_timestamp_seconds"),
        (MISSING, " " * 4, "registry_integrity_shards"),
    ]
}
LOOKED_AT = re.compile(r"alertname: (\w+)")


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

    def change(self, rule: dict[str, Any]) -> None:
        """Change the field of a rule, which may be within another field."""
        *path, field = self.field.split(".")
        for key in path:
            rule = rule[key]
        rule[field] = self.apply(rule[field])


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
    *(
        Mutant(rule, "expr", old, new, nth)
        for rule, old, new, nth in [
            (IN_USE, "group by (image, namespace, pod, uid)", "", 0),
            (IN_USE, "on (image)", "on (image, repository)", 0),
            (BROKEN, "(registry, repository, image)", "(registry, repository, image, instance)", 0),
            (BROKEN, "(registry, repository, image)", "(repository, image)", 0),
            (BROKEN, 'impact="pull"', 'impact!=""', 0),
            (BROKEN, 'impact="pull"', 'impact="metadata"', 1),
            (BROKEN, "tag|child", "child", 0),
            (BROKEN, "tag|child", "tag", 0),
            (BROKEN, 'kind=~"tag|child", ', "", 0),
            (BROKEN, "[:@].+", "@.+", 0),
            (BROKEN, "index|registry-1", "index", 0),
            (BROKEN, "index|registry-1", "registry-1", 0),
            (BROKEN, "|registry\\\\.hub\\\\.docker\\\\.com", "", 0),
            (IMAGE, "(namespace, pod, uid, container, image)", "(namespace, pod, uid, image)", 0),
            (IMAGE, " or kube_pod_init_container_info", "", 0),
            (IMAGE, '"image_spec", "(.+)"', '"image_spec", "(.*)"', 0),
            (IMAGE, '"image_spec"', '"image"', 0),
            (IMAGE, "[^/.:]+/", "[^/.]+/", 0),
            (IMAGE, "[^/.:]+/", "[^/:]+/", 0),
            (IMAGE, "[^/]+|", "", 0),
            (IMAGE, "localhost", "elsewhere", 0),
            (IMAGE, "index|registry-1", "registry-1", 0),
            (IMAGE, "|registry\\\\.hub\\\\.docker\\\\.com", "", 0),
            (IMAGE, "docker.io/library/$1", "docker.io/$1", 0),
            (IMAGE, "(.+/[^/:@]+)", "([^:@]+)", 0),
            (IMAGE, ":latest", "", 0),
            (BROKEN_IMAGE, "or on (namespace, pod, uid, container)", "or", 0),
            (BROKEN_IMAGE, '"$1$2"', '"$1"', 0),
            (BROKEN_IMAGE, "[^/:@]+)@.+", "[^/:@]+)@x", 0),
            (BROKEN_IMAGE, "unless on (namespace, pod, uid)", "unless on (namespace)", 0),
            (BROKEN_IMAGE, "Succeeded|Failed", "Succeeded", 0),
            (BROKEN_IMAGE, "Succeeded|Failed", "Failed", 0),
            (BROKEN_IMAGE, " == 1", "", 0),
        ]
    ),
    Mutant(INTEGRITY, "expr", "broken_tags", "broken_references"),
    Mutant(STUCK, "expr", "stuck_references", "unverified_references"),
    *(
        Mutant(alert, field, old, new)
        for alert, field, old, new in [
            (IN_USE, "for", "0s", "1m"),
            (IN_USE, "keep_firing_for", "20m", "15m"),
            (IN_USE, "keep_firing_for", "20m", "30m"),
            (INTEGRITY, "for", "0s", "1m"),
            (INTEGRITY, "keep_firing_for", "20m", "15m"),
            (INTEGRITY, "keep_firing_for", "20m", "30m"),
            (STUCK, "for", "0s", "1m"),
            (STUCK, "keep_firing_for", "20m", "15m"),
            (STUCK, "keep_firing_for", "20m", "30m"),
            (INACCESSIBLE, "for", "5m", "4m"),
            (INACCESSIBLE, "for", "5m", "6m"),
            (INACCESSIBLE, "keep_firing_for", "10m", "5m"),
            (INACCESSIBLE, "keep_firing_for", "10m", "20m"),
            (VANISHED, "for", "5m", "0s"),
            (VANISHED, "for", "5m", "10m"),
            (VANISHED, "keep_firing_for", "20m", "10m"),
            (VANISHED, "keep_firing_for", "20m", "30m"),
            (UNVERIFIED, "for", "20m", "15m"),
            (UNVERIFIED, "for", "20m", "30m"),
            (UNVERIFIED, "keep_firing_for", "20m", "15m"),
            (UNVERIFIED, "keep_firing_for", "20m", "30m"),
            (STALE, "for", "20m", "15m"),
            (STALE, "for", "20m", "30m"),
            (MISSING, "for", "10m", "5m"),
            (MISSING, "for", "10m", "20m"),
            (EXPIRED, "for", "0s", "1m"),
            (EXPIRED, "keep_firing_for", "20m", "15m"),
            (EXPIRED, "keep_firing_for", "20m", "30m"),
        ]
    ),
    Mutant(INACCESSIBLE, "expr", "min by", "max by"),
    Mutant(INACCESSIBLE, "expr", "(registry)", "(registry, instance)"),
    Mutant(INACCESSIBLE, "expr", "== 0", "== 1"),
    *(Mutant(rule, "expr", pushed, "") for rule, pushed in PUSHED.items()),
    *(Mutant(rule, "expr", '{shard=""}', "") for rule in PUSHED),
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
    Mutant(DISTINCT, "expr", "sum by (registry, shards)", "sum by (registry)"),
    Mutant(DISTINCT, "expr", "sum by (registry, shards)", "max by (registry, shards)"),
    Mutant(DISTINCT, "expr", "(registry, shard, shards)", "(registry, shard, shards, instance)"),
    Mutant(LARGEST_SHARE, "expr", "(registry, shards)", "(registry)"),
    Mutant(LARGEST_SHARE, "expr", "max by", "min by"),
    Mutant(LARGEST_SHARE, "expr", "or ignoring (shard, shards)\n  registry_integrity_repositories", ""),
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
    Mutant(UNVERIFIED, "expr", "max by", "min by", 0),
    Mutant(UNVERIFIED, "expr", "max by", "min by", 1),
    Mutant(UNVERIFIED, "expr", "max by", "min by", 5),
    Mutant(UNVERIFIED, "expr", "0 *", "1 *", 0),
    Mutant(UNVERIFIED, "expr", "(kind, reason)", "(kind)"),
    Mutant(UNVERIFIED, "expr", "(kind, reason)", "(reason)"),
    Mutant(UNVERIFIED, "expr", 'or\n        registry_integrity_stale_references{repository!=""} > 0', ""),
    Mutant(UNVERIFIED, "expr", 'or\n        registry_integrity_stale_references{repository=""} > 0', ""),
    Mutant(UNVERIFIED, "expr", '{repository!=""}', "", 0),
    Mutant(UNVERIFIED, "expr", '{repository=""}', '{repository="x"}', 0),
    Mutant(UNVERIFIED, "expr", "> 0", ">= 0", 0),
    Mutant(UNVERIFIED, "expr", "> 0", ">= 0", 1),
    Mutant(UNVERIFIED, "expr", REST_NEVER_VERIFIED, ""),
    Mutant(UNVERIFIED, "expr", REST_REMEMBERED, ""),
    Mutant(UNVERIFIED, "expr", "ignoring (repository)", "on (registry)", 0),
    Mutant(UNVERIFIED, "expr", "ignoring (repository)", "on (registry)", 1),
    Mutant(UNVERIFIED, "expr", "- registry_integrity_cycle_duration_seconds", ""),
    Mutant(UNVERIFIED, "expr", "[1h]", "[15m]"),
    Mutant(UNVERIFIED, "expr", "[1h]", "[1d]"),
    Mutant(UNVERIFIED, "expr", NEVER_VERIFIED, ""),
    *(Mutant(UNVERIFIED, "expr", ">= 3", new, nth) for nth in (0, 1) for new in (">= 2", ">= 4")),
    Mutant(UNVERIFIED, "expr", "> on", ">= on"),
    Mutant(UNVERIFIED, "expr", "3 *", "2 *"),
    Mutant(UNVERIFIED, "expr", "3 *", "4 *"),
    Mutant(UNVERIFIED, "expr", LONGER, "registry_integrity_interval_seconds"),
    Mutant(UNVERIFIED, "expr", LONGER, "registry_integrity_cycle_duration_seconds"),
    Mutant(UNVERIFIED, "expr", "min by", "max by", 0),
    Mutant(UNVERIFIED, "expr", "min by", "max by", 1),
    Mutant(UNVERIFIED, "expr", "== 0", "== -1"),
    Mutant(STALE, "expr", "[1d]", "[15m]", 0),
    Mutant(STALE, "expr", "[1d]", "[7d]", 0),
    Mutant(STALE, "expr", "[1d]", "[5m]", 1),
    Mutant(STALE, "expr", "[1d]", "[5m]", 2),
    Mutant(STALE, "expr", "[1d]", "[5m]", 3),
    Mutant(STALE, "expr", "[1d]", "[5m]", 4),
    Mutant(STALE, "expr", f"or\n(\n{LAST_RUN_OF_EACH_SHARD})\n", ""),
    Mutant(STALE, "expr", "and on (registry, shard, shards) registry_integrity_shard_info", ""),
    Mutant(LAST_RUN, "expr", "(registry, shard, shards)", "(registry, shards)"),
    Mutant(STALE, "expr", "unless on (registry) registry_integrity_interval_seconds", ""),
    Mutant(STALE, "expr", "> 3 *", "> 2 *", 0),
    Mutant(STALE, "expr", "> 3 *", "> 4 *", 0),
    Mutant(STALE, "expr", "> 3 *", "> 2 *", 1),
    Mutant(STALE, "expr", "> 3 *", "> 4 *", 1),
    Mutant(STALE, "expr", "> 3 *", "> 2 *", 2),
    Mutant(STALE, "expr", "> 3 *", "> 4 *", 2),
    Mutant(STALE, "expr", "min by", "max by", 0),
    Mutant(STALE, "expr", "min by", "max by", 1),
    Mutant(STALE, "expr", "min by", "max by", 2),
    Mutant(STALE, "expr", "max by", "min by", 1),
    Mutant(STALE, "expr", ">= 3", ">= 2"),
    Mutant(STALE, "expr", ">= 3", ">= 4"),
    Mutant(STALE, "expr", NEVER_COMPLETE, ""),
    Mutant(STALE, "expr", NEVER_COMPLETE, NEVER_COMPLETE.replace("job, instance, pod, shard, ", "")),
    Mutant(STALE, "expr", "== 0", "== -1"),
    Mutant(STALE, "expr", UNLESS_UNVERIFIED, ""),
    Mutant(STALE, "expr", '"}', '", alertstate="firing"}'),
    Mutant(RELOAD, "for", "10m", "9m"),
    Mutant(RELOAD, "for", "10m", "15m"),
    Mutant(RELOAD, "expr", "instance, ", ""),
    Mutant(RELOAD, "expr", "== 0", "== 1"),
    Mutant(RELOAD, "expr", "== 0", ">= 0"),
    *(
        Mutant(rule, "expr", old, new, nth)
        for rule, old, new, nth in [
            (LAST_UNVERIFIED, "(registry, repository, kind)", "(registry, kind)", 0),
            (LAST_UNVERIFIED, "== 1", ">= 1", 0),
            (LAST_UNVERIFIED, "sum without (kind, reason)", "", 0),
            (FIRST_UNVERIFIED, "[20m]", "[5m]", 0),
            (FIRST_UNVERIFIED, f"and\n  {LAST_UNVERIFIED}\n", "\n", 0),
            (FIRST_UNVERIFIED, "unless on", "and on", 0),
            (FIRST_UNVERIFIED, f"or\n{LAST_UNVERIFIED}", "", 0),
            (UNVERIFIED, '{kind=""}', "", 0),
            (UNVERIFIED, "1.5 *", "0.5 *", 0),
            (UNVERIFIED, "1.5 *", "2.5 *", 0),
            (STUCK, '{kind!=""}', "", 0),
            (STUCK, '{reason="server_error"}', "", 0),
            (STUCK, "1.5 *", "0.5 *", 0),
            (STUCK, "1.5 *", "2.5 *", 0),
            (STUCK, "== 0", "== -1", 0),
            (STUCK, "(kind, reason)", "(reason)", 0),
        ]
    ),
    *(
        Mutant(rule, field, old, new, nth)
        for rule, field, old, new, nth in [
            (ABSENT, "for", "10m", "9m", 0),
            (ABSENT, "for", "10m", "15m", 0),
            (ABSENT, "expr", "by (job)", "by (job, instance)", 0),
            (ABSENT, "expr", "by (job)", "by (job, instance)", 1),
            (ABSENT, "expr", "[1d]", "[15m]", 0),
            (ABSENT, "expr", "[1d]", "[7d]", 0),
            (ABSENT, "expr", "[1d]", "[6h]", 1),
            (ABSENT, "expr", "[1d]", "[7d]", 1),
            (ABSENT, "expr", "unless on (job) registry_integrity_config_last_reload_successful", "", 0),
            (ABSENT, "expr", "on (job)", "on (job, instance)", 0),
            (ABSENT, "expr", "on (job)", "on (job, instance)", 1),
            (ABSENT, "expr", "== 1", "== 0", 0),
            (ABSENT, "expr", '{job=~".*registry-integrity.*"}', "", 0),
            (ABSENT, "expr", '{job=~".*registry-integrity.*"}', "", 1),
            (ABSENT, "expr", 'unless on () up{job=~".*registry-integrity.*"}', "", 0),
            (STALE, "expr", "offset 1d", "offset 12h", 0),
            (STALE, "expr", "offset 1d", "offset 2d", 0),
            (STALE, "expr", "[1h]", "[2m]", 0),
            (STALE, "expr", "and on (registry) registry_integrity_interval_seconds\n", "\n", 0),
            (STALE, "expr", "unless on (registry) last_over_time(", "and on (registry) last_over_time(", 0),
        ]
    ),
    Mutant(MISSING, "expr", "min by (registry)", "max by (registry)"),
    Mutant(MISSING, "expr", "min by (registry)", "min by (registry, shards)"),
    Mutant(MISSING, "expr", "max by (registry, shards)", "sum by (registry, shards)"),
    Mutant(MISSING, "expr", "group by (registry, shard, shards)", "group by (registry, shard, shards, pod)"),
    Mutant(MISSING, "expr", "> 0", ">= 0"),
    Mutant(MISSING, "expr", "> 0", "> 1"),
    Mutant(MISSING, "expr", "[10m]", "[5m]"),
    Mutant(MISSING, "expr", "[10m]", "[15m]"),
    Mutant(MISSING, "expr", NEWCOMERS, ""),
    Mutant(MISSING, "expr", "unless on (registry, shards)\n", "unless on (registry)\n"),
    Mutant(MISSING, "expr", "offset 1h", "offset 30m"),
    Mutant(MISSING, "expr", "offset 1h", "offset 2h"),
    Mutant(MISSING, "expr", "[1h]", "[5m]"),
    Mutant(EXPIRED, "expr", "max by", "sum by"),
    Mutant(EXPIRED, "expr", "(registry)", "(registry, instance)"),
    Mutant(EXPIRED, "expr", "> 0", ">= 0"),
    Mutant(EXPIRED, "expr", "> 0", "> 1"),
]
LABELS = [
    Mutant(alert, "labels.severity", rule["labels"]["severity"], "info") for alert, rule in ALERTS.items()
]
DESCRIPTIONS = [Mutant(alert, "annotations.description", ". ", "! ") for alert in ALERTS]


def exit_status(folder: Path, alert: str, mutant: Mutant | None) -> int:
    """Run the rule tests of an alert with a changed rule; return promtool's exit status."""
    (folder / "tests").mkdir()
    tests = [Path(shutil.copy(path, folder / "tests")) for path in RULE_TESTS.glob(f"{alert}.*yml")]
    # Rules that they do not look at would only take time.
    looked_at = {name for path in tests for name in LOOKED_AT.findall(path.read_text("utf-8"))}
    for path in RULE_FILES:
        rules = yaml.safe_load(path.read_text("utf-8"))
        for group in rules["groups"]:
            group["rules"] = [rule for rule in group["rules"] if rule.get("alert") in {None, *looked_at}]
            for rule in group["rules"]:
                if mutant is not None and mutant.rule in (rule.get("alert"), rule.get("record")):
                    mutant.change(rule)
        (folder / path.name).write_text(yaml.safe_dump(rules), "utf-8")
    checked = promtool("check", "rules", *(folder / path.name for path in RULE_FILES))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    # The small ones first: one that fails is enough.
    statuses = (promtool("test", "rules", path).returncode for path in sorted(tests, key=_size))
    return next((status for status in statuses if status), 0)


def _size(path: Path) -> int:
    return path.stat().st_size


# All of them take half an hour; `make proof` runs those that `make test` leaves out.
SOME = [
    pytest.param(mutant, marks=[pytest.mark.proof] if number % 96 else [])
    for number, mutant in enumerate([*MUTANTS, *LABELS, *DESCRIPTIONS])
]


@pytest.mark.parametrize("mutant", SOME, ids=str)
def test_rule_tests_notice_a_changed_rule(mutant: Mutant, tmp_path: Path):
    """With any part of a rule changed, the rule tests of its alert fail."""
    alert = ALERT_OF.get(mutant.rule, mutant.rule)
    assert exit_status(tmp_path, alert, mutant) == 1, "the rule tests pass all the same"


@pytest.mark.proof  # `make test` runs these on the rules themselves
@pytest.mark.parametrize("alert", ALERTS)
def test_rule_tests_notice_nothing_where_nothing_is_changed(alert: str, tmp_path: Path):
    """It is the change that they notice, and nothing in how they are run."""
    assert exit_status(tmp_path, alert, None) == 0
