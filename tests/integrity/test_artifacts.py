"""Whatever a registry may legally hold: nothing intact is a finding, nothing broken is none."""

import hashlib

import httpx
import pytest

from exporter.oci import media_types as oci
from exporter.registry import Purpose
from sample import content as make
from sample import media_types
from sample.content import Blob, Content, Manifest
from tests.integrity import by_hand
from tests.integrity.cycles import Watcher, findings
from tests.integrity.expected import broken
from tests.integrity.model import ExpectedFinding
from tests.integrity.scripted import ScriptedRegistry, blob, manifest, status

BLOB = Blob(make.noise("blob"), "application/vnd.example.thing")
IMAGE = make.image("image", layers=1)
ARTIFACT = make.oras_artifact("artifact")
INDEX = make.multi_platform("index", layers=1, attestations=True)

LEGAL = {
    "OCI image": IMAGE,
    "Docker image": make.image("docker", family="docker"),
    "Docker manifest list": make.multi_platform("docker", family="docker"),
    "index with attestations": INDEX,
    "BuildKit cache": make.buildkit_cache("cache"),
    "cosign signature": make.cosign_signature(IMAGE.digest),
    "artifact with an absent subject": make.oras_artifact("report", subject=IMAGE.root),
    "referrers index": make.referrers_index([ARTIFACT, make.cosign_signature(IMAGE.digest)]),
    "nested indexes": make.nested_index("nested", 4),
    "child listed twice": make.index([IMAGE, IMAGE]),
    "empty index": make.index([]),
    "Helm chart": make.helm_chart("chart"),
    "foreign layers, OCI": make.foreign_layer_image("windows"),
    "foreign layers, Docker": make.foreign_layer_image("windows", family="docker"),
    "layer without a byte": make.empty_layer_image("empty"),
    "config and layer the same": by_hand.content(
        by_hand.image(by_hand.CONFIG.descriptor(mediaType=media_types.OCI_LAYER))
    ),
    "no layers": by_hand.content(by_hand.image()),
    "layers null": by_hand.content(
        by_hand.document(config=by_hand.CONFIG.descriptor(), layers=[]),
    ),
    "OCI artifact manifest": by_hand.content(
        by_hand.document(oci.OCI_ARTIFACT, artifactType="application/x", blobs=[BLOB.descriptor()]),
        blobs={BLOB.digest: BLOB.data},
        config=False,
    ),
    "schema 1": by_hand.content(
        Manifest(
            by_hand.document(
                oci.DOCKER_SCHEMA_1, schemaVersion=1, fsLayers=[{"blobSum": by_hand.CONFIG.digest}]
            ).data,
            oci.DOCKER_SCHEMA_1,
        )
    ),
    "no mediaType in the body": by_hand.content(
        Manifest(by_hand.image(mediaType=None).data, media_types.OCI_MANIFEST)
    ),
}


@pytest.mark.parametrize("content", LEGAL.values(), ids=LEGAL)
async def test_what_is_legal_and_whole_is_no_finding(content: Content):
    """In the first cycle or the second; and nothing of it is asked for twice."""
    registry = ScriptedRegistry()
    registry.store("app", content, "latest")
    watcher = Watcher(registry)
    for _ in range(2):
        mark = len(registry.asked)
        report = await watcher.walk()
        assert list(report.findings()) == []
        assert len(set(registry.asked[mark:])) == len(registry.asked[mark:]) == report.requests
        assert report.requests == 3 + len(registry.manifests) + len(content.blobs)


async def test_a_foreign_layer_is_not_asked_for():
    """It is not expected to be there, and not counted."""
    registry = ScriptedRegistry()
    image = make.foreign_layer_image("windows")
    registry.store("app", image, "latest")
    report = await Watcher(registry).walk()
    foreign = next(layer for layer in image.root.layers if layer.foreign)
    assert not any(foreign.digest in asked for asked in registry.asked)
    assert report.checked == {"tag": 1, "child": 0, "config": 1, "layer": 1}


