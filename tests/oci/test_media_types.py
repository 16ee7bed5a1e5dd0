"""Where content of a media type is served, and which layers no registry need have."""

import pytest

from exporter.oci import Target, is_foreign_layer, target_of
from exporter.oci.media_types import ACCEPT, essence


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.artifact.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    ],
)
def test_manifest_type_is_served_under_manifests(media_type: str):
    """Every generation of manifests."""
    assert target_of(media_type) is Target.MANIFEST


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.oci.image.layer.v1.tar+zstd",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.oci.empty.v1+json",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.docker.container.image.v1+json",
        "application/vnd.docker.container.image.rootfs.diff+x-gtar",
        "application/vnd.buildkit.cacheconfig.v0",
    ],
)
def test_blob_type_is_served_under_blobs(media_type: str):
    """Also where it stands in an index, as in a BuildKit cache."""
    assert target_of(media_type) is Target.BLOB


@pytest.mark.parametrize(
    "media_type",
    [
        "",
        "application/octet-stream",
        "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
        "application/vnd.oci.image.layer.",
        "application/vnd.oci.empty.v1+jsonx",
        "application/vnd.oci.image.manifest.v2+json",
        "Application/vnd.oci.image.manifest.v1+json",
        "xapplication/vnd.oci.image.config.v1+json",
    ],
)
def test_other_type_does_not_tell_where_it_is_served(media_type: str):
    """A type that only looks alike is another type."""
    assert target_of(media_type) is Target.UNKNOWN


@pytest.mark.parametrize(
    ("media_type", "foreign"),
    [
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", True),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar", True),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar", True),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", True),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", True),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", False),
        ("application/vnd.oci.image.layer.v1.tar+gzip", False),
        ("application/vnd.oci.image.layer.nondistributable.", False),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar\n", False),
        ("", False),
    ],
)
def test_foreign_layers_are_known_by_their_type(media_type: str, foreign: bool):
    """Docker's word for them and the specification's."""
    assert is_foreign_layer(media_type) is foreign


def test_every_manifest_type_is_accepted():
    """Registries answer 404 for content of a type that is not named."""
    assert ACCEPT == (
        "application/vnd.docker.distribution.manifest.list.v2+json, "
        "application/vnd.docker.distribution.manifest.v1+json, "
        "application/vnd.docker.distribution.manifest.v1+prettyjws, "
        "application/vnd.docker.distribution.manifest.v2+json, "
        "application/vnd.oci.artifact.manifest.v1+json, "
        "application/vnd.oci.image.index.v1+json, "
        "application/vnd.oci.image.manifest.v1+json"
    )


@pytest.mark.parametrize(
    ("content_type", "media_type"),
    [
        ("application/json", "application/json"),
        ("application/json; charset=utf-8", "application/json"),
        ("Application/JSON ;charset=utf-8", "application/json"),
        (" application/json\t", "application/json"),
        ("; charset=utf-8", ""),
        ("", ""),
    ],
)
def test_parameters_and_case_of_a_content_type_do_not_count(content_type: str, media_type: str):
    """RFC 9110, 8.3.1."""
    assert essence(content_type) == media_type
