"""What is walked and what is not: repositories, tags, images by digest, caches; and what is not told."""

from collections import Counter
from collections.abc import Iterable
from datetime import date

import httpx
import pytest
from structlog.testing import capture_logs

from exporter.integrity import (
    BlobCheck,
    GlobFilter,
    IgnoreRule,
    ImageByDigest,
    Kind,
    Outcome,
    PlatformRule,
    Reason,
    RegistryKind,
    Report,
    RepositoryOverride,
)
from exporter.oci import Digest
from sample import content as make
from tests.integrity import by_hand
from tests.integrity.cycles import Watcher, findings
from tests.integrity.expected import broken, unverified
from tests.integrity.scripted import ScriptedRegistry, blob, change, manifest, status, tag_list

INDEX = make.multi_platform("app", layers=1)
ROOT = INDEX.digest
CHILD = INDEX.manifests[0].digest
LAYER = INDEX.manifests[0].layers[0].digest
LOOSE = make.image("loose", layers=1)
LOOSE_ROOT = f"@{LOOSE.digest}"
PULL_THROUGH = RegistryKind.PULL_THROUGH
CACHE = "a pull-through cache by its looks, which downloads what it is asked for: see kind: pull-through"


@pytest.fixture
def registry() -> ScriptedRegistry:
    registry = ScriptedRegistry()
    registry.store("app", INDEX, "latest", "v1")
    return registry


def image(repository: str, content: make.Content) -> ImageByDigest:
    return ImageByDigest(repository, Digest(content.digest))


def asked_of(registry: ScriptedRegistry, repository: str) -> list[str]:
    """Every request about a repository."""
    return [asked for asked in registry.asked if f"/v2/{repository}/" in asked]


def questions(repository: str, *contents: make.Content) -> list[str]:
    """What a first walk asks below some roots, by last byte."""
    manifests = {one.digest for content in contents for one in content.manifests}
    blobs = {digest: len(data) for content in contents for digest, data in content.blobs.items()}
    last_bytes = {blob(repository, digest): f"bytes={size - 1}-{size - 1}" for digest, size in blobs.items()}
    return [
        *(f"GET {manifest(repository, digest)}" for digest in manifests),
        *(f"GET {path} {byte_range}" for path, byte_range in last_bytes.items()),
    ]


# Repositories of the catalog


@pytest.mark.parametrize(
    ("include", "exclude", "walked"),
    [
        ((), (), {"app", "team/a", "team/b", "team/old/c"}),
        (("team/*",), (), {"team/a", "team/b", "team/old/c"}),
        (("team/a", "app"), (), {"app", "team/a"}),
        ((), ("team/*",), {"app"}),
        (("team/*",), ("*/old/*", "*b"), {"team/a"}),
        (("TEAM/*",), (), set()),
        (("*",), ("*",), set()),
    ],
)
async def test_globs_take_of_the_catalog(
    registry: ScriptedRegistry, include: tuple[str, ...], exclude: tuple[str, ...], walked: set[str]
):
    """What is not taken is not asked for, not counted and not reported, as if the registry had it not."""
    for name in ("team/a", "team/b", "team/old/c"):
        registry.store(name, make.image(name), "latest")
    report = await Watcher(registry, repository_filter=GlobFilter(include, exclude)).walk()
    assert (report.outcome, set(report.repositories)) == (Outcome.COMPLETE, walked)
    assert report.repositories_at_success == len(walked)
    assert {asked.split("/")[2] for asked in registry.asked} - {"_catalog"} == {
        name.partition("/")[0] for name in walked
    }
    assert all(asked_of(registry, name) for name in walked)


async def test_what_globs_leave_out_is_no_loss(registry: ScriptedRegistry):
    """A damaged repository that is not taken is no finding, nor are names that are not even legal."""
    registry.store("junk", make.image("junk"), "latest")
    registry.blobs.clear()
    registry.catalog = ["app", "junk", "JUNK/%2e%2e"]
    watcher = Watcher(registry, repository_filter=GlobFilter(exclude=("app", "[jJ]*")))
    assert (await watcher.findings(), watcher.report and watcher.report.repositories) == ([], {})


# Tags


