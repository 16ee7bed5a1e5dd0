"""What an ignore rule hides is neither stuck nor stale, and leaves nothing unverified."""

from dataclasses import replace
from datetime import UTC, date, datetime

import httpx
import pytest

from exporter.integrity import IgnoreRule, Kind, Outcome, Reason, Report, RepositoryReport
from exporter.integrity.history import carry
from exporter.integrity.judge import unverified as judged
from sample import content as make
from tests.integrity.cycles import Watcher, cycle_over, findings
from tests.integrity.expected import broken, unverified
from tests.integrity.scripted import URL, ScriptedRegistry, blob, fail, manifest, status, tag_list

INDEX = make.multi_platform("app", layers=1)
OTHER = make.image("other", layers=1)
CHILD = INDEX.manifests[0].digest
LAYER = INDEX.manifests[0].layers[0].digest
PATHS = {
    "tag": manifest("app", "latest"),
    "root": manifest("app", INDEX.digest),
    "child": manifest("app", CHILD),
    "layer": blob("app", LAYER),
}
on_each = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
APP = IgnoreRule("app")
LATEST = IgnoreRule("app", tag="latest")


@pytest.fixture
def registry() -> ScriptedRegistry:
    registry = ScriptedRegistry()
    registry.store("app", INDEX, "latest")
    registry.store("app", OTHER, "other")
    return registry


def verdicts(report: Report) -> list[str]:
    return [finding.verdict.value for finding in report.findings()]


def counted(app: RepositoryReport) -> tuple[int, int, int]:
    return app.stuck, app.stale, app.ignored


@on_each
async def test_an_error_that_is_ignored_is_never_stuck_and_verifies_the_repository(
    registry: ScriptedRegistry, path: str
):
    """However long it lasts; each cycle verifies all that is meant."""
    watcher = Watcher(registry, ignore=(LATEST,))
    registry.on("*", path, status(500))
    last = None
    for _ in range(4):
        report = await watcher.walk()
        app = report.repositories["app"]
        assert (verdicts(report), counted(app)) == (["skipped"], (0, 0, 1))
        assert app.last_verified is not None
        assert last is None or app.last_verified > last
        last = app.last_verified


async def test_an_error_beside_the_ignored_one_counts_all_the_same(registry: ScriptedRegistry):
    """A rule hides what it is about, and no more."""
    watcher = Watcher(registry, ignore=(LATEST,))
    await watcher.walk()
    registry.on("*", PATHS["child"], status(500))
    registry.on("*", manifest("app", OTHER.digest), status(500))
    reports = [(await watcher.walk()).repositories["app"] for _ in range(3)]
    assert [counted(app) for app in reports] == [(0, 1, 1), (0, 1, 1), (1, 1, 1)]
    assert len({app.last_verified for app in reports}) == 1


async def test_a_reference_of_which_only_some_tags_are_ignored_is_stuck(registry: ScriptedRegistry):
    """Somebody else needs it."""
    registry.tags["app"]["v1"] = INDEX.digest
    watcher = Watcher(registry, ignore=(LATEST,))
    registry.on("*", PATHS["child"], status(500))
    assert [(await watcher.walk()).repositories["app"].stuck for _ in range(3)] == [0, 0, 1]
    assert watcher.report is not None
    assert watcher.report.repositories["app"].last_verified is None


@pytest.mark.parametrize(
    "rule", [LATEST, IgnoreRule(digest=CHILD), IgnoreRule(reason=Reason.MISSING)], ids=str
)
async def test_a_stale_verdict_that_is_ignored_does_not_count(registry: ScriptedRegistry, rule: IgnoreRule):
    """What was broken when no rule hid it is hidden too while it answers errors."""
    del registry.manifests["app", CHILD]
    known = await cycle_over(URL, registry).run(None)
    assert findings(known) == [broken("app", "child", CHILD, "latest")]
    registry.on("*", PATHS["child"], status(500))
    unruled = await cycle_over(URL, registry).run(known)
    assert counted(unruled.repositories["app"]) == (0, 1, 0)
    assert unruled.repositories["app"].last_verified == known.repositories["app"].last_verified
    report = await cycle_over(URL, registry, ignore=(rule,)).run(known)
    app = report.repositories["app"]
    assert (verdicts(report), counted(app)) == (["skipped"], (0, 0, 1))
    assert app.last_verified is not None
    assert app.last_verified > known.finished_at


