"""The exposition, compared whole; what it costs; and that the documentation tells the same."""

import asyncio
import gzip
import math
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.registry import Collector

from exporter.daemon import LastReports
from exporter.integrity.finding import Finding, Impact, Kind, Reason, Verdict
from exporter.integrity.report import Outcome, PerRepository, RegistryKind, Report, RepositoryReport
from exporter.integrity.shards import Shard
from exporter.metrics import ConfigurationMetrics, ExportedRegistry, ExporterMetrics, Format, RequestMetrics
from exporter.metrics.exposition import Beginning
from exporter.metrics.live import LiveCollector
from exporter.metrics.reports import ReportCollector
from exporter.oci import Digest
from tests.parts.programs import find_program

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
CHILD = Digest("sha256:" + "c" * 64)
LAYER = Digest("sha256:" + "1" * 64)
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)  # 1772366400

PRIVATE = ExportedRegistry("private", "https://registry.example", 900)
EDGE = ExportedRegistry("edge", "http://edge.example:5000/mirror/", 60.5)


def finding(**changes: object) -> Finding:
    """An index's child that is gone, unless told otherwise."""
    usual = Finding(
        verdict=Verdict.BROKEN,
        reason=Reason.MISSING,
        impact=Impact.PULL,
        stale=False,
        repository="team/app",
        kind=Kind.CHILD,
        digest=CHILD,
        media_type="application/vnd.oci.image.manifest.v1+json",
        size=1234,
        platform="linux/amd64",
        tags=("latest", "v7"),
        detail="GET ... answered 404 MANIFEST_UNKNOWN",
        first_seen=NOON,
    )
    return replace(usual, **changes)


def repository(name: str, *findings: Finding, **fields: object) -> RepositoryReport:
    """What is known of a repository, nothing but the findings unless told otherwise."""
    usual = RepositoryReport(name, walked=True, checked=dict.fromkeys(Kind, 0), findings=findings)
    return replace(usual, **fields)


def report(registry: ExportedRegistry, *repositories: RepositoryReport, **fields: object) -> Report:
    """A complete cycle that ended at noon."""
    usual = Report(
        registry=registry.name,
        url=registry.url,
        kind=RegistryKind.PRIVATE,
        outcome=Outcome.COMPLETE,
        catalog_accessible=True,
        started_at=NOON,
        finished_at=NOON,
        duration_seconds=8.1,
        requests=20,
        extra_requests={},
        repositories={found.name: found for found in repositories},
        last_success=NOON,
        repositories_at_success=len(repositories),
    )
    return replace(usual, **fields)


PRIVATE_REPORT = report(
    PRIVATE,
    repository(
        "team/app",
        finding(),
        finding(
            kind=Kind.LAYER,
            digest=LAYER,
            platform=None,
            tags=("v7",),
            reason=Reason.TRUNCATED,
            impact=Impact.METADATA,
        ),
        finding(kind=Kind.TAG, digest=None, platform=None, tags=("bad",), reason=Reason.MALFORMED),
        finding(verdict=Verdict.UNVERIFIED, reason=Reason.TIMEOUT, digest=Digest.of(b"1")),
        finding(verdict=Verdict.UNVERIFIED, reason=Reason.TIMEOUT, digest=Digest.of(b"2")),
        finding(verdict=Verdict.UNVERIFIED, reason=Reason.SERVER_ERROR, digest=Digest.of(b"3")),
        tags=4,
        checked={Kind.TAG: 4, Kind.CHILD: 6, Kind.CONFIG: 5, Kind.LAYER: 12},
        stale=1,
        stuck=2,
        ignored=3,
    ),
    repository("base", tags=1, checked=dict.fromkeys(Kind, 1), ignored=1, last_verified=NOON),
    manifests_remembered=60,
    manifests_refused=7,
)
EDGE_REPORT = report(
    EDGE,
    outcome=Outcome.FAILED,
    catalog_accessible=False,
    duration_seconds=0.25,
    last_success=None,
    repositories_at_success=None,
)


class Exporter:
    """Some metrics with the reports that they are over."""

    def __init__(self, *registries: ExportedRegistry) -> None:
        self.reports = LastReports()
        self.configuration = ConfigurationMetrics(NOON.timestamp)
        self.metrics = ExporterMetrics(registries, self.reports, "1.2.3", self.configuration)

    async def publish(self, *reports: Report) -> None:
        for last in reports:
            self.reports.replace(last)
        await self.metrics.refresh()

    async def text(self, *names: str) -> str:
        return (await self.metrics.scrape(Format.TEXT, names)).decode()

    async def samples(self, name: str) -> dict[tuple[str, ...], float]:
        """The values of one name by the values of the labels, in the alphabetical order of these."""
        return {
            tuple(value for _, value in sorted(sample.labels.items())): sample.value
            for family in parse_text(await self.text())
            for sample in family.samples
            if sample.name == f"registry_integrity_{name}"
        }


def own_part(text: str) -> str:
    """What stands before that which every Python program shows."""
    return re.split(r"^# HELP (?:process|python)_", text, maxsplit=1, flags=re.MULTILINE)[0]


