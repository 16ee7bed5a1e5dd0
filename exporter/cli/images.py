"""What `verify` does between the command line and the exit."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib.metadata import version
from typing import Final

import structlog
from rich.console import Console

from exporter.cli.clients import open_registry, options_of
from exporter.daemon import log_expired_rules
from exporter.integrity import CycleOptions, PlatformRule
from exporter.output import render_json
from exporter.progress import show_progress
from exporter.registry import Proxies
from exporter.settings import RegistrySettings
from exporter.verification import (
    Logins,
    Target,
    Verification,
    Verified,
    render_junit,
    render_trees,
)

_UNBOUNDED: Final = 100_000  # columns

_log = structlog.get_logger()


class ImageOutputFormat(StrEnum):
    """What `verify` prints."""

    TABLE = "table"
    JSON = "json"
    JUNIT = "junit"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be verified, and how."""

    targets: tuple[Target, ...]
    platforms: tuple[str, ...]
    full: bool
    retries: int

    def options_for(self, registry: RegistrySettings) -> CycleOptions:
        """Tell how a registry's images are to be walked."""
        options = replace(options_of(registry), full=self.full)
        if not self.platforms:
            return options
        rule = PlatformRule("*", frozenset(self.platforms))
        return replace(options, platforms=(rule,), required_platforms=self.platforms)


async def verify_images(
    wanted: Wanted, logins: Logins, proxies: Proxies, *, quiet: bool
) -> tuple[Verified, ...]:
    """Verify images of several registries at once."""
    images = [image.name for target in wanted.targets for image in target.images]
    if not sys.stderr.isatty():  # where there are bars, they say it
        _log.info("verifying", version=version("registry-integrity-exporter"), images=images)
    async with AsyncExitStack() as stack:
        verifications = []
        for target in wanted.targets:
            registry = target.registry
            credentials = logins.credentials_for(registry)
            client = await stack.enter_async_context(
                open_registry(registry, proxies, credentials=credentials)
            )
            options = wanted.options_for(registry)
            verifications.append(Verification(registry, client, options, target.images, wanted.retries))
        await stack.enter_async_context(show_progress({one.name: one for one in verifications}, quiet=quiet))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one.run()) for one in verifications]
    verified = tuple(task.result() for task in tasks)
    for one in verified:
        log_expired_rules(one.report)
    return verified


def rendered_images(verified: Sequence[Verified], output: ImageOutputFormat) -> str:
    """Write what was asked for."""
    match output:
        case ImageOutputFormat.JSON:
            return render_json(one.report for one in verified)
        case ImageOutputFormat.JUNIT:
            return render_junit(verified)
    # Lines are wrapped for a terminal only, so that other programs find whole ones.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _UNBOUNDED)
    with console.capture() as capture:
        render_trees(verified, console)
    return capture.get()
