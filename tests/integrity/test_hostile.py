"""Content and names that no honest registry serves: bounded, said what is wrong, and nothing else suffers."""

import json

import httpx
import pytest

from exporter.integrity import Outcome
from exporter.oci import media_types as oci
from exporter.registry import Purpose
from sample import content as make
from sample import media_types
from sample.content import Manifest
from tests.integrity import by_hand
from tests.integrity.cycles import Watcher, findings
from tests.integrity.expected import broken, unverified
from tests.integrity.scripted import ScriptedRegistry, blob, manifest, status

GOOD = make.image("good", layers=1)
LAYER = GOOD.root.layers[0]
LAYER_DOCUMENT = {"mediaType": LAYER.media_type, "size": LAYER.size, "digest": LAYER.digest}


@pytest.fixture
def registry() -> ScriptedRegistry:
    registry = ScriptedRegistry()
    registry.store("good", GOOD, "latest")
    return registry


def raw(data: bytes, media_type: str = media_types.OCI_MANIFEST) -> Manifest:
    return Manifest(data, media_type)


MALFORMED = {
    "no JSON": raw(b"\x00\x01"),
    "not UTF-8": raw(by_hand.image(annotations={"by": "hand"}).data.replace(b'"hand"', b'"\xff"')),
    "cut JSON": raw(by_hand.image().data[:-1]),
    "a list": raw(b"[]"),
    "empty": raw(b""),
    "nested too deep": raw(b"[" * 100_000),
    "nothing that is known": by_hand.document(),
    "no layers": by_hand.document(config=by_hand.CONFIG.descriptor()),
    "layers no list": by_hand.document(config=by_hand.CONFIG.descriptor(), layers={}),
    "a layer no object": by_hand.image("layer"),
    "no digest": by_hand.image({"mediaType": "a/b", "size": 1}),
    "digest no digest": by_hand.image({**LAYER_DOCUMENT, "digest": "../../etc"}),
    "digest with a newline": by_hand.image({**LAYER_DOCUMENT, "digest": LAYER.digest + "\n"}),
    "digest in upper case": by_hand.image({**LAYER_DOCUMENT, "digest": LAYER.digest.upper()}),
    "size negative": by_hand.image({**LAYER_DOCUMENT, "size": -1}),
    "size no number": by_hand.image({**LAYER_DOCUMENT, "size": "64"}),
    "size a fraction": by_hand.image({**LAYER_DOCUMENT, "size": 64.0}),
    "size beyond all bounds": by_hand.image({**LAYER_DOCUMENT, "size": 2**63}),
    "size true": by_hand.image({**LAYER_DOCUMENT, "size": True}),
    "no mediaType of a layer": by_hand.image({**LAYER_DOCUMENT, "mediaType": None}),
    "mediaType with a newline": by_hand.image({**LAYER_DOCUMENT, "mediaType": "a/b\nc"}),
    "schema 3": by_hand.image(schemaVersion=3),
    "image and index": by_hand.image(manifests=[]),
    "an index said to be an image": by_hand.index(mediaType=media_types.OCI_MANIFEST),
    "an image said to be an index": by_hand.image(mediaType=media_types.OCI_INDEX),
    "platform no object": by_hand.index({**LAYER_DOCUMENT, "platform": "linux/amd64"}),
}


@pytest.mark.parametrize("document", MALFORMED.values(), ids=MALFORMED)
async def test_what_cannot_be_read_is_malformed(registry: ScriptedRegistry, document: Manifest):
    """Its digest is right, so no second copy would help: no client can use it. Nothing else suffers."""
    registry.store("app", by_hand.content(document), "latest")
    registry.store("app", make.index([GOOD]), "good")
    report = await Watcher(registry).walk()
    assert findings(report) == [
        broken("app", "tag", document.digest, "latest", reason="malformed"),
    ]
    detail = next(report.findings()).detail
    assert detail.isprintable()
    assert detail.isascii()
    assert len(detail) < 300


async def test_a_media_type_lie_is_found_on_the_way_down(registry: ScriptedRegistry):
    """An index listed as an image manifest: a runtime refuses to follow it."""
    child = by_hand.index()
    registry.store("app", by_hand.content(child))
    entry = {**child.descriptor(), "mediaType": media_types.OCI_MANIFEST}
    registry.store("app", by_hand.content(by_hand.index(entry)), "latest")
    assert await Watcher(registry).findings() == [
        broken("app", "child", child.digest, "latest", reason="malformed")
    ]


