"""Metrics that move while a cycle runs: the exporter's own requests and how its cycles go."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Final

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from exporter.integrity.report import Outcome
from exporter.metrics.registries import PREFIX, ExportedRegistry

# A blob's headers take a registry milliseconds, a catalog on object storage up to a minute.
_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_BUCKETS: Final = (*map(str, _BOUNDS), "+Inf")


class RequestMetrics:
    """The requests to one registry; what a client takes as its `RequestObserver`.

    Plain numbers, read when somebody scrapes: a registry is asked thousands of times in between, and
    prometheus_client's own counters take a lock each time. To be told by one thread only.
    """

    __slots__ = ("_durations", "_requests", "_retries")

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, str]] = Counter()
        self._retries: Counter[str] = Counter()
        self._durations: defaultdict[str, _Durations] = defaultdict(_Durations)

    @property
    def contacted(self) -> bool:
        """Whether any request was answered, or has failed."""
        return bool(self._requests)

    def requested(self, method: str, code: str, seconds: float) -> None:
        """Count one request; `code` is the status, or `error` when there was no answer."""
        self._requests[method, code] += 1
        self._durations[method].add(seconds)

    def retried(self, reason: str) -> None:
        """Count one request that is made again."""
        self._retries[reason] += 1

    def export(
        self,
        registry: str,
        requests: CounterMetricFamily,
        durations: HistogramMetricFamily,
        retries: CounterMetricFamily,
    ) -> None:
        """Add what was counted to the families."""
        # Copied first, since another thread may be reading while the event loop counts.
        for (method, code), count in sorted(self._requests.copy().items()):
            requests.add_metric([registry, method, code], count)
        for method, measured in sorted(self._durations.copy().items()):
            durations.add_metric([registry, method], measured.buckets(), measured.seconds)
        for reason, count in sorted(self._retries.copy().items()):
            retries.add_metric([registry, reason], count)


class _Durations:
    __slots__ = ("_counts", "seconds")

    def __init__(self) -> None:
        self._counts = [0] * len(_BUCKETS)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        self._counts[bisect_left(_BOUNDS, seconds)] += 1
        self.seconds += seconds

    def buckets(self) -> list[tuple[str, float]]:
        return list(zip(_BUCKETS, accumulate(self._counts), strict=True))


class CycleMetrics:
    """How the cycles of all registries went."""

    def __init__(self, registries: Sequence[ExportedRegistry]) -> None:
        self.ended: dict[tuple[str, Outcome], int] = {}
        self.overruns: dict[str, int] = {}
        self.replace(registries, ())

    def replace(self, registries: Sequence[ExportedRegistry], kept: Collection[str]) -> None:
        """From now on count the cycles of these; those that are `kept` go on from where they were."""
        ended, overruns = self.ended, self.overruns
        self.ended = {
            (registry.name, outcome): ended.get((registry.name, outcome), 0) if registry.name in kept else 0
            for registry in registries
            for outcome in Outcome
        }
        self.overruns = {
            registry.name: overruns.get(registry.name, 0) if registry.name in kept else 0
            for registry in registries
        }


class LiveCollector(Collector):
    """Builds the families of what is counted here and of what never changes."""

    def __init__(
        self,
        registries: Callable[[], Sequence[ExportedRegistry]],
        requests: Callable[[], Mapping[str, RequestMetrics]],
        cycles: CycleMetrics,
        version: str,
    ) -> None:
        self._registries = registries
        self._requests = requests
        self._cycles = cycles
        self._version = version

    def describe(self) -> Iterable[Metric]:
        """Name all families, with no samples."""
        return [*_constant_families(), *_cycle_families(), *_request_families()]

    def collect(self) -> Iterable[Metric]:
        """Build the families that have samples."""
        families = [*self._constants(), *self._cycle_counts(), *self._request_counts()]
        return [family for family in families if family.samples]

    def _constants(self) -> Iterable[Metric]:
        build, interval, shard_info, shards = _constant_families()
        build.add_metric([self._version], 1)
        for registry in self._registries():
            interval.add_metric([registry.name], registry.interval)
            if (shard := registry.shard) is not None:
                shard_info.add_metric([registry.name, str(shard.index), str(shard.count)], 1)
                shards.add_metric([registry.name], shard.count)
        return build, interval, shard_info, shards

    def _cycle_counts(self) -> Iterable[Metric]:
        ended, overruns = _cycle_families()
        for (registry, outcome), count in self._cycles.ended.items():
            ended.add_metric([registry, outcome.value], count)
        for registry, count in self._cycles.overruns.items():
            overruns.add_metric([registry], count)
        return ended, overruns

    def _request_counts(self) -> Iterable[Metric]:
        families = _request_families()
        for registry, requests in self._requests().items():
            requests.export(registry, *families)
        return families


def _constant_families() -> tuple[GaugeMetricFamily, ...]:
    return (
        GaugeMetricFamily(
            f"{PREFIX}build_info", "The version of this exporter; always 1.", labels=("version",)
        ),
        GaugeMetricFamily(
            f"{PREFIX}interval_seconds", "How often a cycle of the registry shall run.", labels=("registry",)
        ),
        GaugeMetricFamily(
            f"{PREFIX}shard_info",
            "Which of how many shards of the registry's repositories this exporter walks; always 1.",
            labels=("registry", "shard", "shards"),
        ),
        GaugeMetricFamily(
            f"{PREFIX}shards",
            "How many shards the registry's repositories are divided into.",
            labels=("registry",),
        ),
    )


def _cycle_families() -> tuple[CounterMetricFamily, CounterMetricFamily]:
    return (
        CounterMetricFamily(
            f"{PREFIX}cycles",
            "Cycles of the registry that ended, by outcome.",
            labels=("registry", "outcome"),
        ),
        CounterMetricFamily(
            f"{PREFIX}cycle_overruns",
            "Cycles of the registry that took longer than its interval.",
            labels=("registry",),
        ),
    )


def _request_families() -> tuple[CounterMetricFamily, HistogramMetricFamily, CounterMetricFamily]:
    return (
        CounterMetricFamily(
            f"{PREFIX}http_requests",
            "Requests that this exporter made to the registry; the code is error where there was no answer.",
            labels=("registry", "method", "code"),
        ),
        HistogramMetricFamily(
            f"{PREFIX}http_request_duration_seconds",
            "How long the requests of this exporter to the registry took.",
            labels=("registry", "method"),
        ),
        CounterMetricFamily(
            f"{PREFIX}http_retries",
            "Requests of this exporter to the registry that were made again, by what had gone wrong.",
            labels=("registry", "reason"),
        ),
    )
