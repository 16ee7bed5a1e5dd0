"""The program itself, run as its users run it."""

import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.parts.process import Process
from tests.parts.waiting import wait_until

# Quick where the defaults are slow; each test that is about one of them sets it itself.
QUICK: Mapping[str, str] = {
    "REGISTRY_INTEGRITY_INTERVAL": "1s",
    "REGISTRY_INTEGRITY_CONFIRM_DELAY": "200ms",
    "REGISTRY_INTEGRITY_SUSPECT_DELAY": "500ms",
}


class Exporter:
    """A running `serve`; stopped at the end of a `with` statement."""

    def __init__(self, folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        self.process = Process(
            [
                sys.executable,
                "-m",
                "exporter",
                "serve",
                "--listen-address=127.0.0.1:0",
                "--log-format=json",
                *arguments,
            ],
            name="exporter",
            environment={**QUICK, **(environment or {})},
            folder=folder,
        )
        try:
            serving = self.process.wait_for_line(
                r'"event": "serving".*"addresses": \["(?:http://)?([^"/]+)', 30.0
            )
        except BaseException:
            self.process.stop()
            raise
        self.host = serving[1]
        self.url = f"http://{self.host}"

    async def samples(self, name: str) -> list[Sample]:
        """Scrape once; return one metric's samples."""
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"{self.url}/metrics")
        families = text_string_to_metric_families(answer.raise_for_status().text)
        wanted = f"registry_integrity_{name}"
        return [sample for family in families for sample in family.samples if sample.name == wanted]

    async def value(self, name: str, **labels: str) -> float | None:
        """Scrape once; return the value of the one series with these labels, None where there is none."""
        found = [sample for sample in await self.samples(name) if labels.items() <= sample.labels.items()]
        if len(found) > 1:
            raise AssertionError(f"{name} {labels} is not one series: {found}")
        return found[0].value if found else None

    async def cycles(self) -> int:
        """How many cycles have ended."""
        return int(sum(sample.value for sample in await self.samples("cycles_total")))

    async def wait_for_cycles(self, count: int = 1, deadline: float = 60.0) -> None:
        """Wait until so many more cycles have ended. One that is under way now counts only if more follow."""
        target = await self.cycles() + count
        await wait_until(self.cycles, lambda ended: ended >= target, deadline, what=f"{target} ended cycles")

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The lines that it logged of one event."""
        lines = (json.loads(line) for line in self.process.lines if line.startswith("{"))
        return [line for line in lines if re.search(event, line["event"])]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.stop()


def run(
    *arguments: str, folder: Path, environment: Mapping[str, str] | None = None, deadline: float = 120.0
) -> tuple[int, list[str]]:
    """Run any command of the program to its end; return its exit status and its lines."""
    with Process(
        [sys.executable, "-m", "exporter", *arguments],
        name="exporter",
        environment={**QUICK, **(environment or {})},
        folder=folder,
    ) as process:
        status = process.wait(deadline)
        return status, process.lines


def probe(
    *registries: str,
    folder: Path,
    arguments: Iterable[str] = (),
    environment: Mapping[str, str] | None = None,
) -> tuple[int, dict[str, Any]]:
    """Run `probe --output json`; return its exit status and its document."""
    flags = [f"--registry={registry}" for registry in registries]
    output = folder / "probe.json"
    # What goes to standard output alone is the document: the shell keeps the streams apart.
    command = 'exec "$0" "$@" > "$PROBE_OUTPUT"'
    with Process(
        ["sh", "-c", command, sys.executable, "-m", "exporter", "probe", "--output=json", *flags, *arguments],
        name="exporter",
        environment={**QUICK, "PROBE_OUTPUT": str(output), **(environment or {})},
        folder=folder,
    ) as process:
        status = process.wait(120.0)
    return status, json.loads(output.read_text("utf-8"))