async def test_a_verdict_kept_below_what_is_ignored_is_not_taken_from_the_checked(registry: ScriptedRegistry):
    """Hidden with its tag it counts as ignored; it was not checked in the first place."""
    registry.store("app", make.multi_platform("more", layers=1), "more")
    del registry.manifests["app", CHILD]
    known = await cycle_over(URL, registry).run(None)
    registry.on("*", PATHS["tag"], status(500))
    registry.on("*", PATHS["root"], status(500))
    without = (await cycle_over(URL, registry).run(known)).repositories["app"]
    app = (await cycle_over(URL, registry, ignore=(LATEST,)).run(known)).repositories["app"]
    assert counted(without)[2] == 0
    assert (app.stuck, app.stale, app.ignored) == (0, 0, len(app.findings))
    assert app.last_verified is not None
    assert app.last_verified > known.finished_at
    hidden = {finding.kind for finding in app.findings}
    assert Kind.CHILD in hidden
    assert app.checked[Kind.CHILD] == without.checked[Kind.CHILD] == 2


async def test_errors_go_on_counting_while_they_are_hidden(registry: ScriptedRegistry):
    """When the rule has ended, what it hid for long is stuck at once."""
    registry.on("*", PATHS["child"], status(500))
    report = None
    for _ in range(3):
        report = await cycle_over(URL, registry, ignore=(LATEST,)).run(report)
    ended = IgnoreRule("app", tag="latest", until=date(2020, 1, 1))
    report = await cycle_over(URL, registry, ignore=(ended,)).run(report)
    assert findings(report) == [unverified("app", "child", CHILD, "latest")]
    assert counted(report.repositories["app"]) == (1, 0, 0)


@pytest.mark.parametrize("path", [PATHS["layer"], PATHS["tag"]], ids=["itself", "its tag"])
async def test_what_a_rule_hid_keeps_its_verdict_when_the_rule_has_ended(
    registry: ScriptedRegistry, path: str
):
    """Broken before and broken since, though it cannot be asked on the very day; then as now hidden."""
    del registry.blobs["app", LAYER]
    ruled = cycle_over(URL, registry, ignore=(LATEST,))
    known = await ruled.run(None)
    assert verdicts(known) == ["skipped"]
    registry.on("*", path, status(500))
    kept = broken("app", "layer", LAYER, "latest", stale=True)
    report = await cycle_over(URL, registry).run(known)
    assert kept in findings(report)
    assert next(report.findings()).first_seen == next(known.findings()).first_seen
    assert set(verdicts(await ruled.run(known))) == {"skipped"}
    hidden = replace(kept, verdict="skipped")
    assert hidden in findings(await ruled.run(known))


# Repositories that are not walked to their end


@pytest.mark.parametrize("left", ["/v2/_catalog", tag_list("app")])
async def test_what_is_kept_is_shown_when_its_rule_has_ended(registry: ScriptedRegistry, left: str):
    """Also while nothing can be asked: it is broken, stale, and one of the checked again."""
    del registry.blobs["app", LAYER]
    before = await cycle_over(URL, registry).run(None)
    known = await cycle_over(URL, registry, ignore=(LATEST,)).run(None)
    registry.on("*", left, status(500))
    report = await cycle_over(URL, registry).run(known)
    app = report.repositories["app"]
    assert broken("app", "layer", LAYER, "latest", stale=True) in findings(report)
    assert app.checked == before.repositories["app"].checked
    assert (app.ignored, app.broken_tags) == (0, {"latest"})


