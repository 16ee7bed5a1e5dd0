"""The status page: what it shows, taken from the last reports."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from exporter.daemon import LastReports
from exporter.integrity.finding import Finding
from exporter.integrity.report import Report
from exporter.integrity.shards import Shard

_MOST_FINDINGS: Final = 200
_MOST_TAGS: Final = 10
_TEMPLATES: Final = Environment(
    loader=PackageLoader("exporter.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class _Row:
    """One registry; `report` is None while its first cycle runs."""

    name: str
    url: str
    report: Report | None


@dataclass(frozen=True, slots=True)
class _Found:
    registry: str
    finding: Finding

    @property
    def tags(self) -> str:
        shown = ", ".join(self.finding.tags[:_MOST_TAGS])
        more = len(self.finding.tags) - _MOST_TAGS
        return f"{shown} and {more} more" if more > 0 else shown


class StatusPage:
    """The page of one exporter."""

    def __init__(
        self, version: str, urls: Mapping[str, str], reports: LastReports, shard: Shard | None = None
    ) -> None:
        self._version = version
        self._shard = shard
        self._urls = urls
        self._reports = reports
        self._template = _TEMPLATES.get_template("index.html")

    def render(self) -> bytes:
        """Write the page as it is now, in UTF-8."""
        reports = self._reports.snapshot
        rows = [_Row(name, url, reports.get(name)) for name, url in self._urls.items()]
        found = list(islice(_findings(rows), _MOST_FINDINGS))
        page = self._template.render(
            version=self._version,
            shard=self._shard,
            rows=rows,
            found=found,
            not_shown=sum(1 for _ in _findings(rows)) - len(found),
            moment=_moment,
        )
        # A registry's JSON may hold half a surrogate pair, which UTF-8 cannot express.
        return page.encode("utf-8", "replace")


def _findings(rows: list[_Row]) -> Iterator[_Found]:
    for row in rows:
        if row.report is not None:
            for finding in row.report.findings():
                yield _Found(row.name, finding)


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
