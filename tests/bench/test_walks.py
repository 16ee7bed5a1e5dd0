"""What is measured against each other asks a registry for exactly the same."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import pytest

from bench.measuring import Measured
from bench.shape import Request, RequestKind, Shape
from bench.side import Side, SideFailed, run_side
from bench.walks import Cycles, Pair, UnequalWork, check_work
from sample.registry import Access, DockerRegistry
from sample.store import store
from tests.parts.fixtures import StartRegistry

SHAPE = Shape(3, 2, 2)


@pytest.fixture
def registry(start_registry: StartRegistry) -> DockerRegistry:
    registry = start_registry()
    for name in SHAPE.names():
        for tag, content in SHAPE.contents(name):
            store(registry.storage, name, content, tag)
    return registry


@pytest.mark.parametrize("side", [Side.OURS, Side.BARE])
def test_each_side_asks_what_a_walk_has_to_ask(registry: DockerRegistry, side: Side):
    """In the first cycle manifests are fetched, in the second only their headers."""
    mark = registry.mark()
    cold, warm = run_side(side, url=registry.url, connections=4)
    asked = registry.requests(mark)
    floor = sum(SHAPE.floor.values())
    assert (cold.requests, warm.requests) == (floor, floor)
    assert as_asked(asked[:floor]) == as_planned(SHAPE.requests(), manifests_by="GET")
    assert as_asked(asked[floor:]) == as_planned(SHAPE.requests(), manifests_by="HEAD")


def as_asked(asked: Iterable[Access]) -> Counter[tuple[str, str]]:
    return Counter((access.method, comparable(access.target)) for access in asked)


def as_planned(planned: Iterable[Request], manifests_by: str) -> Counter[tuple[str, str]]:
    methods = {RequestKind.MANIFEST: manifests_by}
    return Counter((methods.get(one.kind, one.method), comparable(one.path)) for one in planned)


def comparable(target: str) -> str:
    """Which of the repositories that share a blob is asked for its data, chance decides."""
    return target.rpartition("/")[2] if "/blobs/" in target else target


MEASURED = Measured({"HEAD 200": 3, "GET 206": 4}, seconds=2.0, cpu_seconds=1.0, peak_memory=1000)
CYCLES = Cycles(MEASURED, MEASURED)


def test_unequal_work_is_not_compared():
    """It would not be a comparison."""
    check_work(Pair(CYCLES, CYCLES))
    other = replace(MEASURED, answers={"HEAD 200": 4, "GET 206": 3})
    with pytest.raises(UnequalWork, match="HEAD 200"):
        check_work(Pair(CYCLES, replace(CYCLES, warm=other)))


def test_rates_are_of_all_requests():
    """However they were answered."""
    assert (MEASURED.requests, MEASURED.rate, MEASURED.cpu_per_request) == (7, 3.5, 1 / 7)


def test_a_side_that_fails_says_why(registry: DockerRegistry):
    """A measurement of half a walk is none."""
    name = next(SHAPE.names())
    _, content = next(SHAPE.contents(name))
    registry.damage.remove_revision_link(name, content.manifests[0].digest)
    with pytest.raises(SideFailed, match=r"(?s)^bare ended with 1: .*answered 404"):
        run_side(Side.BARE, url=registry.url, connections=4)
    registry.stop()
    with pytest.raises(SideFailed, match=r"(?s)^ours ended with 1: .*UnexpectedReport: failed"):
        run_side(Side.OURS, url=registry.url, connections=4)
