"""What a cycle tells of how far it has come."""

from dataclasses import astuple

from sample import content as make
from tests.integrity.cycles import cycle_over
from tests.integrity.scripted import URL, ScriptedRegistry


async def test_all_is_done_at_the_end():
    """Everything that was met: a list of tags, a tag, an index, two images, two configs and two layers."""
    registry = ScriptedRegistry()
    content = make.multi_platform("app", layers=1)
    registry.store("team/app", content, "latest")
    registry.store("team/other", make.image("other", layers=1), "latest")
    cycle = cycle_over(URL, registry)
    seen: list[tuple[int, ...]] = []
    registry.before_answer = lambda _: seen.append(astuple(cycle.progress))
    await cycle.run(None)
    assert seen[0] == (0, 0, 0, 0, 0, 0, 0)
    assert seen == sorted(seen)
    done = cycle.progress
    platforms = len(content.root.children)
    assert (done.repositories, done.repositories_done) == (2, 2)
    assert done.references == done.references_done == (3 + 3 * platforms) + 5
    assert (done.bytes, done.bytes_done) == (0, 0)


async def test_a_second_cycle_begins_anew():
    """What the first has done does not count for it."""
    registry = ScriptedRegistry()
    registry.store("team/app", make.image("app", layers=1), "latest")
    cycle = cycle_over(URL, registry)
    await cycle.run(None)
    first = astuple(cycle.progress)
    await cycle.run(None)
    assert astuple(cycle.progress) == first