@pytest.mark.parametrize("number", range(3))
async def test_what_a_buildkit_cache_lists_are_layers(number: int):
    """Also its config; a lost one breaks the tag."""
    cache = make.buildkit_cache("cache")
    registry = ScriptedRegistry()
    registry.store("app", cache, "cache")
    lost = cache.root.entries[number].digest
    del registry.blobs["app", lost]
    report = await Watcher(registry).walk()
    assert findings(report) == [broken("app", "layer", lost, "cache")]
    assert report.checked == {"tag": 1, "child": 0, "config": 0, "layer": 3}
    assert not any(manifest("app", lost) in asked for asked in registry.asked)


@pytest.mark.parametrize("depth", [1, 2, 3])
async def test_in_nested_indexes_everything_is_seen(depth: int):
    """However deep, with the tag at the top."""
    nested = make.nested_index("nested", 3)
    registry = ScriptedRegistry()
    registry.store("app", nested, "latest")
    lost = nested.manifests[-1 - depth].digest
    del registry.manifests["app", lost]
    assert await Watcher(registry).findings() == [broken("app", "child", lost, "latest")]


async def test_a_manifest_that_is_tagged_and_a_child_is_two_references():
    """Lost, it is a finding of its own tag and one of the index's child, asked for once."""
    child = INDEX.manifests[0]
    registry = ScriptedRegistry()
    registry.store("app", INDEX, "latest", "v1")
    registry.tags["app"]["amd64"] = child.digest
    watcher = Watcher(registry)
    first = await watcher.walk()
    assert registry.asked.count(f"GET {manifest('app', child.digest)}") == 1
    assert first.checked == {"tag": 3, "child": 4, "config": 4, "layer": 4}
    registry.manifests["app", child.digest] = (b"{}", child.media_type)
    fresh = Watcher(registry)
    assert await fresh.findings() == [
        broken("app", "child", child.digest, "latest", "v1", reason="digest_mismatch"),
        broken("app", "tag", child.digest, "amd64", reason="digest_mismatch"),
    ]


async def test_the_same_blob_as_config_and_layer_is_asked_once_and_found_twice():
    """Both references are broken by it."""
    registry = ScriptedRegistry()
    registry.store("app", LEGAL["config and layer the same"], "latest")
    del registry.blobs["app", by_hand.CONFIG.digest]
    report = await Watcher(registry).walk()
    assert findings(report) == [
        broken("app", "config", by_hand.CONFIG.digest, "latest"),
        broken("app", "layer", by_hand.CONFIG.digest, "latest"),
    ]
    assert report.requests == 5


async def test_two_sizes_for_one_blob_cannot_both_be_right():
    """Each tag has the verdict of its own descriptor."""
    right, wrong = BLOB.descriptor(), BLOB.descriptor(size=BLOB.size + 1)
    registry = ScriptedRegistry()
    for tag, descriptor in (("right", right), ("wrong", wrong)):
        image = by_hand.image(descriptor, annotations={"tag": tag})
        registry.store("app", by_hand.content(image, blobs={BLOB.digest: BLOB.data}), tag)
    for _ in range(2):
        watcher = Watcher(registry)
        assert await watcher.findings() == [
            broken("app", "layer", BLOB.digest, "wrong", reason="size_mismatch")
        ]


async def test_two_sizes_for_one_manifest_cannot_both_be_right():
    """Nor for a child: the index that is wrong about it is broken, the other is not."""
    registry = ScriptedRegistry()
    for tag, size in (("right", IMAGE.root.size), ("wrong", IMAGE.root.size + 1)):
        entry = {**IMAGE.entry(), "size": size}
        registry.store("app", IMAGE)
        registry.store("app", by_hand.content(by_hand.index(entry)), tag)
    watcher = Watcher(registry, suspect_delay=0.0)
    for _ in range(2):
        assert await watcher.findings() == [
            broken("app", "child", IMAGE.digest, "wrong", reason="size_mismatch")
        ]


async def test_schema_1_layers_are_asked_by_head():
    """Their size is not told, so there is no last byte to ask for; a lost one is found all the same."""
    registry = ScriptedRegistry()
    registry.store("app", LEGAL["schema 1"], "latest")
    watcher = Watcher(registry)
    await watcher.walk()
    path = blob("app", by_hand.CONFIG.digest)
    assert [asked for asked in registry.asked if path in asked] == [f"HEAD {path}"]
    del registry.blobs["app", by_hand.CONFIG.digest]
    assert await watcher.findings() == [broken("app", "layer", by_hand.CONFIG.digest, "latest")]


