"""Writes the table of docs/metrics.md from the collectors, between its marks.

`make metrics` runs it; tests/project/test_metrics_page.py says when it is no longer current.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from prometheus_client.core import Metric

from exporter.metrics import ConfigurationMetrics
from exporter.metrics.live import CycleMetrics, LiveCollector
from exporter.metrics.reports import ReportCollector

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "metrics.md"
BEGIN: Final = "<!-- begin: all metrics, written by `make metrics` -->\n"
END: Final = "<!-- end -->"


def families() -> Iterator[Metric]:
    """Every family that the exporter itself may show, without samples."""
    yield from ReportCollector(lambda: (), dict).describe()
    yield from LiveCollector(lambda: (), dict, CycleMetrics(()), "").describe()
    yield from ConfigurationMetrics().describe()


def table() -> str:
    """Write a row for each, with its name as a query has it."""
    rows = [
        f"| [`{name}`](#{name}) | {family.type} | {_labels(family)} | {family.documentation} |"
        for family in families()
        for name in [family.name + ("_total" if family.type == "counter" else "")]
    ]
    return "\n".join(["| Metric | Type | Labels | Help |", "| --- | --- | --- | --- |", *rows])


def page(text: str) -> str:
    """Write the page with its table anew.

    Raises:
        SystemExit: it has no place for it, or several.
    """
    if text.count(BEGIN) != 1:
        raise SystemExit(f"{PAGE}: expected one place for the table, marked {BEGIN}")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n\n{END}{after}"


def _labels(family: Metric) -> str:
    # Only a family's own kind knows its labels while it has no samples, and has no public name for them.
    labels: tuple[str, ...] = vars(family)["_labelnames"]
    return ", ".join(f"`{label}`" for label in labels)


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
