"""What is detected: every damage, to every part of an image, under every setting, as a table.

`python -m tests.integrity.detection` writes the table into docs/detection.md, between its two marks;
test_detection.py says when that is no longer what happens. The registry is the in-process one, which
tests/sample compares with the real one over the same damage.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import stamina
import structlog

from exporter.integrity import Report
from sample import content as make
from sample.content import Content
from sample.damage import Damage
from sample.registry import RegistryOptions
from tests.integrity.cycles import cycle_over
from tests.integrity.virtual_time import run
from tests.parts.deeds import DEEDS, Deed
from tests.parts.registry_in_process import InProcessRegistry

PAGE: Final = Path(__file__).parents[2] / "docs" / "detection.md"
BEGIN: Final = "<!-- begin of what `make detection` writes -->"
END: Final = "<!-- end of what `make detection` writes -->"

_REPOSITORY: Final = "team/app"
_TAG: Final = "latest"


class Setting(StrEnum):
    """What the registry and the program remember when the damage is done."""

    NO_CACHE = "no cache"
    WARM = "cache, warm"  # everything was pushed and walked since the registry started
    COLD = "cache, restarted"


class Image(StrEnum):
    """Which part of a multi-platform image is hit."""

    PLATFORM = "a platform's"
    ATTESTATION = "an attestation's"


@dataclass(frozen=True)
class Row:
    """One damage, and what is said of it under each setting."""

    damage: str
    image: str
    cells: tuple[str, ...]


def image() -> Content:
    """A multi-platform image with attestations."""
    return make.multi_platform("detection", attestations=True)


def hit(deed: Deed, part: Image, content: Content, damage: Damage) -> None:
    """Do a damage to one part of the image."""
    if part is Image.ATTESTATION:
        attestation = next(
            child.digest for child in content.root.children if child.platform == "unknown/unknown"
        )
        only = Content((content.manifest(attestation), content.root), content.blobs)
        deed.do(damage, _REPOSITORY, only, _TAG)
    else:
        deed.do(damage, _REPOSITORY, content, _TAG)


async def report_after(deed: Deed, part: Image, setting: Setting, *, later: bool) -> Report:
    """Push, walk if it is a `later` cycle that meets the damage, damage, walk."""
    content = image()
    with InProcessRegistry(RegistryOptions(cache=setting is not Setting.NO_CACHE)) as registry:
        await registry.push(_REPOSITORY, content, _TAG)
        await registry.push("team/other", make.image("other"), _TAG)
        cycle = cycle_over(registry.url, registry.transport)
        previous = await cycle.run(None) if later or setting is Setting.WARM else None
        if setting is Setting.COLD:
            registry.restart()
        hit(deed, part, content, registry.damage)
        if not later:
            cycle = cycle_over(registry.url, registry.transport)
        return await cycle.run(previous if later else None)


def cell(report: Report) -> str:
    """Tell in a few words what a report says."""
    said = sorted({f"{one.verdict} `{one.reason}`, {one.kind}, {one.impact}" for one in report.findings()})
    if said:
        return "; ".join(said)
    repository = report.repositories.get(_REPOSITORY)
    if repository is None:
        return "no repository, so nothing"
    return "intact" if repository.tags else "no tag, so nothing"


def rows() -> Iterator[Row]:
    """Every damage to every part."""
    for deed in DEEDS:
        for part in Image:
            if part is Image.ATTESTATION and deed.target not in {"child", "config", "layer"}:
                continue
            cells = tuple(_both_cycles(deed, part, setting) for setting in Setting)
            whose = f"{part} {deed.target}" if deed.target in {"child", "config", "layer"} else deed.target
            yield Row(deed.operation.replace("_", " "), whose, cells)


def _both_cycles(deed: Deed, part: Image, setting: Setting) -> str:
    first, later = (cell(run(report_after(deed, part, setting, later=later))) for later in (False, True))
    return first if first == later else f"first cycle: {first}; later: {later}, until it is fetched again"


def table() -> str:
    """Write the table in Markdown."""
    lines = [
        "| damage | to | " + " | ".join(Setting) + " |",
        "| --- | --- |" + " --- |" * len(Setting),
    ]
    lines += [f"| {row.damage} | {row.image} | " + " | ".join(row.cells) + " |" for row in rows()]
    return "\n".join(lines)


def page_with(written: str) -> str:
    """The page with another table."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{written}\n\n{END}{after}"


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    stamina.instrumentation.set_on_retry_hooks(())
    PAGE.write_text(page_with(table()), "utf-8")
