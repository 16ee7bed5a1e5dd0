"""What could not be asked keeps its last verdict, and is counted as stale."""

from dataclasses import replace

import httpx
import pytest

from exporter.integrity import Outcome
from sample import content as make
from tests.integrity import by_hand
from tests.integrity.cycles import Watcher, findings
from tests.integrity.expected import broken, unverified
from tests.integrity.scripted import Action, ScriptedRegistry, blob, fail, manifest, status, tag_list

INDEX = make.multi_platform("app", layers=1)
ROOT = INDEX.digest
CHILD = INDEX.manifests[0].digest
CONFIG = INDEX.manifests[0].config.digest
LAYER = INDEX.manifests[0].layers[0].digest
OTHER_LAYER = INDEX.manifests[1].layers[0].digest
MISSING = status(404, "MANIFEST_UNKNOWN")
ERROR = status(403)

# kind, path, the digest of a finding when it is broken, and the tags
REFERENCES = [
    pytest.param("tag", manifest("app", "latest"), None, id="tag"),
    pytest.param("tag", manifest("app", ROOT), ROOT, id="root"),
    pytest.param("child", manifest("app", CHILD), CHILD, id="child"),
    pytest.param("config", blob("app", CONFIG), CONFIG, id="config"),
    pytest.param("layer", blob("app", LAYER), LAYER, id="layer"),
]


@pytest.fixture
def registry() -> ScriptedRegistry:
    registry = ScriptedRegistry()
    registry.store("app", INDEX, "latest")
    return registry


@pytest.mark.parametrize(("kind", "path", "digest"), REFERENCES)
async def test_broken_and_then_an_error_stays_broken(
    registry: ScriptedRegistry, kind: str, path: str, digest: str | None
):
    """For as long as the error lasts, with what was known of it, and counted."""
    end = registry.on("*", path, MISSING)
    watcher = Watcher(registry)
    first = await watcher.walk()
    assert findings(first) == [broken("app", kind, digest, "latest")]
    end()
    registry.on("*", path, ERROR)
    for _ in range(4):
        report = await watcher.walk()
        assert list(report.findings()) == [replace(next(first.findings()), stale=True)]
        assert report.repositories["app"].stale == 1


@pytest.mark.parametrize(("kind", "path", "digest"), REFERENCES)
async def test_intact_and_then_an_error_is_unverified_and_stale(
    registry: ScriptedRegistry, kind: str, path: str, digest: str | None
):
    """It is counted among the stale for as long as that lasts, and everything else is asked as usual."""
    watcher = Watcher(registry)
    first = await watcher.walk()
    registry.on("*", path, ERROR)
    for _ in range(4):
        report = await watcher.walk()
        assert findings(report) == [unverified("app", kind, digest, "latest", reason="forbidden")]
        assert report.repositories["app"].stale == 1
        assert report.checked == first.checked
        assert report.outcome is Outcome.COMPLETE


@pytest.mark.parametrize(("kind", "path", "digest"), REFERENCES)
async def test_an_error_from_the_first_is_unverified_and_not_stale(
    registry: ScriptedRegistry, kind: str, path: str, digest: str | None
):
    """What never had a verdict has none to keep."""
    registry.on("*", path, ERROR)
    watcher = Watcher(registry)
    for _ in range(4):
        report = await watcher.walk()
        assert findings(report) == [unverified("app", kind, digest, "latest", reason="forbidden")]
        assert report.repositories["app"].stale == 0


@pytest.mark.parametrize(("kind", "path", "digest"), REFERENCES)
async def test_an_answer_ends_it(registry: ScriptedRegistry, kind: str, path: str, digest: str | None):
    """Broken, an error, and then intact: nothing is left of it; broken again, it is a new finding."""
    watcher = Watcher(registry, suspect_delay=0.0)
    end = registry.on("*", path, MISSING)
    first = await watcher.walk()
    end()
    end = registry.on("*", path, ERROR)
    await watcher.walk()
    end()
    report = await watcher.walk()
    assert findings(report) == []
    assert report.repositories["app"].stale == 0
    registry.on("*", path, MISSING)
    again = await watcher.walk()
    assert findings(again) == [broken("app", kind, digest, "latest")]
    assert next(again.findings()).first_seen > next(first.findings()).first_seen


@pytest.mark.parametrize("path", [manifest("app", "latest"), manifest("app", ROOT)], ids=["tag", "root"])
async def test_below_what_cannot_be_resolved_broken_stays_broken(registry: ScriptedRegistry, path: str):
    """The tag cannot be asked where it leads now; what it led to keeps its verdict."""
    del registry.blobs["app", LAYER]
    watcher = Watcher(registry)
    first = await watcher.walk()
    registry.on("*", path, ERROR)
    for _ in range(4):
        report = await watcher.walk()
        digest = None if path.endswith("latest") else ROOT
        assert findings(report) == [
            broken("app", "layer", LAYER, "latest", stale=digest is None),
            unverified("app", "tag", digest, "latest", reason="forbidden"),
        ]
        assert next(report.findings()).first_seen == next(first.findings()).first_seen


