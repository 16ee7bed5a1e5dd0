"""A cycle that may not take long: what was verified counts, what was found broken is confirmed in time."""

import asyncio

from exporter.integrity import Outcome, Reason, Report
from sample import content as make
from tests.integrity import by_hand
from tests.integrity.cycles import Watcher, findings
from tests.integrity.expected import unverified
from tests.integrity.scripted import ScriptedRegistry, blob, change, manifest, status
from tests.integrity.virtual_time import run

IMAGE = make.image("app", layers=1)
LAYER = IMAGE.manifests[0].layers[0].digest


def registry_of(*repositories: str) -> ScriptedRegistry:
    registry = ScriptedRegistry()
    for name in repositories:
        registry.store(name, IMAGE, "latest")
    return registry


def walk(registry: ScriptedRegistry, **options: float) -> tuple[Report, float]:
    """Walk once in virtual time; return what came of it and how long it took."""

    async def timed() -> tuple[Report, float]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        report = await Watcher(registry, concurrency=1, **options).walk()
        return report, loop.time() - began

    return run(timed())


def passing(seconds: float):
    """An answer that takes so long."""
    return change(lambda: asyncio.get_running_loop().jump(seconds))


def test_a_cycle_that_ends_in_time_is_as_ever():
    """The deadline changes nothing, and what is broken is confirmed."""
    registry = registry_of("a", "b")
    registry.on("*", blob("a", LAYER), status(404, "BLOB_UNKNOWN"))
    report, _ = walk(registry, deadline=60.0, confirm_delay=5.0)
    assert report.outcome is Outcome.COMPLETE
    assert {finding.reason for finding in report.findings()} == {Reason.MISSING}


def test_what_was_not_asked_in_time_is_unverified():
    """What was walked before counts; the others are canceled, and the cycle is incomplete, in time."""
    registry = registry_of("a", "b", "c")
    registry.on("*", blob("a", LAYER), status(404, "BLOB_UNKNOWN"))
    registry.on("*", manifest("b", "latest"), passing(52.0))
    report, seconds = walk(registry, deadline=60.0, confirm_delay=5.0)
    assert report.outcome is Outcome.INCOMPLETE
    assert report.trouble == "the deadline came before everything was asked"
    found = {(finding.repository, finding.verdict.value, finding.reason) for finding in report.findings()}
    assert ("a", "broken", Reason.MISSING) in found
    assert ("c", "unverified", Reason.CANCELED) in found
    assert {reason for name, _, reason in found if name != "a"} == {Reason.CANCELED}
    assert seconds <= 60.0


def test_what_cannot_be_confirmed_in_time_is_not_broken():
    """Nothing is reported as broken that was asked for once only."""
    registry = registry_of("a")
    registry.on("*", blob("a", LAYER), status(404, "BLOB_UNKNOWN"))
    report, seconds = walk(registry, deadline=4.0, confirm_delay=5.0)
    assert report.outcome is Outcome.INCOMPLETE
    assert {(one.verdict.value, one.reason) for one in report.findings()} == {("unverified", Reason.CANCELED)}
    assert seconds <= 4.0


def test_content_that_is_missed_in_two_sizes_is_reported_in_neither_unconfirmed():
    """They are two questions about one reference, neither of which could be asked again."""
    missed = make.layer("missed").descriptor()
    registry = ScriptedRegistry()
    for tag, size in (("a", missed["size"]), ("b", missed["size"] + 1)):
        registry.store("app", by_hand.content(by_hand.image({**missed, "size": size})), tag)
    report, _ = walk(registry, deadline=2.0)
    assert findings(report) == [
        unverified("app", "layer", missed["digest"], "a", "b", reason="canceled"),
    ]
