"""What is asked of a registry for images by name, and what comes of it."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from exporter.integrity import (
    CycleOptions,
    ImageByDigest,
    ImageByTag,
    Kind,
    Outcome,
    PlatformRule,
    Reason,
    Verdict,
)
from exporter.oci import Digest
from exporter.registry import RegistryClient
from exporter.settings import RegistrySettings
from exporter.verification import NamedImage, Verification, Verified
from sample import content as make
from tests.integrity.scripted import URL, ScriptedRegistry, blob, change, fail, manifest, status
from tests.integrity.virtual_time import run

TAG = "1.2.3"


def named(repository: str, reference: str = TAG) -> NamedImage:
    image = (
        ImageByDigest(repository, Digest(reference))
        if ":" in reference
        else ImageByTag(repository, reference)
    )
    return NamedImage(str(image), image)


def verification(
    registry: ScriptedRegistry, images: Iterable[NamedImage], *, retries: int = 0, **options: Any
) -> Verification:
    settings = RegistrySettings(url=URL, name="registry")
    client = RegistryClient(URL, registry)
    return Verification(settings, client, CycleOptions(**options), images, retries)


def verified(registry: ScriptedRegistry, *images: NamedImage, retries: int = 0, **options: Any) -> Verified:
    """Verify in virtual time."""
    return run(verification(registry, images, retries=retries, **options).run())


@pytest.fixture
def registry() -> ScriptedRegistry:
    registry = ScriptedRegistry()
    registry.store("app", make.multi_platform("app", layers=1), TAG, "latest")
    registry.store("other", make.image("other", layers=1), TAG, "old")
    return registry


def test_only_the_named_tag_and_what_it_leads_to_is_asked_for(registry: ScriptedRegistry):
    """Manifests by `GET`, so that they are hashed; neither the catalog nor any list of tags."""
    content = make.multi_platform("app", layers=1)
    one = verified(registry, named("app"))
    assert one.report.findings is not None
    assert sorted(registry.asked) == sorted(
        [
            f"HEAD {manifest('app', TAG)}",
            *(f"GET {manifest('app', each.digest)}" for each in content.manifests),
            *(
                f"GET {blob('app', digest)} bytes={len(data) - 1}-{len(data) - 1}"
                for digest, data in content.blobs.items()
            ),
        ]
    )
    assert (one.report.outcome, one.report.tags, one.report.checked[Kind.CHILD]) == (Outcome.COMPLETE, 1, 2)
    assert [image.verdict for image in one.images] == [Verdict.INTACT]


def test_a_digest_needs_no_tag(registry: ScriptedRegistry):
    """It is not resolved."""
    digest = make.image("other", layers=1).digest
    one = verified(registry, named("other", digest))
    assert registry.asked[0] == f"GET {manifest('other', digest)}"
    assert (one.report.tags, one.report.checked[Kind.TAG], one.images[0].verdict) == (0, 1, Verdict.INTACT)


def test_every_image_has_its_own_verdict(registry: ScriptedRegistry):
    """What is wrong with one is not held against another of the same registry, nor of the same repository."""
    registry.store("other", make.image("broken", layers=1), "broken")
    lost = make.image("broken", layers=1).root.layers[0].digest
    del registry.blobs["other", lost]
    registry.on("*", manifest("app", TAG), status(403, "DENIED"))
    one = verified(registry, named("other", "broken"), named("other", "old"), named("app"))
    assert [(image.name, image.verdict) for image in one.images] == [
        ("other:broken", Verdict.BROKEN),
        ("other:old", Verdict.INTACT),
        (f"app:{TAG}", Verdict.UNVERIFIED),
    ]
    assert [len(image.findings) for image in one.images] == [1, 0, 1]


def test_a_tag_that_is_not_there_is_missing(registry: ScriptedRegistry):
    """Confirmed by a `GET`, 5 s later, that says why."""
    one = verified(registry, named("app", "absent"))
    [finding] = one.images[0].findings
    assert (finding.verdict, finding.reason, finding.kind, finding.digest) == (
        Verdict.BROKEN,
        Reason.MISSING,
        Kind.TAG,
        None,
    )
    assert registry.asked == [f"{method} {manifest('app', 'absent')}" for method in ("HEAD", "GET")]
    assert one.report.duration_seconds >= 5.0


def test_nothing_is_waited_for_where_all_is_intact(registry: ScriptedRegistry):
    """In virtual time it takes none."""
    assert verified(registry, named("app"), retries=3).report.duration_seconds < 0.1


def test_a_registry_that_never_answers_has_failed(registry: ScriptedRegistry):
    """With a finding for each image; one that answers something has not."""
    for image in ("app", "other"):
        registry.on("*", manifest(image, TAG), fail(httpx.ConnectError))
    one = verified(registry, named("app"), named("other"))
    assert (one.report.outcome, one.report.catalog_accessible) == (Outcome.FAILED, False)
    assert one.report.trouble == f"HEAD {manifest('app', TAG)} failed: no connection"
    assert [image.findings[0].reason for image in one.images] == [Reason.CONNECTION] * 2
    one = verified(registry, named("app"), named("other", "old"))
    assert (one.report.outcome, one.report.catalog_accessible) == (Outcome.COMPLETE, True)


# Retries


def test_what_settles_late_passes(registry: ScriptedRegistry):
    """All of it is asked for again, manifests as well, and nothing of what is intact already."""
    registry.on("*", manifest("app", TAG), status(404, "MANIFEST_UNKNOWN"), times=4)
    one = verified(registry, named("app"), named("other"), retries=2)
    assert [image.verdict for image in one.images] == [Verdict.INTACT, Verdict.INTACT]
    assert (one.report.outcome, list(one.report.findings())) == (Outcome.COMPLETE, [])
    assert set(one.report.repositories) == {"app", "other"}
    asked = registry.asked
    assert asked.count(f"HEAD {manifest('other', TAG)}") == 1
    # Twice `HEAD` and `GET` in vain; with what they led to, three verifications.
    assert asked.count(f"HEAD {manifest('app', TAG)}") == 3
    assert one.report.requests + sum(one.report.extra_requests.values()) == len(asked)


def test_retries_come_to_an_end(registry: ScriptedRegistry):
    """So many and no more, with growing waits; what was found last is told."""
    one = verified(registry, named("app", "absent"), retries=3, confirm_delay=0.0)
    assert registry.asked.count(f"HEAD {manifest('app', 'absent')}") == 4
    assert one.images[0].verdict is Verdict.BROKEN
    assert 1 + 2 + 4 <= one.report.duration_seconds <= 3 * 30


def test_a_registry_that_falls_silent_in_between_is_incomplete(registry: ScriptedRegistry):
    """What was verified before stays verified."""
    first = manifest("app", "absent")
    registry.on("GET", first, change(lambda: registry.on("*", first, fail(httpx.ConnectError))))
    one = verified(registry, named("app", "absent"), named("other"), retries=1)
    assert (one.report.outcome, one.report.catalog_accessible) == (Outcome.INCOMPLETE, True)
    assert [image.verdict for image in one.images] == [Verdict.UNVERIFIED, Verdict.INTACT]


# Platforms


def platforms(*wanted: str) -> dict[str, Any]:
    return {"platforms": (PlatformRule("*", frozenset(wanted)),), "required_platforms": wanted}


def test_other_platforms_are_skipped(registry: ScriptedRegistry):
    """They are not asked for, and shown as skipped."""
    one = verified(registry, named("app"), **platforms("linux/amd64"))
    children = one.images[0].tree.children
    assert [(node.platform, node.verdict) for node in children] == [
        ("linux/amd64", Verdict.INTACT),
        ("linux/arm64", Verdict.SKIPPED),
    ]
    assert not any(children[1].digest in asked for asked in registry.asked)
    assert one.images[0].verdict is Verdict.INTACT


def test_a_platform_that_an_index_lacks(registry: ScriptedRegistry):
    """Whoever asks for it cannot pull; an image that is no index may be of any."""
    one = verified(
        registry, named("app"), named("other"), **platforms("linux/amd64", "linux/s390x", "linux/arm/v7")
    )
    findings = one.images[0].findings
    assert [(each.verdict, each.reason, each.kind, each.digest, each.platform) for each in findings] == [
        (Verdict.BROKEN, Reason.MISSING, Kind.CHILD, None, platform)
        for platform in ("linux/s390x", "linux/arm/v7")
    ]
    assert findings[0].detail == (
        "the index has no manifest for linux/s390x, only for linux/amd64, linux/arm64"
    )
    assert findings[0].tags == (TAG,)
    assert [node.platform for node in one.images[0].tree.children if node.digest is None] == [
        "linux/s390x",
        "linux/arm/v7",
    ]
    assert one.images[1].verdict is Verdict.INTACT


@pytest.mark.parametrize("wanted", ["linux/arm64/v8", "linux/arm64", "linux/amd64/v1"])
def test_a_usual_variant_need_not_be_spelled_out(registry: ScriptedRegistry, wanted: str):
    """`linux/arm64` is `linux/arm64/v8`, as for containerd."""
    one = verified(registry, named("app"), **platforms(wanted))
    assert one.images[0].verdict is Verdict.INTACT
    assert one.report.checked[Kind.CHILD] == 1


def test_an_unusual_variant_is_another_platform(registry: ScriptedRegistry):
    """`linux/arm64/v9` is not what `linux/arm64` means."""
    one = verified(registry, named("app"), **platforms("linux/arm64/v9"))
    assert one.images[0].verdict is Verdict.BROKEN


def test_platforms_of_a_nested_index(registry: ScriptedRegistry):
    """They are looked for wherever an index leads."""
    registry.store("nested", make.nested_index("nested"), TAG)
    assert verified(registry, named("nested"), **platforms("linux/amd64")).images[0].verdict is Verdict.INTACT
    assert verified(registry, named("nested"), **platforms("linux/mips")).images[0].verdict is Verdict.BROKEN


def test_what_has_no_platform_may_be_for_any():
    """No config is read to find out, so that nothing is held against it."""
    registry = ScriptedRegistry()
    inner = make.image("inner", layers=1)
    registry.store("plain", make.index([replace(inner, platform=None)]), TAG)
    one = verified(registry, named("plain"), **platforms("linux/mips"))
    assert one.images[0].verdict is Verdict.INTACT


def test_images_of_a_repository_that_is_given_up_are_told_one_by_one(registry: ScriptedRegistry):
    """Also those that were not asked for any more."""
    tags = [f"v{number}" for number in range(9)]
    for tag in tags:
        registry.on("*", manifest("app", tag), fail(httpx.ConnectError))
    one = verified(registry, *(named("app", tag) for tag in tags), concurrency=1)
    assert [(each.findings[0].reason, each.findings[0].tags) for each in one.images] == [
        (Reason.CONNECTION, (tag,)) for tag in tags
    ]
    assert len(registry.asked) < len(tags) * 3


async def test_what_will_be_read_is_known_before_it_is(registry: ScriptedRegistry):
    """All blobs of the named image, and no others."""
    one = verification(registry, [named("app")], full=True)
    done = await one.run()
    size = sum(map(len, make.multi_platform("app", layers=1).blobs.values()))
    assert (one.progress.bytes, one.progress.bytes_done, done.bytes_read) == (size, size, size)