@pytest.mark.parametrize("rule", [APP, IgnoreRule(), IgnoreRule("a*", reason=Reason.SERVER_ERROR)], ids=str)
async def test_a_tag_list_whose_error_is_ignored_is_not_stuck(registry: ScriptedRegistry, rule: IgnoreRule):
    """A rule for all of the repository hides that it cannot be listed; what was known is stale."""
    watcher = Watcher(registry, ignore=(rule,))
    known = await watcher.walk()
    registry.on("*", tag_list("app"), status(500))
    for _ in range(4):
        report = await watcher.walk()
        app = report.repositories["app"]
        assert (verdicts(report), report.outcome) == (["skipped"], Outcome.INCOMPLETE)
        assert app.checked == known.repositories["app"].checked
        assert counted(app) == (0, sum(app.checked.values()), 1)


@pytest.mark.parametrize("rule", [LATEST, IgnoreRule("other"), IgnoreRule(digest=CHILD)], ids=str)
async def test_a_tag_list_is_stuck_where_the_rule_is_for_less(registry: ScriptedRegistry, rule: IgnoreRule):
    """Nobody can tell whether it hides what is meant."""
    watcher = Watcher(registry, ignore=(rule,))
    registry.on("*", tag_list("app"), status(500))
    assert [(await watcher.walk()).repositories["app"].stuck for _ in range(3)] == [0, 0, 1]
    assert watcher.report is not None
    assert verdicts(watcher.report) == ["unverified"]


async def test_what_is_ignored_stays_so_while_the_catalog_cannot_be_read(registry: ScriptedRegistry):
    """It is neither counted again nor stale; the others are."""
    watcher = Watcher(registry, ignore=(LATEST,))
    registry.on("*", PATHS["child"], status(500))
    for _ in range(3):
        known = await watcher.walk()
    checked = known.repositories["app"].checked
    registry.on("*", "/v2/_catalog", fail(httpx.ConnectError))
    for _ in range(2):
        report = await watcher.walk()
        app = report.repositories["app"]
        assert (report.outcome, verdicts(report), app.checked) == (Outcome.FAILED, ["skipped"], checked)
        assert counted(app) == (0, sum(checked.values()), 1)


@pytest.mark.parametrize("left", ["/v2/_catalog", tag_list("app")])
async def test_a_new_rule_holds_for_what_is_kept(registry: ScriptedRegistry, left: str):
    """What was reported before there was the rule is taken from the checked, and no longer stuck or stale."""
    registry.on("*", PATHS["child"], status(500))
    known = None
    for _ in range(3):
        known = await cycle_over(URL, registry).run(known)
    assert known is not None
    before = known.repositories["app"]
    assert counted(before) == (1, 0, 0)
    registry.on("*", left, status(500))
    app = (await cycle_over(URL, registry, ignore=(LATEST,)).run(known)).repositories["app"]
    assert app.checked == {**before.checked, Kind.CHILD: before.checked[Kind.CHILD] - 1}
    assert counted(app) == (0, sum(app.checked.values()), 1)


async def test_a_name_that_cannot_be_asked_for_can_be_ignored(registry: ScriptedRegistry):
    """By a glob that matches what is shown of it."""
    registry.tags["UPPER"] = {}
    watcher = Watcher(registry)
    assert verdicts(await watcher.walk()) == ["unverified"]
    (shown,) = {finding.repository for finding in (await watcher.walk()).findings()}
    watcher = Watcher(registry, ignore=(IgnoreRule("*UPPER*"),))
    for _ in range(4):
        report = await watcher.walk()
    assert (verdicts(report), report.outcome) == (["skipped"], Outcome.COMPLETE)
    assert counted(report.repositories[shown]) == (0, 0, 1)


def test_a_rule_that_has_ended_hides_no_error_of_a_repository_that_is_left():
    """It is told from the day after on."""
    rule = IgnoreRule("app", until=date(2026, 3, 1))
    judgement = judged(Reason.SERVER_ERROR, "answered 500")
    told = {
        day: carry("app", None, judgement, datetime(2026, 3, day, 12, tzinfo=UTC), (rule,)) for day in (1, 2)
    }
    assert {day: [one.verdict.value for one in app.findings] for day, app in told.items()} == {
        1: ["skipped"],
        2: ["unverified"],
    }
    assert [app.ignored for app in told.values()] == [1, 0]