async def test_below_a_tag_that_cannot_be_resolved_a_misdescribed_child_stays_broken(
    registry: ScriptedRegistry,
):
    """The child is intact, but the index is as wrong about it as before."""
    child = INDEX.manifests[0]
    root = by_hand.index({**child.descriptor(), "size": child.size + 1})
    registry.store("app", by_hand.content(root), "latest")
    watcher = Watcher(registry)
    expected = broken("app", "child", CHILD, "latest", reason="size_mismatch")
    assert await watcher.findings() == [expected]
    registry.on("*", manifest("app", "latest"), ERROR)
    assert await watcher.findings() == [
        replace(expected, stale=True),
        unverified("app", "tag", None, "latest", reason="forbidden"),
    ]


async def test_below_a_tag_that_cannot_be_resolved_what_has_healed_is_no_finding(
    registry: ScriptedRegistry,
):
    """What was asked for and is intact is not reported broken, whoever else cannot be asked."""
    del registry.blobs["app", LAYER]
    watcher = Watcher(registry)
    await watcher.walk()
    registry.store("app", INDEX)
    registry.on("*", manifest("app", "latest"), ERROR)
    assert await watcher.findings() == [unverified("app", "tag", None, "latest", reason="forbidden")]


async def test_beside_a_child_that_cannot_be_asked_what_has_healed_is_no_finding(
    registry: ScriptedRegistry,
):
    """One child's error does not keep another child's layer broken."""
    del registry.blobs["app", OTHER_LAYER]
    end = registry.on("*", manifest("app", CHILD), MISSING)
    watcher = Watcher(registry)
    assert len(await watcher.findings()) == 2
    end()
    registry.on("*", manifest("app", CHILD), ERROR)
    registry.store("app", INDEX)
    assert await watcher.findings() == [broken("app", "child", CHILD, "latest", stale=True)]


async def test_below_a_child_that_cannot_be_read_any_more_broken_stays_broken(registry: ScriptedRegistry):
    """A layer of a child that was broken meanwhile, and so is not remembered, is not lost from sight."""
    watcher = Watcher(registry, suspect_delay=0.0)
    del registry.blobs["app", LAYER]
    await watcher.walk()
    watcher.cycle = Watcher(registry).cycle  # as after a restart that kept the report
    registry.on("*", manifest("app", CHILD), ERROR)
    assert await watcher.findings() == [
        unverified("app", "child", CHILD, "latest", reason="forbidden"),
        broken("app", "layer", LAYER, "latest", stale=True),
    ]


@pytest.mark.parametrize("again", [MISSING, ERROR], ids=["broken", "an error"])
async def test_what_several_tags_lead_to_goes_on_breaking_those_that_cannot_be_resolved(
    registry: ScriptedRegistry, again: Action
):
    """That it could be asked for by way of another tag says nothing of where they lead now."""
    registry.tags["app"]["v1"] = ROOT
    path = blob("app", LAYER)
    end = registry.on("*", path, MISSING)
    watcher = Watcher(registry)
    assert await watcher.findings() == [broken("app", "layer", LAYER, "latest", "v1")]
    end()
    registry.on("*", path, again)
    registry.on("*", manifest("app", "v1"), ERROR)
    for _ in range(3):
        report = await watcher.walk()
        assert findings(report) == [
            broken("app", "layer", LAYER, "latest", "v1", stale=again is ERROR),
            unverified("app", "tag", None, "v1", reason="forbidden"),
        ]
        assert report.broken_tags == 2


async def test_a_tag_that_moved_leaves_behind_what_was_broken(registry: ScriptedRegistry):
    """Also when what it leads to now answers an error, as long as that was read before."""
    other = make.index([make.image("other", layers=1)])
    registry.store("app", other, "other")
    del registry.blobs["app", LAYER]
    watcher = Watcher(registry)
    await watcher.walk()
    registry.tags["app"]["latest"] = other.digest
    child = other.manifests[0].digest
    registry.on("*", manifest("app", child), ERROR)
    assert await watcher.findings() == [
        unverified("app", "child", child, "latest", "other", reason="forbidden")
    ]


async def test_a_stale_finding_goes_with_its_tag(registry: ScriptedRegistry):
    """What could not be asked stops counting when its tag is known to be gone."""
    registry.store("app", make.image("other"), "other")
    del registry.blobs["app", LAYER]
    watcher = Watcher(registry)
    await watcher.walk()
    registry.on("*", manifest("app", "latest"), ERROR)
    assert len(await watcher.findings()) == 2
    del registry.tags["app"]["latest"]
    report = await watcher.walk()
    assert findings(report) == []
    assert report.repositories["app"].stale == 0


