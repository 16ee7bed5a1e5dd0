"""A registry that stops answering in the middle of a cycle is left alone, and nothing is lost by it."""

import httpx
import pytest

from exporter.integrity import Outcome
from sample import content as make
from tests.integrity.cycles import Watcher, findings
from tests.integrity.expected import broken
from tests.integrity.scripted import Action, ScriptedRegistry, fail, status

IMAGES = {f"app-{number:02}": make.multi_platform(f"app {number}", layers=1) for number in range(30)}
LAYER = IMAGES["app-07"].manifests[0].layers[0].digest


@pytest.fixture
def registry() -> ScriptedRegistry:
    registry = ScriptedRegistry()
    for name, image in IMAGES.items():
        registry.store(name, image, "latest")
    del registry.blobs["app-07", LAYER]
    return registry


def everything(action: Action, registry: ScriptedRegistry, after: int) -> None:
    """Answer every request like this after so many."""
    normal = registry._answer

    def answer(request: httpx.Request) -> httpx.Response:
        if len(registry.asked) >= after:
            registry.asked.append(f"{request.method} {request.url.path}")
            faulty = action(request)
            assert faulty is not None
            return faulty
        return normal(request)

    registry._answer = answer  # type: ignore[method-assign]


@pytest.mark.parametrize("after", [1, 2, 40, 150])
async def test_a_registry_that_goes_down_in_the_middle_keeps_what_is_known(
    registry: ScriptedRegistry, after: int
):
    """Nobody is asked much longer; what was not walked is stale; nothing is newly broken or healed."""
    watcher = Watcher(registry)
    known = await watcher.walk()
    intact = len(registry.asked)
    everything(fail(httpx.ConnectError), registry, intact + after)
    report = await watcher.walk()
    assert len(registry.asked) - intact <= after + 16 * 3 * 2  # connections, attempts
    assert report.outcome is Outcome.INCOMPLETE
    assert report.last_success == known.last_success
    assert [one for one in findings(report) if one.verdict == "broken"] in (
        [broken("app-07", "layer", LAYER, "latest")],
        [broken("app-07", "layer", LAYER, "latest", stale=True)],
    )
    for name, repository in report.repositories.items():
        if not repository.walked:
            assert repository.checked == known.repositories[name].checked
            assert repository.stale == sum(repository.checked.values())
            assert repository.last_verified == known.repositories[name].last_verified


@pytest.mark.parametrize("number", [401, 403, 500, 503])
async def test_a_registry_that_answers_errors_is_not_left_alone_but_keeps_its_verdicts(
    registry: ScriptedRegistry, number: int
):
    """An error is an answer: each question is put, none of them is broken by it."""
    watcher = Watcher(registry)
    known = await watcher.walk()
    everything(status(number), registry, len(registry.asked) + 1)
    report = await watcher.walk()
    assert report.outcome is Outcome.INCOMPLETE
    assert {name: one.checked for name, one in report.repositories.items()} == {
        name: one.checked for name, one in known.repositories.items()
    }
    assert [one for one in findings(report) if one.verdict == "broken"] == [
        broken("app-07", "layer", LAYER, "latest", stale=True)
    ]


async def test_one_repository_that_times_out_does_not_take_the_others_along(registry: ScriptedRegistry):
    """It is left alone after a while, the others are walked."""
    big = make.image("slow", layers=60, layer_size=8)
    registry.store("slow", big, "latest")
    watcher = Watcher(registry)
    await watcher.walk()
    for digest in big.blobs:
        registry.on("*", f"/v2/slow/blobs/{digest}", fail(httpx.ReadTimeout))
    mark = len(registry.asked)
    report = await watcher.walk()
    assert sum("/v2/slow/blobs" in asked for asked in registry.asked[mark:]) < 61 * 3
    assert not report.repositories["slow"].walked
    assert {name for name, one in report.repositories.items() if one.walked} == set(IMAGES)
    assert findings(report)[0] == broken("app-07", "layer", LAYER, "latest")
