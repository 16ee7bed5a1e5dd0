"""One repository's trouble is not another's, and a cycle that is stopped leaves nothing behind."""

import asyncio
import sys

import pytest
from structlog.testing import capture_logs

from exporter.integrity import Outcome
from exporter.integrity.walk import RepositoryWalk
from sample import content as make
from tests.integrity.cycles import Watcher, findings
from tests.integrity.expected import broken, unverified
from tests.integrity.scripted import ScriptedRegistry, blob, status

SHARED = make.layer("shared", 100)
IMAGES = {f"app-{number}": make.multi_platform(f"app {number}", shared=[SHARED]) for number in range(6)}
LAYER = IMAGES["app-1"].manifests[0].layers[1].digest


@pytest.fixture
def registry() -> ScriptedRegistry:
    registry = ScriptedRegistry()
    for name, image in IMAGES.items():
        registry.store(name, image, "latest")
    return registry


STEPS = ["list_tags", "ask_tag", "_ask_manifest", "_ask_blob", "_settle_blob", "_expand", "met_manifests"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("concurrency", [1, 16])
async def test_a_bug_in_one_repository_leaves_the_others_walked(
    registry: ScriptedRegistry, monkeypatch: pytest.MonkeyPatch, step: str, concurrency: int
):
    """It is logged with its traceback, the repository keeps what it had, the cycle is incomplete."""
    del registry.blobs["app-1", LAYER]
    watcher = Watcher(registry, concurrency=concurrency)
    first = await watcher.walk()
    break_for(monkeypatch, step, "app-0")
    with capture_logs() as logs:
        report = await watcher.walk()
    assert [(entry["event"], entry["repository"], "exc_info" in entry) for entry in logs] == [
        ("the walk failed", "app-0", True)
    ]
    assert report.outcome is Outcome.INCOMPLETE
    assert report.trouble == "1 repositories were not walked, the first: app-0"
    assert findings(report) == [
        unverified("app-0", "tag", None, reason="protocol"),
        broken("app-1", "layer", LAYER, "latest"),
    ]
    kept, known = report.repositories["app-0"], first.repositories["app-0"]
    assert (kept.tags, kept.checked, kept.roots) == (known.tags, known.checked, known.roots)
    assert kept.stale == sum(known.checked.values())
    monkeypatch.undo()
    assert findings(await watcher.walk()) == findings(first)


def break_for(monkeypatch: pytest.MonkeyPatch, step: str, repository: str) -> None:
    """Let a step of the walk raise what no step should, for one repository."""
    real = getattr(RepositoryWalk, step)
    if isinstance(real, property):

        def broken_property(walk: RepositoryWalk):
            if walk.name == repository:
                raise LookupError(step)
            return real.fget(walk)

        monkeypatch.setattr(RepositoryWalk, step, property(broken_property))
        return

    def broken_step(walk: RepositoryWalk, *arguments, **named):
        if walk.name == repository:
            raise LookupError(step)
        return real(walk, *arguments, **named)

    monkeypatch.setattr(RepositoryWalk, step, broken_step)


async def test_a_bug_in_the_first_cycle_leaves_a_repository_without_numbers(
    registry: ScriptedRegistry, monkeypatch: pytest.MonkeyPatch
):
    """There is nothing to keep; it is unverified and never was verified."""
    break_for(monkeypatch, "ask_tag", "app-0")
    with capture_logs():
        report = await Watcher(registry).walk()
    app = report.repositories["app-0"]
    assert (app.tags, sum(app.checked.values()), app.stale, app.last_verified) == (0, 0, 0, None)
    assert findings(report) == [unverified("app-0", "tag", None, reason="protocol")]
    assert report.last_success is None


async def test_a_bug_while_others_wait_for_a_proof_lets_them_go_on(registry: ScriptedRegistry):
    """The repository whose request was the proof fails; the others read the last byte themselves."""
    registry.catalog = sorted(IMAGES)
    registry.on("GET", blob("app-0", SHARED.digest), raise_a_bug, times=1)
    with capture_logs():
        report = await Watcher(registry).walk()
    assert {one.repository for one in findings(report)} <= {"app-0"}
    assert sum(repository.last_verified is not None for repository in report.repositories.values()) >= 5


def raise_a_bug(_: object) -> None:
    raise LookupError("not an error of the transport")


@pytest.mark.parametrize("concurrency", [1, 2, 5, 16])
async def test_no_more_requests_are_under_way_than_allowed(registry: ScriptedRegistry, concurrency: int):
    """Across and within repositories, through walk, confirmation and proofs."""
    for name in IMAGES:
        registry.blobs[name, SHARED.digest] = SHARED.data[:50]
    del registry.blobs["app-1", LAYER]
    report = await Watcher(registry, concurrency=concurrency).walk()
    assert report.broken_tags == 6
    assert registry.most_at_once == concurrency


def broken_in_many_ways(registry: ScriptedRegistry) -> None:
    """Make every part of the walk have something to do."""
    del registry.blobs["app-1", LAYER]
    del registry.manifests["app-2", IMAGES["app-2"].manifests[0].digest]
    del registry.tags["app-3"]["latest"]
    registry.tags["app-4"]["gone"] = "sha256:" + "0" * 64
    registry.on("*", blob("app-5", SHARED.digest), status(500))
    for name in IMAGES:
        registry.blobs[name, SHARED.digest] = SHARED.data[:50]


@pytest.mark.parametrize("concurrency", [1, 4])
async def test_cancelled_at_any_moment_no_task_is_left(registry: ScriptedRegistry, concurrency: int):
    """While it lists, asks, retries, waits to confirm, confirms, or waits to repeat a suspect cycle."""
    watcher = Watcher(registry, concurrency=concurrency)
    known = await watcher.walk()
    broken_in_many_ways(registry)
    loop = asyncio.get_running_loop()
    started = loop.time()
    await watcher.cycle.run(known)
    duration = loop.time() - started
    assert duration > 60.0  # the suspect cycle's delay is in it
    moments = [0.0005 * number for number in range(1, 60, 3)] + [
        duration * number / 40 for number in range(40)
    ]
    for moment in moments:
        fresh = Watcher(registry, concurrency=concurrency)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(moment):
                await fresh.cycle.run(known)
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_cycle_after_a_cancelled_one_is_whole(registry: ScriptedRegistry):
    """What was remembered so far does not mislead the next."""
    broken_in_many_ways(registry)
    expected = findings(await Watcher(registry).walk())
    watcher = Watcher(registry)
    for moment in (0.001, 0.005, 0.02, 1.0, 4.0):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(moment):
                await watcher.walk()
    assert findings(await watcher.walk()) == expected


async def test_a_cycle_leaves_no_generator_for_the_loop_to_close(registry: ScriptedRegistry):
    """Each would be a task of its own: a body of which one byte is read is closed by who read it."""
    hooks, dropped = sys.get_asyncgen_hooks(), []
    sys.set_asyncgen_hooks(finalizer=lambda generator: dropped.append(generator.__qualname__))
    try:
        await Watcher(registry).walk()
    finally:
        sys.set_asyncgen_hooks(*hooks)
    assert dropped == []
