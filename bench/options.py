"""What one can choose about a measurement."""

from dataclasses import dataclass, field

from bench.shape import Shape


@dataclass(frozen=True, slots=True)
class Options:
    """The defaults are those of the published tables; `delay` is in seconds.

    Only `scale_runs`, how often the scale scenario is measured, is five there: one run takes a third of the
    time that all scenarios take together. `scale_references` is how many references the smallest registry of
    that scenario has, and `scale_factors` by how much each of its registries is larger than that one.
    `layer_mebibytes` is the size of the layer that is read whole, `scrape_repositories` how many repositories
    the scraped metrics tell of.
    """

    shape: Shape = field(default_factory=Shape)
    connections: int = 16
    runs: int = 5
    delay: float = 0.05
    hey_requests: int = 2000
    curl_requests: int = 200
    scrape_repositories: int = 10_000
    scale_references: int = 10_000
    scale_factors: tuple[int, ...] = (1, 10, 100)
    scale_runs: int = 1
    layer_mebibytes: int = 2048