EXPOSITION = """\
# HELP registry_integrity_catalog_accessible Whether the last cycle read the whole catalog of the registry (1) or not (0).
# TYPE registry_integrity_catalog_accessible gauge
registry_integrity_catalog_accessible{registry="private"} 1.0
registry_integrity_catalog_accessible{registry="edge"} 0.0
# HELP registry_integrity_repositories Repositories that the last complete cycle saw.
# TYPE registry_integrity_repositories gauge
registry_integrity_repositories{registry="private"} 2.0
# HELP registry_integrity_tags Tags in the repository.
# TYPE registry_integrity_tags gauge
registry_integrity_tags{registry="private",repository="base"} 1.0
registry_integrity_tags{registry="private",repository="team/app"} 4.0
# HELP registry_integrity_broken_tags Tags of the repository that cannot be pulled for some platform.
# TYPE registry_integrity_broken_tags gauge
registry_integrity_broken_tags{registry="private",repository="base"} 0.0
registry_integrity_broken_tags{registry="private",repository="team/app"} 3.0
# HELP registry_integrity_checked_references Distinct references of the repository that were checked, whatever was found.
# TYPE registry_integrity_checked_references gauge
registry_integrity_checked_references{kind="tag",registry="private",repository="base"} 1.0
registry_integrity_checked_references{kind="child",registry="private",repository="base"} 1.0
registry_integrity_checked_references{kind="config",registry="private",repository="base"} 1.0
registry_integrity_checked_references{kind="layer",registry="private",repository="base"} 1.0
registry_integrity_checked_references{kind="tag",registry="private",repository="team/app"} 4.0
registry_integrity_checked_references{kind="child",registry="private",repository="team/app"} 6.0
registry_integrity_checked_references{kind="config",registry="private",repository="team/app"} 5.0
registry_integrity_checked_references{kind="layer",registry="private",repository="team/app"} 12.0
# HELP registry_integrity_broken_references References of the repository that the registry cannot serve.
# TYPE registry_integrity_broken_references gauge
registry_integrity_broken_references{kind="tag",registry="private",repository="base"} 0.0
registry_integrity_broken_references{kind="child",registry="private",repository="base"} 0.0
registry_integrity_broken_references{kind="config",registry="private",repository="base"} 0.0
registry_integrity_broken_references{kind="layer",registry="private",repository="base"} 0.0
registry_integrity_broken_references{kind="tag",registry="private",repository="team/app"} 1.0
registry_integrity_broken_references{kind="child",registry="private",repository="team/app"} 1.0
registry_integrity_broken_references{kind="config",registry="private",repository="team/app"} 0.0
registry_integrity_broken_references{kind="layer",registry="private",repository="team/app"} 1.0
# HELP registry_integrity_unverified_references References of the repository whose state could not be determined.
# TYPE registry_integrity_unverified_references gauge
registry_integrity_unverified_references{kind="child",reason="server_error",registry="private",repository="team/app"} 1.0
registry_integrity_unverified_references{kind="child",reason="timeout",registry="private",repository="team/app"} 2.0
# HELP registry_integrity_stale_references References of the repository that keep an earlier verdict, because the last cycle could not ask.
# TYPE registry_integrity_stale_references gauge
registry_integrity_stale_references{registry="private",repository="base"} 0.0
registry_integrity_stale_references{registry="private",repository="team/app"} 1.0
# HELP registry_integrity_stuck_references References of the repository that answered an error for three cycles or more.
# TYPE registry_integrity_stuck_references gauge
registry_integrity_stuck_references{registry="private",repository="base"} 0.0
registry_integrity_stuck_references{registry="private",repository="team/app"} 2.0
# HELP registry_integrity_broken_reference_info A reference that the registry cannot serve, once for each tag whose pull it breaks; always 1.
# TYPE registry_integrity_broken_reference_info gauge
registry_integrity_broken_reference_info{digest="",image="registry.example/team/app:bad",impact="pull",kind="tag",platform="",reason="malformed",registry="private",repository="team/app",tag="bad"} 1.0
registry_integrity_broken_reference_info{digest="sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc",image="registry.example/team/app:latest",impact="pull",kind="child",platform="linux/amd64",reason="missing",registry="private",repository="team/app",tag="latest"} 1.0
registry_integrity_broken_reference_info{digest="sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc",image="registry.example/team/app:v7",impact="pull",kind="child",platform="linux/amd64",reason="missing",registry="private",repository="team/app",tag="v7"} 1.0
registry_integrity_broken_reference_info{digest="sha256:1111111111111111111111111111111111111111111111111111111111111111",image="registry.example/team/app:v7",impact="metadata",kind="layer",platform="",reason="truncated",registry="private",repository="team/app",tag="v7"} 1.0
# HELP registry_integrity_broken_references_not_listed Series of broken_reference_info that were left out, because there are too many.
# TYPE registry_integrity_broken_references_not_listed gauge
registry_integrity_broken_references_not_listed{registry="private"} 0.0
registry_integrity_broken_references_not_listed{registry="edge"} 0.0
# HELP registry_integrity_ignored_references References that ignore rules and platforms hide.
# TYPE registry_integrity_ignored_references gauge
registry_integrity_ignored_references{registry="private"} 4.0
registry_integrity_ignored_references{registry="edge"} 0.0
# HELP registry_integrity_ignore_rules_expired Ignore rules whose day has passed, so that they hide nothing any more.
# TYPE registry_integrity_ignore_rules_expired gauge
registry_integrity_ignore_rules_expired{registry="private"} 0.0
registry_integrity_ignore_rules_expired{registry="edge"} 0.0
# HELP registry_integrity_manifests_remembered Manifests that are remembered from one cycle to the next, so that their headers are enough.
# TYPE registry_integrity_manifests_remembered gauge
registry_integrity_manifests_remembered{registry="private"} 60.0
registry_integrity_manifests_remembered{registry="edge"} 0.0
# HELP registry_integrity_manifests_not_remembered Manifests that the last cycle had no room to remember, so that the next fetches them again.
# TYPE registry_integrity_manifests_not_remembered gauge
registry_integrity_manifests_not_remembered{registry="private"} 7.0
registry_integrity_manifests_not_remembered{registry="edge"} 0.0
# HELP registry_integrity_repository_last_verified_timestamp_seconds When a walk of the repository last left nothing unverified, since the epoch.
# TYPE registry_integrity_repository_last_verified_timestamp_seconds gauge
registry_integrity_repository_last_verified_timestamp_seconds{registry="private",repository="base"} 1.7723664e+09
# HELP registry_integrity_last_run_timestamp_seconds When the last cycle ended, whatever its outcome, since the epoch.
# TYPE registry_integrity_last_run_timestamp_seconds gauge
registry_integrity_last_run_timestamp_seconds{registry="private"} 1.7723664e+09
registry_integrity_last_run_timestamp_seconds{registry="edge"} 1.7723664e+09
# HELP registry_integrity_last_success_timestamp_seconds When the last complete cycle ended, since the epoch.
# TYPE registry_integrity_last_success_timestamp_seconds gauge
registry_integrity_last_success_timestamp_seconds{registry="private"} 1.7723664e+09
# HELP registry_integrity_cycle_duration_seconds How long the last cycle took.
# TYPE registry_integrity_cycle_duration_seconds gauge
registry_integrity_cycle_duration_seconds{registry="private"} 8.1
registry_integrity_cycle_duration_seconds{registry="edge"} 0.25
# HELP registry_integrity_build_info The version of this exporter; always 1.
# TYPE registry_integrity_build_info gauge
registry_integrity_build_info{version="1.2.3"} 1.0
# HELP registry_integrity_interval_seconds How often a cycle of the registry shall run.
# TYPE registry_integrity_interval_seconds gauge
registry_integrity_interval_seconds{registry="private"} 900.0
registry_integrity_interval_seconds{registry="edge"} 60.5
# HELP registry_integrity_cycles_total Cycles of the registry that ended, by outcome.
# TYPE registry_integrity_cycles_total counter
registry_integrity_cycles_total{outcome="complete",registry="private"} 1.0
registry_integrity_cycles_total{outcome="incomplete",registry="private"} 0.0
registry_integrity_cycles_total{outcome="failed",registry="private"} 0.0
registry_integrity_cycles_total{outcome="complete",registry="edge"} 0.0
registry_integrity_cycles_total{outcome="incomplete",registry="edge"} 0.0
registry_integrity_cycles_total{outcome="failed",registry="edge"} 2.0
# HELP registry_integrity_cycle_overruns_total Cycles of the registry that took longer than its interval.
# TYPE registry_integrity_cycle_overruns_total counter
registry_integrity_cycle_overruns_total{registry="private"} 0.0
registry_integrity_cycle_overruns_total{registry="edge"} 1.0
# HELP registry_integrity_http_requests_total Requests that this exporter made to the registry; the code is error where there was no answer.
# TYPE registry_integrity_http_requests_total counter
registry_integrity_http_requests_total{code="error",method="GET",registry="private"} 1.0
registry_integrity_http_requests_total{code="200",method="HEAD",registry="private"} 1.0
registry_integrity_http_requests_total{code="404",method="HEAD",registry="private"} 1.0
# HELP registry_integrity_http_request_duration_seconds How long the requests of this exporter to the registry took.
# TYPE registry_integrity_http_request_duration_seconds histogram
registry_integrity_http_request_duration_seconds_bucket{le="0.005",method="GET",registry="private"} 0.0
registry_integrity_http_request_duration_seconds_bucket{le="0.01",method="GET",registry="private"} 0.0
registry_integrity_http_request_duration_seconds_bucket{le="0.025",method="GET",registry="private"} 0.0
registry_integrity_http_request_duration_seconds_bucket{le="0.05",method="GET",registry="private"} 0.0
registry_integrity_http_request_duration_seconds_bucket{le="0.1",method="GET",registry="private"} 0.0
registry_integrity_http_request_duration_seconds_bucket{le="0.25",method="GET",registry="private"} 0.0
registry_integrity_http_request_duration_seconds_bucket{le="0.5",method="GET",registry="private"} 0.0
registry_integrity_http_request_duration_seconds_bucket{le="1.0",method="GET",registry="private"} 0.0
registry_integrity_http_request_duration_seconds_bucket{le="2.5",method="GET",registry="private"} 0.0
registry_integrity_http_request_duration_seconds_bucket{le="5.0",method="GET",registry="private"} 0.0
registry_integrity_http_request_duration_seconds_bucket{le="10.0",method="GET",registry="private"} 0.0
registry_integrity_http_request_duration_seconds_bucket{le="30.0",method="GET",registry="private"} 0.0
registry_integrity_http_request_duration_seconds_bucket{le="60.0",method="GET",registry="private"} 0.0
registry_integrity_http_request_duration_seconds_bucket{le="+Inf",method="GET",registry="private"} 1.0
registry_integrity_http_request_duration_seconds_count{method="GET",registry="private"} 1.0
registry_integrity_http_request_duration_seconds_sum{method="GET",registry="private"} 61.0
registry_integrity_http_request_duration_seconds_bucket{le="0.005",method="HEAD",registry="private"} 1.0
registry_integrity_http_request_duration_seconds_bucket{le="0.01",method="HEAD",registry="private"} 2.0
registry_integrity_http_request_duration_seconds_bucket{le="0.025",method="HEAD",registry="private"} 2.0
registry_integrity_http_request_duration_seconds_bucket{le="0.05",method="HEAD",registry="private"} 2.0
registry_integrity_http_request_duration_seconds_bucket{le="0.1",method="HEAD",registry="private"} 2.0
registry_integrity_http_request_duration_seconds_bucket{le="0.25",method="HEAD",registry="private"} 2.0
registry_integrity_http_request_duration_seconds_bucket{le="0.5",method="HEAD",registry="private"} 2.0
registry_integrity_http_request_duration_seconds_bucket{le="1.0",method="HEAD",registry="private"} 2.0
registry_integrity_http_request_duration_seconds_bucket{le="2.5",method="HEAD",registry="private"} 2.0
registry_integrity_http_request_duration_seconds_bucket{le="5.0",method="HEAD",registry="private"} 2.0
registry_integrity_http_request_duration_seconds_bucket{le="10.0",method="HEAD",registry="private"} 2.0
registry_integrity_http_request_duration_seconds_bucket{le="30.0",method="HEAD",registry="private"} 2.0
registry_integrity_http_request_duration_seconds_bucket{le="60.0",method="HEAD",registry="private"} 2.0
registry_integrity_http_request_duration_seconds_bucket{le="+Inf",method="HEAD",registry="private"} 2.0
registry_integrity_http_request_duration_seconds_count{method="HEAD",registry="private"} 2.0
registry_integrity_http_request_duration_seconds_sum{method="HEAD",registry="private"} 0.011
# HELP registry_integrity_http_retries_total Requests of this exporter to the registry that were made again, by what had gone wrong.
# TYPE registry_integrity_http_retries_total counter
registry_integrity_http_retries_total{reason="timeout",registry="private"} 1.0
# HELP registry_integrity_config_last_reload_successful Whether the configuration was right when it was last read (1) or not (0).
# TYPE registry_integrity_config_last_reload_successful gauge
registry_integrity_config_last_reload_successful 1.0
# HELP registry_integrity_config_last_reload_success_timestamp_seconds When the configuration that counts was read, since the epoch.
# TYPE registry_integrity_config_last_reload_success_timestamp_seconds gauge
registry_integrity_config_last_reload_success_timestamp_seconds 1.7723664e+09
"""  # noqa: E501 - an exposition has lines of any length


