from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from tests.parts.exporter import Exporter
from tests.parts.fixtures import StartPrometheus
from tests.parts.prometheus import Prometheus
from tests.parts.rules import shortened_rules


class StartExporter(Protocol):
    def __call__(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Exporter: ...


class Watch(Protocol):
    def __call__(self, *exporters: Exporter) -> Prometheus: ...


@pytest.fixture
def start_exporter(running: ExitStack, tmp_path: Path) -> StartExporter:
    """Start `serve` with quick settings."""

    def start(*arguments: str, environment: Mapping[str, str] | None = None) -> Exporter:
        return running.enter_context(Exporter(tmp_path, *arguments, environment=environment))

    return start


@pytest.fixture
def watch(start_prometheus: StartPrometheus, tmp_path: Path) -> Watch:
    """Start a Prometheus that scrapes some exporters and loads the shipped rules, shortened."""

    def start(*exporters: Exporter) -> Prometheus:
        hosts = [exporter.host for exporter in exporters]
        return start_prometheus({"registry-integrity": hosts}, rules=[shortened_rules(tmp_path)])

    return start