async def test_digests_of_other_algorithms_are_asked_for_and_sizes_compared():
    """sha512 is hashed; what cannot be computed is taken at the registry's word."""
    data = make.noise("other")
    known = "sha512:" + hashlib.sha512(data).hexdigest()
    unknown = "blake3:" + "0" * 64
    registry = ScriptedRegistry()
    descriptors = [BLOB.descriptor(digest=digest, size=len(data)) for digest in (known, unknown)]
    stored = by_hand.content(by_hand.image(*descriptors), blobs={known: data, unknown: data})
    registry.store("app", stored, "latest")
    watcher = Watcher(registry, suspect_delay=0.0)
    assert await watcher.findings() == []
    registry.blobs["app", unknown] = data[:-1]
    del registry.blobs["app", known]
    assert await watcher.findings() == [
        broken("app", "layer", unknown, "latest", reason="size_mismatch"),
        broken("app", "layer", known, "latest"),
    ]


@pytest.mark.parametrize(
    ("told", "finding"),
    [
        ("sha256:" + "0" * 64, []),
        (
            "blake3:" + "1" * 64,
            [broken("app", "tag", "blake3:" + "0" * 64, "latest", reason="digest_mismatch")],
        ),
    ],
    ids=["another algorithm", "the same algorithm"],
)
async def test_digests_of_two_algorithms_are_not_compared(told: str, finding: list[ExpectedFinding]):
    """A registry may tell its own digest of what was asked for by another one, by GET and by HEAD."""
    image, asked = by_hand.image(), "blake3:" + "0" * 64
    registry = ScriptedRegistry()
    registry.store("app", by_hand.content(image))
    registry.tags["app"]["latest"] = asked
    registry.manifests["app", asked] = (image.data, image.media_type)

    def answer(request: httpx.Request) -> httpx.Response:
        headers = {"Content-Type": image.media_type, "Docker-Content-Digest": told}
        body = b"" if request.method == "HEAD" else image.data
        return httpx.Response(200, headers=headers, stream=httpx.ByteStream(body))

    registry.on("*", manifest("app", asked), answer)
    watcher = Watcher(registry, suspect_delay=0.0)
    for _ in range(2):
        report = await watcher.walk()
        assert findings(report) == finding
        assert finding or report.extra_requests[Purpose.CONFIRMATION] == 0


@pytest.mark.parametrize("tags", ["ab", "ba"])
async def test_what_is_broken_for_one_tag_is_not_hidden_by_an_error_for_another(tags: str):
    """One content, two questions: the tag whose question could not be answered is not broken by it."""
    registry = ScriptedRegistry()
    for tag, size in zip(tags, (BLOB.size, BLOB.size + 1), strict=True):
        image = by_hand.image(BLOB.descriptor(size=size), annotations={"tag": tag})
        registry.store("app", by_hand.content(image, blobs={BLOB.digest: BLOB.data}), tag)
    last = f"bytes={BLOB.size - 1}-{BLOB.size - 1}"
    refused = status(403)
    registry.on(
        "GET",
        blob("app", BLOB.digest),
        lambda request: refused(request) if request.headers.get("range") == last else None,
    )
    assert await Watcher(registry, concurrency=1).findings() == [
        broken("app", "layer", BLOB.digest, tags[1], reason="size_mismatch")
    ]


@pytest.mark.parametrize("algorithm", ["sha512", "blake3"])
async def test_a_child_under_another_algorithm_is_read(algorithm: str):
    """Its body is hashed where that is possible; a registry that names another digest is caught anyway."""
    child = by_hand.image()
    digest = {
        "sha512": "sha512:" + hashlib.sha512(child.data).hexdigest(),
        "blake3": "blake3:" + "0" * 64,
    }[algorithm]
    registry = ScriptedRegistry()
    root = by_hand.index({**child.descriptor(), "digest": digest})
    registry.store("app", by_hand.content(root), "latest")
    registry.manifests["app", digest] = (child.data, child.media_type)
    watcher = Watcher(registry, suspect_delay=0.0)
    report = await watcher.walk()
    assert findings(report) == []
    assert report.checked == {"tag": 1, "child": 1, "config": 1, "layer": 0}
    del registry.blobs["app", by_hand.CONFIG.digest]
    assert await watcher.findings() == [broken("app", "config", by_hand.CONFIG.digest, "latest")]
