"""Media types and the questions asked of them (OCI image specification, media-types.md; Docker's own)."""

import re
from enum import StrEnum
from functools import lru_cache

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+json"
DOCKER_SCHEMA_1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
BUILDKIT_CACHE_CONFIG = "application/vnd.buildkit.cacheconfig.v0"

INDEXES = frozenset({OCI_INDEX, DOCKER_LIST})
SCHEMA_1 = frozenset({DOCKER_SCHEMA_1, DOCKER_SCHEMA_1_SIGNED})
IMAGE_CONFIGS = frozenset({OCI_CONFIG, DOCKER_CONFIG})
MANIFESTS = INDEXES | SCHEMA_1 | {OCI_MANIFEST, OCI_ARTIFACT, DOCKER_MANIFEST}

# Every manifest type must be named: registries answer 404 for content whose type is not accepted.
ACCEPT = ", ".join(sorted(MANIFESTS))

_MANY = 256  # different ones that are met again and again
_BLOB = re.compile(
    r"application/vnd\.oci\.image\.layer\..+"
    r"|application/vnd\.docker\.image\.rootfs\..+"
    r"|application/vnd\.docker\.container\.image\..+"
    r"|application/vnd\.oci\.image\.config\..+"
    r"|application/vnd\.buildkit\.cacheconfig\..+"
    r"|application/vnd\.oci\.empty\.v1\+json"
)
_FOREIGN = re.compile(
    r"application/vnd\.docker\.image\.rootfs\.foreign\.diff\..+"
    r"|application/vnd\.oci\.image\.layer\.nondistributable\..+"
)


class Target(StrEnum):
    """Under which endpoint the content of a media type is served."""

    MANIFEST = "manifest"
    BLOB = "blob"
    UNKNOWN = "unknown"


@lru_cache(maxsize=_MANY)
def target_of(media_type: str) -> Target:
    """Tell where content of this type is served; a BuildKit cache lists blobs in an index."""
    if media_type in MANIFESTS:
        return Target.MANIFEST
    if _BLOB.fullmatch(media_type):
        return Target.BLOB
    return Target.UNKNOWN


@lru_cache(maxsize=_MANY)
def is_foreign_layer(media_type: str) -> bool:
    """Tell whether a layer is of a type that registries are not expected to hold."""
    return _FOREIGN.fullmatch(media_type) is not None


def essence(content_type: str) -> str:
    """Cut the parameters off a `Content-Type` and lower its case (RFC 9110, 8.3.1)."""
    return content_type.partition(";")[0].strip().lower()
