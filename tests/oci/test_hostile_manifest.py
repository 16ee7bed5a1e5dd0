"""Manifests that are wrong, by accident or by intent: refused, with a message that says where and why."""

import json
from typing import Any

import pytest

from exporter.oci import InvalidValueError, parse_manifest
from sample import content
from tests.oci.refusal import refusal

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"

LAYER = content.layer("layer").descriptor()
CONFIG = content.Blob(b"{}", "application/vnd.oci.image.config.v1+json").descriptor()
IMAGE: dict[str, Any] = {"schemaVersion": 2, "config": CONFIG, "layers": [LAYER]}
INDEX: dict[str, Any] = {"schemaVersion": 2, "manifests": [content.image("child").entry()]}
SCHEMA_1: dict[str, Any] = {"schemaVersion": 1, "fsLayers": [{"blobSum": LAYER["digest"]}]}
TOO_DEEP = "not JSON: nested too deep, or a number too long"


def body(document: object) -> bytes:
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not JSON: Expecting value at character 0"),
        (b"\xff", "not UTF-8 at byte 0"),
        (b'{"schemaVersion":2,"a":"\xc3\x28"}', "not UTF-8 at byte 24"),
        (b'{"a":"\xed\xa0\x80"}', "not UTF-8 at byte 6"),
        (b"\x1f\x8b\x08\x00", "not UTF-8 at byte 1"),
        ("{}".encode("utf-16"), "not UTF-8 at byte 0"),
        (b"\xef\xbb\xbf{}", "not JSON: Unexpected UTF-8 BOM (decode using utf-8-sig) at character 0"),
        (b"{", "not JSON: Expecting property name enclosed in double quotes at character 1"),
        (b'{"a":1', "not JSON: Expecting ',' delimiter at character 6"),
        (b'{"a":1}x', "not JSON: Extra data at character 7"),
        (b'{"a":"\n"}', "not JSON: Invalid control character at at character 6"),
        (b'{"a":"\\x"}', "not JSON: Invalid \\escape at character 6"),
        (b"\x00\x00\x00", "not JSON: Expecting value at character 0"),
        (b"<html></html>", "not JSON: Expecting value at character 0"),
        (b"null", "the document is None, not an object"),
        (b"[]", "the document is [], not an object"),
        (b'"\\n"', r"the document is '\n', not an object"),
        (b"7", "the document is 7, not an object"),
        (b"NaN", "the document is nan, not an object"),
        (b"[" * 100_000, TOO_DEEP),
        (b'{"a":' * 100_000, TOO_DEEP),
        (b'{"schemaVersion":' + b"9" * 5000 + b"}", TOO_DEEP),
    ],
    ids=range(22),
)
def test_body_that_is_no_json_object_is_refused(data: bytes, message: str):
    """The message tells the place, and nothing of the body raw."""
    assert refusal(parse_manifest, data) == message


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "the document has none of manifests, config, layers, fsLayers and blobs"),
        ({"schemaVersion": 2}, "the document has none of manifests, config, layers, fsLayers and blobs"),
        ({"schemaVersion": 2, "config": CONFIG}, "layers is missing"),
        ({"schemaVersion": 2, "layers": [LAYER]}, "config is missing"),
        (IMAGE | {"schemaVersion": 1}, "schemaVersion is 1"),
        (IMAGE | {"schemaVersion": "2"}, "schemaVersion is '2'"),
        (IMAGE | {"schemaVersion": None}, "schemaVersion is None"),
        (IMAGE | {"schemaVersion": 10**30}, f"schemaVersion is {10**30}"),
        (INDEX | {"schemaVersion": 3}, "schemaVersion is 3"),
        (SCHEMA_1 | {"schemaVersion": 2}, "schemaVersion is 2"),
        (IMAGE | {"mediaType": 7}, "mediaType is 7, not a media type"),
        (IMAGE | {"mediaType": False}, "mediaType is False, not a media type"),
        (IMAGE | {"mediaType": ["a"]}, "mediaType is ['a'], not a media type"),
        (IMAGE | {"mediaType": "a\r\nb"}, r"mediaType is 'a\r\nb', not a media type"),
        (IMAGE | {"artifactType": 7}, "artifactType is 7, not a string"),
        (INDEX | {"artifactType": {}}, "artifactType is {}, not a string"),
        (IMAGE | {"config": None}, "config: None is not a descriptor"),
        (IMAGE | {"config": []}, "config: [] is not a descriptor"),
        (IMAGE | {"config": {}}, "config: digest is None, not a string"),
        (IMAGE | {"config": CONFIG | {"size": -1}}, "config: size is -1, not a number of bytes"),
        (IMAGE | {"layers": {}}, "layers is {}, not a list"),
        (IMAGE | {"layers": "\x1b[2J"}, r"layers is '\x1b[2J', not a list"),
        (IMAGE | {"layers": 0}, "layers is 0, not a list"),
        (IMAGE | {"layers": [LAYER, None]}, "layers[1]: None is not a descriptor"),
        (IMAGE | {"layers": [LAYER | {"digest": "a\nb"}]}, r"layers[0]: 'a\nb' is not a digest"),
        (IMAGE | {"layers": [LAYER | {"digest": "\ud800:0"}]}, r"layers[0]: '\ud800:0' is not a digest"),
        (IMAGE | {"layers": [LAYER | {"size": 1e400}]}, "layers[0]: size is inf, not a number of bytes"),
        (
            IMAGE | {"layers": [LAYER, LAYER | {"size": 2**64}]},
            f"layers[1]: size is {2**64}, not a number of bytes",
        ),
        (INDEX | {"manifests": {}}, "manifests is {}, not a list"),
        (INDEX | {"manifests": ["latest"]}, "manifests[0]: 'latest' is not a descriptor"),
        (
            INDEX | {"manifests": [INDEX["manifests"][0] | {"platform": 1}]},
            "manifests[0]: platform is 1, not an object",
        ),
        (SCHEMA_1 | {"fsLayers": None}, "fsLayers is None, not a list"),
        (SCHEMA_1 | {"fsLayers": [None]}, "fsLayers[0].blobSum is None, not a string"),
        (SCHEMA_1 | {"fsLayers": [*SCHEMA_1["fsLayers"], {}]}, "fsLayers[1].blobSum is None, not a string"),
        (SCHEMA_1 | {"fsLayers": [{"blobSum": 7}]}, "fsLayers[0].blobSum is 7, not a string"),
        (SCHEMA_1 | {"fsLayers": [{"blobSum": "x\n"}]}, r"fsLayers[0].blobSum: 'x\n' is not a digest"),
        ({"mediaType": OCI_ARTIFACT, "blobs": "a"}, "blobs is 'a', not a list"),
        ({"mediaType": OCI_ARTIFACT, "blobs": [7]}, "blobs[0]: 7 is not a descriptor"),
    ],
)
def test_field_at_fault_is_named_with_its_place(document: dict[str, Any], message: str):
    """Missing and mistyped fields of every kind of manifest."""
    assert refusal(parse_manifest, body(document)) == message