@pytest.mark.parametrize("first", ["lie", "truth"])
async def test_a_lie_about_a_manifest_harms_only_who_tells_it(registry: ScriptedRegistry, first: str):
    """Whichever of two indexes is read first: the one that tells the truth is whole, the other is not."""
    child = by_hand.index(mediaType=None)
    registry.store("app", by_hand.content(child))
    entries = {
        "truth": {**child.descriptor(), "mediaType": media_types.OCI_INDEX},
        "lie": {**child.descriptor(), "mediaType": media_types.OCI_MANIFEST},
    }
    last = {"lie": "truth", "truth": "lie"}[first]
    registry.store("app", by_hand.content(by_hand.index(entries[first])), "b")  # jobs are taken newest first
    registry.store("app", by_hand.content(by_hand.index(entries[last])), "a")
    tag = "b" if first == "lie" else "a"
    assert await Watcher(registry, concurrency=1).findings() == [
        broken("app", "child", child.digest, tag, reason="malformed")
    ]


async def test_a_manifest_larger_than_any_registry_takes_is_unverified(registry: ScriptedRegistry):
    """It is not read to its end."""
    huge = by_hand.image(annotations={"x": "y" * 4 * 1024 * 1024})
    registry.store("app", by_hand.content(huge), "latest")
    assert await Watcher(registry).findings() == [
        unverified("app", "tag", huge.digest, "latest", reason="too_large")
    ]


async def test_a_manifest_of_two_thousand_layers_is_walked(registry: ScriptedRegistry):
    """Each of them, and the lost ones found."""
    many = make.image("many", layers=2000, layer_size=8)
    registry.store("app", many, "latest")
    lost = sorted(layer.digest for layer in many.root.layers[::500])
    for digest in lost:
        del registry.blobs["app", digest]
    report = await Watcher(registry).walk()
    assert findings(report) == [broken("app", "layer", digest, "latest") for digest in lost]
    assert report.repositories["app"].checked == {"tag": 1, "child": 0, "config": 1, "layer": 2000}


BAD_TAGS = ["..", ".hidden", "a/b", "a%2fb", "a b", "a\nb", "", "ü", "-x", "x" * 129, "../../_catalog"]
BAD_REPOSITORIES = [
    "..",
    "App",
    "a//b",
    "/app",
    "app/",
    "a%2f..",
    "a b",
    "a\nb",
    "",
    "ü",
    "_catalog",
    "x" * 256,
]


async def test_names_that_are_no_tags_are_not_asked_for_but_told(registry: ScriptedRegistry):
    """They never reach a path; the other tags are walked; the repository is not verified."""
    registry.store("app", GOOD, "latest", *BAD_TAGS)
    del registry.blobs["app", LAYER.digest]
    report = await Watcher(registry).walk()
    assert findings(report) == [
        broken("app", "layer", LAYER.digest, "latest"),
        unverified("app", "tag", None, reason="protocol"),
    ]
    assert report.repositories["app"].last_verified is None
    assert report.repositories["app"].tags == 1
    assert report.outcome is Outcome.COMPLETE
    detail = list(report.findings())[-1].detail
    assert detail.startswith(f"GET tags/list answered with {len(BAD_TAGS)} names that are no tags: ")
    assert detail.isprintable()
    assert detail.isascii()
    assert {asked.split()[1] for asked in registry.asked if "/app/manifests/" in asked} == {
        manifest("app", "latest"),
        manifest("app", GOOD.digest),
    }


async def test_names_that_are_no_repositories_are_not_asked_for_but_told(registry: ScriptedRegistry):
    """They never reach a path, nor a label raw; the other repositories are walked."""
    registry.catalog = [*BAD_REPOSITORIES, "good"]
    watcher = Watcher(registry)
    first = await watcher.walk()
    assert set(first.repositories) == {
        "good",
        *(ascii(name)[:76] for name in BAD_REPOSITORIES if len(name) < 70),
    } | {name for name in first.repositories if "xxxx" in name}
    for name, repository in first.repositories.items():
        assert name.isprintable()
        assert name.isascii()
        assert len(name) <= 80
        if name != "good":
            assert [one.reason for one in repository.findings] == ["protocol"]
            assert repository.last_verified is None
    assert {asked.split()[1].split("/")[2] for asked in registry.asked} == {"_catalog", "good"}


async def test_a_wrong_name_of_a_repository_is_first_seen_once_and_gets_stuck(registry: ScriptedRegistry):
    """It is a trouble like any other: with a beginning, and a count of the cycles that it lasts."""
    registry.catalog = ["Wrong", "good"]
    watcher = Watcher(registry)
    reports = [(await watcher.walk()).repositories["'Wrong'"] for _ in range(4)]
    assert len({report.findings[0].first_seen for report in reports}) == 1
    assert [report.stuck for report in reports] == [0, 0, 1, 1]