async def test_a_stale_finding_keeps_only_the_tags_that_may_still_need_it(registry: ScriptedRegistry):
    """A tag that was asked again and leads elsewhere is not broken by it any more."""
    registry.tags["app"]["v1"] = ROOT
    del registry.blobs["app", LAYER]
    watcher = Watcher(registry)
    assert await watcher.findings() == [broken("app", "layer", LAYER, "latest", "v1")]
    registry.on("*", manifest("app", "latest"), ERROR)
    registry.store("app", make.image("other"), "v1")
    assert await watcher.findings() == [
        broken("app", "layer", LAYER, "latest", stale=True),
        unverified("app", "tag", None, "latest", reason="forbidden"),
    ]


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        (status(500), "server_error"),
        (status(404, body=b"<html>"), "protocol"),
        (fail(httpx.ReadTimeout), "timeout"),
        (fail(httpx.RemoteProtocolError), "protocol"),
    ],
    ids=["500", "foreign 404", "timeout", "not HTTP"],
)
async def test_a_repository_whose_tags_cannot_be_listed_keeps_all_its_numbers(
    registry: ScriptedRegistry, action, reason: str
):
    """Its findings are stale, all its references are, and the cycle is incomplete; others are walked."""
    registry.store("web", make.image("web"), "latest")
    del registry.blobs["app", LAYER]
    watcher = Watcher(registry)
    first = await watcher.walk()
    kept = first.repositories["app"]
    end = registry.on("GET", tag_list("app"), action)
    for _ in range(3):
        report = await watcher.walk()
        app = report.repositories["app"]
        assert findings(report) == [
            broken("app", "layer", LAYER, "latest", stale=True),
            unverified("app", "tag", None, reason=reason),
        ]
        assert report.outcome is Outcome.INCOMPLETE
        assert (app.tags, app.checked, app.roots) == (kept.tags, kept.checked, kept.roots)
        assert app.broken_tags == kept.broken_tags
        assert app.stale == sum(kept.checked.values())
        assert app.last_verified == kept.last_verified
        assert report.repositories["web"].last_verified > first.repositories["web"].last_verified
        assert report.last_success == first.last_success
    end()
    assert findings(await watcher.walk()) == findings(first)


@pytest.mark.parametrize(
    "action", [fail(httpx.ConnectError), fail(httpx.ReadTimeout), status(500), status(401)]
)
async def test_a_registry_whose_catalog_cannot_be_read_keeps_everything(registry: ScriptedRegistry, action):
    """The report has failed, and holds what was known, all of it stale."""
    registry.store("web", make.image("web"), "latest")
    del registry.blobs["app", LAYER]
    registry.on("GET", tag_list("web"), ERROR)
    watcher = Watcher(registry)
    first = await watcher.walk()
    registry.on("GET", "/v2/_catalog", action)
    for _ in range(3):
        report = await watcher.walk()
        assert report.outcome is Outcome.FAILED
        assert not report.catalog_accessible
        assert list(report.findings()) == [replace(one, stale=True) for one in first.findings()]
        for name, repository in report.repositories.items():
            known = first.repositories[name]
            assert (repository.tags, repository.checked) == (known.tags, known.checked)
            assert repository.last_verified == known.last_verified
        assert report.last_success == first.last_success
        assert report.repositories_at_success == first.repositories_at_success


async def test_first_seen_is_kept_whatever_happens_in_between(registry: ScriptedRegistry):
    """Through stale cycles, a failed one and another reason, as long as it never was intact."""
    del registry.blobs["app", LAYER]
    watcher = Watcher(registry)
    first_seen = next((await watcher.walk()).findings()).first_seen
    for method, path, action in [
        ("GET", blob("app", LAYER), ERROR),
        ("GET", tag_list("app"), ERROR),
        ("GET", "/v2/_catalog", ERROR),
        ("HEAD", manifest("app", "latest"), ERROR),
        ("GET", blob("app", LAYER), status(416)),
    ]:
        end = registry.on(method, path, action)
        kept = next(one for one in (await watcher.walk()).findings() if one.digest == LAYER)
        assert kept.first_seen == first_seen
        end()


async def test_unverified_and_then_broken_is_first_seen_broken_then(registry: ScriptedRegistry):
    """The time is that of the verdict, not of the first trouble."""
    end = registry.on("*", blob("app", LAYER), ERROR)
    watcher = Watcher(registry, suspect_delay=0.0)
    before = await watcher.walk()
    end()
    del registry.blobs["app", LAYER]
    after = await watcher.walk()
    assert findings(after) == [broken("app", "layer", LAYER, "latest")]
    assert next(after.findings()).first_seen > next(before.findings()).first_seen
