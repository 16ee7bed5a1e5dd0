"""Verifying images by name, for whoever is about to deploy them."""

from exporter.verification.junit import render_junit
from exporter.verification.logins import Logins, find_logins
from exporter.verification.run import NamedImage, Verification, Verified, VerifiedImage
from exporter.verification.screen import render_trees
from exporter.verification.targets import Target, find_targets
from exporter.verification.usage import UsageError, read_images, read_platforms, read_retries

__all__ = [
    "Logins",
    "NamedImage",
    "Target",
    "UsageError",
    "Verification",
    "Verified",
    "VerifiedImage",
    "find_logins",
    "find_targets",
    "read_images",
    "read_platforms",
    "read_retries",
    "render_junit",
    "render_trees",
]