@pytest.mark.parametrize(
    ("document", "declared", "message"),
    [
        (INDEX, OCI_MANIFEST, f"declared as {OCI_MANIFEST}, but the document is an index"),
        (INDEX, DOCKER_MANIFEST, f"declared as {DOCKER_MANIFEST}, but the document is an index"),
        (INDEX, SIGNED, f"declared as {SIGNED}, but the document is an index"),
        (IMAGE, OCI_INDEX, f"declared as {OCI_INDEX}, but the document is an image manifest"),
        (IMAGE, DOCKER_LIST, f"declared as {DOCKER_LIST}, but the document is an image manifest"),
        (IMAGE, OCI_ARTIFACT, f"declared as {OCI_ARTIFACT}, but the document is an image manifest"),
        (
            SCHEMA_1,
            DOCKER_MANIFEST,
            f"declared as {DOCKER_MANIFEST}, but the document is a schema 1 manifest",
        ),
        ({"blobs": []}, OCI_INDEX, f"declared as {OCI_INDEX}, but the document is an artifact manifest"),
    ],
)
def test_document_declared_as_another_kind_is_refused(document: dict[str, Any], declared: str, message: str):
    """By itself, by the descriptor that led to it, or by the header: container runtimes refuse it, too."""
    itself = body(document | {"mediaType": declared})
    assert [
        refusal(parse_manifest, itself),
        refusal(parse_manifest, body(document), "", declared),
        refusal(parse_manifest, body(document), f"{declared}; charset=utf-8"),
    ] == [message] * 3


def test_one_true_declaration_does_not_excuse_a_false_one():
    """Clients differ in which of them they believe."""
    document = body(INDEX | {"mediaType": OCI_INDEX})
    message = f"declared as {OCI_MANIFEST}, but the document is an index"
    assert [
        refusal(parse_manifest, document, OCI_MANIFEST),
        refusal(parse_manifest, document, OCI_INDEX, OCI_MANIFEST),
    ] == [message, message]


@pytest.mark.parametrize(
    ("document", "kinds"),
    [
        (INDEX | {"layers": [LAYER]}, "an index and an image manifest"),
        (INDEX | {"layers": None}, "an index and an image manifest"),
        (INDEX | {"config": CONFIG}, "an index and an image manifest"),
        (INDEX | {"fsLayers": []}, "an index and a schema 1 manifest"),
        (IMAGE | {"fsLayers": []}, "an image manifest and a schema 1 manifest"),
        (IMAGE | {"blobs": []}, "an image manifest and an artifact manifest"),
    ],
)
def test_document_of_two_kinds_at_once_is_refused(document: dict[str, Any], kinds: str):
    """CVE-2021-41190: one client would pull the index, another the image."""
    assert refusal(parse_manifest, body(document)) == f"the document is both {kinds}"


def test_message_stays_short_however_long_the_fault():
    """4 MiB of it are cut to a line."""
    message = refusal(parse_manifest, body(IMAGE | {"layers": "\x00" * 1_000_000}))
    assert message == "layers is '" + r"\x00" * 18 + r"\x0...', not a list"


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_nesting_of_any_depth_is_parsed_or_refused(opening: str):
    """Neither reading nor quoting it exhausts the stack."""
    closing = "]" if opening == "[" else "}"
    for depth in range(800, 1000):
        nested = opening * depth + "1" + closing * depth
        for document in (
            nested,
            f'{{"manifests":[{nested}]}}',
            f'{{"config":{{"digest":{nested}}},"layers":[]}}',
        ):
            try:
                parse_manifest(document.encode())
            except InvalidValueError as error:
                assert len(str(error)) < 120  # noqa: PT017 - most depths are refused, but not all the same


def test_index_that_lists_itself_by_name_is_just_an_index():
    """No digest can be its own, and a name is no digest."""
    message = refusal(parse_manifest, body(INDEX | {"manifests": [{"digest": "team/app:latest"}]}))
    assert message == "manifests[0]: size is None, not a number of bytes"
