"""What a client returns: values that nobody can change."""

from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from exporter.oci import Descriptor, Digest, ImageName, Manifest, Platform
from exporter.registry import (
    BlobHead,
    Credentials,
    Errand,
    LastByte,
    ManifestBody,
    ManifestHead,
)

DIGEST = Digest("sha256:" + "0123456789abcdef" * 4)
VALUES = [
    ManifestHead(DIGEST, 7, "text/plain"),
    ManifestBody(DIGEST, "text/plain", b"body"),
    BlobHead(7),
    LastByte(ranged=True, total=7, received=1),
    Credentials("ann", "hunter2"),
    Errand(),
    ImageName("docker.io", "library/app", "v1"),
    Platform("linux", "amd64"),
    Descriptor(DIGEST, "text/plain", 7),
    Manifest("text/plain", 7),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_value_is_frozen(value: Any):
    """No field can be set or deleted, and none added."""
    for field in fields(value):
        with pytest.raises(FrozenInstanceError):
            setattr(value, field.name, None)
        with pytest.raises(FrozenInstanceError):
            delattr(value, field.name)
    with pytest.raises((FrozenInstanceError, AttributeError, TypeError)):
        value.another = 1


@pytest.mark.parametrize("value", [one for one in VALUES if not isinstance(one, Errand)])
def test_equal_values_are_interchangeable(value: Any):
    """By all of their fields; they can be members of a set."""
    twin = type(value)(*[getattr(value, field.name) for field in fields(value)])
    assert ({value, twin}, twin is value) == ({value}, False)