async def test_exposition_of_two_registries():
    """Every family stands there once, with its HELP, its series of both registries, and the right values."""
    exporter = Exporter(PRIVATE, EDGE)
    await exporter.publish(PRIVATE_REPORT, EDGE_REPORT)
    exporter.metrics.cycle_ended("private", Outcome.COMPLETE)
    exporter.metrics.cycle_ended("edge", Outcome.FAILED)
    exporter.metrics.cycle_ended("edge", Outcome.FAILED)
    exporter.metrics.cycle_overran("edge")
    requests = exporter.metrics.requests("private")
    requests.requested("HEAD", "200", 0.005)
    requests.requested("HEAD", "404", 0.006)
    requests.requested("GET", "error", 61.0)
    requests.retried("timeout")
    assert own_part(await exporter.text()) == EXPOSITION


async def test_shards_are_told_from_the_start():
    """Of each registry, and only where there are any."""
    third = [replace(one, shard=Shard(2, 8)) for one in (PRIVATE, EDGE)]
    exporter = Exporter(*third)
    assert await exporter.samples("shard_info") == {("private", "2", "8"): 1, ("edge", "2", "8"): 1}
    assert await exporter.samples("shards") == {("private",): 8, ("edge",): 8}


async def test_exposition_before_the_first_report():
    """What is known from the start is there, and nothing is claimed of a registry that was not asked yet."""
    assert own_part(await Exporter(PRIVATE).text()) == (
        "# HELP registry_integrity_build_info The version of this exporter; always 1.\n"
        "# TYPE registry_integrity_build_info gauge\n"
        'registry_integrity_build_info{version="1.2.3"} 1.0\n'
        "# HELP registry_integrity_interval_seconds How often a cycle of the registry shall run.\n"
        "# TYPE registry_integrity_interval_seconds gauge\n"
        'registry_integrity_interval_seconds{registry="private"} 900.0\n'
        "# HELP registry_integrity_cycles_total Cycles of the registry that ended, by outcome.\n"
        "# TYPE registry_integrity_cycles_total counter\n"
        'registry_integrity_cycles_total{outcome="complete",registry="private"} 0.0\n'
        'registry_integrity_cycles_total{outcome="incomplete",registry="private"} 0.0\n'
        'registry_integrity_cycles_total{outcome="failed",registry="private"} 0.0\n'
        "# HELP registry_integrity_cycle_overruns_total"
        " Cycles of the registry that took longer than its interval.\n"
        "# TYPE registry_integrity_cycle_overruns_total counter\n"
        'registry_integrity_cycle_overruns_total{registry="private"} 0.0\n'
        "# HELP registry_integrity_config_last_reload_successful"
        " Whether the configuration was right when it was last read (1) or not (0).\n"
        "# TYPE registry_integrity_config_last_reload_successful gauge\n"
        "registry_integrity_config_last_reload_successful 1.0\n"
        "# HELP registry_integrity_config_last_reload_success_timestamp_seconds"
        " When the configuration that counts was read, since the epoch.\n"
        "# TYPE registry_integrity_config_last_reload_success_timestamp_seconds gauge\n"
        "registry_integrity_config_last_reload_success_timestamp_seconds 1.7723664e+09\n"
    )


