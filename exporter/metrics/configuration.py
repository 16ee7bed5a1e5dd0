"""Metrics of the configuration: whether it could be read when it was last read."""

import time
from collections.abc import Callable, Iterable

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from exporter.metrics.registries import PREFIX


class ConfigurationMetrics(Collector):
    """How reading the configuration again went. That it was read at the start counts as a first success."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        """Begin with a success; `now` tells the present moment in seconds since the epoch."""
        self._now = now
        self.succeeded()

    def succeeded(self) -> None:
        """Take note that it was read, and took effect."""
        self._successful = True
        self._success_time = self._now()

    def failed(self) -> None:
        """Take note that it was wrong, and changed nothing."""
        self._successful = False

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Name all families, with no samples."""
        return _families()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Build the families."""
        successful, success_time = _families()
        successful.add_metric([], self._successful)
        success_time.add_metric([], self._success_time)
        return successful, success_time


def _families() -> tuple[GaugeMetricFamily, GaugeMetricFamily]:
    return (
        GaugeMetricFamily(
            f"{PREFIX}config_last_reload_successful",
            "Whether the configuration was right when it was last read (1) or not (0).",
            labels=(),
        ),
        GaugeMetricFamily(
            f"{PREFIX}config_last_reload_success_timestamp_seconds",
            "When the configuration that counts was read, since the epoch.",
            labels=(),
        ),
    )
