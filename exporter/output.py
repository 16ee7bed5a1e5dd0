"""What `probe` prints: one JSON document, or a table for people."""

import io
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from exporter.integrity import Finding, Impact, Kind, Outcome, Reason, Report, Verdict, image_of
from exporter.logs import printable

_MOST_TAGS_SHOWN: Final = 3
_STYLES: Final = {Verdict.BROKEN: "bold red", Verdict.UNVERIFIED: "yellow", Verdict.SKIPPED: "dim"}
_COLUMNS: Final = {"VERDICT": Verdict, "REASON": Reason, "IMPACT": Impact, "KIND": Kind}
_WIDTHS: Final = tuple(max(len(word) for word in (title, *words)) for title, words in _COLUMNS.items())


class OutputFormat(StrEnum):
    """For whom it is printed: people or machines."""

    TABLE = "table"
    JSON = "json"


def exit_status(reports: Iterable[Report]) -> int:
    """Tell what the process ends with: 0 intact, 1 something broken, 3 not everything could be verified."""
    reports = tuple(reports)
    if any(_count(report, Verdict.BROKEN) for report in reports):
        return 1
    return 0 if all(_verified(report) for report in reports) else 3


def render_json(reports: Iterable[Report]) -> str:
    """Write the document of `--output json`."""
    written = io.StringIO()  # `dumps` would hold every piece of it in a list first
    json.dump({"registries": [_registry(report) for report in reports]}, written, indent=2)
    return written.getvalue() + "\n"


def render_table(reports: Iterable[Report], console: Console) -> None:
    """Print, for each registry, one line that sums it up, and its findings below.

    Where the console is no terminal, lines are not wrapped, so that other programs find whole ones.
    """
    for position, report in enumerate(reports):
        if position:
            console.line()
        print_folded(console, _summary(report))
        if report.trouble is not None:
            print_folded(console, Text(printable(report.trouble), "yellow"), indent=2)
        findings = tuple(report.findings())
        if findings:
            print_folded(console, _row((*_COLUMNS, "PLATFORM"), "dim"), indent=2)
        for finding in findings:
            _print_finding(console, finding)


def _registry(report: Report) -> dict[str, Any]:
    return {
        "registry": report.registry,
        "url": report.url,
        "kind": report.kind.value,
        "outcome": report.outcome.value,
        "catalog_accessible": report.catalog_accessible,
        "started_at": _moment(report.started_at),
        "finished_at": _moment(report.finished_at),
        "duration_seconds": round(report.duration_seconds, 3),
        "requests": report.requests,
        "extra_requests": {purpose.value: count for purpose, count in report.extra_requests.items()},
        "repositories": len(report.repositories),
        "tags": report.tags,
        "broken_tags": report.broken_tags,
        "checked": {kind.value: count for kind, count in report.checked.items()},
        "findings": [_finding(finding) for finding in report.findings()],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "verdict": finding.verdict.value,
        "reason": finding.reason.value,
        "impact": finding.impact.value,
        "stale": finding.stale,
        "repository": finding.repository,
        "kind": finding.kind.value,
        "digest": finding.digest,
        "media_type": finding.media_type,
        "size": finding.size,
        "platform": finding.platform,
        "tags": list(finding.tags),
        "detail": finding.detail,
        "first_seen": _moment(finding.first_seen),
    }


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _count(report: Report, verdict: Verdict) -> int:
    return sum(finding.verdict is verdict for finding in report.findings())


def _verified(report: Report) -> bool:
    walked = report.outcome is Outcome.COMPLETE and report.catalog_accessible
    return walked and not _count(report, Verdict.UNVERIFIED)


def _summary(report: Report) -> Text:
    broken, unverified = _count(report, Verdict.BROKEN), _count(report, Verdict.UNVERIFIED)
    ignored = _count(report, Verdict.SKIPPED)
    if broken:
        tags = f", {counted(report.broken_tags, 'tag')} cannot be pulled" if report.broken_tags else ""
        verdict = Text(f"{counted(broken, 'broken reference')}{tags}", _STYLES[Verdict.BROKEN])
    elif _verified(report):
        verdict = Text("all intact", "green")
    elif report.outcome is Outcome.FAILED or not report.catalog_accessible:
        verdict = Text("the catalog could not be read", _STYLES[Verdict.UNVERIFIED])
    else:
        verdict = Text(
            "nothing broken was found, but not everything could be verified", _STYLES[Verdict.UNVERIFIED]
        )
    if unverified:
        verdict.append(f"; {counted(unverified, 'unverified reference')}")
    if ignored:
        verdict.append(f"; {counted(ignored, 'ignored reference')}")
    walked = ", ".join(
        (
            counted(len(report.repositories), "repository", "repositories"),
            counted(report.tags, "tag"),
            counted(sum(report.checked.values()), "reference"),
        )
    )
    return Text.assemble(
        (printable(report.registry), "bold"), ": ", verdict, f" ({walked} in {report.duration_seconds:.1f} s)"
    )


def counted(number: int, one: str, many: str | None = None) -> str:
    """Write a number of things: `many` is their word where it is not `one` with an s."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def _print_finding(console: Console, finding: Finding) -> None:
    words = (finding.verdict, finding.reason, finding.impact, finding.kind)
    platform = "-" if finding.platform is None else printable(finding.platform)
    row = _row((*words, platform), _STYLES.get(finding.verdict, ""))
    if finding.stale:
        row.append("  (stale)")
    print_folded(console, row, indent=2)
    print_folded(console, Text(_image(finding.repository, finding.tags)), indent=4)
    if finding.digest is not None:
        print_folded(console, Text(finding.digest), indent=4)
    print_folded(console, Text(printable(finding.detail)), indent=4)


def _row(words: Sequence[str], style: str) -> Text:
    *narrow, last = words
    cells = [word.ljust(width) for word, width in zip(narrow, _WIDTHS, strict=True)]
    return Text("  ".join((*cells, last)), style)


def _image(repository: str, tags: Sequence[str]) -> str:
    if not tags:
        return printable(repository)
    shown = ", ".join(islice(tags, _MOST_TAGS_SHOWN))
    left = len(tags) - _MOST_TAGS_SHOWN
    more = f" and {counted(left, 'more tag')}" if left > 0 else ""
    return printable(f"{image_of(repository, shown)}{more}")


def print_folded(console: Console, text: Text, indent: int = 0) -> None:
    """Print a line: on a terminal folded, each part of it indented, so that nothing is cut."""
    lines: Iterable[Text] = (text,)
    if console.is_terminal:
        # A digest of which a part is missing is of no use.
        lines = text.wrap(console, max(1, console.width - indent), overflow="fold")
    for line in lines:
        console.print(Text(" " * indent) + line, soft_wrap=True)