async def test_vanished_repository_takes_its_series_with_it():
    """Once a report no longer has a repository, no series names it."""
    exporter = Exporter(PRIVATE)
    await exporter.publish(PRIVATE_REPORT)
    assert "team/app" in await exporter.text()
    await exporter.publish(report(PRIVATE, repository("base", tags=1)))
    text = await exporter.text()
    assert "team/app" not in text
    assert "registry_integrity_unverified_references" not in text
    assert await exporter.samples("tags") == {("private", "base"): 1}


async def test_removed_registry_takes_its_series_with_it():
    """Once it is not served any more, nothing names it; what goes on is counted on, what is new from 0."""
    exporter = Exporter(PRIVATE, EDGE)
    await exporter.publish(PRIVATE_REPORT, EDGE_REPORT)
    private, edge = exporter.metrics.requests("private"), exporter.metrics.requests("edge")
    for requests in (private, edge):
        requests.requested("HEAD", "200", 0.02)
    for name in ("private", "edge"):
        exporter.metrics.cycle_ended(name, Outcome.COMPLETE)
        exporter.metrics.cycle_overran(name)
    exporter.reports.keep({"private"})
    new = ExportedRegistry("new", "https://new.example", 300)
    longer = replace(PRIVATE, interval=1800)
    await exporter.metrics.replace([new, longer], {"new": RequestMetrics(), "private": private})
    assert 'registry="edge"' not in await exporter.text()
    assert await exporter.samples("interval_seconds") == {("new",): 300, ("private",): 1800}
    assert await exporter.samples("tags") == {("private", "base"): 1, ("private", "team/app"): 4}
    assert await exporter.samples("http_requests_total") == {("200", "HEAD", "private"): 1}
    assert await exporter.samples("cycle_overruns_total") == {("new",): 0, ("private",): 1}
    assert (await exporter.samples("cycles_total"))["complete", "private"] == 1
    assert exporter.metrics.not_contacted == ("new",)

    await exporter.metrics.replace([EDGE], {"edge": RequestMetrics()})
    assert 'registry="private"' not in await exporter.text()
    assert (await exporter.samples("cycles_total"))["complete", "edge"] == 0


