"""Descriptors and platforms."""

from typing import Any

import pytest

from exporter.oci import Descriptor, Digest, Platform
from tests.oci.refusal import refusal

HEX = "0123456789abcdef" * 4
DIGEST = Digest(f"sha256:{HEX}")
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
WHOLE = {"mediaType": LAYER, "digest": str(DIGEST), "size": 12}


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in WHOLE.items() if name != field}


@pytest.mark.parametrize(
    ("document", "descriptor"),
    [
        (WHOLE, Descriptor(DIGEST, LAYER, 12)),
        (WHOLE | {"size": 0}, Descriptor(DIGEST, LAYER, 0)),
        (WHOLE | {"size": 2**63 - 1}, Descriptor(DIGEST, LAYER, 2**63 - 1)),
        (WHOLE | {"digest": "blake3:q0"}, Descriptor(Digest("blake3:q0"), LAYER, 12)),
        (
            WHOLE | {"mediaType": "text/plain; charset=utf-8"},
            Descriptor(DIGEST, "text/plain; charset=utf-8", 12),
        ),
        (WHOLE | {"mediaType": "x" * 255}, Descriptor(DIGEST, "x" * 255, 12)),
        (WHOLE | {"platform": None, "artifactType": None}, Descriptor(DIGEST, LAYER, 12)),
        (WHOLE | {"artifactType": ""}, Descriptor(DIGEST, LAYER, 12)),
        # No pull depends on it, so a long one is no fault; but it is not kept whole.
        (WHOLE | {"artifactType": "y" * 1_000_000}, Descriptor(DIGEST, LAYER, 12, artifact_type="y" * 255)),
        (
            WHOLE | {"artifactType": "application/vnd.example"},
            Descriptor(DIGEST, LAYER, 12, artifact_type="application/vnd.example"),
        ),
        (
            WHOLE | {"platform": {"os": "linux", "architecture": "arm", "variant": "v7"}},
            Descriptor(DIGEST, LAYER, 12, Platform("linux", "arm", "v7")),
        ),
        # Embedded content, other places, annotations: nothing that a pull from this registry needs.
        (
            WHOLE
            | {"data": "e30=", "urls": ["https://elsewhere.example"], "annotations": {"a": "b"}, "x": 1},
            Descriptor(DIGEST, LAYER, 12),
        ),
        (WHOLE | {"data": 7, "urls": {}, "annotations": []}, Descriptor(DIGEST, LAYER, 12)),
    ],
)
def test_descriptor_is_what_a_pull_needs_of_it(document: dict[str, Any], descriptor: Descriptor):
    """Every field that counts, and none of those that do not."""
    assert Descriptor.parse(document) == descriptor


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (None, "None is not a descriptor"),
        (7, "7 is not a descriptor"),
        ("\n", r"'\n' is not a descriptor"),
        ([], "[] is not a descriptor"),
        ({}, "digest is None, not a string"),
        (without("digest"), "digest is None, not a string"),
        (WHOLE | {"digest": None}, "digest is None, not a string"),
        (WHOLE | {"digest": 7}, "digest is 7, not a string"),
        (WHOLE | {"digest": [str(DIGEST)]}, f"digest is ['{DIGEST}'], not a string"),
        (WHOLE | {"digest": ""}, "'' is not a digest"),
        (WHOLE | {"digest": "../../etc"}, "'../../etc' is not a digest"),
        (WHOLE | {"digest": "sha256:00"}, "'sha256:00' has not the form of its algorithm"),
        (without("size"), "size is None, not a number of bytes"),
        (WHOLE | {"size": None}, "size is None, not a number of bytes"),
        (WHOLE | {"size": "12"}, "size is '12', not a number of bytes"),
        (WHOLE | {"size": 12.0}, "size is 12.0, not a number of bytes"),
        (WHOLE | {"size": True}, "size is True, not a number of bytes"),
        (WHOLE | {"size": -1}, "size is -1, not a number of bytes"),
        (WHOLE | {"size": 2**63}, "size is 9223372036854775808, not a number of bytes"),
        (WHOLE | {"size": float("inf")}, "size is inf, not a number of bytes"),
        (WHOLE | {"size": float("nan")}, "size is nan, not a number of bytes"),
        (without("mediaType"), "mediaType is None, not a media type"),
        (WHOLE | {"mediaType": ""}, "mediaType is '', not a media type"),
        (WHOLE | {"mediaType": 0}, "mediaType is 0, not a media type"),
        (WHOLE | {"mediaType": "a\tb"}, r"mediaType is 'a\tb', not a media type"),
        (WHOLE | {"mediaType": "\u2603"}, r"mediaType is '\u2603', not a media type"),
        (WHOLE | {"mediaType": "\ud800"}, r"mediaType is '\ud800', not a media type"),
        (WHOLE | {"mediaType": "x" * 256}, f"mediaType is '{'x' * 75}...', not a media type"),
        (WHOLE | {"platform": "linux/amd64"}, "platform is 'linux/amd64', not an object"),
        (WHOLE | {"platform": []}, "platform is [], not an object"),
        (WHOLE | {"platform": {"os": 7}}, "platform.os is 7, not a string"),
        (WHOLE | {"platform": {"architecture": ["arm"]}}, "platform.architecture is ['arm'], not a string"),
        (WHOLE | {"platform": {"variant": False}}, "platform.variant is False, not a string"),
        (WHOLE | {"artifactType": 0}, "artifactType is 0, not a string"),
        (WHOLE | {"artifactType": []}, "artifactType is [], not a string"),
    ],
)
def test_field_at_fault_is_named(document: object, message: str):
    """Missing and mistyped fields, one by one."""
    assert refusal(Descriptor.parse, document) == message


@pytest.mark.parametrize(
    ("document", "platform", "written", "runnable"),
    [
        ({"os": "linux", "architecture": "amd64"}, Platform("linux", "amd64"), "linux/amd64", True),
        (
            {"os": "linux", "architecture": "arm", "variant": "v7", "os.version": 1, "features": None},
            Platform("linux", "arm", "v7"),
            "linux/arm/v7",
            True,
        ),
        ({"os": "linux"}, Platform("linux", "unknown"), "linux/unknown", True),
        ({"architecture": "wasm"}, Platform("unknown", "wasm"), "unknown/wasm", True),
        (
            {"os": "unknown", "architecture": "unknown"},
            Platform("unknown", "unknown"),
            "unknown/unknown",
            False,
        ),
        ({}, Platform("unknown", "unknown"), "unknown/unknown", False),
        (
            {"os": "", "architecture": "", "variant": ""},
            Platform("unknown", "unknown"),
            "unknown/unknown",
            False,
        ),
        (
            {"os": None, "architecture": None, "variant": None},
            Platform("unknown", "unknown"),
            "unknown/unknown",
            False,
        ),
        (
            {"os": "lin\nux", "architecture": "\ud800", "variant": "\u2603"},
            Platform(r"lin\nux", r"\ud800", r"\u2603"),
            r"lin\nux/\ud800/\u2603",
            True,
        ),
        (
            {"os": "x" * 65, "architecture": "y"},
            Platform("x" * 64, "y"),
            "x" * 64 + "/y",
            True,
        ),
    ],
)
def test_platform_is_shown_safely_and_never_refused_for_its_spelling(
    document: dict[str, Any], platform: Platform, written: str, runnable: bool
):
    """Only `unknown/unknown`, which marks attestations, is not runnable."""
    parsed = Platform.parse(document)
    assert (parsed, str(parsed), parsed.runnable) == (platform, written, runnable)
