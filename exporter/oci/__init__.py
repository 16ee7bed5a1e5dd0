"""The words of the OCI image and distribution specifications. Nothing here does input or output."""

from exporter.oci.descriptor import Descriptor, Platform
from exporter.oci.digest import Digest
from exporter.oci.errors import InvalidValueError, quoted
from exporter.oci.manifest import Manifest, Role, digested_content, parse_manifest
from exporter.oci.media_types import Target, is_foreign_layer, target_of
from exporter.oci.names import ImageName, check_host, check_repository, check_tag

__all__ = [
    "Descriptor",
    "Digest",
    "ImageName",
    "InvalidValueError",
    "Manifest",
    "Platform",
    "Role",
    "Target",
    "check_host",
    "check_repository",
    "check_tag",
    "digested_content",
    "is_foreign_layer",
    "parse_manifest",
    "quoted",
    "target_of",
]