async def test_configuration_that_was_wrong_is_counted_until_it_is_right():
    """The moment of the last success stays, until there is another."""
    moments = iter([1.0, 2.0])
    configuration = ConfigurationMetrics(lambda: next(moments))

    def values() -> list[float]:
        return [sample.value for family in configuration.collect() for sample in family.samples]

    assert values() == [1, 1.0]
    configuration.failed()
    assert values() == [0, 1.0]
    configuration.succeeded()
    assert values() == [1, 2.0]


async def test_label_values_are_escaped():
    """Quotes, backslashes and line ends come back as they were; half a surrogate pair spoils nothing."""
    hostile = 'a"b\\c\nd{e="f"} 1\n'
    exporter = Exporter(PRIVATE)
    await exporter.publish(
        report(
            PRIVATE, repository("\ud800"), repository(hostile, finding(repository=hostile, tags=(hostile,)))
        )
    )
    assert r'repository="a\"b\\c\nd{e=\"f\"} 1\n"' in await exporter.text()
    assert await exporter.samples("tags") == {("private", hostile): 0, ("private", "\\ud800"): 0}
    (labels,) = await exporter.samples("broken_reference_info")
    assert f"registry.example/{hostile}:{hostile}" in labels


async def test_openmetrics_is_valid_and_says_the_same():
    """Prometheus' own parser reads it; it ends with one `# EOF`; samples are those of the text format."""
    exporter = Exporter(PRIVATE, EDGE)
    await exporter.publish(PRIVATE_REPORT, EDGE_REPORT)
    exporter.metrics.requests("private").requested("HEAD", "200", 0.02)
    written = (await exporter.metrics.scrape(Format.OPENMETRICS)).decode()
    assert written.endswith("\n# EOF\n")
    assert written.count("# EOF") == 1
    assert _own_samples(parse_openmetrics(written)) == _own_samples(parse_text(await exporter.text()))
    assert "# TYPE registry_integrity_cycles counter" in written


def _own_samples(families: Iterator[Metric]) -> list[object]:
    return [
        (sample.name, sorted(sample.labels.items()), sample.value)
        for family in families
        for sample in family.samples
        if sample.name.startswith("registry_integrity_")
    ]


async def test_families_of_reports_read_the_same_in_both_formats():
    """That is why they are written once for both: gauges all, and no HELP needs escaping."""
    reports = {"private": PRIVATE_REPORT, "edge": EDGE_REPORT}
    collector = ReportCollector(lambda: [PRIVATE, EDGE], lambda: reports)
    assert Format.TEXT.write(collector) + b"# EOF\n" == Format.OPENMETRICS.write(collector)
    assert all(family.type == "gauge" and '"' not in family.documentation for family in collector.describe())


@pytest.mark.parametrize("most", [1, 3, 8, 100])
def test_slices_make_the_same_exposition(most: int):
    """However small they are: HELP and TYPE of a family stand there once, and every sample in its place."""
    collector = ReportCollector(
        lambda: [PRIVATE, EDGE], lambda: {"private": PRIVATE_REPORT, "edge": EDGE_REPORT}
    )
    assert bytes(Beginning.of(collector.slices(most)).plain) == Format.TEXT.write(collector)
    assert max(len(family.samples) for family in collector.slices(most)) == min(most, 8)


async def test_an_exposition_is_written_in_slices_of_bounded_size(monkeypatch: pytest.MonkeyPatch):
    """What is written at once lets nothing else run, so it must not grow with the registry."""
    sizes: list[int] = []
    write = Format.write

    def measuring(self: Format, collector: Collector) -> bytes:
        sizes.append(sum(len(family.samples) for family in collector.collect()))
        return write(self, collector)

    exporter = Exporter(PRIVATE)
    monkeypatch.setattr(Format, "write", measuring)
    await exporter.publish(report(PRIVATE, *(repository(f"team/app-{number}") for number in range(1500))))
    assert sum(sizes) > 1500 * 12
    assert max(sizes) <= 500