@pytest.mark.parametrize("number", [20, 21, 100_000])
async def test_of_many_wrong_names_a_few_are_told(registry: ScriptedRegistry, number: int):
    """A hostile catalog does not make the report grow without bound."""
    registry.catalog = [f"Wrong{one}" for one in range(number)] + ["good"]
    report = await Watcher(registry).walk()
    assert len(report.repositories) == 21
    assert report.repositories["good"].last_verified is not None


async def test_a_manifest_that_lists_itself_ends(registry: ScriptedRegistry):
    """A registry that serves one under the digest of another cannot lead the walk in a circle."""
    outer = by_hand.index()
    inner = by_hand.index(by_hand.index().descriptor())
    registry.store("app", by_hand.content(outer), "latest")
    registry.manifests["app", outer.digest] = (inner.data, inner.media_type)
    assert await Watcher(registry).findings() == [
        broken("app", "tag", outer.digest, "latest", reason="digest_mismatch")
    ]


async def test_a_circle_under_digests_that_cannot_be_computed_ends(registry: ScriptedRegistry):
    """Where the content cannot be held against its digest a circle is possible; each is asked for once."""
    digests = [f"blake3:{number:064}" for number in range(3)]
    for number, digest in enumerate(digests):
        following = digests[(number + 1) % 3]
        entry = {"mediaType": media_types.OCI_INDEX, "size": 300, "digest": following}
        document = by_hand.index(entry)
        registry.manifests["app", digest] = (document.data.ljust(300), media_types.OCI_INDEX)
    registry.tags["app"] = {"latest": digests[0]}
    registry.on("*", manifest("app", digests[2]), status(404, "MANIFEST_UNKNOWN"))
    watcher = Watcher(registry)
    assert await watcher.findings() == [broken("app", "child", digests[2], "latest")]
    registry._faults.clear()
    assert await Watcher(registry).findings() == []


async def test_what_is_broken_beside_a_circle_is_found(registry: ScriptedRegistry):
    """Who looks for the tags that it breaks comes to an end as well."""
    digests = [f"blake3:{number:064}" for number in range(2)]
    for digest, following in zip(digests, reversed(digests), strict=True):
        entry = {"mediaType": media_types.OCI_INDEX, "size": 600, "digest": following}
        document = by_hand.index(entry, GOOD.root.descriptor())
        registry.manifests["app", digest] = (document.data.ljust(600), media_types.OCI_INDEX)
    registry.tags["app"] = {"latest": digests[0], "other": digests[1]}
    assert await Watcher(registry).findings() == [broken("app", "child", GOOD.digest, "latest", "other")]


@pytest.mark.parametrize(
    ("digest", "reason"),
    [("sha256:short", "protocol"), ("latest", "protocol"), (None, None)],
    ids=["wrong length", "no digest", "none"],
)
async def test_a_digest_header_must_be_a_digest(
    registry: ScriptedRegistry, digest: str | None, reason: str | None
):
    """A wrong one leaves the tag unverified; none makes the walk compute it from the body."""
    headers = {} if digest is None else {"Docker-Content-Digest": digest}
    headers |= {"Content-Type": oci.OCI_MANIFEST, "Content-Length": str(GOOD.root.size)}

    def act(request: httpx.Request) -> httpx.Response:
        body = b"" if request.method == "HEAD" else GOOD.root.data
        return httpx.Response(200, headers=headers, stream=httpx.ByteStream(body))

    registry.on("*", manifest("good", "latest"), act)
    expected = [] if reason is None else [unverified("good", "tag", None, "latest", reason=reason)]
    assert await Watcher(registry).findings() == expected


async def test_a_registry_without_digest_headers_is_walked(registry: ScriptedRegistry):
    """Tags are fetched and hashed, each cycle; everything below is as ever."""
    registry.digest_header = False
    registry.store("app", make.multi_platform("app", layers=1, attestations=True), "latest")
    del registry.blobs["good", LAYER.digest]
    watcher = Watcher(registry)
    for _ in range(2):
        mark = len(registry.asked)
        assert await watcher.findings() == [broken("good", "layer", LAYER.digest, "latest")]
        assert f"GET {manifest('app', 'latest')}" in registry.asked[mark:]