async def test_a_tag_that_is_left_out_does_not_exist(registry: ScriptedRegistry):
    """It is neither asked for nor counted, and no finding names it."""
    registry.store("app", make.image("nightly"), "nightly-1")
    del registry.blobs["app", LAYER]
    watcher = Watcher(registry, tags=GlobFilter(("v*", "latest", "nightly-*"), ("nightly-*", "latest")))
    report = await watcher.walk()
    assert findings(report) == [broken("app", "layer", LAYER, "v1")]
    assert report.tags == report.checked[Kind.TAG] == 1
    assert not [asked for asked in registry.asked if "latest" in asked or "nightly" in asked]


async def test_a_tag_that_is_left_out_stays_so_at_confirmation(registry: ScriptedRegistry):
    """The second list is filtered like the first, so that what is left out does not come in by it."""
    del registry.blobs["app", LAYER]
    registry.on("GET", tag_list("app"), change(lambda: registry.tags["app"].pop("v1")), skip=1, times=1)
    watcher = Watcher(registry, tags=GlobFilter(exclude=("latest",)))
    assert await watcher.findings() == []
    assert watcher.report is not None
    assert watcher.report.tags == 0
    assert not [asked for asked in registry.asked if "latest" in asked]


async def test_a_repository_without_an_accepted_tag_is_walked_whole(registry: ScriptedRegistry):
    """It has no tags, which is no error, and what was known of the others is forgotten."""
    report = await Watcher(registry, tags=GlobFilter(("x*",))).walk()
    assert (report.outcome, report.tags, report.repositories["app"].walked) == (Outcome.COMPLETE, 0, True)
    assert asked_of(registry, "app") == [f"GET {tag_list('app')}"]


# Images by digest


async def test_an_image_by_digest_is_walked_at_the_cost_of_its_content(registry: ScriptedRegistry):
    """No tag is resolved for it, and what it shares with tags is asked once."""
    registry.store("app", LOOSE)
    report = await Watcher(registry, images=(image("app", LOOSE), image("app", INDEX))).walk()
    assert findings(report) == []
    assert sorted(asked_of(registry, "app")) == sorted(
        [
            f"GET {tag_list('app')}",
            f"HEAD {manifest('app', 'latest')}",
            f"HEAD {manifest('app', 'v1')}",
            *questions("app", INDEX, LOOSE),
        ]
    )
    assert report.requests == len(registry.asked)


async def test_an_image_by_digest_is_a_reference_but_no_tag(registry: ScriptedRegistry):
    """It counts among what was checked, as what leads to a manifest, and not among the tags."""
    registry.store("app", LOOSE)
    report = await Watcher(registry, images=(image("app", LOOSE),)).walk()
    assert (report.tags, report.checked[Kind.TAG]) == (2, 3)


async def test_a_missing_image_by_digest_is_broken(registry: ScriptedRegistry):
    """It was asked for twice, by digest, and the list of tags has no say in it."""
    report = await Watcher(registry, images=(image("app", LOOSE),)).walk()
    (finding,) = report.findings()
    assert findings(report) == [broken("app", "tag", LOOSE.digest, LOOSE_ROOT)]
    assert finding.detail == f"GET {manifest('app', LOOSE.digest)} answered 404 MANIFEST_UNKNOWN"
    assert [asked for asked in registry.asked if LOOSE.digest in asked] == [
        f"GET {manifest('app', LOOSE.digest)}"
    ] * 2
    assert (report.broken_tags, report.tags) == (1, 2)


async def test_what_is_broken_below_an_image_by_digest_names_it(registry: ScriptedRegistry):
    """Beside the tags that lead there."""
    del registry.blobs["app", LAYER]
    assert await Watcher(registry, images=(image("app", INDEX),)).findings() == [
        broken("app", "layer", LAYER, f"@{ROOT}", "latest", "v1")
    ]


async def test_an_image_by_digest_outlives_its_tags(registry: ScriptedRegistry):
    """When the last tag goes in the middle of a walk, the image is a finding all the same."""
    del registry.blobs["app", LAYER]
    registry.on("GET", tag_list("app"), change(registry.tags["app"].clear), skip=1, times=1)
    assert await Watcher(registry, images=(image("app", INDEX),)).findings() == [
        broken("app", "layer", LAYER, f"@{ROOT}")
    ]


