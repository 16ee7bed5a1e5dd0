"""The scenarios by name, in the order in which they run."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from bench.options import Options
from bench.results import Result
from bench.scenarios import ceiling, latency, registry, scale, scrape, whole

Scenario: TypeAlias = Callable[[Options], Result]

SCENARIOS: Final[Mapping[str, Scenario]] = MappingProxyType(
    {
        "registry": registry.run,
        "ceiling": ceiling.run,
        "latency": latency.run,
        "scrape": scrape.run,
        "whole": whole.run,
        "scale": scale.run,
    }
)