async def test_that_digest_headers_are_missing_is_learnt_once(registry: ScriptedRegistry):
    """One HEAD on top, counted apart; from then on a tag costs one request, as the floor has it."""
    registry.digest_header = False
    registry.store("app", make.image("app"), "latest", "v1")
    watcher = Watcher(registry, concurrency=1)
    first = await watcher.walk()
    floor = 1 + 2 + 3 + 2 + len(registry.blobs)  # catalog, tag lists, tags, manifests, blobs
    assert (first.requests, first.extra_requests[Purpose.CONFIRMATION]) == (floor, 1)
    second = await watcher.walk()
    assert (second.requests, set(second.extra_requests.values())) == (floor, {0})
    assert len(registry.asked) == 2 * floor + 1


async def test_one_tag_without_a_digest_header_says_nothing_of_the_others(registry: ScriptedRegistry):
    """A proxy may lose it for one answer, which must not make every tag be fetched until a restart."""
    registry.store("app", make.image("app"), "latest", "v1")
    watcher = Watcher(registry, concurrency=1)
    whole = await watcher.walk()

    def headerless(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=httpx.ByteStream(b""))

    end = registry.on("HEAD", manifest("app", "v1"), headerless)
    for _ in range(2):
        mark = len(registry.asked)
        report = await watcher.walk()
        assert (report.requests, report.extra_requests[Purpose.CONFIRMATION]) == (whole.requests, 1)
        assert [one for one in registry.asked[mark:] if one.startswith(f"GET {manifest('app', '')}")] == [
            f"GET {manifest('app', 'v1')}"
        ]
        assert findings(report) == []
    end()
    mark = len(registry.asked)
    assert (await watcher.walk()).requests == whole.requests == len(registry.asked) - mark


async def test_that_digest_headers_came_back_is_seen_in_the_next_cycle(registry: ScriptedRegistry):
    """A proxy that lost them while the exporter started must not make tags be fetched until a restart."""
    registry.store("app", make.image("app"), "latest", "v1")

    def headerless(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=httpx.ByteStream(b""))

    paths = [manifest("app", "latest"), manifest("app", "v1"), manifest("good", "latest")]
    ends = [registry.on("HEAD", path, headerless) for path in paths]
    watcher = Watcher(registry, concurrency=1)
    lost = await watcher.walk()
    still = await watcher.walk()
    for end in ends:
        end()
    mark = len(registry.asked)
    found = await watcher.walk()
    assert [
        (one.requests, one.extra_requests[Purpose.CONFIRMATION], findings(one))
        for one in (lost, still, found)
    ] == [(lost.requests, 1, []), (lost.requests, 1, []), (lost.requests, 0, [])]
    assert [path for path in paths if f"GET {path}" in registry.asked[mark:]] == []


async def test_a_header_with_another_digest_is_found_at_the_head(registry: ScriptedRegistry):
    """A registry that serves something else under a known digest says so in the header already."""
    watcher = Watcher(registry, suspect_delay=0.0)
    await watcher.walk()
    other = make.image("other").root
    registry.manifests["good", GOOD.digest] = (other.data, other.media_type)
    registry.on("HEAD", manifest("good", GOOD.digest), other_digest(other))
    assert await watcher.findings() == [
        broken("good", "tag", GOOD.digest, "latest", reason="digest_mismatch")
    ]


def other_digest(other: Manifest):
    def act(_: httpx.Request) -> httpx.Response:
        headers = {"Docker-Content-Digest": other.digest, "Content-Length": str(GOOD.root.size)}
        return httpx.Response(200, headers=headers, stream=httpx.ByteStream(b""))

    return act


async def test_a_blob_length_that_is_no_number_is_unverified(registry: ScriptedRegistry):
    """It says nothing of the blob."""
    registry.store("app", GOOD, "latest")
    for name in ("good", "app"):
        registry.on("HEAD", blob(name, LAYER.digest), lambda _: head_of("many"))
    report = await Watcher(registry, concurrency=1).walk()
    assert [(one.verdict, one.reason) for one in findings(report)] == [("unverified", "protocol")]


def head_of(length: str) -> httpx.Response:
    return httpx.Response(200, headers={"Content-Length": length}, stream=httpx.ByteStream(b""))


async def test_an_error_body_of_any_kind_is_an_error(registry: ScriptedRegistry):
    """Deep, wrong or endless: no code of the specification, so the answer is foreign."""
    bodies = [
        b'{"errors":' + b"[" * 10_000,
        b'{"errors": {}}',
        json.dumps({"errors": [1]}).encode(),
        b"{" * 70_000,
    ]
    for body in bodies:
        end = registry.on("*", blob("good", LAYER.digest), status(404, body=body))
        assert await Watcher(registry).findings() == [
            unverified("good", "layer", LAYER.digest, "latest", reason="protocol")
        ]
        end()