async def test_an_image_needs_its_repository_neither_listed_nor_chosen(registry: ScriptedRegistry):
    """Of a repository that is walked for images alone no tags are asked for."""
    registry.store("other", LOOSE, "latest")
    registry.store("untagged", LOOSE)
    registry.tags.pop("untagged")
    watcher = Watcher(
        registry,
        repositories=("app",),
        images=(image("other", LOOSE), image("untagged", LOOSE), image("gone", LOOSE)),
    )
    report = await watcher.walk()
    assert findings(report) == [broken("gone", "tag", LOOSE.digest, LOOSE_ROOT)]
    assert {name: (one.walked, one.tags) for name, one in report.repositories.items()} == {
        "app": (True, 2),
        "gone": (True, 0),
        "other": (True, 0),
        "untagged": (True, 0),
    }
    for name in ("other", "untagged", "gone"):
        assert not [asked for asked in asked_of(registry, name) if "tags/list" in asked or "latest" in asked]


async def test_images_alone_need_no_catalog(registry: ScriptedRegistry):
    """With an empty list of repositories nothing else is walked."""
    registry.store("app", LOOSE)
    registry.on("*", "/v2/_catalog", status(401))
    report = await Watcher(registry, repositories=(), images=(image("app", LOOSE),)).walk()
    assert (report.outcome, findings(report)) == (Outcome.COMPLETE, [])
    assert sorted(registry.asked) == sorted(["GET /v2/", *questions("app", LOOSE)])


async def test_an_image_by_digest_that_answers_an_error_keeps_its_verdict(registry: ScriptedRegistry):
    """An error is neither broken nor intact; after three cycles it is stuck."""
    watcher = Watcher(registry, images=(image("app", LOOSE),))
    assert await watcher.findings() == [broken("app", "tag", LOOSE.digest, LOOSE_ROOT)]
    registry.on("*", manifest("app", LOOSE.digest), status(500))
    assert await watcher.findings() == [broken("app", "tag", LOOSE.digest, LOOSE_ROOT, stale=True)]
    assert [(await watcher.walk()).repositories["app"].stuck for _ in range(2)] == [0, 1]
    fresh = Watcher(registry, images=(image("app", LOOSE),))
    assert await fresh.findings() == [unverified("app", "tag", LOOSE.digest, LOOSE_ROOT)]


async def test_an_image_by_digest_is_remembered(registry: ScriptedRegistry):
    """The second walk asks for headers only, and finds what was lost since."""
    registry.store("app", LOOSE)
    watcher = Watcher(registry, repositories=(), images=(image("app", LOOSE),))
    await watcher.walk()
    mark = len(registry.asked)
    assert await watcher.findings() == []
    assert f"HEAD {manifest('app', LOOSE.digest)}" in registry.asked_since(mark)
    registry.remove("app")
    assert await watcher.findings() == [broken("app", "tag", LOOSE.digest, LOOSE_ROOT)]


# Caches


async def test_of_a_cache_nothing_is_asked_but_the_catalog(registry: ScriptedRegistry):
    """Its repositories are counted; whatever it would have to fetch stays where it is."""
    registry.blobs.clear()
    report = await Watcher(registry, kind=PULL_THROUGH).walk()
    assert registry.asked == ["GET /v2/_catalog"]
    assert (report.outcome, set(report.repositories), report.tags) == (Outcome.COMPLETE, {"app"}, 0)
    assert report.repositories["app"].last_verified is None


@pytest.mark.parametrize(
    "options",
    [
        {"overrides": (RepositoryOverride("proxy/*", kind=PULL_THROUGH),)},
        {"kind": PULL_THROUGH, "overrides": (RepositoryOverride("app", kind=RegistryKind.PRIVATE),)},
        {
            "overrides": (
                RepositoryOverride("proxy/x", kind=PULL_THROUGH),
                RepositoryOverride("*", blob_check=BlobCheck.HEAD),
            )
        },
    ],
    ids=["a cache within", "private within a cache", "the first that matches counts"],
)
async def test_one_registry_may_have_both(registry: ScriptedRegistry, options: dict):
    """Repositories that a cache fills are counted but never asked for; the others are walked."""
    registry.store("proxy/x", make.image("x"), "latest")
    report = await Watcher(registry, **options).walk()
    assert (report.outcome, report.repositories_at_success) == (Outcome.COMPLETE, 2)
    assert asked_of(registry, "proxy/x") == []
    assert report.tags == 2
    assert report.repositories["app"].last_verified is not None