async def test_promtool_has_nothing_to_say():
    """`promtool check metrics` is silent."""
    exporter = Exporter(PRIVATE, EDGE)
    await exporter.publish(PRIVATE_REPORT, EDGE_REPORT)
    exporter.metrics.requests("private").requested("HEAD", "200", 0.02)
    exporter.metrics.requests("private").retried("timeout")
    checked = await asyncio.to_thread(
        subprocess.run,
        [find_program("promtool"), "check", "metrics"],
        input=await exporter.metrics.scrape(Format.TEXT),
        capture_output=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


@pytest.mark.parametrize("format_", Format)
async def test_gzip_holds_the_same(format_: Format):
    """The joined compressed parts are one gzip member, which holds the whole exposition."""
    exporter = Exporter(PRIVATE)
    for last in (None, PRIVATE_REPORT, report(PRIVATE)):
        if last is not None:
            await exporter.publish(last)
        for names in ((), ("registry_integrity_tags",)):
            compressed = await exporter.metrics.scrape(format_, names, compress=True)
            plain = await exporter.metrics.scrape(format_, names)
            assert _without_process(gzip.decompress(compressed)) == _without_process(plain)
            assert compressed.count(b"\x1f\x8b\x08") == 1


def _without_process(exposition: bytes) -> list[bytes]:
    # The measures of the process differ from one moment to the next.
    return [line for line in exposition.splitlines() if not line.startswith((b"process_", b"python_gc_"))]


async def test_scrape_of_many_repositories_writes_nothing_anew(monkeypatch: pytest.MonkeyPatch):
    """The series are built once for each new report, beside the event loop, however often one scrapes."""
    builders: list[threading.Thread] = []
    slices = ReportCollector.slices

    def counting(self: ReportCollector, most: int) -> Iterator[Metric]:
        builders.append(threading.current_thread())
        return slices(self, most)

    exporter = Exporter(PRIVATE, EDGE)
    monkeypatch.setattr(ReportCollector, "slices", counting)
    await exporter.publish(report(PRIVATE, *(repository(f"team/app-{number}") for number in range(1500))))
    for format_ in (*Format, *Format):
        for compress in (False, True):
            await exporter.metrics.scrape(format_, compress=compress)
    await exporter.metrics.refresh()
    assert len(builders) == 1
    assert (await exporter.text()).count("registry_integrity_tags{") == 1500

    exporter.reports.replace(PRIVATE_REPORT)
    exporter.reports.replace(EDGE_REPORT)
    await asyncio.gather(exporter.metrics.refresh(), exporter.metrics.refresh())
    assert len(builders) == 2
    assert threading.main_thread() not in builders


async def test_scrape_does_not_wait_for_a_report_being_written(monkeypatch: pytest.MonkeyPatch):
    """While a new report is written out, a scrape shows the whole of the one before."""
    exporter = Exporter(PRIVATE)
    await exporter.publish(PRIVATE_REPORT)
    before = own_part(await exporter.text())
    begun, go_on = asyncio.Event(), threading.Event()
    loop, slices = asyncio.get_running_loop(), ReportCollector.slices

    def slow(self: ReportCollector, most: int) -> Iterator[Metric]:
        loop.call_soon_threadsafe(begun.set)
        assert go_on.wait(30)
        return slices(self, most)

    monkeypatch.setattr(ReportCollector, "slices", slow)
    async with asyncio.TaskGroup() as group:
        group.create_task(exporter.publish(report(PRIVATE)))
        await begun.wait()
        during = own_part(await exporter.text())
        go_on.set()
    assert during == before
    assert "team/app" not in await exporter.text()


async def test_names_select_samples():
    """`name[]` gives the samples of these names, whoever collects them, and nothing for unknown names."""
    exporter = Exporter(PRIVATE)
    await exporter.publish(PRIVATE_REPORT)
    selected = await exporter.text(
        "registry_integrity_stuck_references", "registry_integrity_build_info", "python_info", "nonsense"
    )
    assert {line.partition("{")[0] for line in selected.splitlines() if not line.startswith("#")} == {
        "registry_integrity_stuck_references",
        "registry_integrity_build_info",
        "python_info",
    }
    assert await exporter.text("nonsense") == ""
    assert await exporter.metrics.scrape(Format.OPENMETRICS, ["nonsense"]) == b"# EOF\n"


EARLIER = NOON - timedelta(hours=3)
OF_ALL_SORTS = report(
    PRIVATE,
    PRIVATE_REPORT.repositories["team/app"],
    PRIVATE_REPORT.repositories["base"],
    repository("hidden", finding(verdict=Verdict.SKIPPED), tags=2, ignored=1, last_verified=EARLIER),
    repository("stale", tags=8, stale=1, last_verified=EARLIER),
    repository("stuck", tags=16, stuck=1),
    repository("unverified", finding(verdict=Verdict.UNVERIFIED, reason=Reason.TIMEOUT), tags=32),
    repository("unwalked"),
)


async def test_repositories_with_something_to_tell_have_series_of_their_own():
    """With `broken`; the others are added up in series without a repository."""
    exporter = Exporter(replace(PRIVATE, per_repository=PerRepository.BROKEN))
    await exporter.publish(OF_ALL_SORTS)
    assert await exporter.samples("tags") == {
        ("private", ""): 3,
        ("private", "stale"): 8,
        ("private", "stuck"): 16,
        ("private", "team/app"): 4,
        ("private", "unverified"): 32,
    }
    assert await exporter.samples("broken_tags") == {
        ("private", ""): 0,
        **dict.fromkeys([("private", "stale"), ("private", "stuck"), ("private", "unverified")], 0),
        ("private", "team/app"): 3,
    }
    checked = await exporter.samples("checked_references")
    assert {key[2]: value for key, value in checked.items() if key[0] == "layer"} == {
        "": 1, "stale": 0, "stuck": 0, "team/app": 12, "unverified": 0
    }  # fmt: skip
    assert {repository for _, _, _, repository in await exporter.samples("unverified_references")} == {
        "team/app",
        "unverified",
    }
    assert (await exporter.samples("stale_references"))["private", ""] == 0
    assert (await exporter.samples("stuck_references"))["private", ""] == 0
    assert await exporter.samples("repository_last_verified_timestamp_seconds") == {
        ("private", ""): EARLIER.timestamp(),
        ("private", "stale"): EARLIER.timestamp(),
    }


async def test_no_repository_has_series_of_its_own():
    """With `none`; what is broken is still listed one by one, as far as `max_broken_info` allows."""
    exporter = Exporter(replace(PRIVATE, per_repository=PerRepository.NONE))
    await exporter.publish(OF_ALL_SORTS)
    told = (await exporter.text()).split("# HELP registry_integrity_broken_reference_info")
    assert 'repository="team/app"' not in told[0]
    assert told[1].count('repository="team/app"') == 4
    assert await exporter.samples("tags") == {("private", ""): 63}
    assert await exporter.samples("broken_tags") == {("private", ""): 3}
    assert await exporter.samples("checked_references") == {
        (kind, "private", ""): number
        for kind, number in [("tag", 5), ("child", 7), ("config", 6), ("layer", 13)]
    }
    assert await exporter.samples("broken_references") == {
        (kind, "private", ""): number
        for kind, number in [("tag", 1), ("child", 1), ("config", 0), ("layer", 1)]
    }
    assert await exporter.samples("unverified_references") == {
        ("child", "server_error", "private", ""): 1,
        ("child", "timeout", "private", ""): 3,
    }
    assert await exporter.samples("stale_references") == {("private", ""): 2}
    assert await exporter.samples("stuck_references") == {("private", ""): 3}


@pytest.mark.parametrize("told", PerRepository)
async def test_sums_over_repositories_are_the_same_whichever_are_told(told: PerRepository):
    """What is not told by itself is not lost, or a query over a registry would be wrong."""
    names = ("tags", "broken_tags", "checked_references", "broken_references", "unverified_references")
    sums = []
    for registry in (PRIVATE, replace(PRIVATE, per_repository=told)):
        exporter = Exporter(registry)
        await exporter.publish(OF_ALL_SORTS)
        sums.append([sum((await exporter.samples(name)).values()) for name in (*names, "stale_references")])
    assert sums[0] == sums[1] == [63, 3, 31, 3, 4, 2]


async def test_a_repository_is_told_while_it_is_in_trouble():
    """Before and after it is among the rest, whose sums change with it."""
    exporter = Exporter(replace(PRIVATE, per_repository=PerRepository.BROKEN))
    intact = repository("team/app", tags=4, last_verified=NOON)
    for last, tags in [
        (intact, {("private", ""): 4}),
        (replace(intact, findings=(finding(),)), {("private", ""): 0, ("private", "team/app"): 4}),
        (intact, {("private", ""): 4}),
    ]:
        await exporter.publish(report(PRIVATE, last))
        assert await exporter.samples("tags") == tags


@pytest.mark.parametrize(
    ("repositories", "oldest"),
    [
        ([], None),
        ([repository("never walked")], None),
        ([repository("never walked"), repository("a", last_verified=NOON)], NOON),
        ([repository("a", last_verified=NOON), repository("b", last_verified=EARLIER, stale=1)], EARLIER),
        ([repository("a", last_verified=NOON), repository("never verified", stale=1)], None),
        ([repository("never verified", finding(verdict=Verdict.UNVERIFIED))], None),
    ],
    ids=lambda value: " and ".join(one.name for one in value) if isinstance(value, list) else "",
)
async def test_the_rest_was_verified_when_the_last_of_it_was(
    repositories: list[RepositoryReport], oldest: datetime | None
):
    """The oldest time counts; there is none while something in trouble has never been verified."""
    exporter = Exporter(replace(PRIVATE, per_repository=PerRepository.NONE))
    await exporter.publish(report(PRIVATE, *repositories))
    expected = {} if oldest is None else {("private", ""): oldest.timestamp()}
    assert await exporter.samples("repository_last_verified_timestamp_seconds") == expected


async def test_images_by_digest_are_named_as_workloads_write_them():
    """The image of a finding has its digest behind an @; what an ignore rule hides has no series at all."""
    exporter = Exporter(PRIVATE)
    root = finding(kind=Kind.TAG, platform=None, tags=(f"@{LAYER}",), digest=LAYER)
    hidden = finding(verdict=Verdict.SKIPPED, digest=Digest.of(b"1"))
    await exporter.publish(report(PRIVATE, repository("team/app", root, hidden)))
    (labels,) = await exporter.samples("broken_reference_info")
    assert f"registry.example/team/app@{LAYER}" in labels
    assert f"@{LAYER}" in labels
    assert await exporter.samples("broken_tags") == {("private", "team/app"): 1}
    assert sum((await exporter.samples("broken_references")).values()) == 1
    assert await exporter.samples("unverified_references") == {}


async def test_long_lists_of_broken_references_are_cut():
    """The first ones in their fixed order are listed, and the others counted."""
    few = replace(PRIVATE, max_broken_info=2)
    exporter = Exporter(few)
    await exporter.publish(
        report(
            few,
            repository("b", finding(repository="b", tags=("2", "1"))),
            repository("a", finding(repository="a", tags=("z",))),
        )
    )
    listed = [
        re.sub(r'.*repository="(.)".*tag="(.)".*', r"\1:\2", line)
        for line in (await exporter.text()).splitlines()
        if line.startswith("registry_integrity_broken_reference_info")
    ]
    assert listed == ["a:z", "b:1"]
    assert await exporter.samples("broken_references_not_listed") == {("private",): 1}


@pytest.mark.parametrize(
    ("url", "image_host", "prefix"),
    [
        ("https://registry.example", None, "registry.example"),
        ("https://registry.example:443/", None, "registry.example"),
        ("http://registry.example:443", None, "registry.example:443"),
        ("http://Registry.example:80", None, "registry.example"),
        ("https://registry.example:5000/path/to/", None, "registry.example:5000/path/to"),
        ("http://[::1]:5000", None, "[::1]:5000"),
        ("https://user:secret@registry.example", None, "registry.example"),
        ("https://registry.internal:5000", "registry.example/cache/", "registry.example/cache"),
    ],
)
def test_image_prefix(url: str, image_host: str | None, prefix: str):
    """Images are named as workloads name them."""
    assert ExportedRegistry("r", url, 60, image_host).image_prefix == prefix


async def test_registry_is_contacted_by_any_request_or_by_the_end_of_a_cycle():
    """An error is a contact too: what matters is that there was time to try."""
    exporter = Exporter(PRIVATE, EDGE)
    assert exporter.metrics.not_contacted == ("private", "edge")
    exporter.metrics.requests("edge").requested("GET", "error", 10.0)
    assert exporter.metrics.not_contacted == ("private",)
    exporter.metrics.cycle_ended("private", Outcome.FAILED)
    assert exporter.metrics.not_contacted == ()


async def test_durations_fall_into_their_buckets():
    """A bucket includes its bound; the last one holds all; the sum is of seconds."""
    exporter = Exporter(PRIVATE)
    for seconds in (0.0, 0.005, 0.00501, 60.0, 60.1):
        exporter.metrics.requests("private").requested("GET", "200", seconds)
    buckets = await exporter.samples("http_request_duration_seconds_bucket")
    by_bound = {float(bound): count for (bound, _, _), count in buckets.items()}
    assert (by_bound[0.005], by_bound[0.01], by_bound[60.0], by_bound[math.inf]) == (2, 3, 4, 5)
    assert await exporter.samples("http_request_duration_seconds_count") == {("GET", "private"): 5}
    (total,) = (await exporter.samples("http_request_duration_seconds_sum")).values()
    assert total == pytest.approx(120.11001)


def described() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Type and labels of all families that the collectors promise, by the name that a query uses."""
    exporter = Exporter(PRIVATE)
    registries = (exporter.metrics.registry, exporter.metrics._live)
    collectors = [collector for registry in registries for collector in registry._collector_to_names]
    return {
        family.name + ("_total" if family.type == "counter" else ""): (family.type, family._labelnames)
        for collector in collectors
        if isinstance(collector, ReportCollector | LiveCollector | ConfigurationMetrics)
        for family in collector.describe()
    }


async def test_described_families_are_those_collected():
    """What `describe` promises is what `collect` builds, labels included."""
    exporter = Exporter(PRIVATE, replace(EDGE, shard=Shard(3, 8)))
    await exporter.publish(PRIVATE_REPORT, EDGE_REPORT)
    exporter.metrics.requests("private").requested("HEAD", "200", 0.02)
    exporter.metrics.requests("private").retried("timeout")
    collected = {
        family.name + ("_total" if family.type == "counter" else ""): (
            family.type,
            {label for sample in family.samples for label in sample.labels} - {"le"},
        )
        for family in exporter.metrics.registry.collect()
        if family.name.startswith("registry_integrity_")
    }
    assert collected == {name: (type_, set(labels)) for name, (type_, labels) in described().items()}


def documented() -> Mapping[str, re.Match[str]]:
    """The sections of the document by metric."""
    section = re.compile(
        r"^### `(?P<name>\w+)`\n\n(?P<type>\w+), labels: (?P<labels>[^.]*)\.\n\n(?P<meaning>.*?)"
        r"\n\n```promql\n(?P<query>.*?)\n```$",
        re.MULTILINE | re.DOTALL,
    )
    text = DOCUMENT.read_text()
    found = {match["name"]: match for match in section.finditer(text)}
    assert len(found) == text.count("\n### ")
    return found


def test_documentation_has_every_metric():
    """docs/metrics.md tells of each metric, and of no other, with its type and its labels in their order."""
    told = {
        name: (match["type"].lower(), tuple(re.findall(r"`(\w+)`", match["labels"])))
        for name, match in documented().items()
    }
    assert told == described()


def test_documented_queries_are_valid(tmp_path: Path):
    """Each example names its metric, and Prometheus accepts it."""
    for name, match in documented().items():
        assert name in match["query"]
    rules = [
        {"record": f"example:{number}", "expr": match["query"]}
        for number, match in enumerate(documented().values())
    ]
    path = tmp_path / "examples.rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "examples", "rules": rules}]}))
    checked = subprocess.run(
        [find_program("promtool"), "check", "rules", path], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