@pytest.mark.parametrize(
    "options",
    [{"kind": PULL_THROUGH}, {"overrides": (RepositoryOverride("*", kind=PULL_THROUGH),)}],
    ids=["registry", "override"],
)
async def test_who_names_a_repository_of_a_cache_has_it_walked(registry: ScriptedRegistry, options: dict):
    """So it is for an image by digest, of which then no tags are asked for."""
    registry.store("app", LOOSE)
    named = await Watcher(registry, repositories=("app",), **options).walk()
    assert named.tags == 2
    mark = len(registry.asked)
    by_digest = await Watcher(registry, images=(image("app", LOOSE),), **options).walk()
    assert (by_digest.tags, by_digest.checked[Kind.TAG]) == (0, 1)
    assert registry.asked_since(mark) == sorted(["GET /v2/_catalog", *questions("app", LOOSE)])


async def test_each_override_has_its_own_way_to_ask_for_blobs(registry: ScriptedRegistry):
    """What is learnt of ranges in one place says nothing of another; what has no way has the registry's."""
    for name in ("proxy/x", "slow/x", "same/x"):
        registry.store(name, make.image(name, layers=2), "latest")

    def whole(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"Content-Length": "64"}, stream=httpx.ByteStream(b"x" * 64))

    for digest in make.image("proxy/x", layers=2).blobs:
        if len(registry.blobs["proxy/x", digest]) == 64:
            registry.on("GET", blob("proxy/x", digest), whole)
    watcher = Watcher(
        registry,
        overrides=(
            RepositoryOverride("same/*", kind=RegistryKind.PRIVATE),
            RepositoryOverride("proxy/*", blob_check=BlobCheck.AUTO),
            RepositoryOverride("slow/*", blob_check=BlobCheck.HEAD),
            RepositoryOverride("*", blob_check=BlobCheck.RANGE),
        ),
    )
    for _ in range(2):
        mark = len(registry.asked)
        assert await watcher.findings() == []
        methods = {
            name: Counter(asked.split()[0] for asked in registry.asked[mark:] if f"{name}/blobs/" in asked)
            for name in ("app", "proxy/x", "slow/x", "same/x")
        }
        assert methods["app"] == {"GET": len(INDEX.blobs)}
        assert methods["same/x"] == {"GET": 3}
        assert methods["slow/x"] == {"HEAD": 3}
    assert methods["proxy/x"] == {"HEAD": 3}  # in the second cycle: the first had to find out


def signing(headers: Iterable[tuple[str, str]]):
    """Answer for a manifest with some headers."""

    def act(request: httpx.Request) -> httpx.Response:
        body = b"" if request.method == "HEAD" else INDEX.root.data
        usual = [("Content-Type", INDEX.root.media_type), ("Content-Length", str(len(INDEX.root.data)))]
        return httpx.Response(200, headers=[*usual, *headers], stream=httpx.ByteStream(body))

    return act


HARBOR = (("Docker-Content-Digest", ROOT), ("Etag", ROOT))


async def test_what_looks_like_a_cache_is_warned_about_once(registry: ScriptedRegistry):
    """The first answer that shows it is named, and no other, in any cycle; the walk goes on."""
    for tag in ("latest", "v1"):
        registry.on("HEAD", manifest("app", tag), signing(HARBOR))
    watcher = Watcher(registry)
    with capture_logs() as logs:
        reports: list[Report] = [await watcher.walk() for _ in range(2)]
    assert [line for line in logs if line["event"] == CACHE] == [
        {
            "event": CACHE,
            "log_level": "warning",
            "registry": "registry",
            "repository": "app",
            "sign": "an Etag that is the bare digest, as distribution and Harbor give content from upstream",
        }
    ]
    assert {report.outcome for report in reports} == {Outcome.COMPLETE}
    assert [report.tags for report in reports] == [2, 2]


@pytest.mark.parametrize(
    "options",
    [
        {"kind": PULL_THROUGH, "repositories": ("app",)},
        {"overrides": (RepositoryOverride("a*", kind=PULL_THROUGH),), "repositories": ("app",)},
    ],
    ids=["registry", "override"],
)
async def test_a_cache_that_is_said_to_be_one_is_no_news(registry: ScriptedRegistry, options: dict):
    """Who has said it and names its repositories knows what is asked of it."""
    registry.on("HEAD", manifest("app", "latest"), signing(HARBOR))
    with capture_logs() as logs:
        await Watcher(registry, **options).walk()
    assert [line for line in logs if line["event"] == CACHE] == []


async def test_a_registry_without_a_sign_is_not_warned_about(registry: ScriptedRegistry):
    """An ordinary Etag, with its quotation marks, is none."""
    quoted = (("Docker-Content-Digest", ROOT), ("Etag", f'"{ROOT}"'))
    registry.on("HEAD", manifest("app", "latest"), signing(quoted))
    with capture_logs() as logs:
        await Watcher(registry).walk()
    assert logs == []


# What is not told


@pytest.mark.parametrize(
    "rule",
    [
        IgnoreRule(repository="a*"),
        IgnoreRule(tag="@sha256:*"),
        IgnoreRule(digest=LOOSE.digest),
        IgnoreRule(reason=Reason.MISSING),
    ],
    ids=str,
)
async def test_an_image_by_digest_can_be_ignored(registry: ScriptedRegistry, rule: IgnoreRule):
    """By its repository, its digest, its reason, or by a glob of what stands for its tag."""
    watcher = Watcher(registry, repositories=(), images=(image("app", LOOSE),), ignore=(rule,))
    report = await watcher.walk()
    assert [(one.verdict.value, one.tags) for one in report.findings()] == [("skipped", (LOOSE_ROOT,))]
    assert (report.broken_tags, report.checked[Kind.TAG]) == (0, 0)
    assert report.repositories["app"].ignored == 1
    assert report.repositories["app"].last_verified is not None


async def test_the_platforms_of_the_first_glob_that_matches_count(registry: ScriptedRegistry):
    """They hold for what an image by digest leads to as well."""
    children = {entry.platform: entry.digest for entry in INDEX.root.entries}
    assert children.keys() == {"linux/amd64", "linux/arm64"}
    for digest in children.values():
        del registry.manifests["app", digest]
    rules = (
        PlatformRule("other", frozenset({"linux/arm64"})),
        PlatformRule("a*", frozenset({"linux/amd64"})),
        PlatformRule("*", frozenset({"none/none"})),
    )
    watcher = Watcher(registry, repositories=(), images=(image("app", INDEX),), platforms=rules)
    assert await watcher.findings() == [broken("app", "child", children["linux/amd64"], f"@{ROOT}")]
    assert watcher.report is not None
    assert watcher.report.repositories["app"].ignored == 1


async def test_a_child_that_is_also_of_a_mirrored_platform_is_not_ignored(registry: ScriptedRegistry):
    """One manifest listed for two platforms, of which one is meant to be there."""
    child = make.image("both", layers=1)
    entries = [
        {**child.root.descriptor(), "platform": {"os": "linux", "architecture": architecture}}
        for architecture in ("amd64", "arm64")
    ]
    registry.store("both", child)
    registry.store("both", by_hand.content(by_hand.index(*entries)), "latest")
    rules = (PlatformRule("*", frozenset({"linux/amd64"})),)
    report = await Watcher(registry, repositories=("both",), platforms=rules).walk()
    both = report.repositories["both"]
    assert (both.ignored, both.checked[Kind.CHILD]) == (0, 1)


async def test_an_expired_rule_hides_nothing_and_is_named(registry: ScriptedRegistry):
    """What it hid is told again, and the report says which rule it was."""
    rules = (IgnoreRule(until=date(2020, 1, 1)), IgnoreRule(tag="x", until=date(2999, 1, 1)))
    watcher = Watcher(registry, repositories=(), images=(image("app", LOOSE),), ignore=rules)
    report = await watcher.walk()
    assert findings(report) == [broken("app", "tag", LOOSE.digest, LOOSE_ROOT)]
    assert report.expired_rules == ("*:* until 2020-01-01",)
